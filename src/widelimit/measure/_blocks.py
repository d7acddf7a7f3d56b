"""Named blocks of a particle's parameters, and the flat row they are stored in."""

import collections
import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float


class Block(NamedTuple):
    """One named group of a particle's parameters: `shape` () is a number, (d,) a vector."""

    name: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        return math.prod(self.shape)


Blocks = tuple[Block, ...]


def row_size(blocks: Blocks) -> int:
    """D, the number of parameters of a particle."""
    return sum(block.size for block in blocks)


@functools.cache
def theta_type(names: tuple[str, ...]) -> Any:
    """The named tuple (a pytree) whose fields are the blocks: `theta.weight`, `theta.bias`, ..."""
    kind: Any = collections.namedtuple("Theta", names)
    # The class is found again by its names: pickle looks for one under a name of a module.
    kind.__reduce__ = lambda theta: (_theta, (names, tuple(theta)))
    return kind


def _theta(names: tuple[str, ...], fields: tuple[Any, ...]) -> Any:
    return theta_type(names)(*fields)


def fields_of(blocks: Blocks) -> Any:
    """The blocks themselves by name: what has facts for each field of a theta is asked with it."""
    return theta_type(tuple(block.name for block in blocks))(*blocks)


def split(blocks: Blocks, rows: Float[Array, "*batch D"]) -> Any:
    """Rows [..., D] as named blocks: field `name` has shape [..., *block.shape]."""
    return _compiled(_split, rows)(blocks, rows)


def _split(blocks: Blocks, rows: Any) -> Any:
    batch = rows.shape[:-1]
    fields, start = [], 0
    for block in blocks:
        part = rows[..., start : start + block.size]
        fields.append(part.reshape(batch + block.shape))
        start += block.size
    return theta_type(tuple(block.name for block in blocks))(*fields)


def join(blocks: Blocks, theta: Any) -> Float[Array, "*batch D"]:
    """Named blocks as rows [..., D]; the inverse of `split`."""
    return _compiled(_join, theta)(blocks, theta)


def _join(blocks: Blocks, theta: Any) -> Any:
    parts = []
    for block, field in zip(blocks, theta, strict=True):
        batch = field.shape[: field.ndim - len(block.shape)]
        parts.append(field.reshape((*batch, block.size)))
    return jnp.concatenate(parts, axis=-1)


def _compiled(function: Any, arrays: Any) -> Any:
    """The function, for arrays of JAX as one program: outside of compiled code each operation compiles for itself."""
    given = all(isinstance(leaf, jax.Array) and not isinstance(leaf, Tracer) for leaf in jax.tree.leaves(arrays))
    return _program(function) if given else function


@functools.cache
def _program(function: Any) -> Any:
    return jax.jit(function, static_argnums=0)


def columns_of(blocks: Blocks, wanted: Blocks) -> list[int] | None:
    """Where the columns of `wanted` are in a row of `blocks`; None unless both have the same names, of the same sizes.

    A law of one number makes a block of shape (), where a unit may have (1,).
    """
    starts = dict(zip(blocks, itertools.accumulate((block.size for block in blocks), initial=0), strict=False))
    sizes = {block.name: range(start, start + block.size) for block, start in starts.items()}
    if sorted((b.name, b.size) for b in blocks) != sorted((b.name, b.size) for b in wanted):
        return None
    return [column for block in wanted for column in sizes[block.name]]


def arrangement(blocks: Blocks, wanted: Blocks) -> list[int]:
    """As `columns_of`. Raises `ValueError` where the blocks are others."""
    columns = columns_of(blocks, wanted)
    if columns is None:
        raise ValueError(f"the measure's blocks are {describe(blocks)}, not {describe(wanted)}.")
    return columns


def checked_blocks(blocks: Blocks, dim: int, who: str) -> Blocks:
    """`blocks`, if they are none or make rows of `dim` numbers. Raises `ValueError` otherwise."""
    if blocks and row_size(blocks) != dim:
        raise ValueError(
            f"{who}(blocks=...): the blocks {describe(blocks)} make {row_size(blocks)} columns, the measure has {dim}."
        )
    return tuple(blocks)


def describe(blocks: Blocks) -> str:
    """`output, weight[64], bias`: the columns of a row in words."""
    return ", ".join(block.name + (f"[{', '.join(map(str, block.shape))}]" if block.shape else "") for block in blocks)
