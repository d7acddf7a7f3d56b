"""A step along a direction, shortened until a function falls."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Trial = Callable[[Any], tuple[Any, Any, Any]]
"""A length s to the point x(s), the value f(x(s)) there, and the change of f that the slope at x(0) promises."""


class Line(NamedTuple):
    """Where a search ended and how far it went: the start and 0 where no length was `found`."""

    point: Any
    length: Any
    found: Any


class _Tried(NamedTuple):
    point: Any
    length: Float[Array, ""]
    found: Bool[Array, ""]
    count: Any


def line_search(
    trial: Trial,
    start: Any,
    value: Any,
    *,
    first: Any = 1.0,
    shrink: float = 0.5,
    most: int = 40,
    part: float = 1e-4,
    slack: Any = 0.0,
) -> Line:
    r"""The first of the lengths s = first, shrink first, shrink^2 first, ... with

    $$f(x(s)) \le f(x(0)) + \mathrm{part}\;p(s) + \mathrm{slack},$$

    p(s) the change that the slope promises: s times the slope, or <grad f, x(s) - x(0)> on a projected path.

    **Arguments**

    - `trial`: s to (x(s), f(x(s)), p(s)); a pure function of arrays.
    - `start`, `value`: x(0), a pytree of arrays as `trial` gives them, and f(x(0)).
    - `part`: of the promise that has to be kept (Armijo).
    - `slack`: the rounding error of f: a fall below it cannot be seen.

    A value that is no finite number counts as too high. After `most` lengths that are all too long `found` is False:
    the caller has to say so. `line_search_on_host` is the same for points that are no arrays.
    """

    def shorter(now: _Tried) -> _Tried:
        # The next length goes into the carry, and x(s) is computed in one place: it compiles once.
        point, there, promised = trial(now.length)
        found = jnp.asarray(_low(there, value + part * promised + slack))
        return _Tried(point, jnp.where(found, now.length, shrink * now.length), found, now.count + 1)

    begin = _Tried(start, jnp.asarray(first, float), jnp.asarray(False), jnp.zeros((), jnp.int64))
    last = jax.lax.while_loop(lambda now: ~now.found & (now.count < most), shorter, begin)
    point = jax.tree.map(lambda a, b: jnp.where(last.found, a, b), last.point, start)
    return Line(point, jnp.where(last.found, last.length, 0.0), last.found)


def line_search_on_host(
    trial: Trial,
    start: Any,
    value: float,
    *,
    first: float = 1.0,
    shrink: float = 0.5,
    most: int = 40,
    part: float = 1e-4,
    slack: float = 0.0,
) -> Line:
    """`line_search` outside of compiled code; a point may be any object."""
    length = first
    for _ in range(most):
        point, there, promised = trial(length)
        if _low(there, value + part * promised + slack):
            return Line(point, length, True)
        length *= shrink
    return Line(start, 0.0, False)


def _low(value: Any, most: Any) -> Any:
    # Comparisons that are false for NaN.
    return (value <= most) & (abs(value) < math.inf)
