"""Many runs: one problem file with a [sweep], on the cores of a machine or of many.

section -> plan -> folder -> drive (work on each worker) -> table -> matters -> page
"""

from ._cluster import cores as cores
from ._folder import SweepFolder as SweepFolder, existing_sweep as existing_sweep, is_sweep as is_sweep
from ._verb import make_runs as make_runs, plan_file as plan_file
