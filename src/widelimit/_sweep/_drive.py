"""The sweep's own loop: runs of one kind to a worker, workers that are lost or hang replaced, progress said."""

import contextlib
import dataclasses
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from widelimit.runs.errors import Failed, sentence
from widelimit.runs.folder import read_json

from ._folder import ENDED, SweepFolder
from ._plan import PlannedRun
from ._section import in_words
from ._work import Task, carry

if TYPE_CHECKING:
    from distributed import Client, Future

TIMEOUT = 3600.0
# A run that takes its workers with it as often as this has itself to blame.
_ATTEMPTS = 3
_POLL = 0.1
# Seconds in which a scheduler may come back.
_PATIENCE = 10.0
_LOST = "lost the scheduler; what is done is kept, and the same command goes on."
# Seconds in which a worker is started anew.
_RESTART = 60.0


@dataclasses.dataclass(frozen=True)
class _Flight:
    """The runs that a worker is at; for each of them it has `timeout` seconds."""

    runs: tuple[PlannedRun, ...]
    worker: str
    since: float

    def late(self, timeout: float) -> bool:
        return time.monotonic() - self.since > timeout * len(self.runs)


@dataclasses.dataclass
class _Drive:
    client: "Client"
    folder: SweepFolder
    timeout: float
    say: Callable[[str], None]
    waiting: deque[PlannedRun]
    flying: dict["Future", _Flight] = dataclasses.field(default_factory=dict)
    lost: Counter[str] = dataclasses.field(default_factory=Counter)
    # Runs whose worker was lost, as they were together: they share a checkpoint.
    broken: deque[tuple[PlannedRun, ...]] = dataclasses.field(default_factory=deque)
    # Runs that go by themselves, because one among those that they were with went wrong.
    alone: set[str] = dataclasses.field(default_factory=set)
    # Workers that hang and could not be started anew.
    shunned: set[str] = dataclasses.field(default_factory=set)
    faults: dict[str, str] = dataclasses.field(default_factory=dict)
    done: int = 0
    total: int = 0
    began: float = 0.0

    def run(self) -> None:
        self.total, self.began = len(self.waiting), time.monotonic()
        warned = False
        while self.waiting or self.broken or self.flying:
            workers = self.workers()
            if not workers and not warned:
                self.say("waiting for a worker ...")
                warned = True
            self.gather(workers)
            self.hand_out(workers)
            time.sleep(_POLL)

    def workers(self) -> set[str]:
        """The addresses of those that are there. Raises `Failed` where the scheduler is gone and does not come back."""
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline and self.client.status != "closed":
            if self.client.status == "running":
                # Not `scheduler_info`: what another thread asks of it at the same time comes back without the workers.
                with contextlib.suppress(OSError):
                    known: Any = self.client.nthreads()
                    return set(known) - self.shunned
            time.sleep(_POLL)
        raise Failed(_LOST)

    def gather(self, workers: set[str]) -> None:
        """What has ended, is lost or hangs is no longer in flight."""
        for future, flight in list(self.flying.items()):
            if future.status in ("cancelled", "lost"):
                self.again(future, flight, "the scheduler has forgotten it")
            elif future.done():
                del self.flying[future]
                self.ended(future, flight)
            elif flight.worker not in workers:
                self.again(future, flight, "its worker is gone")
            elif flight.late(self.timeout):
                each = "" if len(flight.runs) == 1 else " for each of its runs"
                self.again(future, flight, f"not done after {self.timeout:g} s{each} (--timeout)")
                self.restart(flight.worker)
                # In its place another comes, under another address.
                workers.discard(flight.worker)

    def ended(self, future: "Future", flight: _Flight) -> None:
        left = self.finished(flight)
        if future.status == "finished":
            self.lose(left, "it is not in its folder")
            return
        error: Any = future.exception()
        if type(error).__module__.startswith("distributed") or isinstance(error, OSError):
            # What befell the worker, not the runs: KilledWorker, a broken connection, a full disk.
            self.lose(left, sentence(error))
        elif len(flight.runs) == 1:
            self.fault(flight.runs[0], f"{type(error).__name__}: {sentence(error)}")
        else:
            self.alone |= {run.name for run in left}
            self.waiting.extendleft(reversed(left))

    def finished(self, flight: _Flight) -> tuple[PlannedRun, ...]:
        """Say how those ended that have; the others."""
        left = []
        for run in flight.runs:
            if self.folder.state(run.name) in ENDED:
                self.done += 1
                self.say(f"{self.done} of {self.total}: {self.words(run)}: {self.outcome(run)}{self.left()}")
            else:
                left.append(run)
        return tuple(left)

    def again(self, future: "Future", flight: _Flight, why: str) -> None:
        """Another worker gets the runs, which go on from their last checkpoint."""
        self.flying.pop(future, None)
        future.cancel()
        # Some may be done, and their worker was lost before it could say so.
        self.lose(self.finished(flight), why)

    def lose(self, runs: tuple[PlannedRun, ...], why: str) -> None:
        kept = []
        for run in runs:
            self.lost[run.name] += 1
            if self.lost[run.name] >= _ATTEMPTS:
                self.fault(run, f"given up after {_ATTEMPTS} workers; the last time: {why}")
            else:
                self.say(f"notice: {self.words(run)}: {why}; another worker goes on with it")
                kept.append(run)
        if kept and max(self.lost[run.name] for run in kept) < _ATTEMPTS - 1:
            self.broken.append(tuple(kept))
        else:
            # The last time each by itself, so that one does not take the others with it.
            self.alone |= {run.name for run in kept}
            self.waiting.extendleft(reversed(kept))

    def fault(self, run: PlannedRun, why: str) -> None:
        self.faults[run.name] = why
        self.say(f"notice: {self.words(run)}: {why}")

    def restart(self, worker: str) -> None:
        """End a worker that hangs; where nobody watches over it, it gets no more runs."""
        try:
            ended: Any = self.client.restart_workers([worker], timeout=_RESTART, raise_for_error=False)
        except (ValueError, OSError, TimeoutError):
            ended = {worker: "timed out"}
        if ended.get(worker) == "timed out":
            self.shunned.add(worker)

    def hand_out(self, workers: set[str]) -> None:
        busy = {flight.worker for flight in self.flying.values()}
        for worker in sorted(workers - busy):
            runs = self.broken.popleft() if self.broken else self.next(len(workers))
            if not runs:
                return
            future = self.client.submit(carry, *map(self.task, runs), workers=[worker], pure=False, retries=0)
            self.flying[future] = _Flight(runs, worker, time.monotonic())

    def task(self, run: PlannedRun) -> Task:
        path = str(self.folder.run_path(run.name).resolve())
        return Task(path, run.problem, self.folder.plan.plugins, self.limit_of(run))

    def next(self, workers: int) -> tuple[PlannedRun, ...]:
        """The first run whose limit is known, or is being computed by nobody: each limit is computed once.

        With it those of its kind that need not wait for a limit either, as many as train at once and as leave the
        other workers their part.
        """
        busy = {run.limit for flight in self.flying.values() for run in flight.runs}
        first = next((run for run in self.waiting if run.limit not in busy or self.limit_of(run) is not None), None)
        if first is None:
            return ()
        others = Counter(run.limit for run in self.waiting)
        ready = [
            run
            for run in self.waiting
            if run.kind == first.kind
            and run.name not in self.alone
            and (self.limit_of(run) is not None or (others[run.limit] == 1 and run.limit not in busy))
        ]
        if first not in ready:
            ready = [first]
        chosen = tuple(ready[: max(1, min(first.most, -(-len(ready) // workers)))])
        for run in chosen:
            self.waiting.remove(run)
        return chosen

    def limit_of(self, run: PlannedRun) -> str | None:
        """The folder of a finished run with the same limit."""
        alike = (other for other in self.folder.plan.runs if other.limit == run.limit)
        known = next((other for other in alike if self.folder.state(other.name) == "finished"), None)
        return None if known is None else str(self.folder.run_path(known.name).resolve())

    def words(self, run: PlannedRun) -> str:
        return in_words(run.values) or run.name

    def outcome(self, run: PlannedRun) -> str:
        """How a run ended, in a few words."""
        status = read_json(self.folder.run_path(run.name) / "status.json")
        if status["state"] == "failed":
            return f"failed ({status['message']})"
        risks = [part["risk"] for name, part in status["parts"].items() if name.startswith("network")]
        lost = f", {len(status['failed'])} networks did not reach the end" if status["failed"] else ""
        if not risks:
            return "done"
        return f"risk {sum(risks) / len(risks):.4g}, mean of {len(risks)}{lost}"

    def left(self) -> str:
        """The time that is left, if what is left takes as long as what is done."""
        if self.done == self.total:
            return ""
        seconds = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        return f"; about {seconds:.0f} s left" if seconds < 120 else f"; about {seconds / 60:.0f} min left"


def drive(
    client: "Client", folder: SweepFolder, runs: list[PlannedRun], *, timeout: float, say: Callable[[str], None]
) -> dict[str, str]:
    """Make the runs; those that could not be made, with the reason. Raises `Failed` where the scheduler is lost."""
    loop = _Drive(client, folder, timeout, say, deque(runs))
    try:
        loop.run()
    except (RuntimeError, OSError):
        # What a client says that is used while its scheduler goes.
        if client.status == "running":
            raise
        raise Failed(_LOST) from None
    return loop.faults
