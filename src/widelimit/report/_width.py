"""The data of the picture against width: how far a network is from the limit."""

import dataclasses

import numpy as np
from jaxtyping import Float

from ._curves import Curve, Curves, minus, reaches


@dataclasses.dataclass(frozen=True)
class Distances:
    """Distances of networks from the limit's risk, an array of one number a seed for each width.

    `limit_error`: the limit's own error in the same sense; nothing below it can be read.
    """

    title: str
    seeds: tuple[np.ndarray, ...]
    limit_error: float

    @property
    def mean(self) -> Float[np.ndarray, " W"]:
        """The mean size for each width."""
        return np.array([float(np.mean(np.abs(values))) for values in self.seeds])


@dataclasses.dataclass(frozen=True)
class AgainstWidth:
    """Network minus limit, against width; only networks that reached the limit's end time.

    - `widths`: [W].
    - `average`: |network minus limit| averaged over the time of the run; `end`: signed, at the end.
    - `slope`: of log `average` against log width.
    """

    widths: Float[np.ndarray, " W"]
    average: Distances
    end: Distances
    slope: float | None


def against_width(curves: Curves) -> AgainstWidth | None:
    """From the risk curves, of the dynamics that has the most widths; None with fewer than two."""
    trained = [group.dynamics for group in curves.groups]
    groups = [group for group in curves.groups if group.dynamics == max(trained, key=trained.count)]
    limit = curves.reference
    assert limit is not None
    kept: dict[int, list[Curve]] = {}
    for group in groups:
        done = [minus(curve, limit) for curve in group.curves if reaches(curve, limit)]
        if done:
            kept[group.width] = done
    if len(kept) < 2:
        return None
    error = np.zeros_like(limit.values) if limit.error is None else limit.error
    average = Distances(
        "averaged over time",
        tuple(np.array([time_mean(gap.times, np.abs(gap.values)) for gap in gaps]) for gaps in kept.values()),
        time_mean(limit.times, error),
    )
    end = Distances(
        "at the end",
        tuple(np.array([gap.values[-1] for gap in gaps]) for gaps in kept.values()),
        float(error[-1]),
    )
    numbers = np.array(list(kept), float)
    mean = average.mean
    slope = float(np.polyfit(np.log(numbers), np.log(mean), 1)[0]) if np.all(mean > 0) else None
    return AgainstWidth(numbers, average, end, slope)


def time_mean(times: Float[np.ndarray, " T"], values: Float[np.ndarray, " T"]) -> float:
    """(1/t1) INT_0^t1 values dt by trapezoids."""
    if len(times) < 2:
        return float(values[-1])
    return float(np.trapezoid(values, times) / (times[-1] - times[0]))
