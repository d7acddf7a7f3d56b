"""Trajectories as labelled data sets, and back: what is on disk, and what xarray works with."""

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.measure import Block, Blocks, Grid
from widelimit.results import Outcome

from ._rows import Rows
from ._trajectory import Trajectory

if TYPE_CHECKING:
    import xarray

_FORMAT = 4

AXES = {
    "positions": ("time", "particle", "parameter"),
    "weights": ("time", "particle"),
    "masses": ("time", "cell"),
}
"""The axes of what is large: the measures."""


def large(run: Trajectory) -> "dict[str, np.ndarray | Rows]":
    """The measures' arrays, [T, ...]; where they are masses on a grid the places are known."""
    return {"positions": run.positions, "weights": run.weights} if run.grid is None else {"masses": run.weights}


def to_dataset(run: Trajectory, *, rows: bool = True) -> "xarray.Dataset":
    """`rows`: with what is large."""
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
    measures = {name: (AXES[name], np.asarray(array)) for name, array in large(run).items()} if rows else {}
    return xarray.Dataset(measures | _places(run) | observed, coords=coordinates, attrs=attributes)


def from_dataset(data: "xarray.Dataset", rows: "dict[str, Rows] | None" = None) -> Trajectory:
    """`rows`: what is large, where the data set is without."""
    rows = rows or {}
    missing = [n for n in ("outcome", "blocks", "provenance", "steps", "wall", "observables") if n not in data.attrs]
    there = {*data, *rows}
    missing += [] if "masses" in there else [name for name in ("positions", "weights") if name not in there]
    if missing or data.attrs.get("format") != _FORMAT:
        known = f"format {data.attrs['format']}, not {_FORMAT}" if "format" in data.attrs else "a known format"
        raise ValueError(f"not a widelimit trajectory (missing: {', '.join(missing) or known})")
    blocks = tuple(Block(name, tuple(shape)) for name, shape in json.loads(data.attrs["blocks"]))
    columns = labels(blocks)
    if blocks and sorted(map(str, data["parameter"].values)) != sorted(columns):
        raise ValueError(f"not a widelimit trajectory (its parameters are not {', '.join(columns)})")
    return Trajectory(
        **_history(data, columns, rows),
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


def _places(run: Trajectory) -> dict[str, Any]:
    """What the measures need beside their large arrays; each axis of a grid under its label."""
    if run.grid is None:
        return {} if run.counts is None else {"counts": (("time",), run.counts)}
    found: dict[str, Any] = {}
    names = labels(run.blocks) or [str(k) for k in range(run.dim)]
    for name, side, middle in zip(names, run.grid.edges, run.grid.centres, strict=True):
        found[f"edges.{name}"] = ((f"edge.{name}",), np.asarray(side))
        found[f"centres.{name}"] = ((f"cell.{name}",), np.asarray(middle))
    return found


def _history(data: "xarray.Dataset", columns: list[str], rows: "dict[str, Rows]") -> dict[str, Any]:
    """The fields of a trajectory that hold its measures, the columns in the order of the blocks."""

    def of(name: str) -> "np.ndarray | Rows":
        return rows[name] if name in rows else np.asarray(data[name].transpose(*AXES[name]))

    if "masses" not in {*data, *rows}:
        counts = np.asarray(data["counts"]) if "counts" in data else None
        # On disk the columns are in our order; only xarray's users change it.
        data = data.sel(parameter=columns) if columns and "positions" in data else data
        return {"positions": of("positions"), "weights": of("weights"), "counts": counts}
    names = columns or sorted(str(name).removeprefix("edges.") for name in data if str(name).startswith("edges."))
    grid = Grid(*([np.asarray(data[f"{kind}.{name}"]) for name in names] for kind in ("edges", "centres")))
    return {"positions": np.asarray(grid.points), "weights": of("masses"), "grid": grid}
