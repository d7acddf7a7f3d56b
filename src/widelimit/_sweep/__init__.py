"""Many runs: one problem file with a [sweep], on the cores of a machine or of many.

section -> plan -> folder -> drive (work on each worker) -> table -> matters -> page
"""

from ._folder import SweepFolder as SweepFolder, existing_sweep as existing_sweep
from ._section import sweep_schema as sweep_schema
from ._verb import (
    Sweep as Sweep,
    make_runs as make_runs,
    plan_file as plan_file,
    report_sweep as report_sweep,
    resume_sweep as resume_sweep,
    sweep as sweep,
)
