"""A run's folder: what is in it, written so that a kill at any moment leaves something to go on from.

problem.toml   the user's file          problem.json   the same with every default said
data.json      what the data was        plugins.json   what code of the user's own was run, if any
status.json    how far the run is; written last
<part>.zarr    a finished trajectory    checkpoints/   of the part that is running
numbers.json   the results              report.html    the report
"""

import contextlib
import dataclasses
import pathlib
import re
import shutil
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .._errors import BadInput
from ._files import ANEW, read_json, to_json

if TYPE_CHECKING:
    from widelimit.trajectory import Trajectory

_FORMAT = 1
_OURS = re.compile(
    r"problem\.toml|(problem|data|status|numbers|plugins)\.json|report\.html|checkpoints|\.lock|.*\.part"
    r"|\.?(limit|network)-[0-9.e-]+\.zarr.*"
)
_NOTED = {"sha256", "outcome", "t", "risk", "held_out_risk", "steps", "seconds"}
_STATES = ("running", "stopped", "diverged", "finished")


@dataclasses.dataclass
class RunFolder:
    """One run on disk. `status` has `state`, `message` and `parts`: what is known of the finished ones."""

    path: pathlib.Path
    status: dict[str, Any]

    @property
    def state(self) -> str:
        return self.status["state"]

    def mark(self, state: str, message: str = "") -> None:
        self.status = {**self.status, "state": state, "message": message}
        self.write("status.json", self.status)

    def write(self, name: str, content: Any) -> None:
        """A file of the folder, replaced in one step: bytes as they are, anything else as JSON."""
        # Here and not above: the numerical tools bring JAX, and `widelimit show` needs none.
        from widelimit.numerics import write_whole

        raw = content if isinstance(content, bytes) else to_json(content).encode()
        try:
            write_whole(self.path / name, raw)
        except OSError as error:
            raise BadInput(f"{self.path / name}: cannot be written ({error.strerror}).") from None

    def read(self, name: str) -> dict[str, Any]:
        """A JSON file of the folder."""
        return read_json(self.path / name)

    @property
    def plugins(self) -> list[dict[str, str]]:
        """The plugins that the run began with."""
        path = self.path / "plugins.json"
        known = read_json(path).get("plugins") if path.exists() else []
        if not isinstance(known, list) or not all(isinstance(p, dict) and set(p) == {"path", "sha256"} for p in known):
            raise BadInput(f"{path}: is damaged. {ANEW}")
        return known

    def checkpoint(self, part: str) -> pathlib.Path:
        return self.path / "checkpoints" / part

    def load(self, part: str) -> "Trajectory | None":
        """The trajectory of a finished part; None if it is not finished.

        Raises `BadInput` where it is damaged.
        """
        from widelimit.trajectory import digest, load

        path, known = self.path / f"{part}.zarr", self.status["parts"].get(part)
        if known is None and not path.exists():
            return None
        try:
            trajectory = load(path)
        except ValueError as error:
            raise BadInput(f"{self.path}: {error} {ANEW}") from None
        # Whole, but is it this run's?
        if known is not None and digest(trajectory) != known["sha256"]:
            raise BadInput(f"{path}: is damaged (its numbers are not those that were written). {ANEW}")
        if known is None:
            self._note(part, trajectory)
        return trajectory

    def keep(self, part: str, trajectory: "Trajectory") -> None:
        """Store a part and forget its checkpoint."""
        try:
            trajectory.save(self.path / f"{part}.zarr")
        except ValueError as error:
            raise BadInput(f"{self.path}: {error}") from None
        self._note(part, trajectory)
        shutil.rmtree(self.checkpoint(part), ignore_errors=True)
        for left in self.path.glob(f".{part}.zarr.*"):
            shutil.rmtree(left, ignore_errors=True)

    def tidy(self) -> None:
        """Remove what only an unfinished run needs."""
        shutil.rmtree(self.path / "checkpoints", ignore_errors=True)

    def _note(self, part: str, trajectory: "Trajectory") -> None:
        from widelimit.trajectory import digest

        seen = trajectory.observables
        entry = {
            "sha256": digest(trajectory),
            "outcome": trajectory.outcome.name,
            "t": float(trajectory.times[-1]),
            "risk": float(seen["risk"][-1]),
            "held_out_risk": float(seen["held_out_risk"][-1]) if "held_out_risk" in seen else None,
            "steps": trajectory.steps,
            "seconds": trajectory.wall,
        }
        self.status = {**self.status, "parts": {**self.status["parts"], part: entry}}
        self.write("status.json", self.status)


def create(path: pathlib.Path, files: dict[str, Any], *, overwrite: bool) -> RunFolder:
    """A folder for a new run; `files` are written before the status is. Call `vacant` first."""
    for entry in list(path.iterdir()) if overwrite else []:
        if entry.name != ".lock":
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
    folder = RunFolder(path, {"format": _FORMAT, "state": "running", "message": "", "parts": {}})
    for name, content in files.items():
        folder.write(name, content)
    folder.mark("running")
    return folder


def vacant(path: pathlib.Path, *, overwrite: bool) -> None:
    """Raise `BadInput` unless a run may be written at `path`; makes the folder, removes nothing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        inside = sorted(entry.name for entry in path.iterdir())
        (path / ".lock.part").write_bytes(b"")
        (path / ".lock.part").unlink()
    except OSError as error:
        raise BadInput(f"--out {path}: cannot be written ({error.strerror}).") from None
    foreign = [name for name in inside if not _OURS.fullmatch(name)]
    if foreign:
        raise BadInput(f"--out {path}: holds {foreign[0]!r}, which is not of a run; choose another folder.")
    if overwrite or not set(inside) - {".lock"}:
        return
    state = existing(path).state if (path / "status.json").exists() else "half-written"
    if state in ("running", "stopped"):
        raise BadInput(
            f"--out {path}: holds an unfinished run; `widelimit resume {path}` goes on with it, "
            "--overwrite replaces it."
        )
    raise BadInput(f"--out {path}: holds a {state} run already; --overwrite replaces it.")


def existing(path: pathlib.Path) -> RunFolder:
    """The run at `path`. Raises `BadInput` for a folder that is none, or a damaged one."""
    if not path.is_dir():
        raise BadInput(f"{path}: there is no such folder.")
    if not (path / "status.json").exists():
        begun = (path / "problem.json").exists() or (path / "problem.toml").exists()
        raise BadInput(
            f"{path}: is half-written (status.json is missing). {ANEW}"
            if begun
            else f"{path}: is not the folder of a run (no status.json in it)."
        )
    status = read_json(path / "status.json")
    parts = status.get("parts")
    good = isinstance(parts, dict) and all(isinstance(p, dict) and set(p) == _NOTED for p in parts.values())
    if not good or status.get("state") not in _STATES or not isinstance(status.get("message"), str):
        raise BadInput(f"{path / 'status.json'}: is damaged. {ANEW}")
    if status.get("format") != _FORMAT:
        raise BadInput(f"{path}: is of another version (format {status.get('format')!r}, not {_FORMAT}).")
    return RunFolder(path, status)


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Only one process at a time works in a folder; the lock falls with the process, however it ends."""
    # Here and not above: the numerical tools bring JAX.
    from widelimit.numerics import alone

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(alone(path))
        except BlockingIOError:
            raise BadInput(f"{path}: another widelimit process is working in this folder.") from None
        except OSError as error:
            raise BadInput(f"{path}: cannot be written ({error.strerror}).") from None
        yield
