r"""Symmetric reduction: a problem whose data are invariant under rotations, in the lengths of the weights.

Two centred Gaussian classes whose covariances are multiples of the identity on each of G groups of coordinates are
invariant under rotations of the groups, and so is every network whose weights have uniform directions. Its prediction
depends on x through $s_g = |x_g|/\sqrt{d_g}$ alone,

$$f(s) = \int a\,E\,\sigma\Big(\sum_g r_g s_g c'_g + b\Big)\,\bar\rho(da, dr, db),$$

so the risk, for any loss, is that of the unit `SphericalNeuron` on the law of (s, y): a problem of the same kind with
G parameters in the place of d (mei2018 (13), (14) and NOTATION).
"""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from widelimit.measure import Blocks, theta_type
from widelimit.numerics import whole_number

from .. import domains, mobilities, penalties
from ..data import GaussianClasses, Samples
from ..units import Neuron, SphericalNeuron
from ._radii import radii
from ._symmetry import Symmetry, reduced_blocks


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
    if not problem.domain.of("weight").free:
        raise ValueError(
            "reduced(): the domain of the weight is not all of R^d; only a free weight is reduced to its length."
        )
    classes = _groups(problem.data)
    return parts_of(
        unit, classes, domain=problem.domain, penalty=problem.penalty, mobility=problem.mobility, nodes=nodes
    )


def parts_of(
    unit: Neuron, classes: Classes, *, domain: Any, penalty: Any, mobility: Any, nodes: int | None = None
) -> Parts:
    """The parts of the problem in the lengths of the weights, for a unit and classes that are invariant."""
    if nodes is not None:
        whole_number(nodes, "reduced(nodes=...)", least=2, most=2048)
    small = SphericalNeuron(unit.activation, classes.dims, bias=unit.bias, output_weight=unit.output_weight)
    full = unit.blocks(sum(len(group) for group in classes.groups) or 1, ())
    blocks = reduced_blocks(full, len(classes.dims))
    rule = radii(small, nodes)
    return Parts(
        unit=small,
        data=_data(classes, rule.s, rule.weights),
        symmetry=Symmetry(classes.groups, classes.dims, full, blocks, jnp.asarray(rule.error, float)),
        domain=_domain(domain),
        penalty=_penalty(penalty),
        mobility=_mobility(mobility, full),
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
    # Equal but for rounding: variances may come out of a computation.
    rounded = np.round(np.log(factors.T), 11)
    _, first, which = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    pairs = factors.T[first]
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


def _data(classes: Classes, s: np.ndarray, mass: np.ndarray) -> Samples:
    x = np.concatenate([s * std for std in classes.std])
    y = np.repeat([1.0, -1.0], len(s))
    share = np.concatenate([classes.fraction * mass, (1.0 - classes.fraction) * mass])
    return Samples(x, y, share)


def _domain(domain: domains.Product) -> domains.Product:
    factors = {name: factor for name, factor in domain.factors if name != "weight"}
    return domains.product(radius=domains.HalfLine(0.0), **factors)


def _penalty(penalty: Any) -> Any:
    """|w|^2 = |r|^2: what depends on the lengths alone keeps its form."""
    if penalty is None:
        return None
    out: Any = None
    for term in penalties.parts(penalty):
        new = term.of_lengths("weight", "radius")
        if new is None:
            raise ValueError(
                f"reduced(): the penalty {type(term).__name__} is not known to be invariant under rotations of the "
                "weight; l2 and total_variation are."
            )
        out = new if out is None else out + new
    return out


def _mobility(mobility: mobilities.AbstractMobility, blocks: Blocks) -> mobilities.AbstractMobility:
    scales = mobility.scales(theta_type(tuple(block.name for block in blocks))(*blocks))
    if scales is None:
        raise ValueError("reduced(): a mobility must be one number a block (mobilities.Diagonal) to be invariant.")
    return mobilities.Diagonal(**{_renamed(name): scale for name, scale in scales._asdict().items()})


def _renamed(block: str) -> str:
    return "radius" if block == "weight" else block
