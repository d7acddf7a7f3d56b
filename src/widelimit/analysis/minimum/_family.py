r"""The atoms that a minimum may be made of, and the objective as a function of their places and weights.

$$J(z, p) = \sum_q \mu_q\,\ell\Big(\sum_i p_i\, \varphi(z_i, x_q), y_q\Big) + \sum_i p_i\, \mathrm{cost}(z_i)
  + \lambda_2 \Big(\sum_i p_i |c_i|\Big)^2$$

over weights p >= 0 with sum 1. A place z is the search coordinate u of a region, and the atom is phi at that point with
its penalty. Where the unit has a free linear block, z is (u, c): charges of the size of the budget, and the charge
zero, make every measure with INT |c| d rho <= C a mixture.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from widelimit.measure import join
from widelimit.numerics import compiled_quickly, entries, sum_chunks
from widelimit.problem import Problem
from widelimit.problem.data import Nodes
from widelimit.problem.units import feature

from ._regions import Region

# Arrays of atoms are filled up to a power of two, at least this, so that few sizes are compiled.
_LEAST = 8
# Between them and those of a first exchange with all its peaks lies one power of two. How many peaks there are depends
# on the data's numbers, not their shapes: where an expansion of the larger size takes no more products than this (tens
# of milliseconds, a compilation half a second) the size between is left out.
_EXCHANGED, _CHEAP = 32, 3e7


class Atoms(NamedTuple):
    """Places z [n, m], weights p [n], and which atoms are not to be moved [n]."""

    z: Float[np.ndarray, "n m"]
    p: Float[np.ndarray, " n"]
    pinned: Bool[np.ndarray, " n"]

    def of(self, index: Any) -> "Atoms":
        return Atoms(self.z[index], self.p[index], self.pinned[index])

    def add(self, other: "Atoms") -> "Atoms":
        return Atoms(*(np.concatenate(pair) for pair in zip(self, other, strict=True)))


class Expansion(NamedTuple):
    """J to second order: `value`; `psi` [n], dJ/dp; `slope` [n, m], grad psi; `hessian` [n, m + 1, n, m + 1] of J in
    (z, p) of all atoms, the weight last.

    Of a coordinate at infinity the derivatives are zero. For the weights alone m is 0.
    """

    value: float
    psi: Float[np.ndarray, " n"]
    slope: Float[np.ndarray, "n m"]
    hessian: Float[np.ndarray, "n M n M"]


class Family(eqx.Module):
    """All atoms of a problem.

    - `charged`: whether z ends with a charge, which scales phi~: of the size of the `budget`, or zero; or, where
      `extremes` are given, each component one of the two.
    - `side`: 1 or -1 where the charge has one sign (see `Correlation`).
    - `size_cost`, `square_cost`: lambda_1, lambda_2 of the penalty lambda_1 |nu| + lambda_2 |nu|^2.
    """

    problem: Problem
    region: Region
    charged: bool = eqx.field(static=True)
    extremes: tuple[float, float] | None = eqx.field(static=True)
    side: int = eqx.field(static=True)
    budget: Float[Array, ""]
    size_cost: Float[Array, ""]
    square_cost: Float[Array, ""]

    @property
    def budgeted(self) -> bool:
        """Whether a budget, or a penalty in its place, bounds the charges."""
        return self.charged and self.extremes is None

    def value(self, z: Float[Array, " m"], x: Float[Array, " d"]) -> Float[Array, "..."]:
        """phi at one atom and one input."""
        theta, factor = self.region.theta(z[: self.region.size]), self.problem.scale.factor(1)
        if self.charged:
            return factor * self.charge(z) * feature(self.problem.unit, theta, x)
        return factor * self.problem.unit(theta, x)

    def charge(self, z: Float[Array, " m"]) -> Float[Array, "..."]:
        """c: [m] -> () or (C,). With a budget, z has its sign or its direction; else c itself."""
        v = z[self.region.size :]
        if self.extremes is not None:
            return v.reshape(self.problem.data.outputs)
        if not self.problem.data.outputs:
            return self.budget * v[0]
        v = v if self.side == 0 else self.side * jnp.abs(v)
        square = jnp.sum(v**2)
        return jnp.where(square > 0, self.budget / jnp.sqrt(jnp.where(square > 0, square, 1.0)), 0.0) * v

    def size(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        """|c|; zero without a budget."""
        if not self.budgeted:
            return jnp.zeros(())
        # The size is the budget whatever the direction: it has no derivative.
        return jax.lax.stop_gradient(jnp.sqrt(jnp.sum(self.charge(z) ** 2)))

    def cost(self, z: Float[Array, " m"]) -> Float[Array, ""]:
        if self.budgeted:
            return self.size_cost * self.size(z)
        # With extremes it does not depend on the charge.
        penalty = self.problem.penalty
        return jnp.zeros(()) if penalty is None else penalty(self.region.theta(z))

    def row(self, z: Float[Array, " m"]) -> Float[Array, " D"]:
        """The atom as a particle."""
        theta = self.region.theta(z[: self.region.size])
        if self.charged:
            theta = theta._replace(**{self.problem.unit.linear or "": self.charge(z)})
        return join(self.problem.blocks, theta)

    def frozen(self, atoms: Atoms, rows: Float[np.ndarray, "n D"]) -> Bool[np.ndarray, "n m"]:
        """The coordinates that a descent leaves alone: pinned atoms, infinity, charges that are a number or zero."""
        fixed = np.repeat((atoms.pinned | ~np.all(np.isfinite(rows), axis=1))[:, None], atoms.z.shape[1], axis=1)
        if self.charged:
            charge = atoms.z[:, self.region.size :]
            fixed[:, self.region.size :] |= not self.problem.data.outputs or self.extremes is not None
            fixed[~np.any(charge != 0.0, axis=1)] = True
        return fixed

    def places(self, rows: Float[Array, "k D"], pull: Float[Array, "k ..."]) -> Float[np.ndarray, "k m"]:
        """The places of particles, with charges in the direction `pull`."""
        u = np.asarray(self.region.starts(rows))
        if not self.charged:
            return u
        v = np.asarray(pull).reshape(len(u), -1)
        if self.extremes is not None:
            v = np.where(v > 0, self.extremes[1], self.extremes[0])
        elif not self.problem.data.outputs:
            v = np.sign(v)
        return np.concatenate([u, v], axis=1)

    def rows(self, z: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n D"]:
        return np.asarray(_rows(self, jnp.asarray(_filled(z), float)))[: len(z)]

    @property
    def outputs(self) -> int:
        """The number of components of a charge."""
        return int(np.prod(self.problem.data.outputs))

    def cost_of(self, atoms: int) -> float:
        """About how many products an expansion of so many atoms takes."""
        m = self.region.size + (self.outputs if self.charged else 0)
        nodes = self.problem.data.nodes
        return (atoms * (m + 1.0)) ** 2 * self.outputs * (0 if nodes is None else len(nodes.weights))

    def expand(self, atoms: Atoms, *, places: bool = True) -> Expansion:
        """J at the atoms, to second order in their weights and, with `places`, in their places."""
        n, nodes = len(atoms.p), self.problem.data.nodes
        assert nodes is not None
        z, p = filled(atoms.z, atoms.p, few=self.cost_of(_EXCHANGED) <= _CHEAP)
        found = _expand(self, jnp.asarray(z, float), jnp.asarray(p, float), nodes, places)
        value, psi, slope, hessian = (np.asarray(leaf) for leaf in found)
        return Expansion(float(value), psi[:n], slope[:n], hessian[:n, :, :n])


def _filled(array: np.ndarray, *, few: bool = True) -> np.ndarray:
    """Filled up with copies of the first row; `few`: to few sizes."""
    size = max(_LEAST, 1 << (len(array) - 1).bit_length())
    size = max(size, _EXCHANGED) if few and size > _LEAST else size
    return np.concatenate([array, np.repeat(array[:1], size - len(array), axis=0)])


def filled(
    rows: Float[np.ndarray, "n D"], p: Float[np.ndarray, " n"], *, few: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and weights filled up with particles of weight zero, so that few sizes are compiled."""
    rows = _filled(rows, few=few)
    return rows, np.concatenate([p, np.zeros(len(rows) - len(p))])


@compiled_quickly
def _rows(family: Family, z: Any) -> Any:
    return jax.vmap(family.row)(z)


@compiled_quickly
def _expand(family: Family, z: Float[Array, "K m"], p: Float[Array, " K"], nodes: Nodes, places: bool) -> Expansion:
    def piece(x: Any, y: Any, mu: Any) -> Any:
        return _data_part(family, z, p, (x, y, mu), places)

    chunk = max(1, entries(family.problem.budget) // (z.shape[0] * (places * z.shape[1] + 1) * family.outputs))
    value, psi, slope, local, joint = sum_chunks(piece, (nodes.x, nodes.y), nodes.weights, chunk)
    cost = jax.vmap(family.cost)(z)
    sizes = jax.vmap(family.size)(z)
    total = jnp.sum(p * sizes)
    value = value + jnp.sum(p * cost) + family.square_cost * total**2
    psi = psi + cost + 2.0 * family.square_cost * total * sizes
    if places:
        slope = slope + _kept(jax.vmap(jax.grad(family.cost))(z))
        local = local + _kept(jax.vmap(jax.hessian(family.cost))(z))
    joint = joint.at[:, -1, :, -1].add(2.0 * family.square_cost * sizes[:, None] * sizes)
    i = jnp.arange(z.shape[0])
    joint = joint.at[i, :-1, i, :-1].add(p[:, None, None] * local)
    joint = joint.at[i, :-1, i, -1].add(slope).at[i, -1, i, :-1].add(slope)
    return Expansion(value, psi, slope, joint)


def _data_part(family: Family, z: Any, p: Any, data: Any, places: bool) -> Any:
    """J, psi, grad psi, Hess psi of each atom, and the coupling of all, from a piece of the data."""
    x, y, mu = data
    problem, n = family.problem, x.shape[0]

    def values(z: Any) -> Any:
        return jax.vmap(lambda point: family.value(z, point))(x).reshape(n, -1)

    phi = jax.vmap(values)(z)
    moved = _kept(jax.vmap(jax.jacfwd(values))(z)) if places else jnp.zeros((*phi.shape, 0))
    f = problem.network.shifted(jnp.tensordot(p, phi, axes=1).reshape(y.shape))
    slope = (jax.vmap(jax.grad(problem.loss))(f, y).reshape(n, -1)) * mu[:, None]
    outputs = slope.shape[1]
    bend = jax.vmap(jax.hessian(problem.loss))(f, y).reshape(n, outputs, outputs) * mu[:, None, None]
    local = jnp.zeros((z.shape[0], 0, 0))
    if places:
        local = _kept(jax.vmap(jax.hessian(lambda z: jnp.sum(slope * values(z))))(z))
    # The columns of f's derivative in (z_i, p_i).
    columns = jnp.concatenate([p[:, None, None, None] * moved, phi[..., None]], axis=-1)
    bent = jnp.einsum("qoe,kqea->kqoa", bend, columns)
    return (
        jnp.sum(mu * jax.vmap(problem.loss)(f, y)),
        jnp.einsum("qo,kqo->k", slope, phi),
        jnp.einsum("qo,kqoa->ka", slope, moved),
        local,
        jnp.einsum("kqoa,lqob->kalb", columns, bent),
    )


def _kept(derivative: Any) -> Any:
    """Zero where there is no derivative: at infinity."""
    return jnp.where(jnp.isfinite(derivative), derivative, 0.0)
