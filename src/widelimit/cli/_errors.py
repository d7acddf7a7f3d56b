"""How a command ends when it does not end well: one sentence on standard error and an exit code."""

import contextlib
import errno
from collections.abc import Iterator

from widelimit.runs.errors import FAILED, INTERRUPTED, BadInput, Failed, Interrupted, sentence, tell


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Turn what a command raises into a sentence and an exit code."""
    import typer

    try:
        yield
    except (BadInput, Failed, Interrupted) as error:
        tell(f"widelimit: {sentence(error)}")
        raise typer.Exit(error.code) from None
    except OSError as error:
        if error.errno == errno.EPIPE:
            # The reader has seen enough; typer ends quietly.
            raise
        why = sentence(error.strerror or error)
        place = "standard output cannot be written" if error.filename is None else str(error.filename)
        tell(f"widelimit: {place} ({why}).")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        tell("widelimit: stopped")
        raise typer.Exit(INTERRUPTED) from None
