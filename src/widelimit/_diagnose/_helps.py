r"""What would help: by how much each way lowers the objective on the rows, and the risk on rows that were held out.

Each way is judged against the better of what is there without it: another start against the model and the model trained
on, more neurons against these and the other starts. So no gain counts twice.

The interval of a gain holds the scatter over random starts, and on rows that were held out that over the rows, in which
the two networks are compared pair by pair.
"""

import math
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles
from widelimit.problem import Problem

from ._training import FLOOR, Training, interval

# A gain that is worth a sentence, as a share of what there is.
WORTH = 0.05
# Half of the interval of 95 % of a mean over many rows, in standard errors.
_NORMAL = 1.96

# Inputs [n, d] and targets [n] or [n, C].
Rows = tuple[np.ndarray, np.ndarray]


class Help(NamedTuple):
    """A way, and what it lowers.

    - `way`: "longer", "another start", "wider", "smaller steps" or "more data".
    - `gain`: what the objective on the rows, or the risk on rows that were held out, falls by; `error`: half of its
      interval of 95 %, 0 where nothing is random.
    - `reached`: what it ends with; `whole`: what the model has.
    - `verdict`: "helps" where all of the interval is above a twentieth of that, and a 10,000th of what a constant has;
      "no" where all of it is below; else "undecided".
    """

    way: str
    gain: float
    error: float
    reached: float
    whole: float
    verdict: str


def on_rows(how: Training, risk: float) -> tuple[Help, ...]:
    """What lowers the objective on the rows, the largest gain first."""
    best = min(how.objective, how.longer)
    again, large = how.again, how.large
    level, doubt = (best, 0.0) if best <= again.mean else (again.mean, again.error)
    found = [
        ("longer", how.objective - how.longer, 0.0, how.longer),
        ("another start", best - again.mean, again.error, again.mean),
        ("wider", level - large.mean, math.hypot(doubt, large.error), large.mean),
    ]
    if how.spectrum is not None and how.spectrum.agitated is not None:
        noise = risk * how.spectrum.agitated
        found.append(("smaller steps", noise, 0.0, how.objective - noise))
    return _sorted(found, how.objective, how.constant)


def on_held_out(problem: Problem, measure: Particles, how: Training, rows: Rows, held_out: Rows) -> tuple[Help, ...]:
    """What lowers the risk on rows that were held out, the largest gain first."""
    model = row_losses(problem, measure, held_out)[None]
    longer = row_losses(how.onward.problem, how.onward.measure, held_out)[None]
    again, large = (
        np.stack([row_losses(end.problem, end.measure, held_out) for end in trials.networks])
        for trials in (how.again, how.large)
    )
    least = min(model, longer, key=np.mean)
    found = [
        ("longer", *_fall(model, longer)),
        ("another start", *_fall(least, again)),
        ("wider", *_fall(min(least, again, key=np.mean), large)),
    ]
    own, other = row_losses(problem, measure, rows), model[0]
    doubt = math.hypot(*(_NORMAL * float(np.std(part, ddof=1)) / math.sqrt(len(part)) for part in (own, other)))
    found.append(("more data", float(np.mean(other) - np.mean(own)), doubt, float(np.mean(own))))
    return _sorted(found, float(np.mean(other)), how.constant)


def row_losses(problem: Problem, measure: Particles, rows: Rows) -> Float[np.ndarray, " n"]:
    """The loss of every row."""
    f = problem.predict(measure, rows[0])
    return np.asarray(jax.vmap(problem.loss)(f, rows[1]))


def _fall(old: Float[np.ndarray, "j n"], new: Float[np.ndarray, "k n"]) -> tuple[float, float, float]:
    """How far the mean loss falls from networks `old` to `new`, half of its interval, and the new mean."""
    pairs = old.mean(axis=0) - new.mean(axis=0)
    errors = [_NORMAL * float(np.std(pairs, ddof=1)) / math.sqrt(len(pairs))]
    errors += [interval(losses.mean(axis=1)) for losses in (old, new) if len(losses) > 1]
    return float(pairs.mean()), math.hypot(*errors), float(new.mean())


def _sorted(found: list[tuple[str, float, float, float]], whole: float, constant: float) -> tuple[Help, ...]:
    least = max(WORTH * whole, FLOOR * constant)

    def verdict(gain: float, error: float) -> str:
        return "helps" if gain - error > least else "no" if gain + error <= least else "undecided"

    helps = [Help(way, gain, error, reached, whole, verdict(gain, error)) for way, gain, error, reached in found]
    return tuple(sorted(helps, key=lambda help: -help.gain))
