"""What a run asks of the machine, estimated before it begins: memory and steps."""

import math
import os
import pathlib
from collections.abc import Iterator
from typing import Any

from ..errors import ProblemFileError
from ..parse._problem_file import ProblemFile
from ..parse._sections import LimitSection
from ._build import Built, dynamics_of

# A step of the smallest problem takes microseconds: these are hours.
MOST_STEPS = 1e9


def check_cost(file: ProblemFile, name: str, built: Built) -> None:
    """Raise `ProblemFileError` for a part that cannot fit into the machine's memory, or cannot end."""
    most, saves = memory(), len(built.save_at)
    for place, rows, said in _sizes(file, built.problem.dim):
        size = memory_of(built, rows)
        if size > most:
            text = f"{said} with {saves} save times take about {in_bytes(size)}; this machine has {in_bytes(most)}."
            raise ProblemFileError(name, place, f"{text} Ask for fewer, or say --force.")
    for place, section in _sections(file):
        clock = dynamics_of(section).clock
        try:
            steps = float(clock.reading(file.time.t1))
        except OverflowError:
            steps = math.inf
        if steps > MOST_STEPS:
            how = "takes" if clock.counts else "takes, at about one a unit of time,"
            text = f"{section.dynamics} {how} {steps:.3g} steps to t1 = {file.time.t1:g}, more than {MOST_STEPS:.0e}."
            key = next((f"{place} {key}" for key in ("step", "tau") if key in vars(section)), "[time] t1")
            raise ProblemFileError(name, key if clock.counts else "[time] t1", f"{text} Ask for fewer, or say --force.")


def memory_of(built: Built, rows: float) -> float:
    """Bytes of so many neurons, or as many a level: all save times, and what an adaptive integrator holds of the
    present."""
    levels = 1 if built.problem.levels is None else built.problem.levels.count
    dim, saves = built.problem.dim, len(built.save_at)
    return 8.0 * levels * rows * ((dim + 1) * saves + 10 * dim)


def memory() -> float:
    """The bytes of this machine, or of the part of it that this process may use."""
    sizes = [float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")]
    for limit in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            sizes.append(float((pathlib.Path("/sys/fs/cgroup") / limit).read_text()))
        except (OSError, ValueError):
            # No such group, or "max".
            continue
    return min(sizes)


def in_bytes(size: float) -> str:
    """`12.3 GB`."""
    power = min(4, max(0, int(math.log10(max(size, 1.0)) // 3)))
    return f"{size / 1e3**power:.3g} {('bytes', 'kB', 'MB', 'GB', 'TB')[power]}"


def _sections(file: ProblemFile) -> Iterator[tuple[str, Any]]:
    yield "[limit]", file.limit
    for i, table in enumerate(file.networks):
        yield f"[[networks]] {i + 1},", table


def _sizes(file: ProblemFile, dim: int) -> Iterator[tuple[str, float, str]]:
    """(place, rows of parameters that are held at once, in words), of everything that may be large."""
    for key, count in _counts(file.limit):
        cells = key.endswith("cells")
        yield f"[limit] {key}", float(count) ** (dim if cells else 1), f"{count:,} {'cells' if cells else 'particles'}"
    for i, table in enumerate(file.networks):
        width, seeds = max(table.widths), len(table.seeds)
        yield f"[[networks]] {i + 1}, widths", float(width) * seeds, f"{width:,} neurons of {seeds} seeds"


def _counts(section: LimitSection) -> Iterator[tuple[str, int]]:
    """The keys of [limit] that say how many of something there may be."""
    doubled = f"most_{section.resolution}"
    said = vars(section)
    for key in ("particles", "cells"):
        if said.get(key) is not None:
            yield key, said[key]
    if section.doubles:
        yield doubled, said[doubled]
    grid = said.get("grid")
    if grid is not None and getattr(grid, "cells", None) is not None:
        yield "grid.cells", grid.cells
