"""Files: written whole or not at all; named arrays as the bytes of an npz archive, and back. Nothing is pickled."""

import contextlib
import io
import os
import pathlib
import re
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def local_path(path: Any, what: str) -> pathlib.Path:
    """`path` on this machine, `~` as the home folder.

    Raises `ValueError` that names `what` for what is no path, and for a URL: it would become a folder `s3:`.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"{what}: expected a path, got {path!r}.")
    text = os.fspath(path)
    # A Path has written one slash for the two.
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", text)
    if scheme is not None or "\0" in text or not text:
        raise ValueError(f"{what}: {text!r} must be a path on this machine" + (", not a URL." if scheme else "."))
    try:
        return pathlib.Path(text).expanduser()
    except RuntimeError as error:
        raise ValueError(f"{what}: {text!r}: {error}") from error


def write_whole(path: pathlib.Path, content: bytes) -> None:
    """Write a file whole or not at all: beside its place, then renamed. Raises `OSError` where it cannot be written."""
    part = path.with_name(f"{path.name}.part")
    try:
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def alone(folder: pathlib.Path) -> Iterator[None]:
    """Only one run at a time works in a folder; the lock falls with the process, however it ends.

    Raises `BlockingIOError` where another one works there, and `OSError` where nothing can be written. Where the system
    knows no locks it warns, and the run goes on without.
    """
    with open(folder / ".lock", "a") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except (ImportError, OSError) as error:
            reason = getattr(error, "strerror", None) or error
            warnings.warn(
                f"{folder}: no lock is to be had here ({reason}); no other process may work in this folder.",
                stacklevel=4,
            )
        yield


def arrays_to_bytes(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An npz archive; equal arrays give equal bytes. Raises `ValueError` for arrays of Python objects."""
    stream = io.BytesIO()
    # By hand: a name such as "file" would clash with an argument of numpy.savez.
    with zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            # A fixed date: archives hold the time otherwise.
            with archive.open(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, array, allow_pickle=False)
    return stream.getvalue()


def arrays_from_bytes(content: bytes) -> dict[str, np.ndarray]:
    """The inverse of `arrays_to_bytes`. Raises `ValueError` for what is damaged or no archive."""
    try:
        # From memory: NumPy leaves a damaged file open.
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except Exception as error:
        # A damaged archive shows itself in half a dozen ways, by errors of zipfile, struct, zlib and NumPy.
        raise ValueError(f"no readable archive of arrays: {error}") from error
