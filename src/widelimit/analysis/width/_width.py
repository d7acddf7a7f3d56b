r"""What a finite width costs: the risk of N independent neurons, and mei2018's bounds in N."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Measure, laws
from widelimit.numerics import entries, random_key, real_number, sum_chunks, whole_number
from widelimit.problem import Estimate, Problem
from widelimit.problem.data import Nodes, require_nodes

from .._measures import check_measure

# Independent estimates whose scatter is the standard error.
_GROUPS = 32


@dataclasses.dataclass(frozen=True)
class WidthRisk:
    r"""The expected risk of networks of N independent neurons with law rho, $E R_N = R(\rho) + \mathrm{variance}/N$.

    Each is a value with its standard error, zero where it was computed exactly.

    - `limit`: R(rho).
    - `variance`: INT U(th, th) d rho - INT INT U d rho d rho, with U(th, th') = factor E <phi(th, x), phi(th', x)>.
    - `diagonal`: K = INT U(th, th) d rho.
    """

    limit: Estimate
    variance: Estimate
    diagonal: Estimate
    draws: Float[np.ndarray, "G 3"] = dataclasses.field(repr=False)

    def risk(self, width: int) -> Estimate:
        """E R_N for N = `width` neurons."""
        n = whole_number(width, "WidthRisk.risk(width=...)", least=1)
        return _estimate(self.draws[:, 0] + self.draws[:, 1] / n)

    def bound(self, width: int) -> Estimate:
        """K/N, mei2018 (16): |inf R_N - inf R| is no larger where rho attains inf R."""
        n = whole_number(width, "WidthRisk.bound(width=...)", least=1)
        return _estimate(self.draws[:, 2] / n)


def expected_risk(
    problem: Problem,
    rho: Measure | laws.AbstractLaw,
    *,
    samples: int = 65_536,
    neurons: int = 4096,
    key: PRNGKeyArray | None = None,
) -> WidthRisk:
    r"""The mean risk of networks whose N neurons are drawn independently from rho (mei2018, proof of Proposition 1),

    $$E R_N = R(\rho) + \frac1N \Big(\int U(\theta,\theta)\,\rho(d\theta) - \iint U\,d\rho\,d\rho\Big)
            = R(\rho) + \frac{c}{N}\, E_x \mathrm{Var}_\rho\, \phi(\theta, x),\qquad \mathrm{loss} = c\,|f - y|^2.$$

    Exact for a measure on data with nodes. Fresh inputs stand for data without nodes, and fresh neurons for a law; the
    estimates are unbiased in both. A reduced problem stands for its full one: its unit is an average over directions,
    so the variance of sigma over the direction of a neuron's weight is added, and U is that of the full network.

    **Arguments**

    - `rho`: particles (with their weights), a density on a grid, or a law.
    - `samples`: inputs to draw in all where the data has no nodes.
    - `neurons`: to draw in all from a law.
    - `key`: needed where anything is drawn.

    **Raises** `ValueError` for a loss that is not squared, an output scale other than the mean, weights that do not sum
    to 1, and a missing key.
    """
    _check(problem, samples, neurons)
    if isinstance(rho, laws.AbstractLaw) and rho.n_atoms is not None:
        rho = rho.quantise(rho.n_atoms)
    if not isinstance(rho, laws.AbstractLaw):
        check_measure(problem, rho, "expected_risk(rho=...)")
    elif rho.dim != problem.dim:
        raise ValueError(f"expected_risk(rho=...): the law has {rho.dim} columns, the unit {problem.dim}.")
    if problem.data.nodes is not None and not isinstance(rho, laws.AbstractLaw):
        draws = _terms(problem, rho, require_nodes(problem.data, "expected_risk"), None)[None]
    elif key is None:
        raise ValueError("expected_risk(key=...): something is drawn here; give a key, such as jax.random.key(0).")
    else:
        keys = jax.random.split(random_key(key, "expected_risk(key=...)"), _GROUPS)
        draws = np.stack([_drawn(problem, rho, samples // _GROUPS, neurons // _GROUPS, k) for k in keys])
    limit, variance, diagonal = (_estimate(column) for column in draws.T)
    return WidthRisk(limit, variance, diagonal, draws)


def theorem3_error(width: int, dim: int, step: float, *, z: float = 0.0) -> float:
    r"""$\mathrm{err}_{N,D}(z) = \sqrt{1/N \vee \varepsilon}\,[\sqrt{D + \log(N/\varepsilon)} + z]$, mei2018 (18).

    Up to time t SGD with steps eps xi(k eps) is within C e^(C t) err of the limit, with probability 1 - exp(-z^2):
    Theorem 3.

    **Arguments**

    - `width`: N; `dim`: D, the parameters of a neuron; `step`: eps in (0, 1]; `z` >= 0.

    **Raises** `ValueError` for numbers outside these ranges.
    """
    n = whole_number(width, "theorem3_error(width=...)", least=1)
    dim = whole_number(dim, "theorem3_error(dim=...)", least=1)
    real_number(step, "theorem3_error(step=...)", above=0.0, most=1.0)
    real_number(z, "theorem3_error(z=...)", least=0.0)
    return math.sqrt(max(1.0 / n, step)) * (math.sqrt(dim + math.log(n / step)) + z)


def _drawn(
    problem: Problem, rho: Measure | laws.AbstractLaw, samples: int, neurons: int, key: PRNGKeyArray
) -> Float[np.ndarray, "3"]:
    """(R, variance, K) estimated without bias from one group of fresh inputs, fresh neurons, or both."""
    key_x, key_theta = jax.random.split(key)
    nodes = problem.data.nodes
    if nodes is None:
        nodes = Nodes(*problem.data.batch(key_x, samples), jnp.full(samples, 1.0 / samples))
    if not isinstance(rho, laws.AbstractLaw):
        return _terms(problem, rho, nodes, None)
    return _terms(problem, rho.sample(neurons, key=key_theta), nodes, neurons)


def _terms(problem: Problem, measure: Measure, nodes: Nodes, drawn: int | None) -> Float[np.ndarray, "3"]:
    """(R, variance, K) on a finite data measure, of a measure or, from `drawn` samples of it, of a law."""
    parts = problem.unpack(measure)
    found = _of_ramps(problem, *parts) if problem.integrals.exact else _integrals(problem, *parts, nodes)
    misfit, spread, square, turning = (float(v) for v in found)
    if drawn is not None:
        # The variance of n draws is too small by (n-1)/n, and the risk of their mean too large by variance/n.
        spread = spread * drawn / (drawn - 1)
        misfit = misfit - spread / drawn
    factor = problem.loss.square_factor
    assert factor is not None
    return float(factor) * np.array([misfit, spread + turning, square + turning])


@eqx.filter_jit
def _integrals(problem: Problem, theta: Any, w: Any, nodes: Nodes) -> tuple[Array, ...]:
    """INT |f - y|^2 d mu, INT Var phi d mu, INT INT |phi|^2 d rho d mu, and what a reduced unit has averaged away.

    The last is INT INT Var sigma over the directions of a weight; zero without a symmetry.
    """
    w = w / jnp.sum(w)

    def piece(x: Any, y: Any, mu: Any) -> tuple[Array, ...]:
        table = _over(unit, theta, x)
        table, target = table.reshape(w.shape[0], len(x), -1), y.reshape(len(x), -1)
        f = jnp.tensordot(w, table, axes=1)
        squares = jnp.sum(table**2, axis=2)
        spread = jnp.sum((table - f) ** 2, axis=2)
        turned = _over(unit.mean_square, theta, x) - squares if unit.averages else jnp.zeros_like(squares)
        return (mu @ jnp.sum((f - target) ** 2, axis=1), w @ spread @ mu, w @ squares @ mu, w @ turned @ mu)

    unit = problem.two_layer("expected_risk")
    entry = unit.averages or math.prod(problem.data.outputs)
    chunk = max(1, entries(problem.budget) // (w.shape[0] * entry))
    return sum_chunks(piece, (nodes.x, nodes.y), nodes.weights, chunk)


@eqx.filter_jit
def _of_ramps(problem: Problem, theta: Any, w: Any) -> tuple[Array, ...]:
    """The same for free-knot splines, by exact integrals: INT f^2 is the misfit to the target zero."""
    spline, w = problem.integrals.spline("expected_risk"), w / jnp.sum(w)
    charge = theta.c if "c" in theta._fields else jnp.ones_like(theta.h)
    square = jnp.sum(w * charge**2 * spline.kernel(theta.h, theta.h))
    zero = eqx.tree_at(lambda s: s.panels.coefficients, spline, jnp.zeros_like(spline.panels.coefficients))
    misfit, mean = (2.0 / spline.slope * s.risk(w * charge, theta.h) for s in (spline, zero))
    return misfit, square - mean, square, jnp.zeros(())


def _over(function: Any, theta: Any, x: Any) -> Array:
    """function(theta_i, x_q) for all pairs, particles outermost."""
    return jax.vmap(lambda one: jax.vmap(lambda point: function(one, point))(x))(theta)


def _estimate(values: Float[np.ndarray, " G"]) -> Estimate:
    error = np.std(values, ddof=1) / math.sqrt(len(values)) if len(values) > 1 else 0.0
    return Estimate(jnp.asarray(np.mean(values)), jnp.asarray(error))


def _check(problem: Problem, samples: int, neurons: int) -> None:
    if problem.loss.square_factor is None:
        raise ValueError(f"expected_risk(problem=...): the formula is for losses.squared, got {problem.loss.name!r}.")
    if problem.scale.factor(2) != 1.0 or not problem.scale.mean_field:
        raise ValueError("expected_risk(problem=...): the output must be the mean, scales.MeanField().")
    for name, value in (("samples", samples), ("neurons", neurons)):
        whole_number(value, f"expected_risk({name}=...)", least=2 * _GROUPS)
