"""Where the samples of an SGD step come from."""

import abc
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from widelimit.numerics import Module
from widelimit.numerics.registry import Registry, flag, several, whole
from widelimit.problem.data import AbstractData, Nodes, require_nodes


class AbstractSampling(Module):
    """How step k gets its batch: `draw` is a pure function of the key and k, `pick` may use the carried `order`."""

    stochastic: ClassVar[bool] = True
    """Whether the batch differs from the data itself."""
    deterministic: ClassVar[bool] = False
    """Whether nothing is drawn, so that no key is needed."""
    whole: ClassVar[bool] = False
    """Whether every step sees all the data: where they have no nodes, the problem's own integrals will do."""
    any_size: ClassVar[bool] = False
    """Whether the first samples of a batch are a batch: then its size may change along a run."""
    loader: ClassVar[str | None] = None
    """How a `DataLoader` of PyTorch is told to do the same, where it can."""
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
    def order(self, data: AbstractData, size: int) -> float | None:
        """The order in the step at which SGD on a smooth problem comes near the gradient flow (in mean square).

        None where it is not known.
        """

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
    """Passes over a finite set, each in a new random order; the last batch of a pass may be smaller.

    - `drop_last`: leave out that last one, where it is smaller (of a set smaller than a batch nothing is left out).
    """

    drop_last: bool = eqx.field(static=True, default=False)

    @property
    def loader(self) -> str:
        return "shuffle=True, drop_last=True" if self.drop_last else "shuffle=True"

    def start(self, data: AbstractData, key: PRNGKeyArray) -> Any:
        return jnp.arange(self._nodes(data).weights.shape[0])

    def pick(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int, drawn: Any, order: Any) -> Any:
        nodes = self._nodes(data)
        rows = nodes.weights.shape[0]
        per_epoch = max(rows // size, 1) if self.drop_last else -(-rows // size)
        epoch, place = k // per_epoch, k % per_epoch
        order = jax.lax.cond(
            place == 0, lambda: jax.random.permutation(jax.random.fold_in(key, epoch), rows), lambda: order
        )
        return _batch(nodes, order, place, size), order

    def order(self, data: AbstractData, size: int) -> float:
        # Whole passes leave no random walk behind: every sample has been seen equally often.
        return 1.0 if self._nodes(data).weights.shape[0] % size == 0 else 0.5


class Ordered(AbstractSampling):
    """Passes over a finite set in a given order; the last batch of a pass may be smaller. No key is needed.

    - `rows`: the rows of a pass, [n], or those of several passes, [E, n], after which the first one comes again; by
      default all rows as they stand.

    Raises `ValueError` for what is no such table of whole numbers from 0, and for rows that the data do not have.
    """

    deterministic: ClassVar[bool] = True
    rows: Int[Array, "E n"] | None

    def __init__(self, rows: Any = None) -> None:
        self.rows = None if rows is None else jnp.asarray(_passes(rows))

    @property
    def loader(self) -> str | None:
        return "shuffle=False" if self.rows is None else None

    def check(self, data: AbstractData) -> None:
        known = len(self._nodes(data).weights)
        if self.rows is not None and int(jnp.max(self.rows)) >= known:
            raise ValueError(
                f"sampling.Ordered(rows=...): the data have the rows 0 to {known - 1}, got {int(jnp.max(self.rows))}."
            )

    def pick(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int, drawn: Any, order: Any) -> Any:
        nodes = self._nodes(data)
        passes = jnp.arange(nodes.weights.shape[0])[None] if self.rows is None else self.rows
        per_pass = -(-passes.shape[1] // size)
        return _batch(nodes, passes[k // per_pass % passes.shape[0]], k % per_pass, size), order

    def order(self, data: AbstractData, size: int) -> float | None:
        # A batch that is smaller counts more: then passes come near another flow, as they do where rows are missing.
        whole = self.rows is None and self._nodes(data).weights.shape[0] % size == 0
        return 1.0 if whole else None


class Full(AbstractSampling):
    """All the data at every step: plain gradient descent.

    Without nodes by the problem's integrals, where these are exact: the energy of pairs, the sphere.
    """

    stochastic: ClassVar[bool] = False
    deterministic: ClassVar[bool] = True
    whole: ClassVar[bool] = True
    loader: ClassVar[str | None] = "shuffle=False"

    def pick(self, data: AbstractData, key: PRNGKeyArray, k: Any, size: int, drawn: Any, order: Any) -> Any:
        return self._nodes(data), order

    def order(self, data: AbstractData, size: int) -> float:
        return 1.0


def _batch(nodes: Nodes, order: Int[Array, " n"], place: Any, size: int) -> Nodes:
    """The batch at a place of a pass: `size` rows, of which those beyond its end have no weight."""
    index = place * size + jnp.arange(size)
    inside = index < order.shape[0]
    chosen = order[jnp.minimum(index, order.shape[0] - 1)]
    weights = jnp.where(inside, nodes.weights[chosen] * nodes.weights.shape[0], 0.0) / jnp.sum(inside)
    return Nodes(nodes.x[chosen], nodes.y[chosen], weights.astype(nodes.x.dtype))


def _passes(rows: Any) -> np.ndarray:
    """Rows of one pass or of several as a table [E, n]."""
    found = np.asarray(rows)
    if found.dtype.kind not in "iu" or found.ndim not in (1, 2) or not found.size or found.min() < 0:
        said = f"{found.dtype} of shape {found.shape}"
        raise ValueError(f"sampling.Ordered(rows=...): expected whole numbers from 0, [n] or [E, n], got {said}.")
    return np.atleast_2d(found).astype(np.int64)


def multinomial_noise(weights: Float[Array, " Q"], normal: Float[Array, " Q"]) -> Float[Array, " Q"]:
    r"""$\eta_q = \sqrt{\mu_q}\,\xi_q - \mu_q \sum_p \sqrt{\mu_p}\,\xi_p$ of normals: the noise of one fresh draw.

    Its covariance is diag mu - mu mu^T, as that of the indicator of a sample drawn with probabilities mu; its sum is 0.
    """
    scaled = jnp.sqrt(weights) * normal
    return scaled - weights * jnp.sum(scaled)


registry = Registry("sampling")
registry.add("fresh", Fresh)
registry.add("epochs", Epochs, drop_last=flag)
registry.add("ordered", Ordered, rows=several(whole(least=0, default=None)))
registry.add("full", Full)
