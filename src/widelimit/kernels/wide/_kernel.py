"""A kernel K(x, x') that can be called, with its error."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import entries, map_rows

from .._abstract import AbstractKernel
from ._arc_cosine import ArcCosine
from ._nodes import NodeSum
from ._slopes import WeightAtoms, WeightLine

# Roundings of a closed form, in units of the last place of sqrt(K(x, x) K(x', x')); the tests hold it to 40 digits.
_ROUNDINGS = 64.0


Means = ArcCosine | WeightAtoms | WeightLine


class ClosedForm(eqx.Module):
    """A line with one kink: value E sigma sigma' + scale (x . x' [weight] + 1 [bias]) E sigma' sigma''.

    `scale`: the mean square of the output weight, where the blocks of w and b move.
    """

    means: Means
    scale: Float[Array, ""]
    value: bool = eqx.field(static=True)
    weight: bool = eqx.field(static=True)
    bias: bool = eqx.field(static=True)
    exact = True

    def __call__(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        rows = max(1, entries(None) // (other.shape[0] * self._cost()))
        return map_rows(lambda point: self._row(point, other), x, rows)

    def error(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        return jnp.zeros((x.shape[0], other.shape[0]))

    def diagonal(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        return map_rows(lambda point: self._row(point, point[None])[0], x, max(1, entries(None) // self._cost()))

    def _row(self, point: Any, other: Any) -> Float[Array, " m"]:
        means = self.means(point[None], other)
        moved = (other @ point if self.weight else 0.0) + (1.0 if self.bias else 0.0)
        return (means.values[0] if self.value else 0.0) + self.scale * moved * means.slopes[0]

    def _cost(self) -> int:
        """About how many numbers one pair takes."""
        return sum(leaf.size for leaf in jax.tree.leaves(eqx.filter(self.means, eqx.is_array))) + 1


class Kernel(AbstractKernel):
    r"""$K(x, x')$ of a unit and a law; made by `random_features` and `neural_tangent`.

    `kernel(x, other)`: of two numbers a number, of [n] or [n, d] and [m] or [m, d] a table [n, m]; a number beside an
    array gives a row. JAX operations: it can be differentiated and compiled.

    - `inputs`: d, None where the unit takes any.
    - `closed`: whether it is a closed form (or a sum over all atoms), right to rounding; else it is a sum over nodes.

    **Raises** `ValueError` for inputs of another shape and for what is not finite.
    """

    parts: tuple[tuple[Float[Array, ""], ClosedForm | NodeSum], ...]
    inputs: int | None = eqx.field(static=True)
    closed: bool = eqx.field(static=True)

    def table(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        return _table(self, x, other)

    def errors(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        return _errors(self, x, other)


@eqx.filter_jit
def _table(kernel: Kernel, x: Any, other: Any) -> Float[Array, "n m"]:
    first, *rest = (mass * part(x, other) for mass, part in kernel.parts)
    return sum(rest, first)


@eqx.filter_jit
def _errors(kernel: Kernel, x: Any, other: Any) -> Float[Array, "n m"]:
    estimated = sum(mass * part.error(x, other) for mass, part in kernel.parts)
    left, right = (sum(mass * part.diagonal(points) for mass, part in kernel.parts) for points in (x, other))
    sizes = jnp.sqrt(jnp.maximum(left, 0.0)[:, None] * jnp.maximum(right, 0.0))
    return estimated + _ROUNDINGS * float(jnp.finfo(float).eps) * sizes
