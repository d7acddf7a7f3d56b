"""Numerical tools that know nothing of networks."""

from ._arguments import (
    Count as Count,
    Number as Number,
    known as known,
    leaf as leaf,
    on_host as on_host,
    random_key as random_key,
    real_number as real_number,
    whole_number as whole_number,
)
from ._arrays import own_array as own_array, require_x64 as require_x64
from ._brief import brief as brief
from ._chebyshev import chebyshev_fit as chebyshev_fit, chebyshev_points as chebyshev_points, clenshaw as clenshaw
from ._chunks import TABLES as TABLES, entries as entries, map_rows as map_rows, sum_chunks as sum_chunks
from ._compiling import compiled_quickly as compiled_quickly, split_key as split_key
from ._coordinate import (
    Coordinate as Coordinate,
    coordinate as coordinate,
    gauss_chi as gauss_chi,
    gauss_coordinate as gauss_coordinate,
)
from ._files import (
    alone as alone,
    arrays_from_bytes as arrays_from_bytes,
    arrays_to_bytes as arrays_to_bytes,
    local_path as local_path,
    write_whole as write_whole,
)
from ._hashing import Module as Module, jittable as jittable
from ._line_search import Line as Line, line_search as line_search, line_search_on_host as line_search_on_host
from ._low_rank import LowRank as LowRank, low_rank as low_rank
from ._pair_table import SMOOTH_FROM as SMOOTH_FROM, pair_moments as pair_moments
from ._processes import connect as connect
from ._search import (
    Bounded as Bounded,
    Scanned as Scanned,
    branch_and_bound as branch_and_bound,
    climb as climb,
    evaluate as evaluate,
    search_line as search_line,
)
from ._signals import Signals as Signals
from ._simplex import quadratic_on_simplex as quadratic_on_simplex
from ._sphere_mean import (
    sphere_mean as sphere_mean,
    sphere_mean_table as sphere_mean_table,
    sphere_means as sphere_means,
)
from ._tridiagonal import solve_exchange as solve_exchange
