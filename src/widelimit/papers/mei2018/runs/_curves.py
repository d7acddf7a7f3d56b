"""Risks over time of a network and of its limit, as Figs. 3 and 4 compare them."""

from typing import Any

import numpy as np

from widelimit.trajectory import Trajectory

from ..._kit import Data
from ..._kit._drawing import Axes, curve, marks


def curves(run: Trajectory, mean: str) -> Data:
    """Times, the risk with its standard error (0 where it is exact), an observable of that name, and the steps."""
    error = run.observables.get("risk_error", np.zeros_like(run.risk))
    return {"t": run.times, "risk": run.risk, "error": error, mean: run.observables[mean], "steps": run.steps}


def behind(sgd: Data, limit: Data) -> tuple[np.ndarray, np.ndarray]:
    """The limit's risk at the network's times, interpolated in log t, and by how much the network's is off."""
    exact = np.interp(np.log(sgd["t"][1:]), np.log(limit["t"][1:]), limit["risk"][1:])
    return exact, np.abs(sgd["risk"][1:] - exact)


def draw_pair(axes: Axes, limit: Data, sgd: Data, k: int, dashes: Any, label: str, of_sgd: str | None = None) -> None:
    """Both risks in one colour: a line and crosses."""
    curve(axes, limit["t"], limit["risk"], k, ls=dashes, label=label)
    marks(axes, sgd["t"], sgd["risk"], k, bars=sgd["error"], label=of_sgd)


def draw_small(axes: Axes, t: tuple[Any, Any], values: tuple[Any, Any], k: int, dashes: Any) -> None:
    """The same of another quantity in a small panel."""
    curve(axes, t[0], values[0], k, ls=dashes)
    marks(axes, t[1], values[1], k, ms=5, mew=1.1)
