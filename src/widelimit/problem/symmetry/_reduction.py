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

from widelimit.measure import Blocks, fields_of
from widelimit.numerics import whole_number

from .. import domains, mobilities, penalties
from ..data import Rotations, Samples
from ..units import AbstractUnit, SphericalNeuron
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


def parts_of(
    unit: AbstractUnit, classes: Rotations, *, domain: Any, penalty: Any, mobility: Any, nodes: int | None = None
) -> Parts:
    """The parts of the reduced problem. Raises `ValueError` that says what breaks the symmetry."""
    if not domain.of("weight").free:
        raise ValueError(
            "reduced(): the domain of the weight is not all of R^d; only a free weight is reduced to its length."
        )
    if nodes is not None:
        whole_number(nodes, "reduced(nodes=...)", least=2, most=2048)
    small = unit.averaged(classes.dims)
    if small is None:
        raise ValueError(
            f"reduced(): units.{type(unit).__name__} has no direction to average over; needs units.Neuron."
        )
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


def _data(classes: Rotations, s: np.ndarray, mass: np.ndarray) -> Samples:
    x = np.concatenate([s * std for std in classes.std])
    y = np.repeat([1.0, -1.0], len(s))
    share = np.concatenate([classes.fraction * mass, (1.0 - classes.fraction) * mass])
    return Samples(x, y, share)


def _domain(domain: domains.Product) -> domains.Product:
    factors = {name: factor for name, factor in domain.factors if name != "weight"}
    return domains.product(radius=domains.HalfLine(0.0), **factors)


def _penalty(penalty: Any) -> Any:
    """|w|^2 = |r|^2: what depends on the lengths alone keeps its form."""
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
    scales = mobility.scales(fields_of(blocks))
    if scales is None:
        raise ValueError("reduced(): a mobility must be one number a block (mobilities.Diagonal) to be invariant.")
    # A one that is no array was chosen by nobody; left out it costs no product.
    chosen = {_renamed(n): p for n, p in scales._asdict().items() if not (isinstance(p, float) and p == 1.0)}
    return mobilities.Diagonal(**chosen)


def _renamed(block: str) -> str:
    return "radius" if block == "weight" else block
