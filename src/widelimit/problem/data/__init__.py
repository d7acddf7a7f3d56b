"""Data: finite samples, quadratures, samplers of fresh batches; targets; files."""

from ._data import (
    AbstractData as AbstractData,
    Harmonic as Harmonic,
    Nodes as Nodes,
    Panels as Panels,
    Rotations as Rotations,
    as_numbers as as_numbers,
    as_points as as_points,
    require_nodes as require_nodes,
)
from ._interval import Interval as Interval
from ._noisy import Noisy as Noisy
from ._samplers import (
    FromKey as FromKey,
    FromLaw as FromLaw,
    GaussianClasses as GaussianClasses,
    uniform_box as uniform_box,
    uniform_sphere as uniform_sphere,
)
from ._samples import (
    Quadrature as Quadrature,
    Samples as Samples,
    gauss_hermite as gauss_hermite,
    gauss_legendre as gauss_legendre,
)
from ._teacher import Teacher as Teacher
from ._three_spin import ThreeSpin as ThreeSpin
from .tables._classes import labels_of as labels_of
from .tables._columns import Columns as Columns, as_number as as_number, is_missing as is_missing
from .tables._files import SKLEARN as SKLEARN, columns_of as columns_of
from .tables._scaling import DataNotice as DataNotice, Scaling as Scaling
from .tables._table import Table as Table, load as load, read_table as read_table, split as split
from .tables._typed import column_numbers as column_numbers, why_no_input as why_no_input
