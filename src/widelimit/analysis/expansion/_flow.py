"""Paths of all orders along the limit flow, by adaptive steps."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from ._expansion import velocity
from ._jets import Directions, Jet, Setting, still

# A step's length changes by no more than this, and by a little less than its error would allow.
_SHRINK, _GROW, _SAFETY = 0.2, 5.0, 0.9
# The local error an order, relative to its size: the moments are then right to 1e-4 and better.
_TOLERANCE = 1e-6
# The first step that is tried, as a part of the whole time.
_FIRST = 1e-3
# The part of the largest order that a smaller one is measured with.
_FLOOR = 1e-3
# A step shorter than this part of the whole time leads nowhere.
_STALLED = 1e-10
# Attempts between two looks of the host.
_ATTEMPTS = 64


class Clock(NamedTuple):
    """Where an integration is: its time, its paths and their velocity, the next step, and how many were tried."""

    t: Float[Array, ""]
    rows: Jet
    slope: Jet
    step: Float[Array, ""]
    tried: Int[Array, ""]


def follow(
    setting: Setting,
    directions: Directions,
    rows: Float[Array, "N D"],
    times: Float[np.ndarray, " T"],
    key: PRNGKeyArray,
) -> Iterator[Jet]:
    """The paths at all times of the flow, in which nothing is random."""
    start = still(rows, directions)
    first = jnp.asarray(_FIRST * float(times[-1]), float)
    now = Clock(jnp.zeros(()), start, start, first, jnp.zeros((), jnp.int64))
    for t in times:
        while float(now.t) < t:
            now = advance(setting, directions, now, jnp.asarray(t, float), jnp.asarray(_TOLERANCE, float))
            if not float(now.step) > _STALLED * float(times[-1]):
                raise ValueError(
                    f"the expansion around the limit breaks down at t = {float(now.t):.4g}: its paths grow without "
                    "bound or are too rough; take a smaller t1."
                )
        yield now.rows


@eqx.filter_jit
def advance(setting: Setting, directions: Directions, clock: Clock, stop: Any, tolerance: Any) -> Clock:
    """The flow up to the time `stop` at most, or as far as a number of attempts takes it.

    Tsitouras' method of order 5(4). `tolerance`: the local error allowed of each order, relative to its size.
    """

    def going(now: Clock) -> Any:
        return (now.t < stop) & (now.tried < clock.tried + _ATTEMPTS)

    def attempt(now: Clock) -> Clock:
        # The very first attempt has length zero: it makes the first slope.
        whole = jnp.where(now.tried == 0, 0.0, now.step)
        end = jnp.where(now.t + 1.001 * whole >= stop, stop, now.t + whole)
        taken = end - now.t
        rows, slope, error = _step(setting, directions, now, taken)
        size = _relative(setting.p, directions.share, now.rows, rows, error) / tolerance
        # What is not a number is no step at all.
        good = size <= 1.0
        change = jnp.where(jnp.isfinite(size), jnp.clip(_SAFETY * size**-0.2, _SHRINK, _GROW), _SHRINK)
        # A step that was cut where something is looked at says nothing against the longer one.
        step = jnp.where(good & (taken < 0.999 * now.step), jnp.maximum(now.step, taken * change), taken * change)
        new = Clock(end, rows, slope, step, now.tried)
        kept = jax.tree.map(lambda a, b: jnp.where(good, a, b), new, now._replace(step=step))
        return kept._replace(tried=now.tried + 1)

    return jax.lax.while_loop(going, attempt, clock)


def _step(setting: Setting, directions: Directions, now: Clock, length: Any) -> tuple[Jet, Jet, Jet]:
    """The paths after a step, their velocity there, and the error estimate.

    The stages are a loop, so that the velocity is compiled once. The last one is the first of the next step.
    """
    stages, error = _tableau()
    slopes = jax.tree.map(lambda k: jnp.zeros((len(stages), *k.shape)).at[0].set(k), now.slope)

    def mixed(slopes: Jet, numbers: Any) -> Jet:
        return jax.tree.map(lambda k: length * jnp.tensordot(numbers, k, axes=1), slopes)

    def stage(i: Any, carry: tuple[Jet, Jet]) -> tuple[Jet, Jet]:
        slopes, _ = carry
        rows = jax.tree.map(jnp.add, now.rows, mixed(slopes, stages[i]))
        slope = velocity(setting, directions, rows)
        return jax.tree.map(lambda all, k: all.at[i].set(k), slopes, slope), rows

    slopes, rows = jax.lax.fori_loop(1, len(stages), stage, (slopes, now.rows))
    return rows, jax.tree.map(lambda k: k[-1], slopes), mixed(slopes, error)


def _tableau() -> tuple[Float[Array, "S S"], Float[Array, " S"]]:
    """The rows of Tsitouras' tableau, filled up with zeros, and the numbers of its error estimate."""
    given = diffrax.Tsit5.tableau
    stages = np.zeros((len(given.b_error),) * 2)
    for i, row in enumerate(given.a_lower, start=1):
        stages[i, : len(row)] = row
    return jnp.asarray(stages), jnp.asarray(given.b_error)


def _relative(p: Float[Array, " N"], share: Float[Array, "M K"], old: Jet, new: Jet, error: Jet) -> Float[Array, ""]:
    """The largest error of an order relative to its size, both in root mean square over particles and directions.

    All orders have the units of a parameter. One that is small beside the others, as a second order that vanishes is
    but for rounding, is measured with a thousandth of theirs.
    """
    weight = share / share.shape[0]

    def sizes(paths: Jet) -> Any:
        squares = [jnp.sum(jnp.square(part) * p[:, None], axis=(-2, -1)) for part in paths]
        return jnp.sqrt(jnp.stack([squares[0], jnp.sum(weight * squares[1]), jnp.mean(squares[2])]))

    whole = jnp.maximum(sizes(old), sizes(new))
    whole = jnp.maximum(whole, _FLOOR * jnp.max(whole))
    return jnp.max(jnp.where(whole > 0, sizes(error) / jnp.where(whole > 0, whole, 1.0), 0.0))
