"""Mixtures of laws."""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import known
from widelimit.numerics.registry import named, number, several

from .._blocks import Blocks, describe
from ._arguments import checked_probabilities
from ._cube import Nodes, Rows
from ._law import AbstractLaw, Groups, registry


class Mixture(AbstractLaw):
    r"""The law $\sum_k p_k \rho_k$.

    - `laws`: one or more laws whose blocks have the same shape and the same names.
    - `weights`: p [K], non-negative, with sum 1.

    Raises `ValueError` for laws that do not fit together and for weights that are no probabilities.
    """

    laws: tuple[AbstractLaw, ...]
    weights: Float[Array, " K"]
    shape: tuple[int, ...] = eqx.field(static=True)
    blocks: Blocks = eqx.field(static=True, default=())

    def __init__(self, laws: Sequence[AbstractLaw], weights: Any) -> None:
        self.laws = tuple(laws)
        if not self.laws:
            raise ValueError("Mixture(laws=...): at least one law is needed, got none.")
        for k, law in enumerate(self.laws):
            if not isinstance(law, AbstractLaw):
                raise ValueError(f"Mixture(laws=...): law {k} is no law: {law!r}.")
            if law.shape != self.laws[0].shape or law.blocks != self.laws[0].blocks:
                raise ValueError(
                    f"Mixture(laws=...): law {k} makes {_words(law)}, law 0 makes {_words(self.laws[0])}; "
                    "they must agree."
                )
        self.weights = jnp.asarray(checked_probabilities(weights, len(self.laws), "Mixture(weights=...)"), float)
        self.shape, self.blocks = self.laws[0].shape, self.laws[0].blocks

    @property
    def cube_dim(self) -> int:
        return max(1, *(law.cube_dim for law in self.laws))

    @property
    def n_atoms(self) -> int | None:
        counts = [law.n_atoms for law in self.laws]
        return None if None in counts else sum(count for count in counts if count is not None)

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        key, *keys = jax.random.split(key, len(self.laws) + 1)
        rows = jnp.stack([law.draw(n, k) for law, k in zip(self.laws, keys, strict=True)])
        which = jax.random.choice(key, len(self.laws), (n,), p=self.weights)
        return rows[which, jnp.arange(n)]

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        # The first coordinate chooses the component; what it says beyond that, stretched to [0, 1], is the
        # component's own first coordinate. So a mixture needs no coordinate more and is stratified.
        weights = np.asarray(self.weights)
        ends = np.cumsum(weights)
        # At u = 1, the last component that has weight.
        which = np.minimum(np.searchsorted(ends, u[:, 0], side="right"), np.flatnonzero(weights)[-1])
        rows = np.empty((u.shape[0], self.dim))
        for k in np.unique(which):
            part, law = u[which == k], self.laws[k]
            part[:, 0] = np.clip((part[:, 0] - ends[k] + weights[k]) / weights[k], 0.0, 1.0)
            rows[which == k] = law.from_cube(part[:, : law.cube_dim])
        return rows

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        return np.asarray(self.weights) @ np.stack([law.box_probability(lower, upper) for law in self.laws])

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        logs = jnp.stack([law.log_density(x) for law in self.laws])
        return jax.scipy.special.logsumexp(logs, axis=0, b=self.weights[:, None])

    def mean(self) -> Float[Array, " D"] | None:
        means = known([law.mean() for law in self.laws])
        return None if means is None else self.weights @ jnp.stack(means)

    def covariance(self) -> Float[Array, "D D"] | None:
        means, spreads = known([law.mean() for law in self.laws]), known([law.covariance() for law in self.laws])
        if means is None or spreads is None:
            return None
        off = jnp.stack(means) - self.weights @ jnp.stack(means)
        return jnp.tensordot(self.weights, jnp.stack(spreads), axes=1) + (self.weights * off.T) @ off

    def components(self) -> tuple[tuple[float, AbstractLaw], ...]:
        pairs = zip(np.asarray(self.weights).tolist(), self.laws, strict=True)
        return tuple((p * q, part) for p, law in pairs if p > 0.0 for q, part in law.components())

    def radial(self, groups: Groups) -> AbstractLaw | None:
        parts = known([law.radial(groups) for law in self.laws])
        return None if parts is None else Mixture(parts, self.weights)

    def gauss_size(self, n: int) -> int:
        return sum(law.gauss_size(n) for law in self.laws)

    def gauss(self, n: int) -> Nodes:
        parts = [law.gauss(n) for law in self.laws]
        weights = [p * w for p, (_, w) in zip(np.asarray(self.weights), parts, strict=True)]
        return np.concatenate([x for x, _ in parts]), np.concatenate(weights)


def _words(law: AbstractLaw) -> str:
    return f"the blocks {describe(law.blocks)}" if law.blocks else f"a block of shape {law.shape}"


registry.add("mixture", Mixture, laws=several(named(registry)), weights=several(number(least=0.0, most=1.0)))
