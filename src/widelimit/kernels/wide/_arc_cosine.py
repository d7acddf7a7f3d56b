r"""Parameters v whose law is invariant under rotations, or a centred normal law: the arc-cosine kernels.

For $g \sim N(0, I)$ and vectors u, v at the angle $\varphi$

$$E(g\cdot u)_+(g\cdot v)_+ = \frac{|u||v|}{2\pi}\big(\sin\varphi + (\pi - \varphi)\cos\varphi\big),\qquad
P(g\cdot u > 0,\ g\cdot v > 0) = \frac{\pi - \varphi}{2\pi}.$$

Both see the length of g through E|g|^2 alone, so that every law that is invariant under rotations has those of the
normal law with its covariance. For one input with a bias, u = (x, 1): with C = E[a^2 + b^2] the first is
$\frac{C}{4\pi}\{(\pi - |\arctan x - \arctan x'|)(1 + x x') + |x - x'|\}$, williams2019 (26), (40) corrected.
"""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import laws

from ._bends import Moments, Pair, bent


class ArcCosine(eqx.Module):
    """`root` [D, D]: L with L L^T = E v v^T, v = (w, sign b); `bias`: whether v has a last coordinate for the bias."""

    root: Float[Array, "D D"]
    slopes: tuple[Any, Any]
    bias: bool = eqx.field(static=True)

    def __call__(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Moments:
        left, right = (self._seen(points) for points in (x, other))
        angle, sizes = _angles(left, right)
        # z > 0 needs a vector that is not 0: a neuron without a bias is 0 at x = 0.
        first, second = (0.5 * jnp.any(rows != 0.0, axis=1) for rows in (left, right))
        both = jnp.where(sizes > 0.0, 0.5 - 0.5 * angle / jnp.pi, 0.0)
        # z z'_+ is half of z z' in the mean: v and -v have one law.
        product = left @ right.T
        above = sizes * (jnp.sin(angle) + (jnp.pi - angle) * jnp.cos(angle)) / (2.0 * jnp.pi)
        return bent(self.slopes, lambda: Pair(product, product, first[:, None] + second), above=above, both=both)

    def _seen(self, points: Float[Array, "n d"]) -> Float[Array, "n D"]:
        ones = jnp.ones((points.shape[0], 1 if self.bias else 0))
        return jnp.concatenate([points, ones], axis=1) @ self.root


def arc_cosine(
    law: laws.AbstractLaw, slopes: tuple[Any, Any], signs: Float[np.ndarray, " D"], *, bias: bool
) -> ArcCosine | None:
    """For v = signs theta, theta of this law; None unless it is a centred normal law or known to be invariant."""
    centre, spread = law.mean(), law.covariance()
    if centre is None or spread is None or np.any(np.asarray(centre) != 0.0):
        return None
    # The law of the lengths of atoms is known for any atoms: they are summed elsewhere.
    if law.n_atoms is not None or not (law.normal or law.radial((tuple(range(law.dim)),)) is not None):
        return None
    values, vectors = np.linalg.eigh(np.asarray(spread) * np.outer(signs, signs))
    return ArcCosine(jnp.asarray(vectors * np.sqrt(np.maximum(values, 0.0))), slopes, bias)


def _angles(left: Float[Array, "n D"], right: Float[Array, "m D"]) -> tuple[Any, Any]:
    """Angles [n, m] and products of lengths.

    By half the angle, tan(phi/2) = |u' - v'|/|u' + v'| with unit vectors: arccos loses half of the digits at 0 and pi.
    """
    (a, u), (b, v) = (_unit(rows) for rows in (left, right))
    apart, along = (_length(u[:, None] + side * v) for side in (-1.0, 1.0))
    return 2.0 * jnp.arctan2(apart, along), a[:, None] * b


def _unit(rows: Any) -> tuple[Any, Any]:
    length = _length(rows)
    return length, rows / jnp.where(length > 0.0, length, 1.0)[:, None]


def _length(rows: Any) -> Any:
    """|v|, with derivative 0 at 0, where both kernels are smooth in it or have none."""
    square = jnp.sum(rows * rows, axis=-1)
    return jnp.where(square > 0.0, jnp.sqrt(jnp.where(square > 0.0, square, 1.0)), 0.0)
