"""The small problems on which the general results are measured."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.problem import Problem, activations, data, losses, penalties, units

WIDTH = 0.05
"""s of the bumps."""
Row = Float[np.ndarray, " n"]


def two_neurons(x: Float[Array, " d"]) -> Float[Array, ""]:
    r"""$y = 0.7 \tanh(4 x_1) - 0.3 \tanh(0.7 x_D)$: two neurons of the unit tanh(w x), with unequal weights."""
    return 0.7 * jnp.tanh(4.0 * x[0]) - 0.3 * jnp.tanh(0.7 * x[-1])


def one_neuron(x: Float[Array, " d"]) -> Float[Array, ""]:
    r"""$y = \tanh(1.5 x_1)$: a network of any width can be right."""
    return jnp.tanh(1.5 * x[0])


def even_bumps(x: Float[Array, " d"]) -> Float[Array, ""]:
    r"""$y = \int_0^1 e^{-(x-\theta)^2/(2 s^2)} d\theta$."""
    cdf = jax.scipy.special.ndtr
    return WIDTH * math.sqrt(2.0 * math.pi) * (cdf((1.0 - x[0]) / WIDTH) - cdf(-x[0] / WIDTH))


def one_bump(x: Float[Array, " d"]) -> Float[Array, ""]:
    r"""$y = 0.8 e^{-2 (x - 1.5)^2}$."""
    return 0.8 * jnp.exp(-2.0 * (x[0] - 1.5) ** 2)


def neurons(strength: float, *, dim: int = 1, nodes: int = 20, target: Any = two_neurons) -> Problem:
    r"""Units tanh(<w, x>), loss (f - y)^2, penalty `strength` |w|^2 (lambda of mei2018).

    The law of x is finite, so that SGD and the limit see the same: the Gauss-Hermite nodes, `nodes` a coordinate, with
    their weights. Bounded, smooth, D = dim: A2 to A4 hold.
    """
    rule = data.gauss_hermite(nodes, target, dim=dim).nodes
    return Problem(
        units.Neuron(activations.tanh, bias=False, output_weight=False),
        data.Samples(rule.x, rule.y, rule.weights),
        losses.squared(1.0),
        penalty=penalties.l2(strength) if strength else None,
    )


def _gauss() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, its weights and y of `neurons`, D = 1, by NumPy alone."""
    x, w = np.polynomial.hermite_e.hermegauss(20)
    return x, w / w.sum(), 0.7 * np.tanh(4.0 * x) - 0.3 * np.tanh(0.7 * x)


def gauss_tables(theta: Row) -> tuple[float, Row, Float[np.ndarray, "n n"]]:
    """R_#, V and U of (4) for `neurons` with D = 1, by NumPy alone."""
    x, w, y = _gauss()
    table = np.tanh(np.multiply.outer(theta, x))
    return float(w @ y**2), -table @ (w * y), (table * w) @ table.T


def gauss_slopes(theta: Row) -> tuple[Row, Float[np.ndarray, "n n"]]:
    """V' and d_1 U of the same."""
    x, w, y = _gauss()
    table = np.tanh(np.multiply.outer(theta, x))
    slopes = (1.0 - table**2) * x
    return -slopes @ (w * y), (slopes * w) @ table.T


def bump(theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.exp(-((x[0] - theta.centre) ** 2) / (2.0 * WIDTH**2))


def wide_bump(theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    return jnp.exp(-2.0 * (x[0] - theta.centre) ** 2)


def narrow_bumps() -> Problem:
    """Units exp(-(x - theta)^2/(2 s^2)), x uniform on [0, 1], the target the mean of them all: few neurons fail."""
    unit = units.Function(bump, columns=["centre"])
    return Problem(unit, data.gauss_legendre(120, even_bumps), losses.squared(1.0))


def hill(x: Float[Array, " d"]) -> Float[Array, ""]:
    r"""$y = 0.8 e^{-2 (x - 1.5)^2} - e^{-2 x^2}$: bumps of one sign are driven away from 0."""
    return one_bump(x) - jnp.exp(-2.0 * x[0] ** 2)


def far_bump(strength: float, target: Any = one_bump) -> Problem:
    """Units exp(-2 (x - theta)^2), x uniform on [-2.5, 2.5], the target one of them at 1.5, times 0.8."""
    unit = units.Function(wide_bump, columns=["centre"], bound=1.0, bend=lambda x: jnp.asarray(4.0, x.dtype))
    source = data.gauss_legendre(40, target, lower=-2.5, upper=2.5)
    return Problem(unit, source, losses.squared(1.0), penalty=penalties.l2(strength) if strength else None)
