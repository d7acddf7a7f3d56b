"""What a problem computes of a measure, compiled: prediction, risk, and the risk's slopes on the data.

`problem` is a `Problem`, theta and w are a measure unpacked.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import map_rows, sum_chunks

from .data import Nodes
from .integrals._ramps import Residual, ramps, residual
from .networks._integrate import evaluate


class Estimate(NamedTuple):
    """A mean over fresh samples and its standard error."""

    value: Float[Array, ""]
    error: Float[Array, ""]


@eqx.filter_jit
def spline_risk(problem: Any, theta: Any, w: Any) -> Any:
    """The risk by exact integrals."""
    spline = problem.spline
    assert spline is not None
    found = ramps(theta, w, problem.scale.factor(w.shape[0]))
    return spline.risk(found.a, found.knots)


@eqx.filter_jit
def spline_residual(problem: Any, theta: Any, w: Any) -> Residual:
    """f - y in pieces, for queries of the exact potential."""
    spline = problem.spline
    assert spline is not None
    return residual(spline, theta, w, problem.scale.factor(w.shape[0]))


@eqx.filter_jit
def predict(problem: Any, theta: Any, w: Any, x: Any) -> Any:
    """f at inputs x [n, d], in pieces that fit into the budget."""
    factor = problem.scale.factor(w.shape[0])
    spline = problem.spline
    if spline is not None:
        return spline.predict(ramps(theta, w, factor).a, theta.h, x[:, 0])
    chunk = problem._chunk(w.shape[0])
    if x.shape[0] <= chunk:
        return factor * evaluate(problem.unit, theta, w, x)

    @jax.checkpoint
    def one(point: Any) -> Any:
        return evaluate(problem.unit, theta, w, point[None])[0]

    return factor * map_rows(one, x, chunk)


@eqx.filter_jit
def risk(problem: Any, theta: Any, w: Any, nodes: Nodes) -> Any:
    """SUM_q mu_q loss(f(x_q), y_q), in pieces over the data."""
    factor = problem.scale.factor(w.shape[0])

    def piece(x: Any, y: Any, mu: Any) -> Any:
        f = factor * evaluate(problem.unit, theta, w, x)
        return jnp.sum(mu * jax.vmap(problem.loss)(f, y))

    # Checkpointed, so that a derivative taken from outside does not keep the tables of all pieces.
    return sum_chunks(jax.checkpoint(piece), (nodes.x, nodes.y), nodes.weights, problem._chunk(w.shape[0]))


@eqx.filter_jit
def dual(problem: Any, theta: Any, w: Any, nodes: Nodes) -> Any:
    """dR/df on the data, with the factor of the output scale."""
    f = predict(problem, theta, w, nodes.x)
    slope = jax.vmap(jax.grad(problem.loss))(f, nodes.y)
    weights = nodes.weights.reshape((-1, *(1,) * (slope.ndim - 1)))
    return problem.scale.factor(w.shape[0]) * weights * slope


@eqx.filter_jit
def estimate(problem: Any, theta: Any, w: Any, samples: int, key: Any) -> Estimate:
    """The risk on fresh samples."""
    x, y = problem.data.batch(key, samples)
    losses_of = jax.vmap(problem.loss)(predict(problem, theta, w, x), y)
    return Estimate(jnp.mean(losses_of), jnp.std(losses_of, ddof=1) / samples**0.5)
