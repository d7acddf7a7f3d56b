"""Arrays that a user gave, and the precision that they are kept in."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer


def require_x64(who: str) -> None:
    """Raise `ValueError` where double precision is switched off: what is promised is in its digits.

    `import widelimit` switches it on for the whole process; another library may switch it off afterwards.
    """
    if jnp.result_type(float) != np.float64:
        raise ValueError(
            f"{who}: JAX computes in float32, as jax_enable_x64 was switched off after `import widelimit` (another "
            "library may have done it); switch it on again: jax.config.update('jax_enable_x64', True)."
        )


def own_array(value: Any, what: str) -> np.ndarray | jax.Array:
    """`value` as an array of real numbers that shares no memory with the caller's.

    JAX reads the memory of a NumPy array in place where it can, so that a buffer that is filled anew would change what
    was made of it before. Extended precision and a foreign byte order, which JAX does not know, become float64 and the
    machine's own.

    Raises `ValueError` that names `what` for rows of different lengths, masked entries, text and complex numbers.
    """
    if isinstance(value, jax.Array) or any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(value)):
        given = jnp.asarray(value)
    else:
        given = _copied(value, what)
    if not (jnp.issubdtype(given.dtype, jnp.number) or given.dtype == bool) or jnp.iscomplexobj(given):
        raise ValueError(f"{what}: expected real numbers, got {given.dtype} values.")
    return given


def _copied(value: Any, what: str) -> np.ndarray:
    masks = [
        np.ma.getmaskarray(part) for part in (value if isinstance(value, list | tuple) else [value]) if _masked(part)
    ]
    if masks:
        count = sum(int(mask.sum()) for mask in masks)
        raise ValueError(f"{what}: {count} entries are masked; fill them (.filled(...)) or leave their rows out.")
    try:
        given = np.array(value)
    except ValueError as error:
        raise ValueError(f"{what}: expected an array of numbers, got rows of different lengths ({error}).") from None
    if given.dtype.kind == "f" and given.dtype.itemsize > 8:
        return given.astype(np.float64)
    return given.astype(given.dtype.newbyteorder("="), copy=False)


def _masked(part: Any) -> bool:
    return isinstance(part, np.ma.MaskedArray) and bool(np.ma.is_masked(part))
