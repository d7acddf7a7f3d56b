r"""The covariance of independent batches carried along a scheme, exactly: no batch is drawn.

With batches of P independent samples the first order is Gaussian to leading order, with the covariance

$$\Sigma_{k+1} = (1 + s_k A_k)\, \Sigma_k\, (1 + s_k A_k)^T + \frac{s_k^2}{P}\, \mathrm{Cov}_\mu(v_x),$$

A = Dv the derivative of the velocity, the measure's part included, and v_x the velocities of all particles that the
sample x alone makes (rotskoff2018 (3.10)-(3.12)). It is kept as L L^T: the columns of L are directions like any other,
and the second order of their sum is that of the mean over batches.
"""

from collections.abc import Iterator
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from widelimit.dynamics import SGD

from ._expansion import sample_velocities, velocity
from ._jets import Directions, Jet, Setting, still
from ._scheme import put_back

# Steps between two looks of the host.
_STEPS = 64


class Spread(eqx.Module):
    """Step k, and the paths whose first orders are the columns of L."""

    k: Int[Array, ""]
    rows: Jet


def follow(
    sgd: SGD,
    setting: Setting,
    directions: Directions,
    rows: Float[Array, "N D"],
    times: Float[np.ndarray, " T"],
    key: PRNGKeyArray,
) -> Iterator[Jet]:
    """The paths at the steps nearest to all times; the directions are the columns of L, and nothing is random."""
    now = Spread(jnp.zeros((), jnp.int64), still(rows, directions))
    for t in times:
        stop = jnp.asarray(sgd.clock.reading(float(t)), jnp.int64)
        while int(now.k) < stop:
            now = walk(setting, directions, sgd, now, stop)
        yield now.rows


@eqx.filter_jit
def walk(setting: Setting, directions: Directions, sgd: SGD, now: Spread, stop: Any) -> Spread:
    """The scheme up to step `stop`, or as far as a number of steps takes it."""
    last = jnp.minimum(stop, now.k + _STEPS)

    def step(now: Spread) -> Spread:
        length = sgd.step_size * sgd.clock.at(sgd.schedule, now.k)
        v = velocity(setting, directions, now.rows)
        noise = length / jnp.sqrt(sgd.batch(now.k * sgd.step_size)) * sample_velocities(setting, now.rows.value)
        rows = jax.tree.map(lambda z, dz: z + length * dz, now.rows, v)
        rows = rows._replace(first=_joined(rows.first, noise))
        return Spread(now.k + 1, put_back(setting, directions, rows))

    return jax.lax.while_loop(lambda now: now.k < last, step, now)


def _joined(first: Float[Array, "1 K N D"], noise: Float[Array, "Q N D"]) -> Float[Array, "1 K N D"]:
    """As many columns as there were, with the covariance of both: L L^T = R^T R for Q R = (columns)^T."""
    both = jnp.concatenate([first[0], noise]).reshape(first.shape[1] + len(noise), -1)
    return jnp.linalg.qr(both, mode="r").reshape(first.shape)
