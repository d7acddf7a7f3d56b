"""A law of parameters brought to the blocks of a unit: which block is which, how many inputs, what is independent."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Blocks, columns_of, describe, laws, row_size
from widelimit.problem.units import AbstractUnit


class Fitted(NamedTuple):
    """`inputs`: d, None where the unit's blocks are the same for every d; `blocks`: those that the law is of."""

    inputs: int | None
    blocks: Blocks


def fit(unit: AbstractUnit, law: Any, who: str, *, without: str | None) -> Fitted:
    """The number of inputs with which the unit's blocks, the one named `without` left out, are those of the law.

    Raises `ValueError` where there is none, and for a vector output.
    """
    if not isinstance(law, laws.AbstractLaw):
        raise ValueError(f"{who}(law=...): must be a law, such as laws.product(weight=..., bias=...); got {law!r}.")
    for inputs in range(1, law.dim + 2):
        wanted = _blocks(unit, inputs, without)
        if wanted is not None and _fits(law, wanted):
            return Fitted(None if _blocks(unit, inputs + 1, without) == wanted else inputs, wanted)
    needed = describe(_blocks(unit, 1, without) or ())
    given = describe(law.blocks) if law.blocks else f"{law.dim} columns"
    raise ValueError(f"{who}(law=...): the unit needs a law of {needed} (for one input); this is one of {given}.")


def _blocks(unit: AbstractUnit, inputs: int, without: str | None) -> Blocks | None:
    try:
        blocks = unit.blocks(inputs, ())
    except ValueError:
        # A unit of one input has no blocks for two.
        return None
    return tuple(block for block in blocks if block.name != without)


def _fits(law: laws.AbstractLaw, wanted: Blocks) -> bool:
    if not law.blocks:
        return law.dim == row_size(wanted)
    return columns_of(law.blocks, wanted) is not None


def rows_of(law: laws.AbstractLaw, rows: np.ndarray, blocks: Blocks) -> np.ndarray:
    """Rows of the law with their columns in the order of the blocks."""
    return rows[:, columns_of(law.blocks, blocks)] if law.blocks else rows


def independent(law: laws.AbstractLaw, blocks: Blocks) -> dict[str, laws.AbstractLaw] | None:
    """The laws of the blocks by name, where they are known to be independent."""
    if law.factors:
        return {block.name: factor for block, factor in zip(law.blocks, law.factors, strict=True)}
    columns = law.marginals()
    if columns is None:
        return None
    if law.blocks:
        columns = tuple(columns[column] for column in columns_of(law.blocks, blocks) or ())
    parts, start = {}, 0
    for block in blocks:
        own = columns[start : start + block.size]
        parts[block.name] = own[0] if len(own) == 1 else laws.product(**{f"c{k}": each for k, each in enumerate(own)})
        start += block.size
    return parts


def as_number(law: laws.AbstractLaw) -> laws.AbstractLaw:
    """The law of one number in the form that says most of itself: a Gaussian of one number is a normal law."""
    return (law.marginals() or (law,))[0]


def second_moments(law: laws.AbstractLaw) -> Float[Array, "D D"] | None:
    """E theta theta^T; None where it is not known or infinite."""
    mean, spread = law.mean(), law.covariance()
    return None if mean is None or spread is None else spread + jnp.outer(mean, mean)
