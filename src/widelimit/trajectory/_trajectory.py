"""What came out of a run."""

import dataclasses
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit._shown import Shown, ask
from widelimit.measure import Blocks, Grid, GridDensity, Particles
from widelimit.numerics import local_path
from widelimit.results import Outcome

from ._film import Film
from ._rows import Rows

if TYPE_CHECKING:
    import xarray


@dataclasses.dataclass(frozen=True, repr=False)
class Trajectory(Shown):
    """A run of a dynamics: measures and observables at the save times, and how it ended.

    - `times`: [T], in the dynamics' time t; the first is 0 and, for a run that reached its end, the last t1 (or the
      time of the first step that reaches it).
    - `positions`: [T, N, D], of particles; of densities on a grid [N, D], the centres of the cells.
    - `weights`: [T, N], of particles or cells; `blocks`: the columns' names.
    - `observables`: name -> [T, ...]; `risk` is among them by default.
    - `outcome`, `message`: how it ended, and what to try if it did not reach its end.
    - `steps`: steps taken; `wall`: seconds, of all the pieces of a resumed run together.
    - `provenance`: versions, platform, key, problem and dynamics, as plain data.
    - `grid`: where the measures are masses of cells, their grid; else None.
    - `counts`: [T], the number of particles, where it grows: the rows after them are room for those that came later,
      with weight 0; else None.

    Where they are large and on disk (`evolve(..., store=...)`, `load`), positions and weights are `Rows`: a save point
    is read when it is asked for.

    `save` and `widelimit.load` write and read Zarr; `to_xarray` and `from_xarray` give a labelled data set.
    """

    times: np.ndarray
    positions: np.ndarray | Rows
    weights: np.ndarray | Rows
    blocks: Blocks
    observables: dict[str, np.ndarray]
    outcome: Outcome
    message: str
    steps: int
    wall: float
    provenance: dict[str, Any]
    grid: Grid | None = None
    counts: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        risk = f", risk {self.risk[0]:.4g} -> {self.risk[-1]:.4g}" if "risk" in self.observables else ""
        return (
            f"Trajectory({self.outcome.name}, {len(self)} saves to t = {self.times[-1]:g}, N = {self.size}, "
            f"D = {self.dim}{risk}; observed {', '.join(self.observables)})"
        )

    def __getitem__(self, index: int) -> Particles | GridDensity:
        """The measure at save point `index`, of the particles that there are."""
        weights = self.weights[index]
        if self.grid is not None:
            return GridDensity(self.grid, weights.reshape(self.grid.shape), blocks=self.blocks)
        count = None if self.counts is None else int(self.counts[index])
        return Particles(self.positions[index][:count], weights[:count], blocks=self.blocks)

    def __getattr__(self, name: str) -> np.ndarray:
        # Observables read as attributes: trajectory.risk, trajectory.penalty, ...
        observables = self.__dict__.get("observables", {})
        if name in observables:
            return observables[name]
        raise AttributeError(f"the trajectory has no {name!r}; it observed: {', '.join(observables) or 'nothing'}")

    @property
    def size(self) -> int:
        """N: particles, the most there were, or cells."""
        return self.weights.shape[1]

    @property
    def dim(self) -> int:
        """D, the number of parameters of a particle."""
        return self.positions.shape[-1]

    @property
    def final(self) -> Particles | GridDensity:
        """The measure at the last save point."""
        return self[-1]

    @property
    def runs(self) -> "tuple[Trajectory, ...]":
        """This run, as one of a group of one: see `Ensemble`."""
        return (self,)

    @property
    def objective(self) -> np.ndarray:
        """[T], risk + penalty. Raises `AttributeError` where the risk was not observed."""
        return self.risk + self.observables.get("penalty", 0.0)

    def at(self, t: float) -> Particles | GridDensity:
        """The measure at the save point nearest to t. Raises `ValueError` outside the saved times."""
        if not self.times[0] <= t <= self.times[-1]:
            raise ValueError(f"Trajectory.at(t=...): must lie in [0, {self.times[-1]:g}], got {t}.")
        return self[int(np.argmin(np.abs(self.times - t)))]

    def animate(self, path: str | os.PathLike[str], *, frames: int = 60, seconds: float = 6.0) -> Film:
        """The neurons as they move, beside the risk: see `widelimit.report.animate`."""
        return ask("animate", self, path, frames=frames, seconds=seconds)

    def to_xarray(self) -> "xarray.Dataset":
        """A labelled data set; its attributes hold as JSON what is no array.

        `positions` (time, particle, parameter) and `weights` (time, particle), with `counts` (time) where the number of
        particles grows; of densities on a grid `masses` (time, cell), and `edges.a` and `centres.a` of each axis `a`.
        """
        from ._labelled import to_dataset

        return to_dataset(self)

    @classmethod
    def from_xarray(cls, data: "xarray.Dataset") -> "Trajectory":
        """The inverse of `to_xarray`; columns and axes are found by their labels, in whatever order they come.

        Raises `ValueError` for a data set that is not a trajectory.
        """
        from ._labelled import from_dataset

        return from_dataset(data)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write to a Zarr store at `path`, whole or not at all; an older trajectory there is replaced.

        Raises `ValueError` when the place cannot be written, or holds something that is not a trajectory.
        """
        from ._store import write

        return write(self, local_path(path, "save(path=...)"))


def load(path: str | os.PathLike[str], *, lazy: bool | None = None) -> Trajectory:
    """Read a trajectory that `Trajectory.save` or `evolve(..., store=...)` wrote.

    - `lazy`: leave the measures on disk and read a save point, checked, when it is asked for; by default those larger
      than 256 MiB.

    Raises `ValueError` when it is missing or damaged.
    """
    from ._store import read

    return read(local_path(path, "load(path=...)"), lazy)
