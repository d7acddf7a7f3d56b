"""Paths of all orders along the limit flow, by adaptive steps, and along a scheme of fixed ones."""

from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ._expansion import Setting, velocity
from ._jets import Directions, Jet, still

# A step's length changes by no more than this, and by a little less than its error would allow.
_SHRINK, _GROW, _SAFETY = 0.2, 5.0, 0.9
# Attempts between two looks of the host.
_ATTEMPTS = 64


class Clock(NamedTuple):
    """Where an integration is: its time, its paths, the next step's length and how many steps were tried."""

    t: Float[Array, ""]
    rows: Jet
    step: Float[Array, ""]
    tried: Int[Array, ""]


def begin(directions: Directions, rows: Float[Array, "N D"], step: float) -> Clock:
    return Clock(jnp.zeros(()), still(rows, directions), jnp.asarray(step, float), jnp.zeros((), jnp.int64))


@eqx.filter_jit
def advance(setting: Setting, directions: Directions, clock: Clock, stop: Any, tolerance: Any) -> Clock:
    """The flow up to the time `stop` at most, or as far as a number of attempts takes it.

    Tsitouras' method of order 5(4). `tolerance`: the local error allowed of each order, relative to its size.
    """
    solver = diffrax.Tsit5()
    term = diffrax.ODETerm(lambda t, rows, _: velocity(setting, directions, rows))

    def going(carry: tuple[Clock, Any]) -> Any:
        now = carry[0]
        return (now.t < stop) & (now.tried < clock.tried + _ATTEMPTS)

    def attempt(carry: tuple[Clock, Any]) -> tuple[Clock, Any]:
        now, slope = carry
        end = jnp.where(now.t + 1.001 * now.step >= stop, stop, now.t + now.step)
        rows, error, _, following, _ = solver.step(term, now.t, end, now.rows, None, slope, False)
        size = _relative(setting.p, now.rows, rows, error) / tolerance
        # What is not a number is no step at all.
        good = size <= 1.0
        change = jnp.where(jnp.isfinite(size), jnp.clip(_SAFETY * size**-0.2, _SHRINK, _GROW), _SHRINK)
        kept = jax.tree.map(lambda new, old: jnp.where(good, new, old), (rows, following), (now.rows, slope))
        # A step that only ends where something is looked at says nothing against a longer one.
        step = jnp.where(good, jnp.maximum(now.step, (end - now.t) * change), (end - now.t) * change)
        step = jnp.where(good & (end - now.t >= 0.999 * now.step), (end - now.t) * change, step)
        return Clock(jnp.where(good, end, now.t), kept[0], step, now.tried + 1), kept[1]

    first = solver.init(term, clock.t, clock.t + clock.step, clock.rows, None)
    return jax.lax.while_loop(going, attempt, (clock, first))[0]


def _relative(p: Float[Array, " N"], old: Jet, new: Jet, error: Jet) -> Float[Array, ""]:
    """The largest error of an order relative to its size, both in root mean square, particles by their weight."""

    def size(part: Any) -> Any:
        return jnp.sqrt(jnp.sum(jnp.square(part) * p[:, None]))

    def share(wrong: Any, before: Any, after: Any) -> Any:
        whole = jnp.maximum(size(before), size(after))
        return jnp.where(whole > 0, size(wrong) / jnp.where(whole > 0, whole, 1.0), 0.0)

    return jnp.max(jnp.stack([share(*parts) for parts in zip(error, old, new, strict=True)]))
