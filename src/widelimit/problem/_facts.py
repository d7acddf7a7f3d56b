"""Whether what a unit declares of itself is so."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from widelimit.measure import Blocks, row_size, split

from .units import AbstractUnit, feature


def check_facts(unit: AbstractUnit, blocks: Blocks, inputs: int, outputs: tuple[int, ...]) -> None:
    """Raise `ValueError` where a unit is not linear in its linear block, or not of the degree that it says."""
    if unit.linear is not None and dict(blocks).get(unit.linear) != outputs:
        raise ValueError(
            f"Problem(unit=...): the linear block {unit.linear!r} has shape {dict(blocks).get(unit.linear)}, it must "
            f"have that of the targets, {outputs}."
        )
    if unit.linear is None and unit.homogeneity is None:
        return
    wrong = _wrong_facts(unit, blocks, inputs)
    if isinstance(wrong[0], Tracer):
        return
    if bool(wrong[0]):
        raise ValueError(
            f"Problem(unit=...): the unit is not {unit.linear!r} times one number phi~(w, x), as "
            f"linear={unit.linear!r} says."
        )
    if bool(wrong[1]):
        raise ValueError(f"Problem(unit=...): the unit has not the degree homogeneity={unit.homogeneity} that it says.")


@eqx.filter_jit
def _wrong_facts(unit: AbstractUnit, blocks: Blocks, inputs: int) -> tuple[Any, Any]:
    """Whether linearity and degree fail at one of two places; compiled once for all units of a structure."""
    rows = jnp.asarray(np.random.default_rng(0).normal(size=(2, row_size(blocks))))
    x = jnp.asarray(np.random.default_rng(1).normal(size=inputs))

    def at(row: Any) -> tuple[Any, Any]:
        theta, twice = split(blocks, row), split(blocks, 2.0 * row)
        whole = unit(theta, x)
        if unit.linear is None:
            product, value, scaled = whole, whole, unit(twice, x)
        else:
            value, scaled = feature(unit, theta, x), feature(unit, twice, x)
            product = getattr(theta, unit.linear) * value
        degree = 0.0 if unit.homogeneity is None else unit.homogeneity
        grown = scaled if unit.homogeneity is None else 2.0**degree * value
        return _differ(whole, product), _differ(scaled, grown)

    linear, homogeneous = jax.vmap(at)(rows)
    return jnp.any(linear), jnp.any(homogeneous)


def _differ(a: Any, b: Any) -> Any:
    """Whether two values differ. A unit that has no value there (a logarithm, say) cannot be checked there."""
    # A comparison with what is not a number is false, hence the negation.
    return jnp.any(jnp.isfinite(a) & ~(jnp.abs(a - b) <= 1e-9 + 1e-6 * jnp.abs(b)))
