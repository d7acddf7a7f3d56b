r"""Quadrature for the lengths $s = |g|/\sqrt d$ of standard normal vectors g in R^d, as fine as a unit needs.

A neuron sees the data through F(r tau s), F(z) = E sigma(z c' + b), and the risk through products of two such
functions. A rule is fine enough when twice as many nodes change $U(r, r') = E\,F(r s) F(r' s)$ by less than 1e-13 for
lengths r between 1/30 and 30, which covers the standard deviations tau: so the nodes do not depend on them.
"""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import compiled_quickly, gauss_chi

from ..activations import Activation
from ..units import SphericalNeuron
from ..units.spherical._rule import spherical_error

# From here on the Gauss rule of s^2 is as good as any: F has a kink of order (d - 1)/2 only, at r s sqrt(d) = |t|.
_GAUSS_FROM = 12
_COUNTS = (12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_PANELS = (8, 16, 32, 64, 128)
_PANEL_NODES = 16
_MOST_OF_TWO = 96
_ENOUGH = 1e-13
_LENGTHS = np.geomspace(1.0 / 30.0, 30.0, 25)
_BATCH = 8192


class Radii(NamedTuple):
    """Lengths s [n, G], weights [n] that sum to 1, and the relative error of U."""

    s: Float[np.ndarray, "n G"]
    weights: Float[np.ndarray, " n"]
    error: float


def radii(unit: SphericalNeuron, nodes: int | None) -> Radii:
    """The lengths of standard normal vectors of the unit's dimensions; `nodes` a group, or as many as it needs."""
    if math.inf in unit.dims:
        return Radii(np.ones((1, len(unit.dims))), np.ones(1), spherical_error(unit))
    biases = (0.0, 1.0, -1.0) if unit.bias else (0.0,)
    chosen = [_one(unit.activation, dim, biases, nodes, len(unit.dims)) for dim in unit.dims]
    grid = np.meshgrid(*[rule.s[:, 0] for rule in chosen], indexing="ij")
    s, weights = np.stack(grid, -1).reshape(-1, len(chosen)), np.ones(1)
    for rule in chosen:
        weights = np.multiply.outer(weights, rule.weights).ravel()
    s, weights = _without_dust(s, weights)
    return Radii(s, weights, sum(rule.error for rule in chosen) + spherical_error(unit))


def _one(activation: Activation, dim: float, biases: tuple[float, ...], nodes: int | None, groups: int) -> Radii:
    """The rule of one group: the smallest that is fine enough, or the finest there is."""
    counts = _COUNTS if dim >= _GAUSS_FROM else tuple(_PANEL_NODES * panels for panels in _PANELS)
    if groups > 1:
        counts = tuple(count for count in counts if count <= max(_MOST_OF_TWO, counts[0]))
    for count in counts if nodes is None else (nodes,):
        rule = _rule(dim, count)
        error = _kernel_error(activation, dim, biases, rule, _rule(dim, 2 * count))
        if error < _ENOUGH:
            break
    return Radii(rule[0][:, None], rule[1], error)


def _rule(dim: float, count: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """About `count` nodes s, and weights."""
    if dim >= _GAUSS_FROM or count < 2 * _PANEL_NODES:
        size, weights = gauss_chi(dim, count)
        return _without_dust(size / math.sqrt(dim), weights)
    from scipy.special import gammaln, roots_legendre

    node, weight = roots_legendre(_PANEL_NODES)
    # chi_d has less than 1e-17 of its mass beyond sqrt(d) + 9.
    ends = np.linspace(0.0, math.sqrt(dim) + 9.0, count // _PANEL_NODES + 1)
    half = 0.5 * np.diff(ends)[:, None]
    size = (ends[:-1, None] + half * (1.0 + node)).ravel()
    log_density = (dim - 1.0) * np.log(size) - 0.5 * size**2 - (0.5 * dim - 1.0) * math.log(2.0) - gammaln(0.5 * dim)
    weights = (half * weight).ravel() * np.exp(log_density)
    return _without_dust(size / math.sqrt(dim), weights / weights.sum())


def _without_dust(s: Any, weights: Float[np.ndarray, " n"]) -> tuple[Any, Float[np.ndarray, " m"]]:
    """What is below rounding costs time and gives nothing."""
    kept = weights > 1e-18
    return s[kept], weights[kept] / weights[kept].sum()


def _kernel_error(activation: Activation, dim: float, biases: tuple[float, ...], coarse: Any, fine: Any) -> float:
    """The largest |U - U'|, U by one rule and U' by the other, relative to the size that F has up to these lengths."""
    unit = SphericalNeuron(activation, (dim,), bias=True)
    kernels = []
    for s, weights in (coarse, fine):
        values = np.concatenate([_values(unit, np.multiply.outer(_LENGTHS, s), bias) for bias in biases])
        kernels.append((values * weights) @ values.T)
    diagonal = np.diagonal(kernels[1]).reshape(len(biases), -1).max(axis=0)
    size = np.tile(np.sqrt(np.maximum.accumulate(diagonal)), len(biases))
    # A mean that is zero, as that of an odd function, has rounding errors only.
    return float(np.max(np.abs(kernels[0] - kernels[1]) / (np.multiply.outer(size, size) + 1e-16)))


def _values(unit: SphericalNeuron, z: Float[np.ndarray, "r n"], bias: float) -> Float[np.ndarray, "r n"]:
    """F at all z; in pieces of one length, so that one compilation serves every rule."""
    flat = np.pad(z.ravel(), (0, -z.size % _BATCH))
    pieces = [
        np.asarray(_compiled(unit, jnp.asarray(part, float), jnp.asarray(bias, float)))
        for part in flat.reshape(-1, _BATCH)
    ]
    return np.concatenate(pieces)[: z.size].reshape(z.shape)


@compiled_quickly
def _compiled(unit: SphericalNeuron, z: Float[Array, " n"], bias: Float[Array, ""]) -> Float[Array, " n"]:
    return jax.vmap(lambda size: unit.mean(size[None], bias))(z)
