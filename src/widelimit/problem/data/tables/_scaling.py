"""Scaling of columns or rows, fitted on one set of rows and applied to any."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from widelimit.results import one_of

from ._columns import some

KINDS = ("unit-variance", "unit-norm", "none")


class DataNotice(UserWarning):
    """Something about the data that a user should know and that is no error.

    Silence it with `warnings.simplefilter("ignore", DataNotice)`.
    """


@dataclasses.dataclass(frozen=True, eq=False)
class Scaling:
    r"""What is done to a table of numbers before it is learned.

    - "unit-variance": (x - mean) / std, column by column; std divides by n. A constant column becomes 0.
    - "unit-norm": x / |x|, row by row; a row of zeros stays. No column has a mean or std here.
    - "none": x.

    Made by `Scaling.fit`. `mean` and `std` are [d], or [] for one column given as [n]; std is infinite for a
    constant column. `constant` has the names of those columns.
    """

    kind: str
    mean: Float64[np.ndarray, "..."]
    std: Float64[np.ndarray, "..."]
    constant: tuple[str, ...] = ()

    @staticmethod
    def fit(x: Float64[np.ndarray, "n ..."], kind: str = "unit-variance", *, names: Sequence[str] = ()) -> "Scaling":
        """The scaling of the given kind that fits x, [n, d] or [n] with n >= 1.

        `names`: of the columns, for messages; "0", "1", ... if left out.
        Raises `ValueError` for an unknown kind, and for numbers so large or small that they overflow.
        """
        one_of(kind, KINDS, "scaling")
        if kind != "unit-variance":
            return Scaling(kind, np.zeros(x.shape[1:]), np.ones(x.shape[1:]))
        names = list(names) or [str(column) for column in range(x[0].size)]
        # Relative to the largest entry of a column, so that squares neither overflow nor vanish.
        largest = np.max(np.abs(x), axis=0)
        ratio = x / np.where(largest > 0, largest, 1.0)
        spread = np.std(ratio, axis=0)
        # Not by the spread alone: the mean of n equal numbers is off by rounding, so theirs need not be 0.
        is_constant = (np.max(x, axis=0) == np.min(x, axis=0)) | (spread == 0)
        mean = np.asarray(largest * np.mean(ratio, axis=0))
        std = np.asarray(np.where(is_constant, np.inf, largest * spread))
        constant = tuple(name for name, flag in zip(names, np.atleast_1d(is_constant), strict=True) if flag)
        scaling = Scaling(kind, mean, std, constant)
        bad = np.flatnonzero(np.atleast_1d(~np.isfinite(scaling(x)).all(axis=0)))
        if bad.size:
            raise ValueError(f"scaling: the numbers in column {names[bad[0]]!r} are too large or small to standardise.")
        return scaling

    def __call__(self, x: Float64[np.ndarray, "n ..."]) -> Float64[np.ndarray, "n ..."]:
        """x [n, d] or [n], scaled."""
        if self.kind == "none":
            return x
        if self.kind == "unit-norm":
            if x.ndim != 2:
                raise ValueError(f"scaling 'unit-norm' acts on rows of a table [n, d], got shape {x.shape}.")
            largest = np.max(np.abs(x), axis=1, keepdims=True)
            ratio = x / np.where(largest > 0, largest, 1.0)
            return ratio / np.where(largest > 0, np.linalg.norm(ratio, axis=1, keepdims=True), 1.0)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            return (x - self.mean) / self.std

    @property
    def notice(self) -> str | None:
        """One sentence on the constant columns; None if there are none."""
        if not self.constant:
            return None
        count = f"{len(self.constant)} of {self.std.size} columns"
        return f"{count} are constant and become 0: {some(self.constant, 4)}."
