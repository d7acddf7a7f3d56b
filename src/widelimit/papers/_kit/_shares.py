"""Several tests of one claim as one number, and fits."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Numbers = Sequence[int] | Sequence[float] | np.ndarray


def largest(*values: Any) -> float:
    """The largest of some numbers and arrays; NaN where there is one, which max() may pass over."""
    return float(np.max([np.max(value) for value in values]))


def share_allowed(*parts: tuple[Any, float]) -> float:
    """The largest of value/allowed: several tests of one claim, each with its own unit; at most 1 where all hold.

    NaN where one of the values is.
    """
    return largest(*(np.max(value) / allowed for value, allowed in parts))


def share_needed(value: Any, least: float) -> float:
    """least/value for the smallest value: at most 1 where all reach `least`, infinite where one is not positive."""
    smallest = float(np.min(value))
    return least / smallest if smallest > 0.0 else math.nan if math.isnan(smallest) else math.inf


def log_slope(x: Numbers, y: Numbers) -> float:
    """The slope of the least-squares line through (log x, log y)."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
