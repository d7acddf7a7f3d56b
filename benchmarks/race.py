"""What the benchmarks share: both sides compute the same first, then rounds in turn in one process, and ratios.

A noisy machine slows both sides of a round: the figure to quote is the median over rounds of the ratio of times, with
its range. `python benchmarks/table.py` puts the kept results into RESULTS.md.
"""

import argparse
import importlib.metadata
import json
import os
import pathlib
import platform
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any


def seconds(work: Callable[[], Any], times: int = 1) -> float:
    """Seconds a call, of so many in a row. The work waits for its own results."""
    tick = time.perf_counter()
    for _ in range(times):
        work()
    return (time.perf_counter() - tick) / times


def per_step(run: Callable[[int], float], few: int, many: int) -> float:
    """Seconds a step, without what a run costs before its first; `run` gives the seconds of so many steps."""
    return (run(many) - run(few)) / (many - few)


class Race:
    """A benchmark's command line, its rows and its record.

    - `packages`: the distributions whose versions count; `flags`: options of this benchmark alone.
    """

    def __init__(self, doc: str | None, *packages: str, rounds: int = 7, flags: tuple[str, ...] = ()) -> None:
        parser = argparse.ArgumentParser(description=(doc or "").strip().splitlines()[0])
        parser.add_argument("--rounds", type=int, default=rounds)
        parser.add_argument("--json", type=pathlib.Path, default=None)
        for flag in flags:
            parser.add_argument(flag, action="store_true")
        self.options = parser.parse_args()
        self.file = pathlib.Path(sys.argv[0]).name
        self.packages = ("jax", *packages)
        self.rows: list[dict[str, Any]] = []

    def row(
        self,
        work: str,
        peer: str,
        ours: Callable[[], float],
        theirs: Callable[[], float],
        *,
        wanted: float,
        apart: float,
        allowed: float,
        first: float | None = None,
    ) -> None:
        """Time both sides, each called once before.

        - `ours`, `theirs`: give the seconds of the same work.
        - `wanted`: the least ratio of their time to ours.
        - `apart`: how far the two results are from one another, which must be at most `allowed`.
        - `first`: seconds of our first call, with compilation; else that of the first call here.
        """
        if not apart <= allowed:
            raise SystemExit(f"{self.file}: {work}: the two sides differ by {apart:.2g}, more than {allowed:g}.")
        tick = time.perf_counter()
        ours()
        first = time.perf_counter() - tick if first is None else first
        theirs()
        pairs = [(ours(), theirs()) for _ in range(self.options.rounds)]
        ratios = [b / a for a, b in pairs]
        own, other = (statistics.median(side) for side in zip(*pairs, strict=True))
        row = {
            "work": work,
            "peer": peer,
            "seconds": own,
            "peer_seconds": other,
            "ratio": statistics.median(ratios),
            "range": [min(ratios), max(ratios)],
            "wanted": wanted,
            "apart": apart,
            "first_call_seconds": first,
        }
        self.rows.append(row)
        print(
            f"{work}; {peer}: {own:.3g} s against {other:.3g} s, {row['ratio']:.2f} x "
            f"[{row['range'][0]:.2f}, {row['range'][1]:.2f}] (wanted: at least {wanted:g}); results differ by "
            f"{apart:.1e}; first call {first:.1f} s",
            flush=True,
        )

    def end(self, **more: Any) -> None:
        """Write the record, with more beside the rows, where `--json` says."""
        if self.options.json is None:
            return
        made = {
            "how": f"python benchmarks/{self.file}",
            "rounds": self.options.rounds,
            "machine": platform.machine(),
            "processor": processor(),
            "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
            "versions": {name: importlib.metadata.version(name) for name in self.packages},
        }
        self.options.json.parent.mkdir(parents=True, exist_ok=True)
        self.options.json.write_text(json.dumps(made | {"rows": self.rows} | more, indent=1) + "\n")


def processor() -> str:
    """The processor's name, where the system tells."""
    try:
        lines = pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
