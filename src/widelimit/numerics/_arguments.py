"""Checks of numbers that a user gave: one clear ValueError a mistake."""

import math
from collections.abc import Sequence
from typing import Any, TypedDict, TypeVar, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

T = TypeVar("T")

Number = float | Float[Array, ""]
"""A number: plain, or an array of shape ()."""

Count = int | np.integer | np.ndarray | jax.Array
"""A whole number: Python's, NumPy's or JAX's."""


def real_number(
    value: Any,
    what: str,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float = math.inf,
    most: float = math.inf,
) -> float:
    """`value` as a float: finite, `above` one bound or at `least` another, `below` a third and at `most` a fourth.

    Raises `ValueError` that names `what` and the range.
    """
    if _is_number(value):
        found = float(value)
        inside = (above is None or found > above) and (least is None or found >= least)
        inside = inside and found < below and found <= most
        if math.isfinite(found) and inside:
            return found
    lower = f"above {above:g}" if above is not None else f"at least {least:g}" if least is not None else ""
    upper = f"below {below:g}" if below < math.inf else f"at most {most:g}" if most < math.inf else ""
    limits = " and ".join(part for part in (lower, upper) if part)
    said = f"must be a finite number{' ' + limits if limits else ''}"
    raise ValueError(f"{what}: {said}; got {value!r}.")


def _is_number(value: Any) -> bool:
    """Whether it is one real number, be it Python's, NumPy's or JAX's, and no bool."""
    kind = int | float | np.integer | np.floating | np.ndarray | jax.Array
    if not isinstance(value, kind) or isinstance(value, bool | Tracer) or np.ndim(value) != 0:
        return False
    dtype = np.asarray(value).dtype
    return jnp.issubdtype(dtype, jnp.integer) or jnp.issubdtype(dtype, jnp.floating)


class Bounds(TypedDict, total=False):
    """Those of a `real_number`."""

    above: float
    least: float
    below: float
    most: float


def leaf(value: Any, what: str, **bounds: Unpack[Bounds]) -> jax.Array:
    """`value` as an array, a leaf of the object that holds it: another value compiles nothing, and it has derivatives.

    Checked like a `real_number`, unless it is being traced and has no value yet.
    """
    if isinstance(value, Tracer):
        return jnp.asarray(value)
    # From a Python float the array is of weak type: it takes the precision of what it meets.
    return jnp.asarray(real_number(value, what, **bounds))


def on_host(value: Any) -> Any:
    """A float, unless it is being traced."""
    return value if isinstance(value, Tracer) else float(value)


def whole_number(value: Any, what: str, *, least: int, most: int | None = None) -> int:
    """`value` as an int of at least `least` and at most `most`. Raises `ValueError` that names `what` and the range."""
    whole = _is_number(value) and jnp.issubdtype(np.asarray(value).dtype, jnp.integer)
    if whole and value >= least and (most is None or value <= most):
        return int(value)
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"{what}: must be a whole number {limits}, got {value!r}.")


def known(parts: Sequence[T | None]) -> list[T] | None:
    """The facts of all parts, or None where one is not known."""
    here = [part for part in parts if part is not None]
    return here if len(here) == len(parts) else None


def random_key(value: Any, what: str) -> jax.Array:
    """`value`, if it is a random key. Raises `ValueError` that names `what`."""
    fits = isinstance(value, jax.Array) and (
        (jnp.issubdtype(value.dtype, jax.dtypes.prng_key) and value.shape == ())
        or (value.dtype == jnp.uint32 and value.shape == (2,))
    )
    if not fits:
        raise ValueError(f"{what}: expected one key such as jax.random.key(0), got {value!r}.")
    return value
