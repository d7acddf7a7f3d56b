"""Labels with noise."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import Number, leaf

from ._data import AbstractData, Nodes


class Noisy(AbstractData):
    r"""Data with labels $y + s z$, z standard normal, independent for every sample and component.

    - `data`: the data without noise; `std`: s >= 0.

    `batch` draws the noise. On `nodes` each label counts half as $y + s$ and half as $y - s$, the two-point Gauss rule
    of z: $E\,|f - y - s z|^2 = |f - y|^2 + C s^2$ exactly, so that the risk of a squared loss is that of the law.
    `target` of a problem is y. Raises `ValueError` for a negative s.
    """

    data: AbstractData
    std: Number = eqx.field(converter=lambda s: leaf(s, "Noisy(std=...)", least=0.0))

    @property
    def inputs(self) -> int:
        return self.data.inputs

    @property
    def outputs(self) -> tuple[int, ...]:
        return self.data.outputs

    @property
    def nodes(self) -> Nodes | None:
        if self.data.nodes is None:
            return None
        x, y, w = self.data.nodes
        return Nodes(
            jnp.concatenate([x, x]), jnp.concatenate([y + self.std, y - self.std]), 0.5 * jnp.concatenate([w, w])
        )

    @property
    def teacher(self) -> Any | None:
        return self.data.teacher

    @property
    def input_law(self) -> Any | None:
        return self.data.input_law

    def target_at(self, x: Float[Array, "n d"], who: str) -> Float[Array, "n ..."]:
        return self.data.target_at(x, who)

    def finer(self, most: int) -> AbstractData:
        finer = self.data.finer(most // 2)
        return self if finer is self.data else Noisy(finer, self.std)

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        first, second = jax.random.split(key)
        x, y = self.data.batch(first, n)
        return x, y + self.std * jax.random.normal(second, y.shape, y.dtype)
