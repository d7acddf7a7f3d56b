"""Implicit steps of nearest-neighbour exchange: tridiagonal M-matrices, solved without a subtraction."""

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def solve_exchange(
    forth: Float[Array, "m ..."], back: Float[Array, "m ..."], given: Float[Array, "n ..."]
) -> Float[Array, "n ..."]:
    r"""The u with $u_i + J_{i+1/2} - J_{i-1/2} = g_i$, $J_{i+1/2} = a_i u_i - b_i u_{i+1}$, no J through the ends.

    **Arguments**

    - `forth`, `back`: a, b >= 0, [n - 1, ...]; further axes are independent systems.
    - `given`: g, [n, ...].

    With g >= 0 also u >= 0, and SUM u = SUM g. Gaussian elimination on the entries would lose the sum by
    rounding times max(a, b): the diagonal 1 + a_i + b_(i-1) forgets its 1. Here the pivots are
    d_i = p_i + a_i, p_0 = 1, p_i = 1 + b_(i-1) p_(i-1) / d_(i-1) (the Schur complement written without its
    subtraction), so every number is a sum and product of positive ones and is right to a few roundings.
    """
    zero = jnp.zeros_like(given[:1])
    leaves, enters = jnp.concatenate([forth, zero]), jnp.concatenate([zero, forth])
    returns, comes = jnp.concatenate([zero, back]), jnp.concatenate([back, zero])
    one = jnp.ones_like(given[0])
    _, (pivots, sums) = jax.lax.scan(_eliminate, (one, one, 0.0 * one), (leaves, enters, returns, given))
    _, found = jax.lax.scan(_substitute, 0.0 * one, (pivots, sums, comes), reverse=True)
    return found


def _eliminate(carry: Any, row: Any) -> tuple[Any, Any]:
    p, d, c = carry
    leaves, enters, returns, given = row
    p = 1.0 + returns * (p / d)
    d, c = p + leaves, given + enters * (c / d)
    return (p, d, c), (d, c)


def _substitute(following: Any, row: Any) -> tuple[Any, Any]:
    d, c, comes = row
    found = (c + comes * following) / d
    return found, found
