"""Trajectories as labelled data sets, and back: what is on disk, and what xarray works with."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.measure import Block, Blocks, Grid
from widelimit.results import Outcome

from ._trajectory import Trajectory

if TYPE_CHECKING:
    import xarray

_FORMAT = 3


def to_dataset(run: Trajectory) -> "xarray.Dataset":
    import xarray

    observed = {f"observable.{name}": (("time", *_axes(name, a)), a) for name, a in run.observables.items()}
    attributes = {
        "format": _FORMAT,
        "outcome": run.outcome.name,
        "message": run.message,
        "steps": run.steps,
        "wall": run.wall,
        "observables": json.dumps(list(run.observables)),
        "blocks": json.dumps([[b.name, list(b.shape)] for b in run.blocks]),
        "provenance": json.dumps(run.provenance),
    }
    # Text of any length is what every Zarr knows; NumPy's text of one length is not.
    columns = {"parameter": np.asarray(labels(run.blocks), object)} if run.blocks else {}
    coordinates = {"time": run.times} | columns
    return xarray.Dataset(_measures(run) | observed, coords=coordinates, attrs=attributes)


def from_dataset(data: "xarray.Dataset") -> Trajectory:
    missing = [n for n in ("outcome", "blocks", "provenance", "steps", "wall", "observables") if n not in data.attrs]
    missing += [] if "masses" in data else [name for name in ("positions", "weights") if name not in data]
    if missing or data.attrs.get("format") != _FORMAT:
        known = f"format {data.attrs['format']}, not {_FORMAT}" if "format" in data.attrs else "a known format"
        raise ValueError(f"not a widelimit trajectory (missing: {', '.join(missing) or known})")
    blocks = tuple(Block(name, tuple(shape)) for name, shape in json.loads(data.attrs["blocks"]))
    columns = labels(blocks)
    if blocks and sorted(map(str, data["parameter"].values)) != sorted(columns):
        raise ValueError(f"not a widelimit trajectory (its parameters are not {', '.join(columns)})")
    return Trajectory(
        **_history(data, columns),
        times=np.asarray(data["time"]),
        blocks=blocks,
        observables={name: _observed(data, name) for name in json.loads(data.attrs["observables"])},
        outcome=Outcome[data.attrs["outcome"]],
        message=str(data.attrs["message"]),
        steps=int(data.attrs["steps"]),
        wall=float(data.attrs["wall"]),
        provenance=json.loads(data.attrs["provenance"]),
    )


def labels(blocks: Blocks) -> list[str]:
    """A label for each column: `output`, `weight[0]`, `weight[1]`, `bias`."""
    return [
        block.name + (f"[{','.join(str(k) for k in np.unravel_index(i, block.shape))}]" if block.shape else "")
        for block in blocks
        for i in range(block.size)
    ]


def _observed(data: "xarray.Dataset", name: str) -> np.ndarray:
    array = data[f"observable.{name}"]
    return np.asarray(array.transpose("time", *_axes(name, array)))


def _axes(name: str, array: Any) -> tuple[str, ...]:
    return tuple(f"{name}_{i}" for i in range(array.ndim - 1))


def _measures(run: Trajectory) -> dict[str, Any]:
    """The variables of the measures; each axis of a grid under its label."""
    if run.grid is None:
        counts = {} if run.counts is None else {"counts": (("time",), run.counts)}
        positions = (("time", "particle", "parameter"), run.positions)
        return {"positions": positions, "weights": (("time", "particle"), run.weights)} | counts
    found: dict[str, Any] = {"masses": (("time", "cell"), run.weights)}
    names = labels(run.blocks) or [str(k) for k in range(run.dim)]
    for name, side, middle in zip(names, run.grid.edges, run.grid.centres, strict=True):
        found[f"edges.{name}"] = ((f"edge.{name}",), np.asarray(side))
        found[f"centres.{name}"] = ((f"cell.{name}",), np.asarray(middle))
    return found


def _history(data: "xarray.Dataset", columns: list[str]) -> dict[str, Any]:
    """The fields of a trajectory that hold its measures, the columns in the order of the blocks."""
    if "masses" not in data:
        rows = data["positions"].sel(parameter=columns) if columns else data["positions"]
        rows, weights = rows.transpose("time", "particle", "parameter"), data["weights"].transpose("time", "particle")
        counts = np.asarray(data["counts"]) if "counts" in data else None
        return {"positions": np.asarray(rows), "weights": np.asarray(weights), "counts": counts}
    names = columns or sorted(str(name).removeprefix("edges.") for name in data if str(name).startswith("edges."))
    grid = Grid(*([np.asarray(data[f"{kind}.{name}"]) for name in names] for kind in ("edges", "centres")))
    masses = np.asarray(data["masses"].transpose("time", "cell"))
    return {"positions": np.asarray(grid.points), "weights": masses, "grid": grid}
