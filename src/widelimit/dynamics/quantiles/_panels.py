r"""Functions of a label, polynomial on panels: Gauss-Legendre nodes, how well they resolve, and how a panel is halved.

Panel p holds the labels within `half` of `middle` and the mass `mass`; inside it the mass has the density
$e^{-\mathrm{tilt}\,z^2/2}$, normalised: tilt 1 for normal scores, 0 for labels of constant density.
"""

import functools
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float


class Rule(NamedTuple):
    """Constant matrices for n Gauss-Legendre nodes of [-1, 1].

    - `nodes`, `weights`: [n], the weights with sum 1.
    - `left`, `right`: [n, n], from values at the nodes to those at the nodes of [-1, 0] and of [0, 1].
    - `tail`: [2, n], from values to the last two Legendre coefficients, each as its root mean square.
    - `below`: [n, n], from values at the nodes to integrals from -1 to each node, in the measure of `weights`.
    """

    nodes: Float[np.ndarray, " n"]
    weights: Float[np.ndarray, " n"]
    left: Float[np.ndarray, "n n"]
    right: Float[np.ndarray, "n n"]
    tail: Float[np.ndarray, "2 n"]
    below: Float[np.ndarray, "n n"]


@functools.cache
def rule(order: int) -> Rule:
    """The rule with `order` nodes."""
    from scipy.special import eval_legendre, roots_legendre

    nodes, weights = roots_legendre(order)
    weights = weights / weights.sum()
    degrees = np.arange(order)
    # From values to coefficients: c_k = (2k+1) SUM_j weights_j P_k(x_j) f_j, exact for degree n-1.
    analysis = (2 * degrees[:, None] + 1) * weights * eval_legendre(degrees[:, None], nodes)

    def at(points: np.ndarray) -> np.ndarray:
        return eval_legendre(degrees, points[:, None]) @ analysis

    tail = (analysis / np.sqrt(2 * degrees[:, None] + 1))[-2:]
    # INT_{-1}^x P_k = (P_{k+1}(x) - P_{k-1}(x))/(2k+1).
    rise = eval_legendre(degrees + 1, nodes[:, None]) - eval_legendre(np.maximum(degrees - 1, 0), nodes[:, None])
    rise = rise / (2 * degrees + 1)
    rise[:, 0] = nodes + 1.0
    return Rule(nodes, weights, at((nodes - 1) / 2), at((nodes + 1) / 2), tail, 0.5 * rise @ analysis)


class Panels(eqx.Module):
    """Panels in arrays of K places; an unused place has mass 0. `reach`: half the range of all labels."""

    middle: Float[Array, " K"]
    half: Float[Array, " K"]
    mass: Float[Array, " K"]
    tilt: Float[Array, ""]
    reach: Float[Array, ""]

    @property
    def used(self) -> Bool[Array, " K"]:
        return self.mass > 0

    def labels(self, rule: Rule) -> Float[Array, "K n"]:
        """The nodes."""
        return self.middle[:, None] + self.half[:, None] * jnp.asarray(rule.nodes)

    def shares(self, rule: Rule) -> Float[Array, "K n"]:
        """The part of its panel's mass that each node has."""
        raw = self._density(self.labels(rule)) * rule.weights
        return raw / jnp.sum(raw, axis=1, keepdims=True)

    def weights(self, rule: Rule) -> Float[Array, "K n"]:
        """The nodes' masses; their sum is the panels' to rounding."""
        return self.mass[:, None] * self.shares(rule)

    def levels(self, rule: Rule) -> Float[Array, "K n"]:
        """The mass of all labels below each node."""
        order = jnp.argsort(jnp.where(self.used, self.middle, jnp.inf))
        ends = jnp.zeros_like(self.mass).at[order].set(jnp.cumsum(self.mass[order]))
        density = self._density(self.labels(rule))
        inside = (density @ rule.below.T) / jnp.sum(rule.weights * density, axis=1, keepdims=True)
        return (ends - self.mass)[:, None] + self.mass[:, None] * inside

    def misplaced(self, rule: Rule) -> Float[Array, " K"]:
        """The part of its mass that each panel's weights misplace, because n nodes do not resolve the density."""
        density = self._density(self.labels(rule))
        return (tails(rule, density) / (density @ rule.weights)) ** 2

    def grown(self, places: int) -> "Panels":
        """The same panels in arrays of more places."""
        middle, half = grown(self.middle, places), grown(self.half, places)
        return Panels(middle, half, jnp.pad(self.mass, (0, places - self.mass.shape[0])), self.tilt, self.reach)

    def _density(self, labels: Float[Array, "K n"]) -> Float[Array, "K n"]:
        # Relative to the middle, where it is 1: far out a normal density itself is tiny.
        return jnp.exp(-0.5 * self.tilt * (labels**2 - self.middle[:, None] ** 2))


def grown(values: Float[Array, "K *n"], places: int) -> Float[Array, "L *n"]:
    """Copies of the last row up to `places` rows."""
    return jnp.pad(values, [(0, places - values.shape[0])] + [(0, 0)] * (values.ndim - 1), mode="edge")


def tails(rule: Rule, values: Float[Array, "K n *more"]) -> Float[Array, "K *more"]:
    """The larger of the last two Legendre coefficients of each panel, as a root mean square over its labels."""
    return jnp.max(jnp.abs(jnp.tensordot(values, rule.tail, axes=((1,), (1,)))), axis=-1)


def halve(
    rule: Rule, panels: Panels, values: Float[Array, "K n"], chosen: Bool[Array, " K"]
) -> tuple[Panels, Float[Array, "K n"]]:
    """The chosen panels cut into two: the left half stays in its place, the right one takes an unused one.

    Where there are more of them than unused places, the last ones stay whole. The two halves have the mass of the
    whole, to rounding.
    """
    places = panels.mass.shape[0]
    unused = jnp.nonzero(~panels.used, size=places, fill_value=places)[0]
    rank = jnp.cumsum(chosen) - 1
    chosen = chosen & (rank < jnp.sum(~panels.used))
    target = jnp.where(chosen, unused[rank], places)
    left, right = _halves(rule, panels)
    cut = chosen[:, None]
    new = Panels(
        jnp.where(chosen, left.middle, panels.middle).at[target].set(right.middle, mode="drop"),
        jnp.where(chosen, left.half, panels.half).at[target].set(right.half, mode="drop"),
        jnp.where(chosen, left.mass, panels.mass).at[target].set(right.mass, mode="drop"),
        panels.tilt,
        panels.reach,
    )
    return new, jnp.where(cut, values @ rule.left.T, values).at[target].set(values @ rule.right.T, mode="drop")


def _halves(rule: Rule, panels: Panels) -> tuple[Panels, Panels]:
    half = 0.5 * panels.half
    lower, upper = panels.middle - half, panels.middle + half

    def total(middle: Any) -> Any:
        labels = middle[:, None] + half[:, None] * rule.nodes
        return jnp.sum(rule.weights * panels._density(labels), axis=1)

    a, b = total(lower), total(upper)
    # The larger part is what is left over, so that the smaller one keeps its digits and no mass is lost.
    small = panels.mass * jnp.minimum(a, b) / (a + b)
    low = jnp.where(a <= b, small, panels.mass - small)
    rest = panels.tilt, panels.reach
    return Panels(lower, half, low, *rest), Panels(upper, half, panels.mass - low, *rest)
