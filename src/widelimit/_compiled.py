"""Compiled programs kept between processes: most of what a first run waits for is compilation."""

import contextlib
import hashlib
import os
import pathlib
import platform
import sys
import warnings

_FOLDER = "JAX_COMPILATION_CACHE_DIR"
_SHORTEST = "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"
# Seconds of compilation from which a program is kept: the many small ones are soon compiled, and writing them is not
# free of risk (a process was seen to crash while JAX wrote one).
_WORTH = "0.1"
# JAX never deletes: what was used longest ago goes, once the folder holds more bytes than this.
_MOST_BYTES = 2**30


def keep_compiled(folder: str | os.PathLike[str] | None = None) -> pathlib.Path | None:
    """Keep compiled programs in a folder: whoever runs the same again, here or in another process, waits for none.

    The command line does so by itself. Call it before the first run. Where JAX's own variable
    `JAX_COMPILATION_CACHE_DIR` names a folder, that one stays; `JAX_ENABLE_COMPILATION_CACHE=0` switches all of it off.
    Several processes may share the folder. It holds programs: let nobody write there whom you would not let run code.

    - `folder`: by default one of the machine's kind within `$XDG_CACHE_HOME` or `~/.cache`; about a gigabyte at most.

    Returns the folder, None where none can be written: then all is compiled anew, and nothing else changes.
    """
    if folder is None and os.environ.get(_FOLDER):
        return pathlib.Path(os.environ[_FOLDER])
    place = _default() if folder is None else pathlib.Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        # A home that cannot be written may still be read.
        if not os.access(place, os.W_OK):
            return None
        _trim(place)
    except (OSError, RuntimeError):
        return None
    # Of a process that was killed while it wrote: what cannot be read is compiled again.
    warnings.filterwarnings("ignore", message="Error (reading|writing) persistent compilation cache")
    os.environ[_FOLDER] = str(place)
    os.environ.setdefault(_SHORTEST, _WORTH)
    if "jax" in sys.modules:
        config = sys.modules["jax"].config
        config.update("jax_compilation_cache_dir", str(place))
        config.update("jax_persistent_cache_min_compile_time_secs", float(os.environ[_SHORTEST]))
    return place


def _default() -> pathlib.Path:
    """One for each kind of processor: a program may use what another has not. Raises `RuntimeError` without a home."""
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "widelimit" / f"compiled-{_processor()}"


def _processor() -> str:
    told = f"{platform.machine()} {platform.processor()}"
    with contextlib.suppress(OSError):
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        # Of the first core; those of one machine are alike.
        told += "".join(next((line for line in lines if line.startswith(word)), "") for word in ("flags", "Features"))
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def _trim(place: pathlib.Path) -> None:
    """Delete what was written longest ago, once there is too much: down to a half, so that it is rarely done."""
    files = [(file.stat().st_mtime, file.stat().st_size, file.path) for file in os.scandir(place) if file.is_file()]
    left = sum(size for _, size, _ in files)
    if left <= _MOST_BYTES:
        return
    for _, size, path in sorted(files):
        if left <= _MOST_BYTES // 2:
            break
        # Another process may have done it.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        left -= size
