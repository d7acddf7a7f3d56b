r"""Energies of interacting particles: $R(\rho) = c + \int V d\rho + \tfrac12 \iint U(\theta, \theta')\,d\rho\,d\rho'$.

Only the symmetric part $U_s(\theta, \theta') = (U(\theta, \theta') + U(\theta', \theta))/2$ counts in a double integral
over one measure, so that

$$\psi(\theta) = V(\theta) + \int U_s(\theta, \theta')\,\rho(d\theta'),\qquad
\nabla\psi(\theta) = \nabla V(\theta) + \int \nabla_1 U_s(\theta, \theta')\,\rho(d\theta').$$
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Block, Blocks, join, row_size, split
from widelimit.numerics import entries, leaf, map_rows, sum_chunks

from ._integrals import AbstractField, AbstractIntegrals, Curvature, Variation


class Pair(eqx.Module):
    """V and the symmetric part of U, written for one particle and for two."""

    V: Callable[[Any], Float[Array, ""]]
    U: Callable[[Any, Any], Float[Array, ""]]

    def double(self, a: Any, b: Any) -> Float[Array, ""]:
        return 0.5 * (self.U(a, b) + self.U(b, a))

    def partners(self, a: Any, theta: Any, w: Float[Array, " n"]) -> Float[Array, ""]:
        """SUM_j w_j U_s(a, theta_j)."""
        return jnp.dot(w, jax.vmap(lambda b: self.double(a, b))(theta))


class Pairwise(AbstractIntegrals):
    """The energy const + INT V d rho + 1/2 INT INT U d rho d rho', given in closed form: no data, no network.

        wl.Problem(integrals=Pairwise(V=lambda a: jnp.sum(a.z**2), U=kernel, blocks=(wl.measure.Block("z", (2,)),)))

    - `V`: of one particle, and `U`: of two, whose named blocks are fields; JAX operations that give one number. U need
      not be symmetric. A new lambda compiles anew: keep one, or use an `equinox.Module` whose numbers are arrays.
    - `blocks`: the named blocks of one particle.
    - `constant`: what is added to the energy.
    - `kinked`: whether V or U has kinks; unless you say not, it may have.
    - `budget`: how many numbers a table of pairs may hold; more is done in pieces over the particles.

    Raises `ValueError` for blocks that are none, and where V or U does not give one number.
    """

    pair: Pair
    constant: Float[Array, ""]
    columns: Blocks = eqx.field(static=True)
    kinked: bool = eqx.field(static=True)
    budget: int | None = eqx.field(static=True)
    exact = True

    def __init__(
        self,
        V: Callable[[Any], Any],
        U: Callable[[Any, Any], Any],
        *,
        blocks: tuple[Block, ...],
        constant: Any = 0.0,
        kinked: bool = True,
        budget: int | None = None,
    ) -> None:
        self.columns = tuple(blocks)
        if not self.columns or not all(isinstance(block, Block) for block in self.columns):
            raise ValueError(f"Pairwise(blocks=...): expected blocks such as measure.Block('z', (2,)), got {blocks!r}.")
        self.pair, self.constant = Pair(V, U), leaf(constant, "Pairwise(constant=...)")
        self.kinked, self.budget = kinked, budget
        one = jax.eval_shape(lambda: split(self.columns, jnp.zeros(row_size(self.columns))))
        for name, function, arguments in (("V", V, (one,)), ("U", U, (one, one))):
            shape = getattr(eqx.filter_eval_shape(function, *arguments), "shape", None)
            if shape != ():
                raise ValueError(f"Pairwise({name}=...): expected a function that gives one number, got shape {shape}.")

    def blocks(self) -> Blocks:
        return self.columns

    def with_budget(self, budget: int) -> "Pairwise":
        parts = {"blocks": self.columns, "constant": self.constant, "kinked": self.kinked, "budget": budget}
        return Pairwise(self.pair.V, self.pair.U, **parts)

    def risk(self, theta: Any, w: Float[Array, " N"]) -> Float[Array, ""]:
        return _risk(self, theta, w)

    def variation(self, theta: Any, w: Float[Array, " N"]) -> Variation:
        pair = self.pair

        def piece(*others: Any) -> Any:
            *fields, mass = others
            some = type(theta)(*fields)
            return jax.vmap(jax.value_and_grad(lambda a: pair.partners(a, some, mass)))(theta)

        single, slope = jax.vmap(jax.value_and_grad(pair.V))(theta)
        double, bent = sum_chunks(piece, tuple(theta), w, self._piece(w))
        risk = self.constant + jnp.dot(w, single + 0.5 * double)
        return Variation(risk, single + double, jax.tree.map(jnp.add, slope, bent))

    def potential(self, theta: Any, w: Float[Array, " N"]) -> AbstractField:
        return PairField(self.pair, theta, w)

    def curvature(self, theta: Any, w: Float[Array, " N"]) -> Curvature:
        return _curvature(self, theta, w)

    def _piece(self, w: Float[Array, " N"]) -> int:
        return max(1, entries(self.budget) // (w.shape[0] * row_size(self.columns)))


class PairField(AbstractField):
    """psi(.; rho) = V + INT U_s(., theta') rho(dtheta')."""

    pair: Pair
    theta: Any
    w: Float[Array, " N"]

    def at(self, theta: Any) -> Float[Array, ""]:
        return self.pair.V(theta) + self.pair.partners(theta, self.theta, self.w)

    @property
    def entries(self) -> int:
        return sum(field.size for field in jax.tree.leaves(self.theta))


@eqx.filter_jit
def _risk(energy: Pairwise, theta: Any, w: Any) -> Float[Array, ""]:
    pair = energy.pair

    @jax.checkpoint
    def piece(*others: Any) -> Any:
        *fields, mass = others
        some = type(theta)(*fields)
        return jnp.dot(w, jax.vmap(lambda a: pair.partners(a, some, mass))(theta))

    double = sum_chunks(piece, tuple(theta), w, energy._piece(w))
    return energy.constant + jnp.dot(w, jax.vmap(pair.V)(theta)) + 0.5 * double


@eqx.filter_jit
def _curvature(energy: Pairwise, theta: Any, w: Any) -> Curvature:
    pair, blocks, rows = energy.pair, energy.columns, join(energy.columns, theta)

    def single(row: Any) -> Any:
        return pair.V(split(blocks, row))

    def double(row: Any, other: Any) -> Any:
        return pair.double(split(blocks, row), split(blocks, other))

    def one(row: Any) -> tuple[Any, Any, Any]:
        bent = jax.vmap(lambda other: jax.hessian(double)(row, other))(rows)
        pull = jax.vmap(lambda other: jax.grad(double)(row, other))(rows)
        mixed = jax.vmap(lambda other: jax.jacfwd(jax.grad(double), argnums=1)(row, other))(rows)
        hessian = jax.hessian(single)(row) + jnp.tensordot(w, bent, axes=1)
        return hessian, jnp.swapaxes(mixed, 0, 1), jnp.abs(jax.grad(single)(row)) + jnp.dot(w, jnp.abs(pull))

    size = max(1, entries(energy.budget) // (rows.size * rows.shape[1]))
    return Curvature(*map_rows(one, rows, size))
