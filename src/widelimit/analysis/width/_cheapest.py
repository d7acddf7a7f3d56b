r"""The cheapest width, batch and step that reach a target, where the excess is $A/n + B\,\Delta t/P + C\,\Delta t$."""

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

# Widths and batches tried in each round of the search, and the rounds: each looks between the neighbours of the best.
_TRIED, _ROUNDS = 400, 8
# Steps are told with this many digits, rounded down.
_DIGITS = 3


class Hyperparameters(NamedTuple):
    """Neurons, samples a step, and the step of time dt."""

    width: int
    batch: int
    step: float


class Terms(NamedTuple):
    r"""The excess of the mean risk over that of the flow of infinite width, $A/n + B\,\Delta t/P + C\,\Delta t$.

    - `width`: A; `noise`: B; `step`: C. A negative one counts as 0: no network is chosen for an excess below zero.
    """

    width: float
    noise: float
    step: float

    def excess(self, setting: Hyperparameters) -> float:
        """What the three parts come to at a setting."""
        a, b, c = (max(part, 0.0) for part in self)
        return a / setting.width + b * setting.step / setting.batch + c * setting.step


def halving(terms: Terms, now: Hyperparameters) -> dict[str, float]:
    """What each of width, batch and step alone must become for half of the excess; none that cannot do it alone."""
    a, b, c = (max(part, 0.0) for part in terms)
    width, noise, step = a / now.width, b * now.step / now.batch, c * now.step
    half = 0.5 * (width + noise + step)
    found = {}
    for name, part, value in (("width", width, now.width), ("batch", noise, now.batch)):
        if part > half:
            found[name] = float(math.ceil(value * part / (part - half) * (1.0 - 1e-12)))
    if noise + step > half:
        found["step"] = _rounded_down(now.step * (noise + step - half) / (noise + step))
    return found


def cost(setting: Hyperparameters, t1: float, step_cost: float) -> float:
    """Gradients of one sample and one neuron until t1, n P t1/dt, and `step_cost` t1/dt for the steps themselves."""
    return (setting.width * setting.batch + step_cost) * t1 / setting.step


def cheapest(
    terms: Terms, target: float, *, step_cost: float, most: Hyperparameters, largest_step: float
) -> Hyperparameters:
    """The setting of least cost whose excess is at most `target`.

    For a width and a batch the step is the largest that the target leaves; widths and batches are searched on grids of
    whole numbers that close in on the best.

    - `most`: the largest width and batch and the smallest step; `largest_step`: what is stable.

    Raises `ValueError` with the floor where even `most` does not reach the target, and where no step is stable.
    """
    if not most.step <= largest_step:
        raise ValueError(
            f"width_for(most=...): the smallest step that is allowed, {most.step:g}, is beyond what is stable, "
            f"{largest_step:.3g}; allow a smaller one."
        )
    floor = terms.excess(most)
    if not target > floor:
        a, b, c = (max(part, 0.0) for part in terms)
        parts = f"{a / most.width:.2g} of the width, {b * most.step / most.batch:.2g} of the noise of the batch and "
        raise ValueError(
            f"width_for(excess={target:g}): the largest width {most.width} and batch {most.batch} and the smallest "
            f"step {most.step:g} that are allowed leave {floor:.3g} ({parts}{c * most.step:.2g} of the step); ask for "
            "more than that, or allow more: width_for(most=Hyperparameters(width, batch, step))."
        )
    widths, batches = _whole(2, most.width), _whole(1, most.batch)
    for _ in range(_ROUNDS):
        step = _longest(terms, target, widths[:, None], batches[None, :], most.step, largest_step)
        price = np.where(
            step > 0, (widths[:, None] * batches[None, :] + step_cost) / np.where(step > 0, step, 1), np.inf
        )
        i, j = (int(k) for k in np.unravel_index(np.argmin(price), price.shape))
        best = Hyperparameters(int(widths[i]), int(batches[j]), float(step[i, j]))
        widths, batches = _beside(widths, i), _beside(batches, j)
    return best._replace(step=max(_rounded_down(best.step), most.step))


def whole_steps(setting: Hyperparameters, t1: float) -> Hyperparameters:
    """The same with a step, no longer, that divides the time t1."""
    return setting._replace(step=t1 / math.ceil(t1 / setting.step * (1.0 - 1e-12)))


def _longest(
    terms: Terms, target: float, n: np.ndarray, p: np.ndarray, least: float, largest: float
) -> Float[np.ndarray, "n p"]:
    """The largest step that the target leaves to widths n and batches p; 0 where that is below the least."""
    a, b, c = (max(part, 0.0) for part in terms)
    slope = b / p + c
    room = np.broadcast_to(target - a / n, np.broadcast_shapes(n.shape, p.shape))
    step = np.where(slope > 0, room / np.where(slope > 0, slope, 1.0), np.where(room >= 0, np.inf, 0.0))
    step = np.minimum(step, largest)
    return np.where((step >= least) & (room >= 0), step, 0.0)


def _whole(least: int, most: int) -> Float[np.ndarray, " k"]:
    """Whole numbers from least to most, evenly spread in their logarithm; all where they are few."""
    return np.unique(np.round(np.geomspace(least, most, _TRIED))) if most > least else np.array([float(least)])


def _beside(values: np.ndarray, k: int) -> Float[np.ndarray, " k"]:
    """Whole numbers between the neighbours of the k-th value."""
    return _whole(int(values[max(k - 1, 0)]), int(values[min(k + 1, len(values) - 1)]))


def _rounded_down(step: float) -> float:
    scale = 10.0 ** (_DIGITS - 1 - math.floor(math.log10(step)))
    return math.floor(step * scale) / scale
