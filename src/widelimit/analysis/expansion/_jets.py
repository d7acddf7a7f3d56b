r"""Values with their derivatives along perturbations of a start: what the fluctuations of wide networks are made of.

A start of weights p is perturbed to p + e d, and whatever follows from it is a curve in e: a value, a first derivative
along every direction d, and second derivatives. Of the second ones only sums over directions are carried,

$$x^{(2)}_m = \sum_k c_{mk}\, \frac{d^2}{de^2}\, x(p + e\, d_{mk}) \Big|_{e = 0},$$

because their equations are linear: a mean over directions (K of them in one sum) costs one second-order path, and a
draw of its own (K = 1) has one too.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.problem import Problem
from widelimit.problem.data import Nodes


class Setting(eqx.Module):
    """A problem on nodes, the weights p of the unperturbed particles, and which columns move (1) or do not (0)."""

    problem: Problem
    nodes: Nodes
    p: Float[Array, " N"]
    moves: Float[Array, " D"]

    def costs(self, y: Float[Array, "q ..."]) -> Callable[[Any], Any]:
        """The loss of flat outputs [q, C] at the targets y: one number an input."""
        loss, shape = self.problem.loss, self.problem.data.outputs
        return lambda values: jax.vmap(lambda f, target: loss(f.reshape(shape), target))(values, y)


class Jet(NamedTuple):
    """`value`; `first` [M, K, ...] along every direction; `second` [M, ...], summed over K with the shares c."""

    value: Any
    first: Any
    second: Any


class Directions(NamedTuple):
    """d [M, K, N], each of sum 0, and the shares c [M, K]. A direction of share 0 counts for nothing."""

    mass: Float[Array, "M K N"]
    share: Float[Array, "M K"]


def still(value: Float[Array, "N D"], directions: Directions) -> Jet:
    """What does not depend on e."""
    m, k, _ = directions.mass.shape
    return Jet(value, jnp.zeros((m, k, *value.shape)), jnp.zeros((m, *value.shape)))


def pushed(function: Callable[[Any], Any], jet: Jet, share: Float[Array, "M K"]) -> Jet:
    """The jet of function(x), by the chain rule: F' x'' + F''(x', x') in second order."""
    value, linear = jax.linearize(function, jet.value)

    def bent(u: Any) -> Any:
        return jax.jvp(lambda z: jax.jvp(function, (z,), (u,))[1], (jet.value,), (u,))[1]

    first = jax.vmap(jax.vmap(linear))(jet.first)
    curved = jax.vmap(jax.vmap(bent))(jet.first)
    second = jax.tree.map(
        lambda straight, each: straight + jnp.einsum("mk,mk...->m...", share, each),
        jax.vmap(linear)(jet.second),
        curved,
    )
    return Jet(value, first, second)
