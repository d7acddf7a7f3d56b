"""Directions that are followed in passes of one shape, and what is seen of them at the times asked for."""

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.trajectory import Progress

from ._jets import Directions, Jet, Setting

# Numbers in the paths of the directions of a pass: seven stages of a step hold as many each.
PATHS = 2**21


class Pass(NamedTuple):
    """Directions that are followed together; the key is that of the batches they see."""

    directions: Directions
    key: PRNGKeyArray


Follow = Callable[[Setting, Directions, Float[Array, "N D"], Float[np.ndarray, " T"], PRNGKeyArray], Iterable[Jet]]
"""The particles' paths along every direction, at all times: of a flow, or of a scheme (the key is for its batches)."""


@dataclasses.dataclass(frozen=True)
class Course:
    """What directions are followed along, from the particles `rows` to the last of `times`."""

    setting: Setting
    rows: Float[Array, "N D"]
    times: Float[np.ndarray, " T"]
    follow: Follow

    @property
    def size(self) -> int:
        """How many directions a pass may have."""
        return max(1, PATHS // self.rows.size)

    def seen(
        self,
        passes: list[Pass],
        visit: Callable[[Setting, Directions, Jet], Any],
        *,
        label: str,
        progress: bool | None,
        seconds: float = 0.0,
    ) -> list[Any]:
        """`visit` of all times of every pass, stacked over the times; `seconds`: what a pass is known to take.

        Raises `ValueError` where it is not finite.
        """
        end, found = float(self.times[-1]), []
        with Progress(end * len(passes), progress, label) as bar:
            bar.expect(seconds * len(passes))
            for i, one in enumerate(passes):
                rows = []
                states = self.follow(self.setting, one.directions, self.rows, self.times, one.key)
                for t, state in zip(self.times, states, strict=True):
                    rows.append(visit(self.setting, one.directions, state))
                    bar.update(i * end + float(t), i * len(self.times) + len(rows))
                found.append(jax.tree.map(lambda *leaves: np.stack(leaves), *rows))
        for leaf in jax.tree.leaves(found):
            if not np.all(np.isfinite(leaf)):
                raise ValueError(f"{label}: the paths grew without bound; shorten t1 or take smaller steps.")
        return found


def of_atoms(p: Float[Array, " N"], size: int) -> list[Pass]:
    """delta_i - p with the shares p_i, all of them: the second moments of n^(1/2) (p_n - p), n neurons drawn from p."""
    count = len(p)
    size = min(size, count)
    number = np.arange(-(-count // size) * size)
    # The last pass is filled up with directions of no share: so all have one shape.
    share = jnp.where(number < count, p[np.minimum(number, count - 1)], 0.0)
    mass = jnp.where((number < count)[:, None], jnp.eye(len(number), count) - p, 0.0)
    cuts = range(0, len(number), size)
    unused = jax.random.key(0)
    return [Pass(Directions(mass[None, i : i + size], share[None, i : i + size]), unused) for i in cuts]


def centred(p: Float[Array, " N"], shape: tuple[int, int], key: PRNGKeyArray) -> Directions:
    """M sums of K directions each of mean zero and covariance diag p - p p^T, with the shares 1/K.

    p^(1/2) z without its part along p^(1/2), z random signs: of all laws of independent numbers theirs has the least
    variance in a quadratic form.
    """
    root = jnp.sqrt(p)
    z = jax.random.rademacher(key, (*shape, len(p)), p.dtype)
    return Directions(root * (z - root * (z @ root)[..., None]), jnp.full(shape, 1.0 / shape[1]))
