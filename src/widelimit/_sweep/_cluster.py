"""Where the runs go: a dask cluster of this machine's cores, or one that is running already."""

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from widelimit.runs.errors import BadInput, sentence

from ._work import dask_setup

if TYPE_CHECKING:
    from distributed import Client

# Seconds in which a scheduler must answer.
_PATIENCE = 10.0


@contextlib.contextmanager
def connected(scheduler: str | None, workers: int | None) -> Iterator["Client"]:
    """A client of the scheduler at that address; of a cluster on this machine where none is named.

    Raises `BadInput` where no scheduler answers.
    """
    import distributed

    with contextlib.ExitStack() as stack:
        stack.enter_context(_silent())
        if scheduler is None:
            stack.enter_context(_without_main())
            address = stack.enter_context(_local(workers)).scheduler_address
        else:
            address = scheduler
        try:
            client = distributed.Client(address, timeout=_PATIENCE, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            why = "" if isinstance(error, OSError) else f" ({sentence(error)})"
            said = f"--scheduler {scheduler}: no scheduler answers there within {_PATIENCE:g} s{why}."
            raise BadInput(said) from None
        yield stack.enter_context(contextlib.closing(client))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Nothing from dask's own loggers: that a worker or a scheduler is lost the sweep says in one line."""
    # Some have levels of their own, which those above them do not change.
    names = [name for name in logging.root.manager.loggerDict if name.startswith(("distributed", "tornado"))]
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _local(workers: int | None) -> Any:
    """One process and one thread a worker: JAX has its own, and several of it would share the cores badly."""
    import distributed

    no_dashboard: Any = None
    return distributed.LocalCluster(
        n_workers=workers or cores(),
        threads_per_worker=1,
        processes=True,
        # To pause or kill at a share of the memory would look like a lost worker; what is too much is refused before.
        memory_limit=0,
        dashboard_address=no_dashboard,
        silence_logs=logging.CRITICAL,
        # What XLA takes for the number of cores.
        env={"NPROC": "1"},
        preload=[dask_setup.__module__],
    )


def cores() -> int:
    """Those that this process may use: as many workers there are where nobody says how many."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Hide the caller's script from the workers' processes, which would run it anew: they need nothing of it."""
    main = sys.modules["__main__"]
    kept = {name: getattr(main, name) for name in ("__file__", "__spec__") if hasattr(main, name)}
    try:
        main.__spec__ = None
        if "__file__" in kept:
            del main.__file__
        yield
    finally:
        for name, value in kept.items():
            setattr(main, name, value)
