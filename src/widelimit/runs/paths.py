"""Paths that a user gives."""

import errno
import os
import pathlib
import re

from .errors import BadInput, sentence


def local(text: str) -> pathlib.Path:
    """A path on this machine, with `~` as the home folder. Raises `ValueError` for what cannot be one."""
    shown = repr(text) if len(text) <= 60 else f"{text[:57]!r}..."
    if not text.strip():
        raise ValueError("the path is empty.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+://", text):
        raise ValueError(f"{shown} is a URL; only files of this machine are read and written.")
    if "\0" in text:
        raise ValueError(f"{shown}: a path has no character NUL.")
    try:
        path = pathlib.Path(text).expanduser()
        os.stat(path)
    except FileNotFoundError:
        if path.is_symlink():
            raise ValueError(f"{shown} is a link to {os.readlink(path)!r}, which is not there.") from None
    except RuntimeError as error:
        raise ValueError(f"{shown}: {sentence(error)}") from None
    except OSError as error:
        if error.errno in (errno.ENAMETOOLONG, errno.ELOOP):
            raise ValueError(f"{shown}: {error.strerror}.") from None
    return path


def given(text: str, what: str) -> pathlib.Path:
    """The same for an argument or an option of the command line. Raises `BadInput`."""
    try:
        return local(text)
    except ValueError as error:
        raise BadInput(f"{what}: {error}") from None
