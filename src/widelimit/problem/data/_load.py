"""Arrays to learn from, out of a file or a data set that ships inside scikit-learn."""

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from widelimit.results import one_of

from .tables._scaling import KINDS, DataNotice, Scaling
from .tables._table import read_table


def load(
    source: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    classes: Sequence[Any] | None = None,
    features: str | Sequence[str] | None = None,
    scale: str = "unit-variance",
    scale_target: str = "none",
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "n ..."]]:
    """(x, y) of a data set: x [n, d], y [n] or [n, C], in float64.

        x, y = load("sklearn:digits", classes=(3, 8))
        x, y = load("diabetes.csv", target="progression", scale_target="unit-variance")

    **Arguments**

    - `source`, `target`, `classes`, `features`: as for `read_table`.
    - `scale`: "unit-variance" (each column to mean 0 and variance 1 over all rows; a constant column to 0,
      with a `DataNotice`), "unit-norm" (each row to length 1) or "none".
    - `scale_target`: "none" or "unit-variance"; classes are -1 and +1 already and take "none" only.

    To scale by a training part alone, use `read_table`, `split` and `Scaling.fit`.
    **Raises** `ValueError` as `read_table` does, and for a scaling that is not one of these.
    """
    one_of(scale, KINDS, "scale")
    one_of(scale_target, ("none", "unit-variance"), "scale_target")
    if classes is not None and scale_target != "none":
        raise ValueError(f"scale_target: classes are -1 and +1 already, so only 'none' goes; got {scale_target!r}.")
    table = read_table(source, target=target, classes=classes, features=features)
    scaling = Scaling.fit(table.features, scale, names=table.feature_names)
    if scaling.notice is not None:
        warnings.warn(f"{table.source}: {scaling.notice}", DataNotice, stacklevel=2)
    names = table.target_name.split(", ")
    return scaling(table.features), Scaling.fit(table.target, scale_target, names=names)(table.target)
