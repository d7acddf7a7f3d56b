"""Bands for several widths of networks that are trained in one way, around a limit that is known."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from widelimit.dynamics import AbstractDynamics
from widelimit.measure import Measure, laws
from widelimit.problem import Problem

from ..expansion._draws import draw_risks
from ..expansion._start import particles_of, times_of
from ._cheapest import Hyperparameters, Terms
from ._first_order import first_order
from ._prediction import Prediction, predicted

WHO = "predict_widths"


@dataclasses.dataclass(frozen=True)
class WidthBands:
    """`bands`: a `Prediction` a width. `terms`: A, B and C of the mean excess at the end, to first order.

    `batch`, `step`: of the SGD; None for the gradient flow, and a batch of None takes all data.
    """

    bands: tuple[Prediction, ...]
    terms: Terms
    batch: int | None
    step: float | None

    def at(self, width: int) -> Hyperparameters:
        """A width with this batch and step; of the flow, a batch and a step of 1, which its terms do not see."""
        return Hyperparameters(width, self.batch or 1, self.step or 1.0)


def predict_widths(
    problem: Problem,
    law: Measure | laws.AbstractLaw,
    moves: AbstractDynamics[Any],
    *,
    widths: Sequence[int],
    t1: float,
    save_at: Any,
    limit: Callable[[Float[np.ndarray, " T"]], Float[np.ndarray, " T"]],
    order: int = 1,
    level: float = 0.9,
    particles: int = 256,
    directions: int = 32,
    sequences: int = 4,
    draws: int = 400,
    key: PRNGKeyArray,
    progress: bool | None = None,
) -> WidthBands:
    """The bands of networks of all `widths`, trained by `moves` from neurons of `law`.

    - `moves`: what `descends`: the gradient flow, or SGD without temperature, of which step, batch, sampling, schedule
      and `trainable` count.
    - `limit`: the risk of the gradient flow at given times, as well as it is known: the scatter goes around it.
    - `order`: 1 (one set of `directions` and `sequences` of batches for all widths, in float32), or 2 (`draws` for
      every width).

    Raises `ValueError` for dynamics that do not descend, and as `fluctuations` does.
    """
    problem.two_layer(WHO)
    if not moves.descends:
        raise ValueError(
            f"{WHO}: the fluctuations of {type(moves).__name__} are not known: only those of the gradient flow and of "
            "SGD without temperature are."
        )
    sgd: Any = moves if moves.clock.counts else None
    flow: Any = moves
    times = times_of(t1, save_at, WHO)
    if sgd is not None:
        times = np.unique([moves.clock.nearest(float(t)) for t in times])
    tau = times if sgd is not None else np.array([flow.schedule.integral(float(t)) for t in times])
    start, rule = particles_of(problem, law, particles, key, WHO)
    given: dict[str, Any] = {"key": key, "sgd": sgd, "trainable": flow.trainable, "progress": progress}
    first = first_order(problem, start, tau, directions=directions, sequences=sequences, dtype=jnp.float32, **given)
    batch = None if sgd is None or not sgd.sampling.stochastic else int(sgd.largest_batch)
    step = None if sgd is None else float(sgd.step_size)
    # The scheme's own distance from the flow goes with its scatter.
    around = limit(times) + (first.limit - first.flow)

    def band(width: int) -> Prediction:
        found = first.draws(width)
        if order > 1:
            found = draw_risks(problem, start, width=width, times=tau, draws=draws, **given)
        found = dataclasses.replace(found, times=times).around(around)
        about: dict[str, Any] = {"batch": batch, "step": step, "start": rule, "width": width}
        return predicted(found, level=level, order=order, directions=directions if order == 1 else draws, **about)

    return WidthBands(tuple(band(n) for n in widths), first.terms(step, batch), batch, step)
