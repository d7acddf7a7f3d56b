r"""Symmetric reduction: a problem whose data are invariant under rotations, in the lengths of the weights.

Two centred Gaussian classes whose covariances are multiples of the identity on each of G groups of coordinates are
invariant under rotations of the groups, and so is every network whose weights have uniform directions. Its prediction
depends on x through $s_g = |x_g|/\sqrt{d_g}$ alone,

$$f(s) = \int a\,E\,\sigma\Big(\sum_g r_g s_g c'_g + b\Big)\,\bar\rho(da, dr, db),$$

so the risk, for any loss, is that of the unit `SphericalNeuron` on the law of (s, y): a problem of the same kind with
G parameters in the place of d (mei2018 (13), (14) and NOTATION).
"""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from widelimit.measure import row_size, split
from widelimit.numerics import gauss_chi

from . import domains, mobilities, penalties
from ._symmetry import Symmetry, reduced_blocks
from .data import GaussianClasses, Samples
from .units import Neuron, SphericalNeuron

# Gauss nodes are exact enough from here on; below, the kinks at s = t/r are too sharp for them.
_SMOOTH_FROM = 12
_FIRST, _MOST = {True: 32, False: 256}, {True: 512, False: 2048}
_ENOUGH = 1e-13


class Parts(NamedTuple):
    """What a reduced problem is made of."""

    unit: SphericalNeuron
    data: Samples
    symmetry: Symmetry
    domain: domains.Product
    penalty: Any
    mobility: Any


class Classes(NamedTuple):
    """The classes in reduced form: groups of coordinates, their dimensions, std [2, G] and P(y = +1)."""

    groups: tuple[tuple[int, ...], ...]
    dims: tuple[float, ...]
    std: np.ndarray
    fraction: float


def reduced_parts(problem: Any, nodes: int | None) -> Parts:
    """The parts of the reduced problem. Raises `ValueError` that says what breaks the symmetry."""
    unit = problem.unit
    if not isinstance(unit, Neuron):
        raise ValueError(
            f"reduced(): units.{type(unit).__name__} has no direction to average over; needs units.Neuron."
        )
    if not isinstance(problem.data, GaussianClasses):
        raise ValueError(
            f"reduced(): the data ({type(problem.data).__name__}) are not known to be invariant under rotations; "
            "needs data.GaussianClasses."
        )
    if not isinstance(problem.domain.of("weight"), domains.Euclidean):
        raise ValueError("reduced(): the domain of the weight is not all of R^d; its rotations are not divided out.")
    classes = _groups(problem.data)
    return parts_of(
        unit, classes, domain=problem.domain, penalty=problem.penalty, mobility=problem.mobility, nodes=nodes
    )


def parts_of(
    unit: Neuron, classes: Classes, *, domain: Any, penalty: Any, mobility: Any, nodes: int | None = None
) -> Parts:
    """The parts of the problem in the lengths of the weights, for a unit and classes that are invariant."""
    if nodes is not None and not (isinstance(nodes, int) and nodes >= 2):
        raise ValueError(f"reduced(nodes=...): must be a whole number of at least 2, got {nodes!r}.")
    small = SphericalNeuron(unit.activation, classes.dims, bias=unit.bias, output_weight=unit.output_weight)
    full = unit.blocks(sum(len(group) for group in classes.groups) or 1, ())
    blocks = reduced_blocks(full, len(classes.dims))
    rule, error = _radii(small, classes, nodes)
    return Parts(
        unit=small,
        data=_data(classes, *rule),
        symmetry=Symmetry(classes.groups, classes.dims, full, blocks, error),
        domain=_domain(domain),
        penalty=_penalty(penalty),
        mobility=_mobility(mobility),
    )


def _groups(data: GaussianClasses) -> Classes:
    """The groups of coordinates with the same two variances; the one in which the classes differ comes first."""
    for name, mean in zip(("+1", "-1"), np.asarray(data.means), strict=True):
        if np.any(mean):
            raise ValueError(f"reduced(): the mean of class y = {name} is not zero, which singles out a direction.")
    factors = np.asarray(data.factors)
    if factors.ndim == 3:
        for name, factor in zip(("+1", "-1"), factors, strict=True):
            if np.any(factor - np.diag(np.diagonal(factor))):
                raise ValueError(
                    f"reduced(): the covariance of class y = {name} is not diagonal; rotate the inputs to its axes."
                )
        factors = np.stack([np.diagonal(factor) for factor in factors])
    pairs, first, which = np.unique(factors.T, axis=0, return_index=True, return_inverse=True)
    if len(pairs) > 2:
        raise ValueError(
            f"reduced(): the coordinates have {len(pairs)} different pairs of variances; the reduction knows one group "
            "of coordinates or two."
        )
    order = sorted(range(len(pairs)), key=lambda g: (pairs[g, 0] == pairs[g, 1], first[g]))
    groups = tuple(tuple(map(int, np.flatnonzero(which.ravel() == g))) for g in order)
    alone = [g for group in groups if len(group) < 2 for g in group]
    if alone:
        raise ValueError(
            f"reduced(): coordinate {alone[0]} is alone in its group; a group needs two or more coordinates to have "
            "rotations."
        )
    return Classes(groups, tuple(float(len(g)) for g in groups), pairs[order].T, float(data.fraction))


def _radii(unit: SphericalNeuron, classes: Classes, nodes: int | None) -> tuple[tuple[np.ndarray, np.ndarray], float]:
    """A rule for the lengths |g_k|/sqrt(d_k) of standard normal groups ([n, G], [n]), and its error on the kernel.

    The error is the change of U(theta, theta') = E phi phi' when the nodes are doubled, over neurons of many lengths,
    relative to the largest of them.
    """
    if math.inf in classes.dims:
        if set(classes.dims) != {math.inf}:
            raise ValueError("reduced(): either all groups of coordinates are infinite, or none.")
        return (np.ones((1, len(classes.dims))), np.ones(1)), 0.0
    smooth = min(classes.dims) >= _SMOOTH_FROM
    root = 1 if len(classes.dims) == 1 else 2
    n = nodes or (_FIRST[smooth] if root == 1 else 16)
    most = _MOST[smooth] if root == 1 else 48
    while True:
        coarse, fine = (_tensor([_rule(d, count) for d in classes.dims]) for count in (n, 2 * n))
        error = _kernel_error(unit, classes, coarse, fine)
        if nodes is not None or error < _ENOUGH or 2 * n > most:
            return coarse, error
        n *= 2


def _rule(dim: float, n: int) -> tuple[np.ndarray, np.ndarray]:
    if dim >= _SMOOTH_FROM:
        s, weights = gauss_chi(dim, n)
        return s / math.sqrt(dim), weights
    from scipy.special import gammaln, roots_legendre

    panels = max(1, n // 16)
    node, weight = roots_legendre(16)
    # chi_d is below e^-40 of its mass beyond sqrt(d) + 9.
    ends = np.linspace(0.0, math.sqrt(dim) + 9.0, panels + 1)
    half = 0.5 * np.diff(ends)[:, None]
    s = (ends[:-1, None] + half * (1.0 + node)).ravel()
    log_density = (dim - 1.0) * np.log(s) - 0.5 * s * s - (0.5 * dim - 1.0) * math.log(2.0) - gammaln(0.5 * dim)
    mass = (half * weight).ravel() * np.exp(log_density)
    return s / math.sqrt(dim), mass / mass.sum()


def _tensor(rules: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    s = np.stack(np.meshgrid(*[nodes for nodes, _ in rules], indexing="ij"), -1).reshape(-1, len(rules))
    mass = np.ones(1)
    for _, weights in rules:
        mass = np.multiply.outer(mass, weights).ravel()
    # What is below rounding costs time and gives nothing.
    kept = mass > 1e-18
    return s[kept], mass[kept] / mass[kept].sum()


def _data(classes: Classes, s: np.ndarray, mass: np.ndarray) -> Samples:
    x = np.concatenate([s * std for std in classes.std])
    y = np.repeat([1.0, -1.0], len(s))
    share = np.concatenate([classes.fraction * mass, (1.0 - classes.fraction) * mass])
    return Samples(x, y, share)


def _kernel_error(unit: SphericalNeuron, classes: Classes, coarse: Any, fine: Any) -> float:
    """max |U - U'| / max |U| over pairs of neurons, U by one rule and U' by the other."""
    blocks = unit.blocks(len(classes.dims), ())
    radii = np.geomspace(0.1, 10.0, 12)
    shape = [(radii * np.cos(a), radii * np.sin(a)) for a in (0.3, 1.2)] if len(classes.dims) == 2 else [(radii,)]
    rows = []
    for parts in shape:
        for bias in (0.0, 1.0, -1.0) if unit.bias else (0.0,):
            block = {"output": np.ones((12, 1)), "radius": np.stack(parts, 1), "bias": np.full((12, 1), bias)}
            rows.append(np.concatenate([block[b.name] for b in blocks], axis=1))
    theta = split(blocks, jnp.asarray(np.concatenate(rows).reshape(-1, row_size(blocks))))
    s = np.concatenate([coarse[0], fine[0]])
    kernels = []
    for std in classes.std:
        values = np.asarray(_table(unit, theta, jnp.asarray(s * std)))
        first, second = values[:, : len(coarse[0])], values[:, len(coarse[0]) :]
        kernels.append(((first * coarse[1]) @ first.T, (second * fine[1]) @ second.T))
    return max(float(np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-300)) for a, b in kernels)


@eqx.filter_jit
def _table(unit: Any, theta: Any, x: Any) -> Any:
    return jax.vmap(lambda th: jax.vmap(lambda point: unit(th, point))(x))(theta)


def _domain(domain: domains.Product) -> domains.Product:
    factors = {name: factor for name, factor in domain.factors if name != "weight"}
    return domains.product(radius=domains.HalfLine(0.0), **factors)


def _penalty(penalty: Any) -> Any:
    """|w|^2 = |r|^2: an l2 penalty keeps its form; the total variation of the output weight stays as it is."""
    if penalty is None:
        return None
    out: Any = None
    for term in penalties.parts(penalty):
        if isinstance(term, penalties.L2):
            names = tuple("radius" if name == "weight" else name for name in term.names)
            new: Any = penalties.l2(term.strength, names)
        elif isinstance(term, penalties.TotalVariation) and term.block == "output":
            new = term
        else:
            raise ValueError(
                f"reduced(): the penalty {type(term).__name__} is not known to be invariant under rotations of the "
                "weight; allowed are l2 and total_variation on the output weight."
            )
        out = new if out is None else out + new
    return out


def _mobility(mobility: Any) -> Any:
    if isinstance(mobility, mobilities.Identity):
        return mobility
    if isinstance(mobility, mobilities.Diagonal):
        factors = {("radius" if name == "weight" else name): scale for name, scale in mobility.numbers}
        return mobilities.Diagonal(**factors)
    raise ValueError("reduced(): a mobility must be one number a block (mobilities.Diagonal) to be invariant.")
