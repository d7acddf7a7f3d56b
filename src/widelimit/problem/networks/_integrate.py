r"""The integral of a unit against weighted particles, differentiated as a functional of the measure.

$f(x_q) = \sum_i w_i \phi(\theta_i, x_q)$. By the chain rule the gradient of a risk R(f) in theta_i is
$w_i \nabla\psi(\theta_i)$ with psi the first variation. Dividing by w_i to get grad psi fails for particles of
weight zero, so the derivative rule below leaves the factor w_i out: the gradient of a risk *is* grad psi, and its
gradient in w_i is psi(theta_i), for particles of any weight, zero included. Forward-mode derivatives of such
gradients are those of grad psi along the true motion of f.
"""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..units import AbstractUnit, feature
from ._network import AbstractNetwork


def integrate(unit: AbstractUnit, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]) -> Float[Array, "q ..."]:
    """f [q] or [q, C]. `theta` has one field a block, each [N, *shape]. Builds a table of N x q numbers."""
    dynamic, static = eqx.partition(unit, eqx.is_array)
    return _integrate(static, dynamic, theta, w, x)


def evaluate(
    network: AbstractNetwork, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]
) -> Float[Array, "q ..."]:
    """The network's numbers with the usual derivatives: those of a function of positions and weights."""
    unit = network.unit
    if unit is None:
        return network(_weighted(theta, w), w, x)
    return _combine(unit, theta, w, table(unit, theta, x))


def table(unit: AbstractUnit, theta: Any, x: Float[Array, "q d"]) -> Float[Array, "N q ..."]:
    """phi (or phi~, for a unit linear in a block) at all pairs; particles outermost."""
    one = unit if unit.linear is None else functools.partial(feature, unit)
    return jax.vmap(lambda th: jax.vmap(lambda point: one(th, point))(x))(theta)


def _combine(unit: AbstractUnit, theta: Any, w: Any, values: Any) -> Any:
    if unit.linear is None:
        return jnp.tensordot(w, values, axes=1)
    charge = getattr(theta, unit.linear)
    weighted = charge * w.reshape((-1, *(1,) * (charge.ndim - 1)))
    return jnp.tensordot(values, weighted, axes=((0,), (0,)))


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _integrate(static: Any, dynamic: Any, theta: Any, w: Any, x: Any) -> Any:
    unit = eqx.combine(static, dynamic)
    return _combine(unit, theta, w, table(unit, theta, x))


def _forward(static: Any, dynamic: Any, theta: Any, w: Any, x: Any) -> Any:
    def values(dynamic: Any, theta: Any, x: Any) -> Any:
        return table(eqx.combine(static, dynamic), theta, x)

    computed, pull = jax.vjp(values, dynamic, theta, x)
    unit = eqx.combine(static, dynamic)
    return _combine(unit, theta, w, computed), (pull, computed, theta, w)


def _backward(static: Any, saved: Any, cotangent: Any) -> Any:
    pull, values, theta, w = saved
    linear = static.linear
    if linear is None:
        plain = jnp.broadcast_to(cotangent, values.shape)
        psi = jnp.tensordot(values, cotangent, axes=cotangent.ndim)
    else:
        charge = getattr(theta, linear)
        # [N, *out] x [q, *out] -> [N, q], and [N, q] x [q, *out] -> [N, *out].
        over = tuple(range(1, charge.ndim))
        plain = jnp.tensordot(charge, cotangent, axes=(over, over))
        slope = jnp.tensordot(values, cotangent, axes=((1,), (0,)))
        psi = jnp.sum((charge * slope).reshape(w.shape[0], -1), axis=1)
    weighted = plain * w.reshape((-1, *(1,) * (plain.ndim - 1)))
    # theta: without the factor w (see above). Unit and inputs: the true derivative.
    _, theta_bar, _ = pull(plain)
    dynamic_bar, _, x_bar = pull(weighted)
    if linear is not None:
        theta_bar = theta_bar._replace(**{linear: slope})
    return dynamic_bar, theta_bar, psi, x_bar


_integrate.defvjp(_forward, _backward)


@jax.custom_vjp
def _weighted(theta: Any, w: Any) -> Any:
    """theta itself, whose gradient gets back the factor w_i that `integrate` leaves out."""
    return theta


def _multiply(w: Any, bar: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf * w.reshape((-1, *(1,) * (leaf.ndim - 1))), bar), jnp.zeros_like(w)


_weighted.defvjp(lambda theta, w: (theta, w), _multiply)
