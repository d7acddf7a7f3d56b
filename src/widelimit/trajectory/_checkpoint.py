"""Checkpoints: what is needed to go on with a run that was killed, written atomically and without pickle."""

import contextlib
import dataclasses
import json
import os
import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit.numerics import alone, arrays_from_bytes, arrays_to_bytes, local_path, real_number, write_whole

from ._fingerprint import as_array


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """Where and how often a run leaves a checkpoint: `evolve(..., checkpoint=Checkpoint("run.ckpt"))`.

    If the folder holds a checkpoint of the same run, `evolve` goes on from it, and ends bit for bit where the
    unbroken run ends. The folder may be deleted once the run is done.

    - `path`: a folder, made if it is not there.
    - `every`: seconds between checkpoints; one is also left when the run ends or is interrupted.
    """

    path: str | os.PathLike[str]
    every: float = 10.0

    def __post_init__(self) -> None:
        local_path(self.path, "checkpoint=..., Checkpoint(path=...)")
        real_number(self.every, "Checkpoint(every=...), in seconds", least=0.0)

    @classmethod
    def of(cls, place: "Checkpoint | str | os.PathLike[str] | None") -> "Checkpoint | None":
        """A folder as a checkpoint; None as it is."""
        return place if place is None or isinstance(place, Checkpoint) else cls(place)


@dataclasses.dataclass(frozen=True)
class Saved:
    """What a checkpoint holds: the state's arrays, the rows recorded so far, the seconds spent, the outcome if any."""

    leaves: list[np.ndarray]
    rows: list[dict[str, np.ndarray]]
    wall: float


class Folder:
    """One run's checkpoint folder.

    Rows (save points) are written once each, the state under a new name every time; the manifest names the state
    that counts and is replaced in one step, so a kill at any moment leaves the old checkpoint or the new one.

    `writes`: False in all but one of the processes that share a run; they only read.
    """

    def __init__(self, checkpoint: Checkpoint, marks: dict[str, str], *, writes: bool = True) -> None:
        self.path, self.marks, self._every = local_path(checkpoint.path, "checkpoint"), marks, checkpoint.every
        self._writes = writes
        self._rows = self._turn = 0
        self._last = time.monotonic()
        self._lock = contextlib.ExitStack()

    def __enter__(self) -> "Folder":
        """Raises `ValueError` where the folder cannot be written, or another run is at work in it."""
        if not self._writes:
            return self
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(alone(self.path))
        except BlockingIOError:
            raise ValueError(f"checkpoint: another run is at work in {self.path}; choose another folder.") from None
        except OSError as error:
            raise ValueError(f"checkpoint: cannot write the folder {self.path}: {error.strerror or error}.") from error
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def read(self) -> Saved | None:
        """The checkpoint, or None where there is none. Raises `ValueError` if it is damaged or of another run."""
        manifest = self.path / "manifest.json"
        if not manifest.exists():
            return None
        try:
            known = json.loads(manifest.read_text())
            state = _arrays(self.path / known["state"])
            rows = [_arrays(self.path / f"row-{i:06d}.npz") for i in range(known["rows"])]
            saved = Saved([state[f"leaf{i}"] for i in range(len(state))], rows, known["wall"])
            marks, self._rows, self._turn = dict(known["fingerprint"]), known["rows"], known["turn"]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"checkpoint: {self.path} is damaged ({error}); delete the folder to start anew."
            ) from error
        differ = [name for name in sorted({*marks, *self.marks}) if marks.get(name) != self.marks.get(name)]
        if differ:
            raise ValueError(
                f"checkpoint: {self.path} belongs to another run, from which this one differs in {', '.join(differ)}; "
                "delete the folder or choose another."
            )
        return saved

    @property
    def due(self) -> bool:
        """Whether the last checkpoint is older than it may be."""
        return time.monotonic() - self._last >= self._every

    def write(self, state: Any, rows: list[dict[str, np.ndarray]], wall: float) -> None:
        """Leave a checkpoint."""
        if not self._writes:
            return
        try:
            for i in range(self._rows, len(rows)):
                write_whole(self.path / f"row-{i:06d}.npz", arrays_to_bytes(rows[i]))
            self._rows, self._turn = len(rows), self._turn + 1
            name = f"state-{self._turn}.npz"
            leaves = {f"leaf{i}": as_array(leaf) for i, leaf in enumerate(jax.tree.leaves(state))}
            write_whole(self.path / name, arrays_to_bytes(leaves))
            manifest = {
                "fingerprint": self.marks,
                "state": name,
                "rows": self._rows,
                "turn": self._turn,
                "wall": wall,
            }
            write_whole(self.path / "manifest.json", json.dumps(manifest).encode())
            for old in self.path.glob("state-*.npz"):
                if old.name != name:
                    old.unlink()
        except OSError as error:
            raise ValueError(f"checkpoint: cannot write {self.path}: {error.strerror or error}.") from error
        self._last = time.monotonic()


def restore(template: Any, leaves: list[np.ndarray]) -> Any:
    """The arrays of a checkpoint in the structure of a state. Raises `ValueError` where they do not fit.

    A state may have grown since its start, so an axis may be longer than the template's.
    """
    old, structure = jax.tree.flatten(template)
    if len(old) != len(leaves) or any(as_array(a).ndim != b.ndim for a, b in zip(old, leaves, strict=True)):
        raise ValueError("checkpoint: its arrays do not fit this run (another version?); delete the folder.")
    new = [
        jax.random.wrap_key_data(jnp.asarray(b), impl=jax.random.key_impl(a)) if _is_key(a) else jnp.asarray(b)
        for a, b in zip(old, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, new)


def _arrays(path: pathlib.Path) -> dict[str, np.ndarray]:
    try:
        return arrays_from_bytes(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from error


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
