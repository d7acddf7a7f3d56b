"""What is done to the cells of a table before they are numbers: fitted on some rows, applied to any."""

import dataclasses
from collections.abc import Callable

import numpy as np
from jaxtyping import Float64, Int

from widelimit.results import one_of

from ._columns import some
from ._typed import Typed

UNSEEN = ("refuse", "zero")
_NONE = "(missing)"


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """Rows as they were read: `columns` of features, `target` [n] or [n, C], and `where` each row stands.

    `dropped`: rows that were left out for a missing cell; `gaps`: how many such cells each column had.
    """

    source: str
    columns: tuple[Typed, ...]
    target: Float64[np.ndarray, "n ..."]
    where: Callable[[int], str]
    dropped: int = 0
    gaps: dict[str, int] = dataclasses.field(default_factory=dict)

    def take(self, rows: Int[np.ndarray, " m"]) -> "Rows":
        columns = tuple(column.take(rows) for column in self.columns)
        return dataclasses.replace(
            self, columns=columns, target=self.target[rows], where=lambda row: self.where(int(rows[row]))
        )


@dataclasses.dataclass(frozen=True)
class Made:
    """What becomes of a column: of categories, one column each, 1 in the rows of that category and 0 elsewhere.

    `fill`: what a missing number becomes; None where there is none. A missing category is a category of its own where
    the rows of the fit had one, else a row of zeros.
    """

    name: str
    kind: str
    categories: tuple[str, ...] = ()
    fill: float | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f"{self.name}={one}" for one in self.categories) if self.kind == "category" else (self.name,)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How features are made of columns; `unseen`: what is done with a category that the rows of the fit do not have:
    "refuse", or "zero" in all the columns of its own."""

    made: tuple[Made, ...]
    unseen: str = "refuse"

    @staticmethod
    def fit(rows: Rows, missing: str, unseen: str) -> "Recipe":
        """The recipe for these rows; `missing`: "mean" or "median" of a column fill its gaps."""
        one_of(unseen, UNSEEN, "unseen")
        return Recipe(tuple(_made(column, rows.source, missing) for column in rows.columns), unseen)

    @property
    def names(self) -> tuple[str, ...]:
        """Of the features."""
        return tuple(name for one in self.made for name in one.names)

    def __call__(self, rows: Rows) -> Float64[np.ndarray, "n d"]:
        """The features. Raises `ValueError` for a category that is not known, and a gap that nothing fills."""
        return np.column_stack(
            [self._features(made, column, rows) for made, column in zip(self.made, rows.columns, strict=True)]
        )

    def filled(self, rows: Rows) -> dict[str, int]:
        """How many cells of each column are filled."""
        counts = {column.name: int(column.missing.sum()) for column in rows.columns}
        return {name: count for name, count in counts.items() if count}

    def _features(self, made: Made, column: Typed, rows: Rows) -> Float64[np.ndarray, "n ..."]:
        gone = column.missing
        if made.kind != "category":
            if gone.any() and made.fill is None:
                row = int(np.argmax(gone))
                raise ValueError(f"{rows.source}, {rows.where(row)}, column {made.name!r}: the cell is empty.")
            return np.where(gone, made.fill if made.fill is not None else 0.0, column.values)
        labels = np.where(gone, _NONE, column.values)
        new = [row for row in np.flatnonzero(~gone) if labels[row] not in made.categories]
        if new and self.unseen == "refuse":
            others = f" ({len(new)} such rows)" if len(new) > 1 else ""
            raise ValueError(
                f"{rows.source}, {rows.where(int(new[0]))}, column {made.name!r}: the category {labels[new[0]]!r} is "
                f"in no row to train on, which have {some(made.categories, 6)}{others}. Say unseen='zero' for zeros in "
                "all their columns."
            )
        return (labels[:, None] == np.array(made.categories, object)).astype(float)


def _made(column: Typed, source: str, missing: str) -> Made:
    there = column.values[~column.missing]
    if not len(there):
        raise ValueError(f"{source}: column {column.name!r} has no value in the rows to train on.")
    if column.kind == "category":
        known = tuple(sorted(set(there)))
        return Made(column.name, "category", (*known, _NONE) if column.missing.any() else known)
    # Filled where other rows have gaps, too.
    average = {"mean": np.mean, "median": np.median}.get(missing)
    return Made(column.name, column.kind, fill=None if average is None else float(average(there)))


def sentences(rows: Rows, recipe: Recipe, missing: str, part: str) -> tuple[str, ...]:
    """What was done, in words; `part`: which rows these are, where they are held out."""
    said = []
    categories = [one for one in recipe.made if one.kind == "category"]
    if categories and not part:
        listed = "; ".join(f"{one.name}: {some(one.categories, 6)}" for one in categories)
        count = sum(len(one.categories) for one in categories)
        said.append(f"{_columns(len(categories))} of categories became {count}, one a category ({listed})")
    dates = [one.name for one in recipe.made if one.kind == "date"]
    if dates and not part:
        said.append(f"{_columns(len(dates))} of dates became days since 1970-01-01 ({some(dates, 6)})")
    if rows.dropped and not part:
        said.append(
            f"{_some(rows.dropped, 'row')} with a missing cell {_were(rows.dropped)} left out ({_counted(rows.gaps)})"
        )
    kinds = {one.name: one.kind == "category" for one in recipe.made}
    for category, how in ((False, f"the {missing} of the column"), (True, "a category of its own")):
        filled = {name: count for name, count in recipe.filled(rows).items() if kinds[name] == category}
        if filled:
            count = sum(filled.values())
            said.append(f"{_some(count, 'missing cell')}{part} {_were(count)} filled with {how} ({_counted(filled)})")
    return tuple(said)


def _some(count: int, word: str) -> str:
    return f"{count} {word}{'s' if count > 1 else ''}"


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"


def _were(count: int) -> str:
    return "were" if count > 1 else "was"


def _counted(counts: dict[str, int]) -> str:
    return some([f"{name}: {count}" for name, count in counts.items()], 6)
