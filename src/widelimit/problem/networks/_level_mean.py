r"""The mean of sigma(theta X) over the particles of one level, differentiated as a functional of the measure.

$F(X) = \sum_i w_i\,g(\theta_i X)$ with theta_i a d x d matrix and g entry by entry. As in `integrate`, the cotangent of
theta leaves out the factor w_i, so that the gradient of a risk is grad psi, whatever stands above this level.

X is [d, k, q]: k = 1 for the states of a network, k Taylor coefficients for those of an expansion, which g takes
together (theta X is linear in them). The q inputs are innermost: every product below is one matrix product.
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def level_mean(
    g: Any, theta: Float[Array, "N d d"], w: Float[Array, " N"], x: Float[Array, "d k q"]
) -> Float[Array, "d k q"]:
    """F(X). Builds tables of N x d x k x q numbers."""
    dynamic, static = eqx.partition(g, eqx.is_array)
    return _mean(static, dynamic, theta, w, x)


def products(theta: Float[Array, "N d d"], x: Float[Array, "d k q"]) -> Float[Array, "N d k q"]:
    """theta_i X of every particle."""
    n, d, _ = theta.shape
    return (theta.reshape(n * d, d) @ x.reshape(d, -1)).reshape(n, *x.shape)


def _weighted_sum(w: Any, values: Any) -> Any:
    return (w @ values.reshape(w.shape[0], -1)).reshape(values.shape[1:])


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _mean(static: Any, dynamic: Any, theta: Any, w: Any, x: Any) -> Any:
    return _weighted_sum(w, eqx.combine(static, dynamic)(products(theta, x)))


def _forward(static: Any, dynamic: Any, theta: Any, w: Any, x: Any) -> Any:
    g, z = eqx.combine(static, dynamic), products(theta, x)
    # Of what acts entry by entry one table is kept for the way back, where the rule of JAX would keep three: a long
    # network is bound by the memory that these stream through.
    values, kept = jax.jvp(g, (z,), (jnp.ones_like(z),)) if g.entrywise else jax.vjp(g, z)
    return _weighted_sum(w, values), (kept, dynamic, theta, w, x)


def _backward(static: Any, saved: Any, cotangent: Any) -> Any:
    kept, dynamic, theta, w, x = saved
    n, d, _ = theta.shape
    plain = jnp.broadcast_to(cotangent, (n, *cotangent.shape))
    slope = (kept * plain if static.entrywise else kept(plain)[0]).reshape(n * d, -1)
    theta_bar = (slope @ x.reshape(d, -1).T).reshape(theta.shape)
    # The activation and the states: the true derivative, with w.
    x_bar = ((w[:, None, None] * theta).reshape(n * d, d).T @ slope).reshape(x.shape)
    # What only psi and the activation's own numbers need is computed anew: a flow asks for neither.
    values, pull = jax.vjp(lambda part: eqx.combine(static, part)(products(theta, x)), dynamic)
    (dynamic_bar,) = pull(plain * w[:, None, None, None])
    return dynamic_bar, theta_bar, values.reshape(n, -1) @ cotangent.ravel(), x_bar


_mean.defvjp(_forward, _backward)
