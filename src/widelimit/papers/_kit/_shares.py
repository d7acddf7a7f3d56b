"""How far computed numbers are from what they should be, and fits."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Numbers = Sequence[Any] | np.ndarray


def largest(*values: Any) -> float:
    """The largest of some numbers and arrays. Raises `ValueError` where one is NaN, which max() may pass over."""
    found = float(np.max([np.max(value) for value in values]))
    if math.isnan(found):
        raise ValueError("NaN among what is compared.")
    return found


def apart(values: Any, exact: Any) -> float:
    """The largest difference."""
    return largest(np.abs(np.asarray(values) - np.asarray(exact)))


def apart_relative(values: Any, exact: Any) -> float:
    """The largest difference, each over the exact value."""
    return apart(np.asarray(values) / np.asarray(exact), 1.0)


def outside(value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """How far the farthest of the values lies outside of an interval; 0 where all are inside."""
    return largest(low - np.min(value), np.max(value) - high, 0.0)


def in_errors(runs: np.ndarray, exact: Any) -> Any:
    """How far the mean over independent runs, the rows, is from what it should be, in its standard errors."""
    return np.abs(np.mean(runs, axis=0) - exact) / (np.std(runs, axis=0, ddof=1) / len(runs) ** 0.5)


def share_allowed(*parts: tuple[Any, float]) -> float:
    """The largest of value/allowed: several tests of one claim, each with its own unit; at most 1 where all hold."""
    return largest(*(np.max(value) / allowed for value, allowed in parts))


def share_needed(value: Any, least: float) -> float:
    """least/value for the smallest value: at most 1 where all reach `least`; a million where one is next to nothing."""
    return least / float(np.maximum(np.min(value), 1e-6 * least))


def log_slope(x: Numbers, y: Numbers) -> float:
    """The slope of the least-squares line through (log x, log y)."""
    return growth(np.log(x), y)


def growth(x: Numbers, y: Any) -> Any:
    """The slope of the least-squares line through (x, log y); of each column of y."""
    return np.polyfit(x, np.log(y), 1)[0]


def crossing(times: np.ndarray, values: np.ndarray, level: float) -> float:
    """The first time at which a curve falls to a level, between saves by a line. Raises `ValueError` if never."""
    below = np.flatnonzero(values <= level)
    if not len(below):
        raise ValueError(f"never down to {level:g}: at t = {float(times[-1]):g} still {float(values[-1]):g}.")
    k = max(int(below[0]), 1)
    share = (values[k - 1] - level) / (values[k - 1] - values[k]) if below[0] else 0.0
    return float(times[k - 1] + share * (times[k] - times[k - 1]))


def table(by: str, places: Sequence[Any] | np.ndarray, columns: Mapping[str, Any]) -> dict[str, Any]:
    """`name, by = place: value` for each of several columns."""
    rows = {name: list(zip(places, column, strict=True)) for name, column in columns.items()}
    return {f"{name}, {by} = {size(place)}": value for name, row in rows.items() for place, value in row}


def size(value: float) -> str:
    """A number with up to six digits, infinity as its sign."""
    return "∞" if math.isinf(value) else f"{value:g}"
