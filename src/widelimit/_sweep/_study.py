"""The table of a sweep as the report and its pictures need it: arrays, axes of more than one level, what matters."""

import dataclasses
import functools
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from ._folder import SweepFolder
from ._matters import Choice, Difference, Share, cheapest_within, complete_part, level_differences, variance_shares
from ._section import short
from ._table import Axis, axes_of, inner_axes

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True, eq=False)
class Study:
    """End risks `values` [*levels, S] and training cost [*levels] over `axes`, each of two levels or more.

    - `kept`: the levels of each axis on which every setting has a value for every seed.
    - `limit`: the risk of the limit, where all runs have one and the response is the risk.
    """

    axes: tuple[Axis, ...]
    values: Float[np.ndarray, "*L S"]
    cost: Float[np.ndarray, "*L"]
    kept: tuple[list[int], ...]
    response: str
    tolerance: float
    limit: float | None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(" with ".join(map(short, axis.keys)) for axis in self.axes)

    @property
    def seeds(self) -> int:
        return self.values.shape[-1]

    @property
    def some(self) -> bool:
        """Whether any setting has a value for every seed."""
        return bool(np.isfinite(self.values.mean(axis=-1)).any())

    @property
    def comparable(self) -> bool:
        """Whether settings are left to compare once what is missing is left out."""
        return all(self.kept) and any(len(levels) > 1 for levels in self.kept)

    @functools.cached_property
    def whole(self) -> Float[np.ndarray, "*K S"]:
        """The values on the kept levels."""
        return self.values[np.ix_(*self.kept, range(self.seeds))]

    @functools.cached_property
    def shares(self) -> tuple[Share, ...]:
        """Of the axes of which more than one level is kept, of interactions and of seeds."""
        return variance_shares(self.whole.reshape(*self._varied[1], self.seeds), self._varied[0])

    @functools.cached_property
    def differences(self) -> tuple[Difference, ...]:
        names, shape, labels = self._varied
        return level_differences(self.whole.reshape(*shape, self.seeds), names, labels)

    @functools.cached_property
    def choice(self) -> Choice:
        """Among all settings with a value for every seed, those outside the kept levels too."""
        return cheapest_within(self.values, self.cost, self.tolerance)

    @property
    def _varied(self) -> tuple[tuple[str, ...], tuple[int, ...], tuple[tuple[str, ...], ...]]:
        rows = [
            (name, len(kept), tuple(axis.labels[i] for i in kept))
            for name, axis, kept in zip(self.names, self.axes, self.kept, strict=True)
            if len(kept) > 1
        ]
        return tuple(r[0] for r in rows), tuple(r[1] for r in rows), tuple(r[2] for r in rows)

    def words(self, level: tuple[int, ...]) -> str:
        """`width 32, step 0.01`."""
        return ", ".join(f"{name} {axis.labels[i]}" for name, axis, i in zip(self.names, self.axes, level, strict=True))


def study_of(folder: SweepFolder, data: "xarray.Dataset") -> Study:
    """The table of a sweep's data set."""
    response = folder.plan.section["response"]
    axes = (*axes_of(folder), *inner_axes(folder))
    values, cost = np.asarray(data[response], float), np.asarray(data["operations"], float)
    one = tuple(i for i, axis in enumerate(axes) if len(axis.levels) == 1)
    values, cost = np.squeeze(values, axis=one), np.squeeze(cost, axis=one)
    axes = tuple(axis for axis in axes if len(axis.levels) > 1)
    limits = np.unique(np.asarray(data["limit_risk"], float))
    networks = all(run.problem["networks"] for run in folder.plan.runs)
    limit = float(limits[0]) if len(limits) == 1 and response == "risk" and networks else None
    tolerance = float(folder.plan.section["tolerance"])
    return Study(axes, values, cost, complete_part(values), response, tolerance, limit)
