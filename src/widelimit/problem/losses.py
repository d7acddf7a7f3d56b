"""Losses: what a prediction f costs when the target is y, for one data point."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import Module, Number, leaf
from widelimit.numerics.registry import Registry, positive


class AbstractLoss(Module):
    """loss(f, y) for one data point; f and y have shape () or (C,), the value is a number, differentiable in f.

    A new loss needs `__call__`. The other members are facts; one that is left out is not known.
    """

    convex = False
    """Whether it is convex in f for every y. The optimality gap needs it."""
    nonnegative = False
    """Whether it never falls below zero; some optimality gaps rest on it."""
    smooth = False
    """Whether it has two continuous derivatives in f, for every y. The fluctuations of wide networks need it."""
    labels = False
    """Whether `check` refuses some targets, so that those of fresh samples are looked at, too."""
    one_hot = False
    """Whether the targets are one-hot vectors, so that the largest output is the class."""
    square_factor: ClassVar[Float[Array, ""] | None] = None
    """k, where the loss is k |f - y|^2; None for every other loss. Exact integrals and linear theories need it."""

    @abc.abstractmethod
    def __call__(self, f: Any, y: Any) -> Float[Array, ""]: ...

    @property
    def name(self) -> str:
        """For printing and provenance; no fact is read from it."""
        return type(self).__name__.lower()

    def check(self, y: Float[Array, "n ..."]) -> None:
        """Raise `ValueError` for targets that the loss is not made for."""

    def in_torch(self, components: int) -> tuple[str, float] | None:
        """The loss in `torch.nn.functional`, and by what its mean over so many components is multiplied here.

        None where there is none.
        """
        return None


class Loss(AbstractLoss):
    """A loss of your own.

    - `function`: loss(f, y), JAX operations, differentiable in f.
    - `name`: for printing.
    - `convex`, `nonnegative`, `smooth`: facts, see `AbstractLoss`; taken as not so unless you say so.
    """

    function: Callable[[Any, Any], Float[Array, ""]]
    name: str = eqx.field(static=True, default="function")
    convex: bool = eqx.field(static=True, default=False)
    nonnegative: bool = eqx.field(static=True, default=False)
    smooth: bool = eqx.field(static=True, default=False)

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return self.function(f, y)


class Squared(AbstractLoss):
    """`factor` |f - y|^2. 1/2 is the convention of yarotsky2018, rotskoff2018 and teacherstudent2020; mei2018 has 1.

    **Raises** `ValueError` unless factor > 0.
    """

    factor: Number = eqx.field(converter=lambda k: leaf(k, "squared(factor=...)", above=0.0), default=0.5)
    convex = nonnegative = smooth = True

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return self.factor * jnp.sum((f - y) ** 2)

    @property
    def square_factor(self) -> Float[Array, ""]:
        return jnp.asarray(self.factor)

    def in_torch(self, components: int) -> tuple[str, float]:
        return "mse_loss", float(self.factor) * components


class Logistic(AbstractLoss):
    """log(1 + exp(-y f)), y = +-1; summed over the components of a vector output.

    A `Problem` raises `ValueError` for targets that are other numbers.
    """

    convex = nonnegative = smooth = labels = True

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        return jnp.sum(jnp.logaddexp(0.0, -y * f))

    def in_torch(self, components: int) -> tuple[str, float]:
        return "binary_cross_entropy_with_logits", float(components)

    def check(self, y: Float[Array, "n ..."]) -> None:
        labels = np.unique(np.asarray(y))
        if not np.all(np.abs(labels) == 1.0):
            other = labels[np.abs(labels) != 1.0]
            raise ValueError(
                f"losses.logistic: the targets must be labels -1 or +1, {len(other)} other values came, {other[0]:g} "
                "among them; map two classes to -1 and +1 (2 y - 1 for 0 and 1)."
            )


class Softmax(AbstractLoss):
    r"""$\log \sum_c e^{f_c} - \sum_c y_c f_c$, y one-hot: minus the log of the probability of the row's class.

    A `Problem` raises `ValueError` for targets that are no such vectors of at least two numbers.
    """

    convex = nonnegative = smooth = labels = one_hot = True

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        top = jnp.max(f)
        # Not `logsumexp`: of that JAX knows no Taylor series.
        return top + jnp.log(jnp.sum(jnp.exp(f - top))) - jnp.sum(y * f)

    def in_torch(self, components: int) -> tuple[str, float]:
        return "cross_entropy", 1.0

    def check(self, y: Float[Array, "n ..."]) -> None:
        rows = np.asarray(y)
        if rows.ndim != 2 or rows.shape[1] < 2 or not np.all((rows == 0) | (rows == 1)) or np.any(rows.sum(1) != 1):
            raise ValueError(
                "losses.softmax: each target must be a one-hot vector: as many numbers as classes, at least two, the "
                "row's class 1 and the others 0."
            )


class Huber(AbstractLoss):
    """(f - y)^2 / 2 up to |f - y| = `threshold`, linear beyond; summed over components.

    **Raises** `ValueError` unless threshold > 0.
    """

    threshold: Number = eqx.field(converter=lambda t: leaf(t, "huber(threshold=...)", above=0.0), default=1.0)
    convex = nonnegative = True

    def __call__(self, f: Any, y: Any) -> Float[Array, ""]:
        size = jnp.abs(f - y)
        inside = jnp.minimum(size, self.threshold)
        return jnp.sum(0.5 * inside**2 + self.threshold * (size - inside))

    def in_torch(self, components: int) -> tuple[str, float]:
        return f"huber_loss(delta={float(self.threshold):g})", float(components)


squared = Squared
logistic = Logistic
softmax = Softmax
huber = Huber

registry = Registry("loss")
registry.add("squared", squared, factor=positive)
registry.add("logistic", logistic)
registry.add("softmax", softmax)
registry.add("huber", huber, threshold=positive)
