"""What a network is: f from a measure of particles, and the facts it declares."""

import abc
import math
from typing import TYPE_CHECKING, Any, ClassVar

from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import Count, Module
from widelimit.numerics.registry import Registry

from ..units import AbstractUnit
from ._levels import Levels

if TYPE_CHECKING:
    from ._expansion import Expansion


registry = Registry("network", usual="two_layer")
"""Networks by name, for problem files; one that takes a `unit` is a mean of the unit beside it."""


class AbstractDual(Module):
    """The data part of psi of any particle, with what it needs of the measure held; theta has one field a block."""

    @abc.abstractmethod
    def __call__(self, theta: Any) -> Float[Array, ""]:
        """psi of one particle."""

    @property
    @abc.abstractmethod
    def entries(self) -> int:
        """How many numbers one query holds in memory."""


class AbstractNetwork(Module):
    """f of a measure: theta has one field a block, each [N, *shape]; weights w [N]; inputs x [q, d].

    A new network needs `blocks` and `__call__`, and `__call__` reads theta and w through `integrate` alone, as often as
    it likes: then the gradient of a risk in theta *is* grad psi, and that in w is psi, for any nesting of integrals.
    The other members are facts; one that is left out is not known, which makes the library careful. Gradients and
    forward derivatives of gradients are exact; a forward derivative of f itself is not there.
    """

    unit: ClassVar[AbstractUnit | None] = None
    """phi, where f = INT phi(theta, x) rho(dtheta): a two-layer mean; None for every other network."""
    marginal: ClassVar[AbstractUnit | None] = None
    """phi, where f = INT phi(theta, x) of the measure without its levels: then f does not see who stands on which."""
    kinked: ClassVar[bool] = True
    """Whether grad psi may jump somewhere (then no Hessian by automatic differentiation); True where in doubt."""
    offset: ClassVar[Float[Array, "..."] | None] = None
    """A constant that is added to the scaled f, () or (C,): an output bias, which no dynamics moves. None: zero.

    For one that is trained see `units.WithOffset`.
    """
    levels: ClassVar[Levels | None] = None
    """The levels on which particles stand, where they cannot be relabelled and split at will."""

    @abc.abstractmethod
    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        """The named blocks of one particle, for inputs in R^inputs and outputs of shape () or (C,).

        Raises `ValueError` when the network cannot have such inputs or outputs.
        """

    @abc.abstractmethod
    def __call__(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]) -> Float[Array, "q ..."]:
        """f at the inputs: [q] or [q, C]. It may build tables of N x q numbers; the library cuts x into pieces."""

    def components(self, outputs: tuple[int, ...]) -> float:
        """How many numbers a particle and an input take in the largest table that `__call__` builds, on average."""
        return math.prod(outputs)

    def shifted(self, f: Float[Array, "..."]) -> Float[Array, "..."]:
        """The scaled f with its offset."""
        return f if self.offset is None else f + self.offset

    def expansion(self, order: Count, *, continuous: bool | None) -> "Expansion":
        """The network as a series in its measure, up to an order. Raises `ValueError` where it has none.

        `continuous`: at infinite depth; None: as the network itself.
        """
        raise ValueError(f"expansion: {type(self).__name__} has none; a wide residual network has.")

    def dual(
        self, theta: Any, w: Float[Array, " N"], x: Float[Array, "Q d"], slope: Float[Array, "Q ..."], piece: int
    ) -> AbstractDual | None:
        """psi for many queries, of the derivative `slope` of the risk in f(x), in pieces of at most `piece` inputs.

        None: queries are put beside the particles, as particles of no mass. A network of levels has to write it.
        """
        return None
