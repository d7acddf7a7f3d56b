"""Trajectories on disk: Zarr, written whole or not at all, and read back only if nothing is missing."""

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import shutil
import uuid
import warnings
from typing import Any

import numpy as np

from widelimit.numerics import alone

from ._labelled import AXES as _AXES, from_dataset, large, to_dataset
from ._rows import Rows, create, cut, marks, put
from ._trajectory import Trajectory

# A larger one is read a save point at a time.
_WHOLE_BYTES = 2**28


def digest(trajectory: Trajectory) -> str:
    """A hash of the numbers of a trajectory (not of its wall time)."""
    found = hashlib.sha256()
    grid = trajectory.grid
    sides = () if grid is None else map(np.asarray, (*grid.edges, *grid.centres))
    counts = () if trajectory.counts is None else (trajectory.counts,)
    named = [trajectory.observables[name] for name in sorted(trajectory.observables)]
    for array in (trajectory.times, *counts, *sides, *named):
        found.update(f"{array.shape}{array.dtype}".encode() + array.tobytes())
    for array in large(trajectory).values():
        found.update("".join(marks(array)).encode())
    return found.hexdigest()


class Stream:
    """The store of one run as it comes into being, beside its place: `put` each save point, then `finish`.

    So the measures of a run need memory for one save point. The rows are in a folder beside `path`, `.NAME.part`, which
    takes the place of `path` at the end; a run that was killed finds them there.

    - `arrays`: the names of those that go there, in a row and in the store.
    - `keeps`: whether the rows stay when the run is broken off, for a checkpoint to go on from.
    """

    def __init__(self, path: pathlib.Path, arrays: dict[str, str], *, keeps: bool) -> None:
        _refuse_others(path, "evolve(store=...)")
        self.path, self.arrays, self.keeps = path, arrays, keeps
        # The lock is no part of what others read.
        self._home = path.with_name(f".{path.name}.part")
        self.part = self._home / "store"
        self._lock = contextlib.ExitStack()
        # What does not change in time and is not in the store: one array for all rows.
        self._constant: dict[str, np.ndarray] = {}

    def __enter__(self) -> "Stream":
        """Raises `ValueError` where the folder cannot be written, or another run is at work in it."""
        try:
            self.part.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(alone(self._home))
        except BlockingIOError:
            raise ValueError(f"evolve(store=...): another run writes {self.path}; choose another name.") from None
        except OSError as error:
            raise self._unwritten(error) from error
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        self._lock.close()
        if not self.keeps or kind is None:
            shutil.rmtree(self._home, ignore_errors=True)

    def begin(self, saved: int) -> None:
        """Before the first row, or after those that a checkpoint knows of. Raises `ValueError` where they are gone."""
        found = [array for array in self.part.iterdir() if array.is_dir()]
        if saved and not found and _is_ours(self.path):
            # The run was done: it is taken back, to be finished anew.
            self.part.rmdir()
            self.path.rename(self.part)
        elif saved and not found:
            raise ValueError(
                f"evolve(store=...): the rows that the checkpoint goes on from are not at {self.path}; delete the "
                "checkpoint's folder to start anew."
            )
        elif not saved:
            for array in found:
                shutil.rmtree(array)

    def put(self, index: int, row: dict[str, np.ndarray], length: int) -> dict[str, np.ndarray]:
        """Write the large arrays of one row of so many; they stay in it as hashes, for `rows`."""
        hashes = {}
        try:
            for field, name in self.arrays.items():
                if not (self.part / name).is_dir():
                    create(self.part, name, (length, *row[field].shape), row[field].dtype, _AXES[name])
                hashes[field] = np.frombuffer(bytes.fromhex(put(self.part, name, index, row[field])), np.uint8)
        except OSError as error:
            raise self._unwritten(error) from error
        others = [name for name in ("positions", "weights") if name not in self.arrays]
        return row | hashes | {name: self._constant.setdefault(name, row[name]) for name in others}

    def rows(self, field: str, kept: list[dict[str, np.ndarray]]) -> Rows | None:
        """What the rows that were put have of a field, where it is here."""
        if field not in self.arrays:
            return None
        cut(self.part, self.arrays[field], len(kept))
        return Rows(self.part, self.arrays[field], [row[field].tobytes().hex() for row in kept])

    def finish(self, trajectory: Trajectory) -> Trajectory:
        """The rest beside the rows, and all of it in its place; the trajectory reads from there."""
        try:
            _describe(trajectory, self.part)
            _replace(self.part, self.path)
        except OSError as error:
            raise self._unwritten(error) from error
        moved = {
            field: Rows(self.path, rows.name, rows.marks)
            for field in ("positions", "weights")
            if isinstance(rows := getattr(trajectory, field), Rows)
        }
        return dataclasses.replace(trajectory, **moved)

    def _unwritten(self, error: OSError) -> ValueError:
        return ValueError(f"evolve(store=...): cannot write {self.path}: {error.strerror or error}.")


def write(trajectory: Trajectory, path: pathlib.Path) -> pathlib.Path:
    """Write beside the target and rename, so that a crash never leaves half a store under the name."""
    _refuse_others(path, "save(path=...)")
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _describe(trajectory, fresh)
        _replace(fresh, path)
    except OSError as error:
        raise ValueError(f"save(path=...): cannot write {path}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return path


def read(path: pathlib.Path, lazy: bool | None) -> Trajectory:
    import xarray

    if not path.is_dir():
        # A kill between the two renames of `write` leaves the older store under its second name.
        kept = sorted(path.parent.glob(f".{path.name}.*.old"))
        if not kept:
            raise ValueError(f"load(path=...): there is no trajectory at {path}.")
        path = kept[-1]
    try:
        with xarray.open_zarr(path, consolidated=False, chunks=None) as data:
            large = [name for name in _AXES if name in data and str(name) in json.loads(data.attrs["rows"])]
            if lazy is None:
                lazy = sum(data[name].nbytes for name in large) > _WHOLE_BYTES
            rows = {}
            if lazy:
                rows = {name: Rows(path, name, json.loads(data.attrs["rows"])[name]) for name in large}
                data = data.drop_vars(large)
            found, known = from_dataset(data.load(), rows), data.attrs.get("sha256")
    except Exception as error:
        # Zarr, xarray and JSON each have errors of their own for a damaged store.
        raise ValueError(f"load(path=...): {path} is damaged or not a trajectory ({error}).") from error
    if known != digest(found):
        # Zarr fills a missing piece with zeros or NaN and says nothing.
        raise ValueError(f"load(path=...): {path} is damaged: its numbers are not those that were written.")
    return found


def _describe(trajectory: Trajectory, store: pathlib.Path) -> None:
    """Write all that is not there yet: the rows of the measures one at a time, then the rest at once."""
    known = {}
    for name, array in large(trajectory).items():
        known[name] = marks(array)
        if isinstance(array, Rows) and array.store == store:
            continue
        create(store, name, array.shape, array.dtype, _AXES[name])
        for i in range(len(array)):
            put(store, name, i, array[i])
    data = to_dataset(trajectory, rows=False).assign_attrs(sha256=digest(trajectory), rows=json.dumps(known))
    with warnings.catch_warnings():
        # A summary of all metadata in one place is not in the specification of Zarr 3; without it xarray warns, and
        # those who do not know it do not look.
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        data.to_zarr(store, mode="a", consolidated=True)


def _replace(fresh: pathlib.Path, path: pathlib.Path) -> None:
    old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
    if path.exists():
        path.rename(old)
    fresh.rename(path)
    shutil.rmtree(old, ignore_errors=True)


def _refuse_others(path: pathlib.Path, who: str) -> None:
    if path.exists() and not _is_ours(path):
        raise ValueError(f"{who}: {path} exists and is not a trajectory; choose another name.")


def _is_ours(path: pathlib.Path) -> bool:
    try:
        attributes = json.loads((path / "zarr.json").read_bytes()).get("attributes", {})
    except (OSError, ValueError, AttributeError):
        return False
    return {"format", "outcome", "provenance"} <= set(attributes)
