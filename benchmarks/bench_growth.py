"""How time and memory of a step grow with particles N, samples Q, parameters D and steps T, for each dynamics, drawn.

Time is processor time on one core, the least of several repetitions, without compilation; memory is what the compiled
steps need: arguments, results and everything between, as the compiler tells. Exponents are least-squares slopes of the
logarithms over the upper sizes (the smallest is left out, where the cost of starting a step shows most), with their
standard errors, beside those of the count of operations and of the arrays (`growth_cases.py`).

    python benchmarks/bench_growth.py [--rounds 3] [--only NAME ...] [--json results/bench_growth.json]
        [--png growth.png]
"""

import argparse
import json
import os
import pathlib
import platform
import time
from collections.abc import Callable
from typing import Any, NamedTuple

if hasattr(os, "sched_setaffinity"):
    # Before JAX makes its threads: the time of threads that wait for each other is no growth.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.environ["OPENBLAS_NUM_THREADS"] = "1"

import growth_picture
import jax
import jax.numpy as jnp
import numpy as np
from growth_cases import CASES, Case, Sizes
from race import processor

import widelimit as wl
from widelimit._evolve import _host, _verb

END = 1e3
# Seconds that a repetition should take.
LONG = 0.05


class Run(NamedTuple):
    """Processor seconds of some steps, their number, and that of what is counted in them."""

    seconds: float
    done: int
    parts: int


def measured(case: Case, sizes: Sizes, rounds: int) -> tuple[float, int, Callable[[int], Run] | None]:
    """Processor seconds and bytes of a step; and what runs so many steps."""
    made, watched = case.make(sizes), (wl.observables.Penalty(),)

    def set_up() -> Any:
        problem, start, dynamics = made
        runs = _verb.set_up(problem, [start], dynamics, END, [jax.random.key(0)], [END], watched, None)
        return jax.block_until_ready(runs.states[0]), runs

    state, runs = set_up()
    moved, prepared = runs.watch.dynamics, runs.watch.prepared
    stop = jnp.asarray(moved.clock.reading(END))
    steps = _host._chunk.lower(moved, prepared, state, stop, jnp.asarray(1)).compile()
    told = steps.compiled.memory_analysis()
    held = int(told.temp_size_in_bytes + told.argument_size_in_bytes + told.output_size_in_bytes)
    if case.whole:
        return least(set_up, rounds), held, None

    def run(many: int) -> Run:
        tick = time.process_time()
        reached = jax.block_until_ready(steps(moved, prepared, state, stop, jnp.asarray(many))[0])
        seconds, done = time.process_time() - tick, int(reached.done)
        # Where a dynamics needs more room it stops before.
        if done < 1 or not bool(reached.finite) or (done != many and moved.growth is None):
            raise SystemExit(f"bench_growth.py: {done} of {many} steps were done.")
        return Run(seconds, done, done if case.counter is None else int(getattr(reached.states, case.counter)))

    run(1)
    guess = run(1).seconds
    if guess > LONG:
        # What a call costs beside its one step does not count.
        guess = min(run(1) for _ in range(rounds - 1))
        return guess.seconds / guess.parts, held, run
    many = max(4, min(4000, int(LONG / max(run(4).seconds / 4, 1e-6))))
    alone, best = (min(run(count) for _ in range(rounds)) for count in (1, many))
    return max((best.seconds - alone.seconds) / (best.parts - alone.parts), 1e-9), held, run


def least(work: Callable[[], Any], rounds: int) -> float:
    """Processor seconds."""
    found = []
    for _ in range(rounds):
        tick = time.process_time()
        work()
        found.append(time.process_time() - tick)
    return min(found)


def exponent(sizes: list[int], values: list[float]) -> tuple[float, float]:
    """The slope of the logarithms without the first size, and its standard error."""
    x, y = np.log(sizes[1:]), np.log(values[1:])
    x, y = x - x.mean(), y - y.mean()
    slope = x @ y / (x @ x)
    rest = y - slope * x
    return float(slope), float(np.sqrt(rest @ rest / (len(x) - 2) / (x @ x)))


def fitted(sizes: list[int], values: list[float], expected: float) -> dict[str, Any]:
    slope, error = exponent(sizes, values)
    told = [float(f"{value:.4g}") for value in values]
    return {"values": told, "exponent": round(slope, 3), "error": round(error, 3), "expected": expected}


def grown(name: str, case: Case, rounds: int) -> dict[str, Any]:
    """Of each size its values, with time and memory at each and their exponents."""
    known: dict[tuple[int, ...], Any] = {}

    def at(sizes: Sizes) -> Any:
        key = tuple(sizes.values())
        if key not in known:
            known[key] = measured(case, sizes, rounds)
        return known[key]

    rows = {}
    for size, (values, time_power, memory_power) in case.grown.items():
        found = [at(case.base | {size: value}) for value in values]
        rows[size] = {
            "sizes": list(values),
            "seconds": fitted(list(values), [one[0] for one in found], time_power),
            "bytes": fitted(list(values), [float(one[1]) for one in found], memory_power),
        }
    _, held, run = at(case.base)
    if run is not None:
        # The seconds of whole runs, by their steps; all are one program.
        one, more = (min(run(count) for _ in range(rounds)).seconds for count in (1, 9))
        first = max(4, int(0.3 * LONG / max((more - one) / 8, 1e-6)))
        runs = [min(run(first * 2**i) for _ in range(rounds)) for i in range(5)]
        many = [one.done for one in runs]
        rows["T"] = {"sizes": many, "seconds": fitted(many, [one.seconds for one in runs], 1)}
        rows["T"]["bytes"] = fitted(many, [float(held)] * len(many), 0)
    for size, row in rows.items():
        print(f"{name}, {size} = {row['sizes'][0]:,} .. {row['sizes'][-1]:,}: " + said(row), flush=True)
    return {"base": case.base, "grown": rows}


def said(row: dict[str, Any]) -> str:
    parts = []
    for what in ("seconds", "bytes"):
        fit = row[what]
        note = "" if growth_picture.as_expected(fit, what) else ", not as expected"
        parts.append(f"{what} {fit['exponent']:.2f} +- {fit['error']:.2f} (expected {fit['expected']:g}{note})")
    return "; ".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=None, help="measure these again")
    parser.add_argument("--json", type=pathlib.Path, default=None)
    parser.add_argument("--png", type=pathlib.Path, default=None)
    options = parser.parse_args()
    kept: dict[str, Any] = {}
    if options.only is not None and options.json is not None and options.json.exists():
        kept = json.loads(options.json.read_text())["growth"]
    made = {
        "how": "python benchmarks/bench_growth.py",
        "rounds": options.rounds,
        "cores": 1,
        "machine": platform.machine(),
        "processor": processor(),
        "versions": {"jax": jax.__version__},
    }
    for name in CASES if options.only is None else options.only:
        kept[name] = grown(name, CASES[name], options.rounds)
        if options.json is not None:
            # After each, so that a run that is ended early keeps what it has.
            ordered = {each: kept[each] for each in CASES if each in kept}
            options.json.write_text(json.dumps(made | {"growth": ordered}, indent=1) + "\n")
    if options.png is not None:
        options.png.write_bytes(growth_picture.png({each: kept[each] for each in CASES if each in kept}))


if __name__ == "__main__":
    main()
