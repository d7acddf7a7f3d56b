"""Checks of numbers that a user gave: one clear ValueError a mistake."""

import math
from typing import Any, TypedDict, Unpack

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

Number = float | Float[Array, ""]
"""A number: plain, or an array of shape ()."""


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
    kind = int | float | np.integer | np.floating | np.ndarray | jax.Array
    number = isinstance(value, kind) and not isinstance(value, bool) and np.ndim(value) == 0
    if number and not np.issubdtype(np.asarray(value).dtype, np.bool_):
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
    one = isinstance(value, int | np.integer | np.ndarray | jax.Array) and not isinstance(value, bool | Tracer)
    whole = one and np.ndim(value) == 0 and np.issubdtype(np.asarray(value).dtype, np.integer)
    if whole and value >= least and (most is None or value <= most):
        return int(value)
    limits = f"of at least {least}" if most is None else f"from {least} to {most}"
    raise ValueError(f"{what}: must be a whole number {limits}, got {value!r}.")


def random_key(value: Any, what: str) -> jax.Array:
    """`value`, if it is a random key. Raises `ValueError` that names `what`."""
    fits = isinstance(value, jax.Array) and (
        jnp.issubdtype(value.dtype, jax.dtypes.prng_key) or (value.dtype == jnp.uint32 and value.shape == (2,))
    )
    if not fits:
        raise ValueError(f"{what}: expected a key such as jax.random.key(0), got {value!r}.")
    return value
