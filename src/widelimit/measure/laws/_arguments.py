"""Checks shared by the constructors of the laws: one clear ValueError a mistake."""

import keyword
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.numerics import own_array


def checked_shape(dim: Any, where: str) -> tuple[int, ...]:
    """`dim` as the shape of a block: 1 -> (), d -> (d,), and a tuple is the shape itself."""
    sizes = dim if isinstance(dim, tuple) else (dim,)
    if any(isinstance(d, bool) or not isinstance(d, int | np.integer) or d < 1 for d in sizes):
        raise ValueError(f"{where}(dim=...): must be an integer >= 1 or a tuple of such, got {dim!r}.")
    if isinstance(dim, tuple):
        return tuple(int(d) for d in dim)
    return () if dim == 1 else (int(dim),)


def numeric(value: Any, where: str) -> Any:
    """`value` as a float array without NaN or infinities, on the host. A traced one has no value yet: it stays."""
    array = own_array(value, where)
    if isinstance(array, Tracer):
        return array.astype(float)
    array = np.asarray(array, float)
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{where}: must be finite, got {value!r}.")
    return array


def checked_block(value: Any, shape: tuple[int, ...], where: str) -> Float[Array, "..."]:
    """`value`, a number or an array of the block's shape, as an array of that shape."""
    array = numeric(value, where)
    if array.shape not in ((), shape):
        raise ValueError(f"{where}: must be a number or have the block's shape {shape}, got {array.shape}.")
    # On the host where it can be, and with the dtype said: else each shape compiles for itself.
    whole = jnp.broadcast_to(array, shape) if isinstance(array, Tracer) else np.broadcast_to(array, shape)
    return jnp.asarray(whole, float)


def failing(condition: Any) -> bool:
    """Whether `condition` holds anywhere; of numbers that are traced nothing is known, and nothing is checked."""
    return not isinstance(condition, Tracer) and bool(np.any(np.asarray(condition)))


def checked_probabilities(weights: Any, n: int, where: str) -> Any:
    """`weights` as n non-negative numbers that sum to 1.

    Six digits of the sum are asked for (weights come from files too); the rest is divided out.
    """
    array = numeric(weights, where)
    if array.shape != (n,):
        raise ValueError(f"{where}: must have shape ({n},), got {array.shape}.")
    if failing(array < 0):
        raise ValueError(f"{where}: must not be negative, the least is {array.min():g}.")
    if failing(abs(array.sum() - 1.0) > 1e-6):
        raise ValueError(f"{where}: must sum to 1, the sum is {array.sum():.9g}.")
    return array / array.sum()


def checked_name(name: str, where: str) -> str:
    """`name`, if it can be the name of a block (`theta.<name>`)."""
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
        raise ValueError(
            f"{where}: {name!r} cannot name a block; allowed are Python identifiers that do not begin with "
            "an underscore and are no keywords."
        )
    return name
