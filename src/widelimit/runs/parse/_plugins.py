"""Plugins: Python files of the user's own that register units and other things. Code is run for these alone."""

import contextlib
import hashlib
import pathlib
import sys
import traceback
import types
from collections.abc import Iterator, Sequence
from typing import Any

from ..errors import BadInput, Failed, Interrupted, sentence
from ._problem_file import forget


@contextlib.contextmanager
def plugged(paths: Sequence[pathlib.Path]) -> Iterator[list[dict[str, str]]]:
    """Load the files, and give the path and the hash of each; what goes wrong in one is said with its line.

    What a plugin registers stays known while the process lives; the same file again changes nothing.
    """
    loaded: list[dict[str, str]] = []
    try:
        for path in paths:
            loaded.append(_load(path))
        yield loaded
    except BadInput:
        raise
    except Exception as error:
        lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
        ours = [where for where in lines if where[0] in {str(path.resolve()) for path in paths}]
        if isinstance(error, SyntaxError) and error.filename is not None:
            ours.append((error.filename, error.lineno))
        text = f"{type(error).__name__}: {sentence(error)}"
        if ours:
            raise BadInput(f"--plugin {ours[-1][0]}, line {ours[-1][1]}: {text}") from error
        if loaded and not isinstance(error, Failed | Interrupted | OSError | MemoryError):
            # A class that is registered and lacks a method, say: the library finds that out.
            names = ", ".join(plugin["path"] for plugin in loaded)
            raise BadInput(f"--plugin {names}: what it registers does not do what it is asked ({text}).") from error
        raise


def require_same(recorded: Any, given: list[dict[str, str]], folder: pathlib.Path) -> None:
    """Raise `BadInput` unless the plugins of a run are there again, unchanged."""
    hashes = {plugin["sha256"] for plugin in given}
    names = {pathlib.Path(plugin["path"]).name for plugin in given}
    for plugin in recorded:
        if plugin["sha256"] not in hashes:
            same = pathlib.Path(plugin["path"]).name in names
            said = "has changed since the run began" if same else "is needed again: the run began with it"
            raise BadInput(f"{folder}: --plugin {plugin['path']} {said}.")


def _load(path: pathlib.Path) -> dict[str, str]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"--plugin {path}: cannot be read ({error.strerror}).") from None
    file, digest = str(path.resolve()), hashlib.sha256(content).hexdigest()
    # The same name in a resumed run, and another for another content.
    name = f"plugin_{path.stem}_{digest[:8]}"
    if name not in sys.modules:
        module = types.ModuleType(name)
        module.__file__ = file
        # What was hashed is what runs: the file is not read again.
        code = compile(content, file, "exec")
        sys.modules[name] = module
        try:
            exec(code, vars(module))
        except BaseException as error:
            del sys.modules[name]
            if isinstance(error, SystemExit):
                raise BadInput(f"--plugin {path}: ends the program (SystemExit).") from None
            raise
        finally:
            # What it registered before it failed is known as well.
            forget()
    return {"path": file, "sha256": digest}
