"""What came out of a run."""

import dataclasses
import json
import os
import pathlib
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.measure import Block, Blocks, Grid, GridDensity, Particles
from widelimit.results import Outcome

if TYPE_CHECKING:
    import xarray

_FORMAT = 2


@dataclasses.dataclass(frozen=True, repr=False)
class Trajectory:
    """A run of a dynamics: measures and observables at the save times, and how it ended.

    - `times`: [T], in the dynamics' time t; the first is 0 and, for a run that reached its end, the last t1.
    - `positions`: [T, N, D]; `weights`: [T, N]; `blocks`: the columns' names.
    - `observables`: name -> [T, ...]; `risk` is among them by default.
    - `outcome`, `message`: how it ended, and what to try if it did not reach its end.
    - `steps`: steps taken; `wall`: seconds, of all the pieces of a resumed run together.
    - `provenance`: versions, platform, key, problem and dynamics, as plain data.
    - `grid`: where the measures are masses of cells, their grid (the positions are its centres); else None.

    `save` and `widelimit.load` write and read Zarr; `to_xarray` and `from_xarray` give a labelled data set.
    """

    times: np.ndarray
    positions: np.ndarray
    weights: np.ndarray
    blocks: Blocks
    observables: dict[str, np.ndarray]
    outcome: Outcome
    message: str
    steps: int
    wall: float
    provenance: dict[str, Any]
    grid: Grid | None = None

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        risk = f", risk {self.risk[0]:.4g} -> {self.risk[-1]:.4g}" if "risk" in self.observables else ""
        n, dim = self.positions.shape[1:]
        return (
            f"Trajectory({self.outcome.name}, {len(self)} saves to t = {self.times[-1]:g}, N = {n}, D = {dim}{risk}; "
            f"observed {', '.join(self.observables)})"
        )

    def __getitem__(self, index: int) -> Particles | GridDensity:
        """The measure at save point `index`; rows of NaN, room for particles that came later, are left out."""
        weights = self.weights[index]
        if self.grid is not None:
            return GridDensity(self.grid, weights.reshape(self.grid.shape), blocks=self.blocks)
        kept = ~np.isnan(self.positions[index]).any(axis=1)
        return Particles(self.positions[index][kept], weights[kept], blocks=self.blocks)

    def __getattr__(self, name: str) -> np.ndarray:
        # Observables read as attributes: trajectory.risk, trajectory.penalty, ...
        observables = self.__dict__.get("observables", {})
        if name in observables:
            return observables[name]
        raise AttributeError(f"the trajectory has no {name!r}; it observed: {', '.join(observables) or 'nothing'}")

    @property
    def final(self) -> Particles | GridDensity:
        """The measure at the last save point."""
        return self[-1]

    @property
    def objective(self) -> np.ndarray:
        """[T], risk + penalty. Raises `AttributeError` where the risk was not observed."""
        return self.risk + self.observables.get("penalty", 0.0)

    def at(self, t: float) -> Particles | GridDensity:
        """The measure at the save point nearest to t. Raises `ValueError` outside the saved times."""
        if not self.times[0] <= t <= self.times[-1]:
            raise ValueError(f"Trajectory.at(t=...): must lie in [0, {self.times[-1]:g}], got {t}.")
        return self[int(np.argmin(np.abs(self.times - t)))]

    def to_xarray(self) -> "xarray.Dataset":
        """Dimensions: time, particle, parameter (labelled by block); attributes hold the rest as JSON."""
        import xarray

        labels = [
            block.name + (f"[{','.join(str(k) for k in np.unravel_index(i, block.shape))}]" if block.shape else "")
            for block in self.blocks
            for i in range(block.size)
        ]
        dims = {name: tuple(f"{name}_{i}" for i in range(a.ndim - 1)) for name, a in self.observables.items()}
        variables: dict[str, Any] = {
            "positions": (("time", "particle", "parameter"), self.positions),
            "weights": (("time", "particle"), self.weights),
            **{f"observable.{n}": (("time", *dims[n]), a) for n, a in self.observables.items()},
        }
        if self.grid is not None:
            for k, (side, middle) in enumerate(zip(self.grid.edges, self.grid.centres, strict=True)):
                variables[f"edges.{k}"] = ((f"edge_{k}",), np.asarray(side))
                variables[f"centres.{k}"] = ((f"cell_{k}",), np.asarray(middle))
        coords = {"time": self.times, "parameter": labels}
        attributes = {
            "format": _FORMAT,
            "outcome": self.outcome.name,
            "message": self.message,
            "steps": self.steps,
            "wall": self.wall,
            "observables": json.dumps(list(self.observables)),
            "blocks": json.dumps([[b.name, list(b.shape)] for b in self.blocks]),
            "provenance": json.dumps(self.provenance),
        }
        return xarray.Dataset(variables, coords=coords, attrs=attributes)

    @classmethod
    def from_xarray(cls, data: "xarray.Dataset") -> "Trajectory":
        """The inverse of `to_xarray`. Raises `ValueError` for a data set that is not a trajectory."""
        missing = [n for n in ("positions", "weights") if n not in data] + [
            n for n in ("outcome", "blocks", "provenance", "steps", "wall", "observables") if n not in data.attrs
        ]
        if missing or data.attrs.get("format") != _FORMAT:
            raise ValueError(f"not a widelimit trajectory (missing: {', '.join(missing) or 'a known format'})")
        named = {name: np.asarray(data[f"observable.{name}"]) for name in json.loads(data.attrs["observables"])}
        blocks = tuple(Block(name, tuple(shape)) for name, shape in json.loads(data.attrs["blocks"]))
        axes = [k for k in range(2) if f"edges.{k}" in data]
        edges, centres = ([np.asarray(data[f"{name}.{k}"]) for k in axes] for name in ("edges", "centres"))
        return cls(
            times=np.asarray(data["time"]),
            positions=np.asarray(data["positions"]),
            weights=np.asarray(data["weights"]),
            blocks=blocks,
            grid=Grid(edges, centres) if axes else None,
            observables=named,
            outcome=Outcome[data.attrs["outcome"]],
            message=str(data.attrs["message"]),
            steps=int(data.attrs["steps"]),
            wall=float(data.attrs["wall"]),
            provenance=json.loads(data.attrs["provenance"]),
        )

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write to a Zarr store at `path`, whole or not at all; an older trajectory there is replaced.

        Raises `ValueError` when the place cannot be written, or holds something that is not a trajectory.
        """
        from ._store import write

        return write(self, pathlib.Path(path))


def load(path: str | os.PathLike[str]) -> Trajectory:
    """Read a trajectory that `Trajectory.save` wrote. Raises `ValueError` when it is missing or damaged."""
    from ._store import read

    return read(pathlib.Path(path))
