"""The small problems on which the general results are measured."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.problem import Problem, activations, data, losses, penalties, units

WIDTH = 0.05
"""s of the bumps."""


class TwoNeurons(eqx.Module):
    r"""$y = 0.7 \tanh(4 x_1) - 0.3 \tanh(0.7 x_D)$: two neurons of the unit tanh(w x), with unequal weights."""

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        return 0.7 * jnp.tanh(4.0 * x[0]) - 0.3 * jnp.tanh(0.7 * x[-1])


class OneNeuron(eqx.Module):
    r"""$y = \tanh(1.5 x_1)$: a network of any width can be right."""

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        return jnp.tanh(1.5 * x[0])


class EvenBumps(eqx.Module):
    r"""$y = \int_0^1 e^{-(x-\theta)^2/(2 s^2)} d\theta$."""

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        cdf = jax.scipy.special.ndtr
        return WIDTH * math.sqrt(2.0 * math.pi) * (cdf((1.0 - x[0]) / WIDTH) - cdf(-x[0] / WIDTH))


class FarBump(eqx.Module):
    r"""$y = 0.8 e^{-2 (x - 1.5)^2}$."""

    def __call__(self, x: Float[Array, " d"]) -> Float[Array, ""]:
        return 0.8 * jnp.exp(-2.0 * (x[0] - 1.5) ** 2)


def neurons(strength: float, *, dim: int = 1, nodes: int = 20, target: Any = None) -> Problem:
    r"""Units tanh(<w, x>), loss (f - y)^2, penalty `strength` |w|^2 (lambda of mei2018).

    The law of x is finite, so that SGD and the limit see the same: the Gauss-Hermite nodes, `nodes` a coordinate, with
    their weights. Bounded, smooth, D = dim: A2 to A4 hold.
    """
    rule = data.gauss_hermite(nodes, TwoNeurons() if target is None else target, dim=dim).nodes
    return Problem(
        units.Neuron(activations.tanh, bias=False, output_weight=False),
        data.Samples(rule.x, rule.y, rule.weights),
        losses.squared(1.0),
        penalty=penalties.l2(strength) if strength else None,
    )


def gauss_tables(
    theta: Float[np.ndarray, " n"], *, nodes: int = 20
) -> tuple[float, Float[np.ndarray, " n"], Float[np.ndarray, "n n"]]:
    """R_#, V and U of (4) for `neurons` with D = 1, by NumPy alone."""
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    y = 0.7 * np.tanh(4.0 * x) - 0.3 * np.tanh(0.7 * x)
    table = np.tanh(np.multiply.outer(theta, x))
    return float(w @ y**2), -table @ (w * y), (table * w) @ table.T


def bump(theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.exp(-((x[0] - theta.centre) ** 2) / (2.0 * WIDTH**2))


def wide_bump(theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.exp(-2.0 * (x[0] - theta.centre) ** 2)


def narrow_bumps() -> Problem:
    """Units exp(-(x - theta)^2/(2 s^2)), x uniform on [0, 1], the target the mean of them all: few neurons fail."""
    unit = units.Function(bump, columns=["centre"], bound=1.0, bend=_bend)
    return Problem(unit, data.gauss_legendre(120, EvenBumps()), losses.squared(1.0))


def _bend(x: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.asarray(1.0 / WIDTH**2, x.dtype)


def far_bump(strength: float) -> Problem:
    """Units exp(-2 (x - theta)^2), x uniform on [-2.5, 2.5], the target one of them at 1.5, times 0.8."""
    unit = units.Function(wide_bump, columns=["centre"], bound=1.0, bend=_wide_bend)
    source = data.gauss_legendre(40, FarBump(), lower=-2.5, upper=2.5)
    return Problem(unit, source, losses.squared(1.0), penalty=penalties.l2(strength) if strength else None)


def _wide_bend(x: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.asarray(4.0, x.dtype)
