"""Directions that are followed in passes of one shape, and what is seen of them at the times asked for."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.dynamics import SGD
from widelimit.trajectory import Progress

from ._expansion import Setting
from ._flow import advance, begin
from ._jets import Directions, Jet
from ._scheme import numbered, set_out, walk

# Numbers in the paths of the directions of a pass: seven stages of a step hold as many each.
PATHS = 2**21
# The flow's local error an order, relative to its size: the moments are then right to 1e-4 and better.
TOLERANCE = 1e-6


@dataclasses.dataclass(frozen=True)
class Course:
    """What directions are followed along: the flow, or the steps of an SGD, from `rows` to the last of `times`."""

    setting: Setting
    rows: Float[Array, "N D"]
    times: Float[np.ndarray, " T"]
    sgd: SGD | None = None

    @property
    def shown(self) -> Float[np.ndarray, " T"]:
        """The times that are seen: those of the steps nearest to the times asked for."""
        if self.sgd is None:
            return self.times
        return np.array([self.sgd.clock.nearest(float(t)) for t in self.times])

    @property
    def size(self) -> int:
        """How many directions a pass may have."""
        return max(1, PATHS // self.rows.size)

    def along(self, directions: Directions, key: PRNGKeyArray) -> Iterator[Jet]:
        """The particles' paths at all times; the key is that of an SGD's batches."""
        if self.sgd is None:
            now = begin(directions, self.rows, 1e-3 * float(self.times[-1]))
            for t in self.times:
                while float(now.t) < t:
                    now = advance(self.setting, directions, now, jnp.asarray(t, float), jnp.asarray(TOLERANCE))
                yield now.rows
            return
        data = numbered(self.setting.nodes)
        state = set_out(self.sgd, data, directions, self.rows, key)
        for t in self.times:
            stop = self.sgd.clock.reading(float(t))
            while int(state.k) < stop:
                state = walk(self.setting, directions, self.sgd, data, state, jnp.asarray(stop, jnp.int64))
            yield state.rows

    def seen(
        self,
        passes: list[Directions],
        visit: Callable[[Setting, Directions, Jet], Any],
        *,
        key: PRNGKeyArray,
        label: str,
        progress: bool | None,
    ) -> list[Any]:
        """`visit` of all times of every pass, stacked over the times. Raises `ValueError` where it is not finite."""
        end, found = float(self.times[-1]), []
        with Progress(end * len(passes), progress, label) as bar:
            for i, directions in enumerate(passes):
                rows = []
                for t, state in zip(self.times, self.along(directions, jax.random.fold_in(key, i)), strict=True):
                    rows.append(visit(self.setting, directions, state))
                    bar.update(i * end + float(t), i * len(self.times) + len(rows))
                found.append(jax.tree.map(lambda *leaves: np.stack(leaves), *rows))
        for leaf in jax.tree.leaves(found):
            if not np.all(np.isfinite(leaf)):
                raise ValueError(f"{label}: the paths grew without bound; shorten t1 or take smaller steps.")
        return found


def of_atoms(p: Float[Array, " N"], size: int) -> list[Directions]:
    """delta_i - p with the shares p_i, all of them: the second moments of n^(1/2) (p_n - p), n neurons drawn from p."""
    count = len(p)
    size = min(size, count)
    number = np.arange(-(-count // size) * size)
    # The last pass is filled up with directions of no share: so all have one shape.
    share = jnp.where(number < count, p[np.minimum(number, count - 1)], 0.0)
    mass = jnp.where((number < count)[:, None], jnp.eye(len(number), count) - p, 0.0)
    cuts = range(0, len(number), size)
    return [Directions(mass[None, i : i + size], share[None, i : i + size]) for i in cuts]


def at_random(p: Float[Array, " N"], shape: tuple[int, int], key: PRNGKeyArray) -> Directions:
    """M sums of K directions each of mean zero and covariance diag p - p p^T, with the shares 1/K.

    p^(1/2) z without its part along p^(1/2), z random signs: of all laws of independent numbers theirs has the least
    variance in a quadratic form.
    """
    root = jnp.sqrt(p)
    z = jax.random.rademacher(key, (*shape, len(p)), p.dtype)
    return Directions(root * (z - root * (z @ root)[..., None]), jnp.full(shape, 1.0 / shape[1]))
