"""Where the samples of an SGD step come from."""

import abc
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import Module
from widelimit.numerics.registry import Registry
from widelimit.problem.data import AbstractData, Nodes, require_nodes


class AbstractSampling(Module):
    """How step k gets its batch: `draw` is a pure function of the key and k, `pick` may use the carried `order`."""

    stochastic: ClassVar[bool] = True
    """Whether the batch differs from the data itself."""
    whole: ClassVar[bool] = False
    """Whether every step sees all the data: where they have no nodes, the problem's own integrals will do."""
    any_size: ClassVar[bool] = False
    """Whether the first samples of a batch are a batch: then its size may change along a run."""
    independent: ClassVar[bool] = False
    """Whether the samples of all batches are independent, each with the law of the data."""

    def check(self, data: AbstractData) -> None:
        """Raise `ValueError` where the data cannot be sampled so: for most ways, where they have no nodes."""
        self._nodes(data)

    def start(self, data: AbstractData, key: PRNGKeyArray) -> Any:
        """What is carried from step to step; None where nothing is."""
        return None

    def draw(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int) -> Any:
        """What is random in step k; None where nothing is."""
        return None

    @abc.abstractmethod
    def pick(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int, drawn: Any, order: Any) -> Any:
        """(nodes of the batch, order to carry on)."""

    @abc.abstractmethod
    def order(self, data: AbstractData, size: int) -> float:
        """The order in the step at which SGD on a smooth problem comes near the gradient flow (in mean square)."""

    def _nodes(self, data: AbstractData) -> Nodes:
        return require_nodes(data, f"sampling.{type(self).__name__}")


class Fresh(AbstractSampling):
    """Independent samples of the data's law for every step: one pass (finite samples: drawn with replacement)."""

    any_size: ClassVar[bool] = True
    independent: ClassVar[bool] = True

    def check(self, data: AbstractData) -> None:
        return None

    def draw(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int) -> Any:
        return data.batch(jax.random.fold_in(key, k), size)

    def pick(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int, drawn: Any, order: Any) -> Any:
        x, y = drawn
        return Nodes(x, y, jnp.full(size, 1.0 / size, x.dtype)), order

    def order(self, data: AbstractData, size: int) -> float:
        # The particles fluctuate by O(sqrt step) around the flow (rotskoff2018, Prop. 3.2).
        return 0.5


class Epochs(AbstractSampling):
    """Passes over a finite set, each in a new random order; the last batch of a pass may be smaller."""

    def start(self, data: AbstractData, key: PRNGKeyArray) -> Any:
        return jnp.arange(self._nodes(data).weights.shape[0])

    def pick(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int, drawn: Any, order: Any) -> Any:
        nodes = self._nodes(data)
        rows = nodes.weights.shape[0]
        per_epoch = -(-rows // size)
        epoch, place = k // per_epoch, k % per_epoch
        order = jax.lax.cond(
            place == 0, lambda: jax.random.permutation(jax.random.fold_in(key, epoch), rows), lambda: order
        )
        index = place * size + jnp.arange(size)
        inside = index < rows
        chosen = order[jnp.minimum(index, rows - 1)]
        weights = jnp.where(inside, nodes.weights[chosen] * rows, 0.0) / jnp.sum(inside)
        return Nodes(nodes.x[chosen], nodes.y[chosen], weights.astype(nodes.x.dtype)), order

    def order(self, data: AbstractData, size: int) -> float:
        # Whole passes leave no random walk behind: every sample has been seen equally often.
        return 1.0 if self._nodes(data).weights.shape[0] % size == 0 else 0.5


class Full(AbstractSampling):
    """All the data at every step: plain gradient descent.

    Without nodes by the problem's integrals, where these are exact: the energy of pairs, the sphere.
    """

    stochastic: ClassVar[bool] = False
    whole: ClassVar[bool] = True

    def pick(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int, drawn: Any, order: Any) -> Any:
        return self._nodes(data), order

    def order(self, data: AbstractData, size: int) -> float:
        return 1.0


def multinomial_noise(weights: Float[Array, " Q"], normal: Float[Array, " Q"]) -> Float[Array, " Q"]:
    r"""$\eta_q = \sqrt{\mu_q}\,\xi_q - \mu_q \sum_p \sqrt{\mu_p}\,\xi_p$ of normals: the noise of one fresh draw.

    Its covariance is diag mu - mu mu^T, as that of the indicator of a sample drawn with probabilities mu; its sum is 0.
    """
    scaled = jnp.sqrt(weights) * normal
    return scaled - weights * jnp.sum(scaled)


registry = Registry("sampling")
registry.add("fresh", Fresh)
registry.add("epochs", Epochs)
registry.add("full", Full)
