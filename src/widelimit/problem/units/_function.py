"""A unit given by a function of the user's own."""

import keyword
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks

from ._unit import AbstractUnit

Phi = Callable[[Any, Float[Array, " d"]], Float[Array, "..."]]
Bound = Callable[[Float[Array, " d"]], Float[Array, ""]]


class Function(AbstractUnit):
    """phi(theta, x) of the user's own, with named columns.

        unit = Function(lambda theta, x: theta.charge * jnp.sin(theta.phase + x[0]), columns=["charge", "phase"])

    - `function`: phi(theta, x) for one particle and one input x [d]; shape () or (C,); JAX operations. A new
      lambda compiles anew: keep one and pass it on, or use an `equinox.Module` whose numbers are arrays.
    - `columns`: the names of the columns, each a number; or a mapping from names to shapes.
    - `linear`, `homogeneity`, `bound`, `kinked`: facts, see `AbstractUnit`; unknown by default.
    - `slope`: a function of x that bounds |grad phi~| in all blocks but the linear one; `bend` one that bounds its
      second derivatives, `outer_bend` those in y = 1/r (see `AbstractUnit.curvature`, `outer_curvature`).
    """

    function: Phi
    columns: Blocks = eqx.field(static=True)
    linear: str | None = eqx.field(static=True)
    homogeneity: float | None = eqx.field(static=True)
    bound: float | None = eqx.field(static=True)
    kinked: bool = eqx.field(static=True)
    slope: Bound | None
    bend: Bound | None
    outer_bend: Bound | None

    def __init__(
        self,
        function: Phi,
        *,
        columns: Sequence[str] | Mapping[str, tuple[int, ...]],
        linear: str | None = None,
        homogeneity: float | None = None,
        bound: float | None = None,
        kinked: bool = False,
        slope: Bound | None = None,
        bend: Bound | None = None,
        outer_bend: Bound | None = None,
    ) -> None:
        if isinstance(columns, str) or not columns:
            raise ValueError(f"Function(columns=...): expected a list of names, got {columns!r}.")
        shapes = dict(columns) if isinstance(columns, Mapping) else {name: () for name in columns}
        if len(shapes) != len(columns):
            raise ValueError(f"Function(columns=...): a name stands twice in {list(columns)}.")
        for name in shapes:
            if not str(name).isidentifier() or str(name).startswith("_") or keyword.iskeyword(str(name)):
                raise ValueError(f"Function(columns=...): {name!r} cannot be a name; use letters and digits.")
        for name, shape in shapes.items():
            if not isinstance(shape, tuple) or not all(isinstance(k, int) and k > 0 for k in shape):
                raise ValueError(
                    f"Function(columns=...): the shape of {name!r} must be a tuple of sizes, got {shape!r}."
                )
        if linear is not None and linear not in shapes:
            raise ValueError(f"Function(linear=...): {linear!r} is not among the columns {list(shapes)}.")
        if outer_bend is not None and [math.prod(shapes[name]) for name in shapes if name != linear] != [1]:
            raise ValueError("Function(outer_bend=...): only for a unit with one parameter (a linear block aside).")
        self.function = function
        self.columns = tuple(Block(str(name), tuple(shape)) for name, shape in shapes.items())
        self.linear, self.homogeneity, self.bound, self.kinked = linear, homogeneity, bound, kinked
        self.slope, self.bend, self.outer_bend = slope, bend, outer_bend

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        return self.columns

    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        return self.function(theta, x)

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        return None if self.slope is None else self.slope(x)

    def curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        return None if self.bend is None else self.bend(x)

    def outer_curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        return None if self.outer_bend is None else self.outer_bend(x)
