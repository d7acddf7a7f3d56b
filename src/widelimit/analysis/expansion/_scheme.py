r"""Paths of all orders along explicit steps, every direction with the noise of its own batches.

The step is $\theta^{k+1} = \theta^k + s_k\, v(\theta^k; p + e d, \mu (1 + e r_k))$, where $\mu (1 + r_k)$ is the batch
as a measure on the data's nodes: the value is the full-batch scheme, the first order what starts and batches do to it,
the second order what they do jointly. Batches are those that the sampling itself picks.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from widelimit.dynamics import SGD
from widelimit.measure import join, split
from widelimit.problem.data import Nodes, Samples

from ._expansion import velocity
from ._jets import Directions, Jet, Setting, pushed, still

# Steps between two looks of the host.
_STEPS = 256


class Walk(NamedTuple):
    """Where a scheme is: step k, the paths, and each direction's key and place [M, K] in its sampling."""

    k: Int[Array, ""]
    rows: Any
    keys: Any
    order: Any


def numbered(nodes: Nodes) -> Samples:
    """The nodes as samples whose last input is their number: so a batch of any sampling says which nodes it has."""
    number = jnp.arange(len(nodes.weights), dtype=nodes.x.dtype)[:, None]
    return Samples(jnp.concatenate([nodes.x, number], axis=1), nodes.y, nodes.weights)


def follow(
    sgd: SGD,
    setting: Setting,
    directions: Directions,
    rows: Float[Array, "N D"],
    times: Float[np.ndarray, " T"],
    key: PRNGKeyArray,
) -> Iterator[Jet]:
    """The paths at the steps nearest to all times; each direction sees batches of its own."""
    data = numbered(setting.nodes)
    keys = jax.random.split(key, directions.share.shape)
    now = Walk(jnp.zeros((), jnp.int64), still(rows, directions), keys, order_of(sgd, data, keys))
    for t in times:
        stop = jnp.asarray(sgd.clock.reading(float(t)), jnp.int64)
        while int(now.k) < stop:
            now = walk(setting, directions, sgd, data, now, stop)
        yield now.rows


@eqx.filter_jit
def order_of(sgd: SGD, data: Samples, keys: Any) -> Any:
    """Where each direction's sampling begins."""
    return _mapped(lambda one: sgd.sampling.start(data, one))(keys)


@eqx.filter_jit
def walk(setting: Setting, directions: Directions, sgd: SGD, data: Samples, now: Walk, stop: Any) -> Walk:
    """The scheme up to step `stop`, or as far as a number of steps takes it."""
    last = jnp.minimum(stop, now.k + _STEPS)

    def step(now: Walk) -> Walk:
        length = sgd.step_size * sgd.clock.at(sgd.schedule, now.k)
        batch, order = batches(sgd, data, now)
        v = velocity(setting, directions, now.rows, batch)
        rows = jax.tree.map(lambda z, dz: z + length * dz, now.rows, v)
        return Walk(now.k + 1, put_back(setting, directions, rows), now.keys, order)

    return jax.lax.while_loop(lambda now: now.k < last, step, now)


def batches(sgd: SGD, data: Samples, now: Walk) -> tuple[Any, Any]:
    """The relative weights r [M, K, Q] of the batches of this step, one a direction; None where they are the data."""
    if not sgd.sampling.stochastic:
        return None, now.order
    mu = data.weights

    def one(key: Any, order: Any) -> tuple[Any, Any]:
        drawn = sgd.sampling.draw(data, key, now.k, sgd.largest_batch)
        batch, order = sgd.batch_of(data, key, now.k, drawn, order)
        weights = jnp.zeros_like(mu).at[batch.x[:, -1].astype(int)].add(batch.weights)
        return jnp.where(mu > 0, weights / jnp.where(mu > 0, mu, 1.0) - 1.0, 0.0), order

    return _mapped(one)(now.keys, now.order)


def _mapped(function: Any) -> Any:
    return jax.vmap(jax.vmap(function))


def put_back(setting: Setting, directions: Directions, rows: Jet) -> Jet:
    problem = setting.problem
    if problem.domain.unconstrained:
        return rows

    def inside(z: Any) -> Any:
        return z + setting.moves * (join(problem.blocks, problem.retract(split(problem.blocks, z))) - z)

    return pushed(inside, rows, directions.share)
