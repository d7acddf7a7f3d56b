"""Trajectories on disk: Zarr, written whole or not at all."""

import pathlib
import shutil
import uuid
import warnings

from ._trajectory import Trajectory


def write(trajectory: Trajectory, path: pathlib.Path) -> pathlib.Path:
    """Write beside the target and rename, so that a crash never leaves half a store under the name."""
    if path.exists() and not (path / "zarr.json").is_file():
        raise ValueError(f"save(path=...): {path} exists and is not a Zarr store; choose another name.")
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            # Strings as labels have no final specification in Zarr 3; they are read back in a test.
            warnings.simplefilter("ignore")
            trajectory.to_xarray().to_zarr(fresh, mode="w", consolidated=False)
        old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.old")
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
        raise ValueError(f"load(path=...): there is no trajectory at {path}.")
    try:
        with xarray.open_zarr(path, consolidated=False, chunks=None) as data:
            return Trajectory.from_xarray(data.load())
    except Exception as error:
        # Zarr, xarray and JSON each have errors of their own for a damaged store.
        raise ValueError(f"load(path=...): {path} is damaged or not a trajectory ({error}).") from error
