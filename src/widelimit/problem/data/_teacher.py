"""A target that is a network itself."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Particles, row_size, split
from widelimit.numerics import Module

from ..units import AbstractUnit


class Teacher(Module):
    """x -> INT phi(theta, x) d rho_*: the output of a teacher measure, as a target.

    The teacher's weights may have any sign and sum. Its positions follow the order of the unit's blocks.
    Raises `ValueError` when the measure does not have the unit's columns.
    """

    unit: AbstractUnit
    measure: Particles
    inputs: int = eqx.field(static=True)
    outputs: tuple[int, ...] = eqx.field(static=True)

    def __init__(self, unit: AbstractUnit, measure: Particles, *, inputs: int, outputs: tuple[int, ...] = ()) -> None:
        blocks = unit.blocks(inputs, outputs)
        size = row_size(blocks)
        if measure.dim != size:
            raise ValueError(f"Teacher(measure=...): the unit has {size} columns, the measure has {measure.dim}.")
        try:
            measure = measure.arranged(blocks)
        except ValueError as error:
            raise ValueError(f"Teacher(measure=...): {error}") from None
        self.unit, self.measure, self.inputs, self.outputs = unit, measure, inputs, outputs

    def __call__(self, x: Float[Array, " d"]) -> Any:
        theta = split(self.unit.blocks(self.inputs, self.outputs), self.measure.positions)
        values = jax.vmap(lambda th: self.unit(th, x))(theta)
        return jnp.tensordot(self.measure.weights, values, axes=1)


def taught(target: Any) -> Teacher | None:
    """The target, where it is a teacher."""
    return target if isinstance(target, Teacher) else None
