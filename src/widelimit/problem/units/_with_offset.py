"""A unit and a number beside it: the mean of these numbers is a trainable output bias."""

from typing import Any

from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks

from ._unit import AbstractUnit

_NAME = "offset"


class WithOffset(AbstractUnit):
    r"""$\phi(\theta, a; x) = \phi(\theta, x) + a$: the unit, and a block `offset` (a: () or (C,)) behind its blocks.

    The mean adds $o = \int a\,d\rho$, an output bias that is trained. With the output scale kappa it is $\kappa o$, and

    $$\nabla_a \psi = \kappa \int \ell'(f, y)\,d\mu,\qquad \dot a = -P_a \nabla_a \psi$$

    is the same for all neurons. So whatever the spread of a at the start, the bias $b = \kappa o$ moves as one number
    does by gradient descent with learning rate $\eta$, where the step s has $s P_a = \eta / \kappa^2$; and a penalty
    $\lambda a^2$ with equal a is $(\lambda / \kappa^2)\,b^2$. P_a = 0 makes it a constant.

    It has no linear block (its charge alone does not make phi), so what rests on one does not apply to it.

    Raises `ValueError` for what is no unit, and for one that has a block `offset`.
    """

    unit: AbstractUnit

    def __init__(self, unit: Any) -> None:
        if not isinstance(unit, AbstractUnit):
            raise ValueError(f"WithOffset(unit=...): expected one of widelimit.units, got {unit!r}.")
        self.unit = unit

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        own = self.unit.blocks(inputs, outputs)
        if any(block.name == _NAME for block in own):
            raise ValueError(f"WithOffset(unit=...): {type(self.unit).__name__} has a block {_NAME!r} itself.")
        return (*own, Block(_NAME, outputs))

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        # The unit finds its blocks by their names.
        return self.unit(theta, x) + theta.offset

    @property
    def inner(self) -> AbstractUnit:
        return self.unit

    @property
    def kinked(self) -> bool:
        return self.unit.kinked
