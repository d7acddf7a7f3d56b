r"""Networks of finite width drawn from the expansion around the limit, not trained: $f_0 + f_1 + f_2/2$.

$f_1$ is linear, $f_2$ quadratic in all that is random: which neurons a network starts with (the weights of the limit's
particles are multinomial counts over n) and which batches it sees.
"""

import dataclasses
import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.dynamics import SGD
from widelimit.measure import Particles
from widelimit.problem import Problem

from . import _flow as flow, _scheme as scheme
from ._expansion import risks
from ._jets import Directions
from ._passes import Course, Pass
from ._start import setting_of


@dataclasses.dataclass(frozen=True)
class Draws:
    """Risks of drawn networks at `times` [T].

    - `limit` [T]: the risk of the limit; with SGD that of the full-batch scheme with its steps.
    - `first`, `second` [T, draws]: R(f_0 + f_1) and R(f_0 + f_1 + f_2 / 2) of each draw.
    - `error` [T]: the standard error of their mean, where they are not independent.
    """

    times: Float[np.ndarray, " T"]
    limit: Float[np.ndarray, " T"]
    first: Float[np.ndarray, "T draws"]
    second: Float[np.ndarray, "T draws"]
    error: Float[np.ndarray, " T"] | None = None

    def around(self, limit: Float[np.ndarray, " T"]) -> "Draws":
        """The same scatter around a limit that is known better: by more particles, say."""
        shift = limit - self.limit
        return Draws(self.times, limit, self.first + shift[:, None], self.second + shift[:, None], self.error)


def draw_risks(
    problem: Problem,
    start: Particles,
    *,
    width: int | None,
    times: Float[np.ndarray, " T"],
    draws: int,
    key: PRNGKeyArray,
    sgd: SGD | None = None,
    trainable: Any = None,
    progress: bool | None = None,
) -> Draws:
    """The risks of `draws` networks of `width` neurons at `times`, to first and to second order.

    Their neurons are drawn independently from the particles `start`. None for the width leaves the start as it is, so
    that only the batches differ.

    - `sgd`: whose steps, schedule, batches and sampling are taken, on the data's nodes (`times` are rounded to its
      steps, and returned so); None for the gradient flow, whose times are tau.
    - `trainable`: the blocks that move in the flow; an SGD has its own.

    Memory is bounded: draws go in groups. K draws take O(K N D (Q + D) + K N D^2 Q) operations a velocity, with one
    velocity a step of SGD and seven a step of the flow.
    """
    setting, rows = setting_of(problem, start, "draw_risks", trainable if sgd is None else sgd.trainable)
    course = Course(setting, rows, times, flow.follow if sgd is None else functools.partial(scheme.follow, sgd))
    key_width, key_batch = jax.random.split(key)
    mass = _masses(setting.p, width, draws, key_width)[:, None]
    group = max(1, min(draws, course.size // rows.shape[1]))
    # The last group is filled up with draws that are not kept: so all have one shape.
    filled = [np.minimum(np.arange(i, i + group), draws - 1) for i in range(0, draws, group)]
    passes = [
        Pass(Directions(mass[which], jnp.ones((group, 1))), jax.random.fold_in(key_batch, i))
        for i, which in enumerate(filled)
    ]
    found = course.seen(passes, _risks, label=f"{draws} drawn networks", progress=progress)
    first, second = (np.concatenate([part[j] for part in found], axis=1)[:, :draws] for j in (1, 2))
    shown = times if sgd is None else np.array([sgd.clock.nearest(float(t)) for t in times])
    return Draws(shown, found[0][0], first, second)


_risks = eqx.filter_jit(risks)


def _masses(p: Float[Array, " N"], width: int | None, draws: int, key: PRNGKeyArray) -> Float[Array, "draws N"]:
    """counts / n - p of networks of n neurons drawn from the particles."""
    if width is None:
        return jnp.zeros((draws, len(p)))
    rng = np.random.default_rng(np.asarray(jax.random.bits(key, (4,))))
    weights = np.asarray(p, float)
    return jnp.asarray(rng.multinomial(width, weights / weights.sum(), size=draws) / width) - p
