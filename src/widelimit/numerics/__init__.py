"""Numerical tools that know nothing of networks."""

from ._chunks import entries as entries, map_rows as map_rows, sum_chunks as sum_chunks
from ._loop import Stepper as Stepper, advance as advance
from ._search import (
    Bounded as Bounded,
    Found as Found,
    branch_and_bound as branch_and_bound,
    evaluate as evaluate,
    maximise as maximise,
)
