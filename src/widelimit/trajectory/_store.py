"""Trajectories on disk: Zarr, written whole or not at all, and read back only if nothing is missing."""

import hashlib
import json
import pathlib
import shutil
import uuid
import warnings

import numpy as np

from ._trajectory import Trajectory


def digest(trajectory: Trajectory) -> str:
    """A hash of the numbers of a trajectory (not of its wall time)."""
    found = hashlib.sha256()
    grid = trajectory.grid
    sides = () if grid is None else map(np.asarray, (*grid.edges, *grid.centres))
    counts = () if trajectory.counts is None else (trajectory.counts,)
    named = [trajectory.observables[name] for name in sorted(trajectory.observables)]
    for array in (trajectory.times, trajectory.weights, trajectory.positions, *counts, *sides, *named):
        found.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    return found.hexdigest()


def write(trajectory: Trajectory, path: pathlib.Path) -> pathlib.Path:
    """Write beside the target and rename, so that a crash never leaves half a store under the name."""
    if path.exists() and not _is_ours(path):
        raise ValueError(f"save(path=...): {path} exists and is not a trajectory; choose another name.")
    mark = uuid.uuid4().hex[:8]
    fresh, old = path.with_name(f".{path.name}.{mark}.part"), path.with_name(f".{path.name}.{mark}.old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = trajectory.to_xarray().assign_attrs(sha256=digest(trajectory))
        with warnings.catch_warnings():
            # A summary of all metadata in one place is not in the specification of Zarr 3; without it xarray warns, and
            # those who do not know it do not look.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            data.to_zarr(fresh, mode="w", consolidated=True)
        if path.exists():
            path.rename(old)
        fresh.rename(path)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        raise ValueError(f"save(path=...): cannot write {path}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return path


def read(path: pathlib.Path) -> Trajectory:
    import xarray

    if not path.is_dir():
        # A kill between the two renames of `write` leaves the older store under its second name.
        kept = sorted(path.parent.glob(f".{path.name}.*.old"))
        if not kept:
            raise ValueError(f"load(path=...): there is no trajectory at {path}.")
        path = kept[-1]
    try:
        with xarray.open_zarr(path, consolidated=False, chunks=None) as data:
            whole, known = Trajectory.from_xarray(data.load()), data.attrs.get("sha256")
    except Exception as error:
        # Zarr, xarray and JSON each have errors of their own for a damaged store.
        raise ValueError(f"load(path=...): {path} is damaged or not a trajectory ({error}).") from error
    if known != digest(whole):
        # Zarr fills a missing piece with zeros or NaN and says nothing.
        raise ValueError(f"load(path=...): {path} is damaged: its numbers are not those that were written.")
    return whole


def _is_ours(path: pathlib.Path) -> bool:
    try:
        attributes = json.loads((path / "zarr.json").read_bytes()).get("attributes", {})
    except (OSError, ValueError, AttributeError):
        return False
    return {"format", "outcome", "provenance"} <= set(attributes)
