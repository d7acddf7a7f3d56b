"""What a unit is: the function one particle contributes, and the facts it declares."""

import abc
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics.registry import Registry

registry = Registry("unit")


class AbstractUnit(eqx.Module):
    """phi(theta, x), written for one particle and one input; the library vmaps and chunks.

    A new unit needs `blocks` and `__call__`. The other members are facts that solvers and certificates
    rely on; the tests check them for every unit. A fact that is not known is None (or True for `kinked`
    where in doubt), which only makes the library more careful.
    """

    @abc.abstractmethod
    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        """The named blocks of theta for inputs in R^inputs and outputs of shape () or (C,).

        Raises `ValueError` when the unit cannot have such inputs or outputs.
        """

    @abc.abstractmethod
    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        """phi(theta, x): shape () or (C,). `theta` has one field a block."""

    @property
    @abc.abstractmethod
    def kinked(self) -> bool:
        """Whether grad_theta phi jumps somewhere (then no Hessian by autodiff)."""

    @property
    @abc.abstractmethod
    def linear(self) -> str | None:
        """The block in which phi is linear (phi = c . phi~(w, x)), if there is one."""

    @property
    @abc.abstractmethod
    def homogeneity(self) -> float | None:
        """k when phi~ (or phi, without a linear block) has degree k in all the other blocks together."""

    @property
    @abc.abstractmethod
    def bound(self) -> float | None:
        """sup |phi~| (or |phi|, without a linear block) over all theta and x, where finite."""

    @abc.abstractmethod
    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        """A bound on |grad phi~(w, x)| in all blocks but the linear one, for every w; None if there is none."""

    @abc.abstractmethod
    def curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        """A bound on the operator norm of the Hessian of phi~(w, x) in all blocks but the linear one, for every w.

        None if there is none: a kinked unit has none.
        """

    @abc.abstractmethod
    def outer_curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        """A bound on |d^2/dy^2 phi~(1/y, x)| for all y > 0, of a unit with one parameter r >= 0 (a linear block aside).

        Such a unit has a limit at r = infinity, and gives it for r = infinity. None for all other units.
        """


def feature(unit: AbstractUnit, theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    """phi~(w, x) of a unit that is linear in a block: phi with a one in that block; a number.

    For a vector output phi = c phi~, so one component of c = (1, ..., 1) shows it.
    """
    assert unit.linear is not None
    ones = jnp.ones_like(getattr(theta, unit.linear))
    return jnp.ravel(unit(theta._replace(**{unit.linear: ones}), x))[0]
