"""A table of numbers read from a file, with names and provenance; its division into two parts."""

import dataclasses
import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from widelimit.results import one_of

from ._classes import class_targets
from ._columns import Columns, some
from ._files import open_columns
from ._scaling import KINDS, DataNotice, Scaling


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Features and targets, all finite.

    - `features`: [n, d]; `feature_names` are the d columns.
    - `target`: [n] for numbers or two classes (-1 and +1); [n, C] for C > 2 classes or C target columns.
    - `target_names`: the target columns; `target_name` joins them by ", ".
    - `source`: what the user asked for; `sha256` of the file, None for data inside scikit-learn.
    - `classes`: the classes as text, in order; empty where the target is a number.
    """

    features: Float64[np.ndarray, "n d"]
    target: Float64[np.ndarray, "n ..."]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    source: str
    sha256: str | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.features)

    @property
    def target_name(self) -> str:
        return ", ".join(self.target_names)


def read_table(
    source: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    classes: Iterable[Any] | None = None,
    features: str | Sequence[str] | None = None,
) -> Table:
    """Read numbers to learn from.

    - `source`: 'sklearn:NAME' for a data set inside scikit-learn (digits, iris, wine, breast_cancer,
      linnerud, diabetes in raw units); or a .csv (commas, a header line, UTF-8), .parquet or .npz file.
    - `target`: the target column, or several. Needed for csv and parquet; an npz file has an array "y" unless
      told, scikit-learn's data sets know theirs.
    - `classes`: only the rows with these classes (numbers or text), in this order: two become y = -1 and
      y = +1, more become [n, C] with +1 for the row's class and -1 elsewhere. Without, y are numbers.
    - `features`: the feature columns; all others if left out (an npz file: the array "x").

    **Raises** `ValueError` with the file, and the line and column where there is one, for: a missing file,
    column or class; an empty file; rows of another length; columns without a name of their own; a cell that
    is empty, not a number, or not finite; a target, or all features, the same in all rows.
    """
    if isinstance(classes, str | set | frozenset):
        # The order says which class is -1 and which is +1; that of a set changes from run to run.
        raise ValueError(f"classes: expected two or more classes such as ('a', 'b'), in order, got {classes!r}.")
    columns, names, targets = open_columns(source, features, target)
    advice = " Turn it into a number, or leave the column out with features=..."
    x = np.column_stack([columns.numbers(name, advice) for name in names])
    if classes is None:
        keep, y, labels = slice(None), _number_targets(columns, targets), ()
    elif len(targets) != 1:
        raise ValueError(f"{columns.source}: classes are those of one target column, got {some(targets)}.")
    else:
        keep, y, labels = class_targets(columns, targets[0], tuple(classes))
    x = x[keep]
    if np.all(x == x[0]):
        raise ValueError(
            f"{columns.source}: every feature column is the same in all {len(x)} rows ({some(names, 4)}); there is "
            "nothing to learn from."
        )
    return Table(x, y, names, targets, columns.source, columns.sha256, labels)


def load(
    source: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    classes: Iterable[Any] | None = None,
    features: str | Sequence[str] | None = None,
    scale: str = "unit-variance",
    scale_target: str = "none",
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "n ..."]]:
    """(x, y) of a data set: x [n, d], y [n] or [n, C], in float64.

        x, y = load("sklearn:digits", classes=(3, 8))
        x, y = load("diabetes.csv", target="progression", scale_target="unit-variance")

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
    return scaling(table.features), Scaling.fit(table.target, scale_target, names=table.target_names)(table.target)


def split(table: Table, held_out: float, seed: int) -> tuple[Table, Table]:
    """(train, test): round(held_out n) rows drawn at random are the test part; both keep the table's order.

    The division is a pure function of (n, held_out, seed), the same on every machine.
    Raises `ValueError` unless both parts have rows and the targets of the train part differ.
    """
    n = len(table)
    if not 0.0 < held_out < 1.0:
        raise ValueError(f"held_out: the fraction of rows held out must lie in (0, 1), got {held_out}.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed: must lie in [0, 2^32), got {seed}.")
    n_test = round(held_out * n)
    if not 0 < n_test < n:
        raise ValueError(f"held_out: {held_out} of the {n} rows of {table.source} leaves one part empty.")
    # RandomState: NumPy has frozen its streams, those of Generator may change with a release.
    order = np.random.RandomState(seed).permutation(n)
    train, test = _rows(table, np.sort(order[n_test:])), _rows(table, np.sort(order[:n_test]))
    if np.all(train.target == train.target[0]):
        raise ValueError(
            f"held_out: the {n - n_test} rows of {table.source} left to train on all have the same target; "
            "choose another seed or a smaller fraction."
        )
    return train, test


def _rows(table: Table, index: Int[np.ndarray, " m"]) -> Table:
    return dataclasses.replace(table, features=table.features[index], target=table.target[index])


def _number_targets(columns: Columns, names: tuple[str, ...]) -> Float64[np.ndarray, "n ..."]:
    advice = " Turn it into a number, or name the classes with classes=(..., ...)."
    values = [columns.numbers(name, advice) for name in names]
    for name, column in zip(names, values, strict=True):
        if np.all(column == column[0]):
            raise ValueError(
                f"{columns.source}: the target column {name!r} is {column[0]:g} in all {len(column)} rows; "
                "there is nothing to learn."
            )
    return values[0] if len(values) == 1 else np.column_stack(values)
