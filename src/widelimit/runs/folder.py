"""A run's folder: what is in it, written so that a kill at any moment leaves something to go on from.

problem.toml   the user's file          problem.json   the same with every default said
data.json      what the data was        plugins.json   what code of the user's own was run, if any
                                        set.json       what was set beside the file, if anything
status.json    how far the run is       checkpoints/   of the part that is running
<part>.zarr    a finished trajectory
numbers.json   the results              report.html    the report
"""

import contextlib
import dataclasses
import fcntl
import json
import math
import pathlib
import re
import shutil
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from .errors import BadInput, tell

if TYPE_CHECKING:
    from widelimit.trajectory import Trajectory

ANEW = "Start it anew with `widelimit run FILE --overwrite`."
FORMAT = 4
# What a run writes, and what a kill in the middle of that leaves. Nothing else in a folder is ever removed.
_FILE = r"(problem\.toml|(problem|data|status|numbers|plugins|set)\.json|report\.html)(\.part)?|\.lock"
_STORE = r"(limit|network)-[0-9][0-9.e+-]*\.zarr"
_OURS = re.compile(rf"{_FILE}|{_STORE}|\.{_STORE}\.[0-9a-f]{{8}}\.(part|old)|checkpoints")
_NOTED = {"sha256", "outcome", "t", "risk", "held_out_risk", "steps", "seconds"}
_BUSY = "another widelimit process is working in this folder"
_STATES = ("begun", "running", "stopped", "failed", "finished")


@dataclasses.dataclass
class RunFolder:
    """One run on disk. `status` has

    - `state`, and a `message` where that says too little;
    - `parts`: what is known of the finished ones; `failed`: network -> why it did not reach its end;
    - `problem`: what problem.json holds, so that a change there is seen.
    """

    path: pathlib.Path
    status: dict[str, Any]

    @property
    def state(self) -> str:
        return self.status["state"]

    def mark(self, state: str, message: str = "") -> None:
        self.set(state=state, message=message)

    def set(self, **changes: Any) -> None:
        """Write the status down with some entries changed."""
        self.status = {**self.status, **changes}
        self.write("status.json", self.status)

    def write(self, name: str, content: Any) -> None:
        """A file of the folder, replaced in one step: bytes as they are, anything else as JSON."""
        # Here and not above: the numerical tools bring JAX, and `widelimit show` needs none.
        from widelimit.numerics import write_whole

        raw = content if isinstance(content, bytes) else to_json(content).encode()
        with writing(str(self.path / name)):
            write_whole(self.path / name, raw)

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

    @property
    def settings(self) -> dict[str, Any]:
        """The keys of the problem file that were set when the run began, and their values."""
        path = self.path / "set.json"
        return read_json(path) if path.exists() else {}

    def checkpoint(self, part: str) -> pathlib.Path:
        return self.path / "checkpoints" / part

    def load(self, part: str) -> "Trajectory | None":
        """The trajectory of a finished part; None if it is not finished. Raises `BadInput` where it is damaged."""
        from widelimit.trajectory import digest, load

        path, known = self.path / f"{part}.zarr", self.status["parts"].get(part)
        if known is None and not path.exists():
            return None
        again = f"`widelimit resume {self.path}` computes it again."
        try:
            trajectory = load(path)
        except ValueError as error:
            raise BadInput(f"{self.path}: {error} {again}") from None
        # Whole, but is it this run's?
        if known is not None and digest(trajectory) != known["sha256"]:
            raise BadInput(f"{path}: is damaged (its numbers are not those that were written). {again}")
        if known is None:
            self._note(part, trajectory)
        return trajectory

    def mended(self, part: str) -> "Trajectory | None":
        """The same, where a damaged part is forgotten, with a notice."""
        try:
            return self.load(part)
        except BadInput as error:
            tell(f"notice: {error}")
        _remove(self.path / f"{part}.zarr")
        self.set(parts={name: known for name, known in self.status["parts"].items() if name != part})
        return None

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

    def clear(self) -> None:
        """Remove all that is a run's, and the folder if nothing else is in it."""
        _clear(self.path)
        (self.path / ".lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self.path.rmdir()

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
        self.set(parts={**self.status["parts"], part: entry})


def create(path: pathlib.Path, files: dict[str, Any], *, overwrite: bool) -> RunFolder:
    """A folder for a new run. The status comes first, so that whatever is left can be told to be a run's.

    Call `vacant` first.
    """
    if overwrite:
        _clear(path)
    problem = files.get("problem.json")
    status = {"format": FORMAT, "state": "begun", "message": "", "parts": {}, "failed": {}, "problem": problem}
    folder = RunFolder(path, status)
    folder.mark("begun")
    for name, content in files.items():
        folder.write(name, content)
    folder.mark("running")
    return folder


def vacant(path: pathlib.Path, *, overwrite: bool) -> None:
    """Raise `BadInput` unless a run may be written at `path`; makes the folder, removes nothing."""
    with writing(f"--out {path}"):
        path.mkdir(parents=True, exist_ok=True)
        (path / ".lock.part").write_bytes(b"")
        (path / ".lock.part").unlink()
    unoccupied(path, overwrite=overwrite)


def unoccupied(path: pathlib.Path, *, overwrite: bool) -> None:
    """Raise `BadInput` where something is at `path` that a run may not replace; writes nothing."""
    with writing(f"--out {path}"):
        inside = sorted(entry.name for entry in path.iterdir()) if path.exists() else []
    foreign = [name for name in inside if name != ".lock"]
    if not foreign:
        return
    if not _is_run(path):
        raise BadInput(f"--out {path}: holds {foreign[0]!r} and is not the folder of a run; choose another folder.")
    state = _state(path)
    if at_work(path):
        raise BadInput(f"--out {path}: {_BUSY}.")
    if overwrite:
        return
    if state in ("running", "stopped"):
        raise BadInput(f"--out {path}: holds an unfinished run; {how_to_go_on(path)}, --overwrite replaces it.")
    raise BadInput(f"--out {path}: holds a {state} run already; --overwrite replaces it.")


def existing(path: pathlib.Path, *, mend: bool = False) -> RunFolder:
    """The run at `path`; with `mend` also one whose status is damaged, without what that knew of its parts.

    Raises `BadInput` for a folder that is none, or a damaged one.
    """
    if not path.is_dir():
        raise BadInput(f"{path}: there is no such folder.")
    state = _state(path)
    if state == "none":
        raise BadInput(f"{path}: is not the folder of a run (no status.json in it).")
    if state == "half-written":
        raise BadInput(f"{path}: is half-written (the run was killed as it began). {ANEW}")
    if state == "damaged":
        problem = path / "problem.json"
        if not mend or not problem.exists():
            goes_on = f"`widelimit resume {path}` goes on with the parts that are there." if problem.exists() else ANEW
            raise BadInput(f"{path / 'status.json'}: is damaged. {goes_on}")
        status = {"format": FORMAT, "state": "running", "message": "", "parts": {}, "failed": {}}
        return RunFolder(path, {**status, "problem": read_json(problem)})
    status = read_json(path / "status.json")
    if status["format"] != FORMAT:
        raise BadInput(f"{path}: is of another version (format {status['format']!r}, not {FORMAT}). {ANEW}")
    return RunFolder(path, status)


def is_sweep(path: pathlib.Path) -> bool:
    """Whether a folder is that of many runs, which have folders of their own in it."""
    return (path / "sweep.json").exists() and not (path / "status.json").exists()


def _state(path: pathlib.Path) -> str:
    """How the run at `path` stands; also "none", "half-written", "damaged"."""
    if not (path / "status.json").exists():
        return "half-written" if _is_run(path) else "none"
    try:
        status = read_json(path / "status.json")
    except BadInput:
        return "damaged"
    parts, state = status.get("parts"), status.get("state")
    good = isinstance(parts, dict) and all(isinstance(p, dict) and set(p) == _NOTED for p in parts.values())
    good = good and state in _STATES and isinstance(status.get("message"), str) and "format" in status
    if status.get("format") == FORMAT:
        good = good and isinstance(status.get("failed"), dict) and isinstance(status.get("problem"), dict | None)
    return ("half-written" if state == "begun" else str(state)) if good else "damaged"


def _is_run(path: pathlib.Path) -> bool:
    """Whether a folder is a run's, by the content of one of its files: names alone are anybody's."""
    for name, keys in (("status.json", {"format", "state", "parts"}), ("problem.json", {"data", "time", "limit"})):
        with contextlib.suppress(BadInput):
            if keys <= set(read_json(path / name)):
                return True
    return False


def how_to_go_on(path: pathlib.Path) -> str:
    """With an unfinished run, in words."""
    return _BUSY if at_work(path) else f"`widelimit resume {path}` goes on with it"


def at_work(path: pathlib.Path) -> bool:
    """Whether a process is working in a folder."""
    try:
        with open(path / ".lock", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def locked(path: pathlib.Path) -> Iterator[None]:
    """Only one process at a time works in a folder; the lock falls with the process, however it ends."""
    with contextlib.ExitStack() as stack:
        with writing(str(path)):
            file = stack.enter_context(open(path / ".lock", "a"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"{path}: {_BUSY}.") from None
        except OSError as error:
            tell(f"notice: {path}: no locks on this file system ({error.strerror}); start one process at a time here.")
        yield


@contextlib.contextmanager
def writing(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BadInput(f"{what}: cannot be written ({error.strerror}).") from None


def _clear(path: pathlib.Path) -> None:
    with writing(str(path)):
        for entry in list(path.iterdir()):
            if entry.name != ".lock" and _OURS.fullmatch(entry.name):
                _remove(entry)


def _remove(path: pathlib.Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """A JSON file of a run. Raises `BadInput` where it is missing or damaged."""
    mends = f"`widelimit resume {path.parent}` makes it again." if path.name in ("data.json", "numbers.json") else ANEW
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"{path}: is missing; the folder is damaged. {mends}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadInput(f"{path}: is damaged (not readable as a JSON object). {mends}")
    return value


def to_json(value: Any, encoding: str = "utf-8") -> str:
    """Strict JSON: a number that is not finite becomes null, characters that the encoding lacks are escaped."""
    text = json.dumps(_strict(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return json.dumps(_strict(value), indent=2, allow_nan=False) + "\n"
    return text


def print_json(value: Any) -> None:
    """On standard output."""
    import typer

    typer.echo(to_json(value, getattr(sys.stdout, "encoding", None) or "ascii"), nl=False)


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
