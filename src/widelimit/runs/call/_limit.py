"""The limit of a run: one dynamics, more and more finely, until the risk curve rests or as finely as was asked."""

import dataclasses
import itertools
import os
import pathlib
import shutil
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64

from widelimit import dynamics
from widelimit.dynamics import Start
from widelimit.report import interpolate
from widelimit.trajectory import Trajectory

from ..folder import RunFolder
from ..parse._problem_file import ProblemFile
from ..parse._words import in_words
from ._build import dynamics_of, start_of
from ._part import Part, Work, carry_out

_PREFIX = "limit-"


@dataclasses.dataclass(frozen=True, eq=False)
class Limit:
    """The runs of growing resolution; the last one stands for the limit.

    - `sizes`: their particles, cells, tolerances, ...; `movements`: [len(sizes) - 1], how far the risk curve moved.
    - `error`: [T], how far the last risk curve may be from the limit's; `converged`: None where nothing was asked.
    """

    sizes: tuple[float, ...]
    runs: tuple[Trajectory, ...]
    movements: tuple[float, ...]
    error: Float64[np.ndarray, " T"]
    converged: bool | None
    note: str


def compute_limit(work: Work) -> Limit:
    """One run a resolution; the halves of a doubled one are nested starts or grids."""
    section = work.file.limit
    runs: list[Trajectory] = []
    movements: list[float] = []
    sizes: list[float] = []
    for size in sizes_of(work.file):
        runs.append(_run(work, size))
        sizes.append(size)
        if len(runs) == 1:
            continue
        movements.append(_movement(runs[-2], runs[-1]))
        work.say(f"  {_step(work.file, sizes)} the risk curve moved by {movements[-1]:.2%}")
        if section.doubles and _rests(movements, section.asked):
            break
    converged = _rests(movements, section.asked) if section.doubles else None
    error = limit_error(curves_of(runs, "risk"))
    return Limit(
        tuple(sizes), tuple(runs), tuple(movements), error, converged, _note(work.file, sizes, movements, converged)
    )


def limit_error(curves: Sequence[Float64[np.ndarray, " T"]]) -> Float64[np.ndarray, " T"]:
    """|R_n - R_n/2| or |R_n/2 - R_n/4|, the larger: one doubling may move a curve little by accident.

    The largest within two save times counts: where two curves cross, their difference alone is zero.
    """
    moved = np.max([np.abs(fine - coarse) for coarse, fine in list(itertools.pairwise(curves))[-2:]], axis=0)
    padded = np.pad(moved, 2, mode="edge")
    return np.max(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)


def curves_of(runs: Sequence[Any], name: str) -> list[Float64[np.ndarray, " T"]]:
    """An observable of each run at the times of the last: where their steps differ, what is saved has other times."""
    times = runs[-1].times
    # A run that ended a step earlier stays at its last value.
    return [
        interpolate(run.times, np.asarray(getattr(run, name), float), np.minimum(times, run.times[-1])) for run in runs
    ]


def part_name(size: float) -> str:
    """`limit-64`, `limit-1e-09`: the name that a run of the limit is kept under."""
    return f"{_PREFIX}{size}"


def take_limit(folder: RunFolder, other: pathlib.Path) -> None:
    """Put the limit that another run has computed, of the same problem in the same way, into a run's folder.

    Files are linked where the file system can: stores are replaced and never changed, and there may be many runs.
    """
    for store in other.glob(f"{_PREFIX}*.zarr"):
        if not (folder.path / store.name).exists():
            shutil.copytree(store, folder.path / store.name, copy_function=_linked)


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def finely(file: ProblemFile, size: float) -> str:
    """`64 particles`, `rtol 1e-09`."""
    name = file.limit.resolution
    each = " a level" if file.unit is None and name == "particles" else ""
    return f"{size} {name}{each}" if isinstance(size, int) else f"{name} {size:g}"


def sizes_of(file: ProblemFile) -> Iterator[float]:
    """The resolutions that may be run, the coarsest first; a doubled one may rest before the last."""
    section = file.limit
    value = dynamics.registry[section.dynamics].values[section.resolution]
    given = getattr(section, section.resolution)
    if section.doubles:
        n, most = (getattr(section, f"{end}_{section.resolution}") for end in ("first", "most"))
        while n <= most:
            yield n
            n *= 2
    elif value.coarser is None:
        yield from (given // 2, given)
    else:
        # Rounded, since the number is a part's name: 1e-07, not 1.0000000000000001e-07.
        yield from (float(f"{given * value.coarser:.12g}"), given)


def _run(work: Work, size: float) -> Trajectory:
    section = work.file.limit
    moves = dynamics_of(section, **{section.resolution: size})

    def start() -> Start:
        return start_of(section, work.built, size)

    label = f"limit, {in_words(dynamics.registry, {'dynamics': section.dynamics})}, {finely(work.file, size)}"
    return carry_out(work, Part(part_name(size), label, "[limit]", start, moves))


def _rests(movements: list[float], tolerance: float | None) -> bool:
    """Two doublings in a row: the fluctuations of two starts may cancel once by accident."""
    return tolerance is not None and len(movements) > 1 and max(movements[-2:]) < tolerance


def _movement(coarse: Trajectory, fine: Trajectory) -> float:
    """The largest distance of two risk curves, relative to the larger curve's largest value."""
    largest = float(np.max(np.abs(fine.risk)))
    old, new = curves_of([coarse, fine], "risk")
    return float(np.max(np.abs(new - old))) / largest if largest > 0 else 0.0


def _step(file: ProblemFile, sizes: list[float]) -> str:
    return f"from {finely(file, sizes[-2])} to {finely(file, sizes[-1])}"


def _note(file: ProblemFile, sizes: list[float], movements: list[float], converged: bool | None) -> str:
    section = file.limit
    moved = f"The last refinement, {_step(file, sizes)}, moved the risk curve by {movements[-1]:.2%} of its maximum"
    if not section.doubles:
        said = f"; {section.resolution} was given, so nothing was asked of that."
    else:
        asked = f"{section.asked:.2%} in two doublings in a row, as was asked for"
        more = f"raise [limit] most_{section.resolution}"
        said = f", less than {asked}." if converged else f", which is not less than {asked}: {more}."
    # Starts are nested: with h1, h2 the halves of the larger, (h1 + h2)/2 - h1 and (h1 + h2)/2 spread alike. A scheme
    # of first or higher order, and a tighter tolerance, leave less of an error than they remove.
    return (
        f"{moved}{said} The error is the larger of the last two movements, the largest within two save times: the "
        "coarser curve moved by about as much as is still missing, or more, be that a bias or a fluctuation."
    )
