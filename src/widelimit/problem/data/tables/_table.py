"""A table of numbers read from a file, with names and provenance; its division into two parts."""

import dataclasses
import os
import warnings
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int

from widelimit.results import one_of

from ._cells import Numbers
from ._columns import some
from ._reading import Asked, read_rows
from ._recipe import Recipe, Rows, sentences
from ._scaling import KINDS, DataNotice, Scaling
from ._typed import Rules


@dataclasses.dataclass(frozen=True, eq=False)
class Table:
    """Features and targets, all finite.

    - `features`: [n, d]; `feature_names` are the d columns.
    - `target`: [n] for numbers or two classes (-1 and +1); [n, C] for C > 2 classes or C target columns.
    - `target_names`: the target columns; `target_name` joins them by ", ".
    - `source`: what the user asked for; `sha256` of the file, None for data inside scikit-learn.
    - `classes`: the classes as text, in order; empty where the target is a number.
    - `recipe`: how the features were made of the file's columns; `notes`: what was done, in sentences.
    """

    features: Float64[np.ndarray, "n d"]
    target: Float64[np.ndarray, "n ..."]
    feature_names: tuple[str, ...]
    target_names: tuple[str, ...]
    source: str
    sha256: str | None = None
    classes: tuple[str, ...] = ()
    recipe: Recipe = dataclasses.field(default_factory=lambda: Recipe(()))
    notes: tuple[str, ...] = ()
    asked: Asked | None = dataclasses.field(default=None, repr=False)
    rows: Rows | None = dataclasses.field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.features)

    @property
    def target_name(self) -> str:
        return ", ".join(self.target_names)

    def check_classes(self) -> None:
        """Raise `ValueError` for a class of one row, of which nothing can be said."""
        if not self.classes:
            return
        y = self.target
        counts = (y > 0).sum(axis=0) if y.ndim == 2 else np.array([(y < 0).sum(), (y > 0).sum()])
        if np.any(counts == 1):
            name = self.classes[int(np.argmax(counts == 1))]
            raise ValueError(
                f"{self.source}: the class {name!r} appears once; nothing can be said of a class of one row."
            )

    def like(self, source: str | os.PathLike[str]) -> "Table":
        """Another table with the same columns, read as this one: its categories, and what filled its gaps, are used.

        **Raises** `ValueError` as `read_table` does, and for a category that this table does not have (or that is zero
        in all their columns, with `unseen="zero"`).
        """
        return _table(self._again(source), self.recipe)

    def inputs(self, source: str | os.PathLike[str]) -> Float64[np.ndarray, "m d"]:
        """The features of a table without targets, row by row, to predict from: as those of `like`.

        **Raises** `ValueError` as `like` does; a row with a missing cell is not left out but refused.
        """
        asked = self._again(source)
        rules = dataclasses.replace(asked.rules, missing="refuse") if asked.rules.missing == "drop" else asked.rules
        return self.recipe(read_rows(dataclasses.replace(asked, labelled=False, rules=rules)).rows)

    def _again(self, source: str | os.PathLike[str]) -> Asked:
        if self.asked is None or self.rows is None:
            raise ValueError(f"{self.source}: is no table that was read from a file.")
        kinds = {one.name: one.kind for one in self.rows.columns}
        # In an npz file features are arrays, and their columns have no names of their own.
        features = self.asked.features if os.fspath(source).endswith(".npz") else tuple(kinds)
        return dataclasses.replace(self.asked, source=source, features=features, kinds=kinds)


def read_table(
    source: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    classes: Iterable[Any] | None = None,
    features: str | Sequence[str] | None = None,
    missing: str = "refuse",
    unseen: str = "refuse",
    categories: str | Sequence[str] = (),
    decimal: str = ".",
    thousands: str = "",
    separator: str | None = None,
    sheet: str | None = None,
) -> Table:
    """Read a table to learn from, and make numbers of its columns.

    A column of text becomes one column a category, `kind=red`, 1 in its rows and 0 in the others; dates (2020-01-31,
    with a time or without) become days since 1970-01-01; true and false become 1 and 0. A column in which some cells
    are numbers and some are not is a mistake, and refused.

    - `source`: 'sklearn:NAME' for a data set inside scikit-learn (digits, iris, wine, breast_cancer,
      linnerud, diabetes in raw units); or a .csv (commas, a header line, UTF-8), .tsv (tabs), either with .gz,
      .xlsx (with openpyxl), .parquet or .npz file.
    - `target`: the target column, or several. Needed for csv and parquet; an npz file has an array "y" unless
      told, scikit-learn's data sets know theirs.
    - `classes`: only the rows with these classes (numbers or text), in this order: two become y = -1 and
      y = +1, more become [n, C] with +1 for the row's class and -1 elsewhere. Without, y are numbers.
    - `features`: the feature columns; all others if left out (an npz file: the array "x").
    - `missing`: what becomes of a cell that is empty or NA, N/A, NaN, null or ?: "refuse" it, "drop" its row, or fill
      it with the "mean" or "median" of its column (of categories: with a category of its own). A row without a target
      is refused, or left out. After `split` the training part alone fills both.
    - `unseen`: a category that the rows to train on do not have: "refuse" it, or "zero" in all their columns.
    - `categories`: columns of numbers that are categories, and of text however much of it is different.
    - `decimal`, `thousands`: the marks in numbers, such as "," and ".". `separator`: of the columns, such as ";".
    - `sheet`: of an Excel file, where it has several.

    **Raises** `ValueError` with the file, and the line and column where there is one, for: a missing file,
    column or class; an empty file; rows of another length; columns without a name of their own; cells that
    are missing, not numbers, or not finite (all of them in one message); a target, or all features, the same in all
    rows; a class with one row.
    """
    if isinstance(classes, str | set | frozenset):
        # The order says which class is -1 and which is +1; that of a set changes from run to run.
        raise ValueError(f"classes: expected two or more classes such as ('a', 'b'), in order, got {classes!r}.")
    named = (categories,) if isinstance(categories, str) else tuple(categories)
    rules = Rules(missing, named, Numbers(decimal, thousands))
    asked = Asked(
        source, target, None if classes is None else tuple(classes), features, rules, unseen, separator, sheet
    )
    return _table(asked)


def load(
    source: str | os.PathLike[str],
    *,
    target: str | Sequence[str] | None = None,
    classes: Iterable[Any] | None = None,
    features: str | Sequence[str] | None = None,
    scale: str = "unit-variance",
    scale_target: str = "none",
    missing: str = "refuse",
    categories: str | Sequence[str] = (),
    decimal: str = ".",
    thousands: str = "",
    separator: str | None = None,
    sheet: str | None = None,
) -> tuple[Float64[np.ndarray, "n d"], Float64[np.ndarray, "n ..."]]:
    """(x, y) of a data set: x [n, d], y [n] or [n, C], in float64.

        x, y = load("sklearn:digits", classes=(3, 8))
        x, y = load("diabetes.csv", target="progression", scale_target="unit-variance")

    - `source`, `target`, `classes`, `features`, `missing`, ...: as for `read_table`; of rows left out and cells filled
      a `DataNotice` tells.
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
    written = {"decimal": decimal, "thousands": thousands, "separator": separator, "sheet": sheet}
    chosen = {"target": target, "classes": classes, "features": features}
    table = read_table(source, **chosen, missing=missing, categories=categories, **written)
    if missing != "refuse":
        for note in table.notes:
            warnings.warn(f"{table.source}: {note}.", DataNotice, stacklevel=2)
    scaling = Scaling.fit(table.features, scale, names=table.feature_names)
    if scaling.notice is not None:
        warnings.warn(f"{table.source}: {scaling.notice}", DataNotice, stacklevel=2)
    return scaling(table.features), Scaling.fit(table.target, scale_target, names=table.target_names)(table.target)


def split(table: Table, held_out: float, seed: int) -> tuple[Table, Table]:
    """(train, test): round(held_out n) rows drawn at random are the test part; both keep the table's order.

    Categories and what fills missing cells are those of the train part. The division is a pure function of
    (n, held_out, seed), the same on every machine.
    Raises `ValueError` unless both parts have rows and the targets of the train part differ, and for a category of the
    test part that is unseen, where those are refused.
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
    train = _rows(table, np.sort(order[n_test:]), None, "")
    test = _rows(table, np.sort(order[:n_test]), train.recipe, " of the rows held out")
    if np.all(train.target == train.target[0]):
        raise ValueError(
            f"held_out: the {n - n_test} rows of {table.source} left to train on all have the same target; "
            "choose another seed or a smaller fraction."
        )
    return train, test


def _table(asked: Asked, recipe: Recipe | None = None) -> Table:
    """The table that was asked for, made by its own recipe or another's."""
    rows, targets, labels, sha256 = read_rows(asked)
    recipe = Recipe.fit(rows, asked.rules.missing, asked.unseen) if recipe is None else recipe
    x = recipe(rows)
    if np.all(x == x[0]) and not asked.kinds:
        names = some([column.name for column in rows.columns], 4)
        raise ValueError(
            f"{rows.source}: every feature column is the same in all {len(x)} rows ({names}); there is nothing to "
            "learn from."
        )
    notes = sentences(rows, recipe, asked.rules.missing, "")
    about = {"recipe": recipe, "notes": notes, "asked": asked, "rows": rows}
    return Table(x, rows.target, recipe.names, targets, rows.source, sha256, labels, **about)


def _rows(table: Table, index: Int[np.ndarray, " m"], recipe: Recipe | None, part: str) -> Table:
    """Some of the rows; made by a recipe, or by their own."""
    if table.rows is None or table.asked is None:
        return dataclasses.replace(table, features=table.features[index], target=table.target[index])
    rows, asked = table.rows.take(index), table.asked
    recipe = Recipe.fit(rows, asked.rules.missing, asked.unseen) if recipe is None else recipe
    return dataclasses.replace(
        table,
        features=recipe(rows),
        target=rows.target,
        feature_names=recipe.names,
        recipe=recipe,
        notes=sentences(rows, recipe, asked.rules.missing, part),
        rows=rows,
    )
