"""The data of the picture against width: how far a network is from the limit."""

import dataclasses

import numpy as np
from jaxtyping import Float

from ._curves import Curves, Group, minus


@dataclasses.dataclass(frozen=True)
class AgainstWidth:
    """Network minus limit, against width; only networks that reached the limit's end time.

    - `widths`: [W]; `end`: one array of signed differences at the end, one number a seed, for each width.
    - `average`: [W], |network minus limit| averaged over the time of the run and over the seeds.
    - `limit_error`: the limit's own error averaged over time: nothing below it can be read.
    - `slope`: of log `average` against log width; None with fewer than two widths.
    """

    widths: Float[np.ndarray, " W"]
    end: tuple[np.ndarray, ...]
    average: Float[np.ndarray, " W"]
    limit_error: float
    slope: float | None


def against_width(curves: Curves, widths: tuple[int, ...]) -> AgainstWidth | None:
    """From the risk curves, grouped by width in the order of `widths`; None without a complete network."""
    reference = curves.reference
    assert reference is not None
    kept: list[tuple[int, np.ndarray, float]] = []
    for width, group in zip(widths, curves.groups, strict=True):
        done = _complete(group, float(reference.times[-1]))
        if done is not None:
            gaps = [minus(curve, reference) for curve in done.curves]
            end = np.array([gap.values[-1] for gap in gaps])
            kept.append((width, end, float(np.mean([time_mean(g.times, np.abs(g.values)) for g in gaps]))))
    if not kept:
        return None
    average = np.array([k[2] for k in kept])
    numbers = np.array([float(k[0]) for k in kept])
    error = 0.0 if reference.error is None else time_mean(reference.times, reference.error)
    fits = len(kept) > 1 and bool(np.all(average > 0))
    slope = float(np.polyfit(np.log(numbers), np.log(average), 1)[0]) if fits else None
    return AgainstWidth(numbers, tuple(k[1] for k in kept), average, error, slope)


def _complete(group: Group, end: float) -> Group | None:
    """The curves that reach `end`; None if there is none."""
    done = tuple(curve for curve in group.curves if curve.times[-1] >= end * (1 - 1e-9))
    return Group(group.label, done) if done else None


def time_mean(times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"]) -> float:
    """(1/t1) INT_0^t1 values dt by trapezoids."""
    if len(times) < 2:
        return float(values[-1])
    return float(np.trapezoid(values, times) / (times[-1] - times[0]))
