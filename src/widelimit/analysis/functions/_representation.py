"""A target as an integral of the unit: the Fredholm equation F = K G, and the networks that its solution gives."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks, Measure, Particles, join, laws, split
from widelimit.numerics import entries, map_rows, own_array, random_key, whole_number
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes
from widelimit.problem.units import AbstractUnit, feature

from ._regularised import AbstractRegularisation, Picture, Tikhonov

# Numbers in the table of features, of which singular values are taken.
_ENTRIES = 2**25


@dataclasses.dataclass(frozen=True, repr=False)
class Representation:
    r"""$f^* = \int \phi(\cdot, y)\,G(y)\,\nu(dy)$ on the points of a support. See `representation`.

    - `support`: nu, particles in the blocks beside the output weight; `density`: G at its J points, [J] or [J, C].
    - `residual`: |f - f*| in L2(mu); `norm`: |G| in L2(nu).
    - `parameter`: the strength or the number of modes, given or picked.
    - `singular`: [r], the singular values of phi: L2(nu) -> L2(mu) above rounding; those of K are their squares.
    - `prediction`: f* on the data's nodes.
    - `statement`: in a sentence.
    """

    problem: Problem
    support: Particles
    density: Float[np.ndarray, "J ..."]
    residual: float
    norm: float
    parameter: float
    singular: Float[np.ndarray, " r"]
    prediction: Float[np.ndarray, "Q ..."]
    table: Float[np.ndarray, "Q J"]

    def __repr__(self) -> str:
        return f"Representation({self.statement})"

    @property
    def statement(self) -> str:
        """What was found, in a sentence."""
        return (
            f"On {len(self.support)} points f is represented up to {self.residual:.3g} in L2(mu) by a density of norm "
            f"{self.norm:.3g} (parameter {self.parameter:.3g}, {len(self.singular)} modes above rounding)."
        )

    def equation(self) -> tuple[Float[np.ndarray, "J ..."], Float[np.ndarray, "J ..."]]:
        """F and K G at the points of the support, the two sides of rotskoff2018 (1.10); K is not formed."""
        mu, y = np.asarray(self._nodes.weights), np.asarray(self._nodes.y)
        weighted = self.table.T * mu
        return np.tensordot(weighted, y, axes=1), np.tensordot(weighted, self.prediction, axes=1)

    def particles(self) -> Particles:
        """All of it as a network of J neurons, whose prediction is f* (rounding apart); its weights are nu's."""
        mass = np.asarray(self.support.weights)
        return Particles(
            self._rows(np.arange(len(mass)), self.density / self._factor(len(mass))), mass, blocks=self._all
        )

    def sample(self, n: int, *, key: PRNGKeyArray, chances: Any = None) -> Particles:
        r"""n neurons with $f_n = \frac1n \sum_i c_i\,\phi(\cdot, y_i) \to f^*$, rotskoff2018 (1.16).

        The y_i are drawn independently with density rhobar, and $c_i = G(y_i)/\bar\rho(y_i)$.

        - `chances`: [J], of the points of the support, positive wherever G is not 0; nu's own shares by default. Their
          sum is made 1. `abs(density)` x weights gives neurons of one size |c|.

        Raises `ValueError` for chances that leave out a part of G.
        """
        n = whole_number(n, "Representation.sample(n=...)", least=1)
        p, amount = self._chances(chances)
        drawn = np.asarray(jax.random.choice(random_key(key, "sample(key=...)"), len(p), (n,), p=jnp.asarray(p)))
        c = amount[drawn] / p[drawn].reshape(-1, *(1,) * (amount.ndim - 1)) / self._factor(n)
        return Particles(self._rows(drawn, c), blocks=self._all)

    def sampling_error(self, n: int, *, chances: Any = None) -> float:
        r"""$E\,|f_n - f^*|^2_{L^2(\mu)} = \frac1n \big(\int |G|^2 |\phi|^2/\bar\rho - |f^*|^2\big)$ of `sample`."""
        n = whole_number(n, "Representation.sampling_error(n=...)", least=1)
        p, amount = self._chances(chances)
        mu = np.asarray(self._nodes.weights)
        sizes = np.sum(amount.reshape(len(p), -1) ** 2, axis=1) * (mu @ self.table**2)
        second = np.sum(sizes[p > 0.0] / p[p > 0.0])
        return float((second - mu @ np.sum(self.prediction.reshape(len(mu), -1) ** 2, axis=1)) / n)

    @property
    def _nodes(self) -> Nodes:
        return require_nodes(self.problem.data, "representation")

    @property
    def _all(self) -> Blocks:
        return self.problem.blocks

    def _factor(self, n: int) -> float:
        """That of the output scale."""
        return float(self.problem.scale.factor(n))

    def _chances(self, chances: Any) -> tuple[Float[np.ndarray, " J"], Float[np.ndarray, "J ..."]]:
        """The chances, and G nu."""
        weights = np.asarray(self.support.weights, float)
        amount = self.density * weights.reshape(-1, *(1,) * (self.density.ndim - 1))
        if chances is None:
            return weights / weights.sum(), amount
        p = np.asarray(own_array(chances, "Representation(chances=...)"), float)
        if p.shape != weights.shape or not np.all(np.isfinite(p)) or np.any(p < 0.0) or not p.sum() > 0.0:
            raise ValueError(f"chances: expected {len(weights)} numbers, not negative and not all 0; got {p.shape}.")
        if np.any((p == 0.0) & np.any(amount.reshape(len(p), -1) != 0.0, axis=1)):
            raise ValueError("chances: must be positive wherever G is not 0, else a part of f* is never drawn.")
        return p / p.sum(), amount

    def _rows(self, index: np.ndarray, c: Float[np.ndarray, "n ..."]) -> Float[Array, "n D"]:
        theta = _theta(self.problem, jnp.asarray(self.support.positions)[index])
        return join(self._all, theta._replace(**{_linear(self.problem): jnp.asarray(c)}))


def representation(problem: Problem, support: Measure | laws.AbstractLaw, *, method: Any = None) -> Representation:
    r"""Solve $F = K G$, rotskoff2018 (1.10), (1.15), on a support that stands for D.

    f is the data's target, $F = \phi^\dagger f$ and $K = \phi^\dagger \phi$; the equation is that of the least squares
    $\min_G |f - \phi G|^2_{L^2(\mu)}$ with $\phi G = \int \phi(\cdot, y)\,G(y)\,\nu(dy)$. K is compact, so its inverse
    is unbounded, and G is regularised. Singular values are those of the table $\sqrt{\mu_q}\,\phi(x_q, y_j)
    \sqrt{\nu_j}$ itself: K, whose are their squares, would lose half of the digits.

    **Arguments**

    - `support`: nu, particles or a density on a grid in the blocks beside the output weight: the nodes of a quadrature
      of D, or a law of y, quantised; its weights are positive and need not sum to 1.
    - `method`: `Tikhonov(strength)` or `Truncated(modes)`, with a number, `LCurve()` or `Discrepancy(error)`;
      `Tikhonov(LCurve())` by default.

    The result gives networks by sampling, whose error falls as n^(-1/2): `sample`, `sampling_error`.

    **Raises** `ValueError` for a network that is no two-layer mean of a unit with an output weight, data without nodes,
    a law (quantise it), a support in other blocks, weights that are not positive, a target that is zero, a table that
    is not finite or too large, and an `error` that cannot be reached.
    """
    unit = problem.two_layer("representation")
    if unit.linear is None:
        raise ValueError("representation: the unit has no output weight, so that its density is no signed function G.")
    method = Tikhonov() if method is None else method
    if not isinstance(method, AbstractRegularisation):
        raise ValueError(f"representation(method=...): expected Tikhonov(...) or Truncated(...), got {method!r}.")
    nodes, points = require_nodes(problem.data, "representation"), _support(problem, support)
    size = len(nodes.weights) * len(points)
    if size > _ENTRIES:
        raise ValueError(
            f"representation: {len(nodes.weights)} nodes x {len(points)} points are more than {_ENTRIES:.2g} numbers; "
            "take a coarser support or fewer data."
        )
    table = np.asarray(_features(problem, unit, nodes.x, points.positions))
    if not np.all(np.isfinite(table)):
        raise ValueError("representation(support=...): the unit is not finite at some of its points.")
    return _solved(problem, points, nodes, table, method)


def _solved(
    problem: Problem, points: Particles, nodes: Nodes, table: Float[np.ndarray, "Q J"], method: AbstractRegularisation
) -> Representation:
    root_mu, root_nu = np.sqrt(np.asarray(nodes.weights)), np.sqrt(np.asarray(points.weights))
    y = np.asarray(nodes.y, float)
    target = root_mu[:, None] * y.reshape(len(y), -1)
    u, s, vt = np.linalg.svd(root_mu[:, None] * table * root_nu, full_matrices=False)
    kept = s > max(table.shape) * np.finfo(float).eps * np.max(s, initial=0.0)
    if not np.any(target) or not np.any(kept):
        raise ValueError("representation: the target, or the unit, is zero on all of the data.")
    u, s, vt = u[:, kept], s[kept], vt[kept]
    b = u.T @ target
    picture = Picture(s, np.sum(b**2, axis=1), float(np.sum((target - u @ b) ** 2)))
    filters, parameter = method.pick(picture)
    density = (vt.T @ ((filters / s)[:, None] * b) / root_nu[:, None]).reshape(len(points), *y.shape[1:])
    amount = density * np.asarray(points.weights).reshape(-1, *(1,) * (density.ndim - 1))
    sizes = float(picture.residual(filters)), float(picture.norm(filters))
    return Representation(problem, points, density, *sizes, parameter, s, np.tensordot(table, amount, axes=1), table)


def _linear(problem: Problem) -> str:
    """The name of the output weight."""
    name = problem.unit.linear
    assert name is not None
    return name


def _others(problem: Problem) -> Blocks:
    """The blocks beside the output weight."""
    return tuple(block for block in problem.blocks if block.name != _linear(problem))


def _support(problem: Problem, support: Any) -> Particles:
    """The support in the unit's order. Raises `ValueError` for what is none."""
    if isinstance(support, laws.AbstractLaw):
        raise ValueError(
            f"representation(support=...): the law {type(support).__name__} has no points; quantise it: "
            "law.quantise(n)."
        )
    if not isinstance(support, Measure):
        raise ValueError(f"representation(support=...): expected particles or a density, got {type(support).__name__}.")
    blocks = _others(problem)
    width = sum(block.size for block in blocks)
    if support.dim != width:
        names = ", ".join(block.name for block in blocks)
        raise ValueError(
            f"representation(support=...): expected the {width} columns beside the output weight ({names}), got "
            f"{support.dim}."
        )
    measure = support.arranged(blocks)
    rows, weights = np.asarray(measure.positions, float), np.asarray(measure.weights, float)
    if not np.all(np.isfinite(rows)) or not np.all(np.isfinite(weights)) or not np.all(weights > 0.0):
        raise ValueError("representation(support=...): points must be finite, and their weights positive.")
    return Particles(rows, weights, blocks=blocks)


def _theta(problem: Problem, rows: Float[Array, "n K"]) -> Any:
    """All blocks of neurons at y, with output weight 1."""
    others, linear = split(_others(problem), rows), _linear(problem)
    shape = next(block.shape for block in problem.blocks if block.name == linear)
    whole = split(problem.blocks, jnp.ones((rows.shape[0], problem.dim)))
    return whole._replace(**others._asdict(), **{linear: jnp.ones((rows.shape[0], *shape))})


@eqx.filter_jit
def _features(problem: Problem, unit: AbstractUnit, x: Any, rows: Any) -> Float[Array, "Q J"]:
    """phi~(x_q, y_j), in pieces over the data."""
    theta = _theta(problem, rows)

    def one(point: Any) -> Any:
        return jax.vmap(lambda th: feature(unit, th, point))(theta)

    return map_rows(one, x, max(1, entries(problem.budget) // rows.shape[0]))
