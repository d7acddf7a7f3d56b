"""Where the extremum of a first variation is searched, in coordinates without constraints or on a box."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Blocks, join, row_size, split
from widelimit.problem import Potential, Problem, domains, penalties
from widelimit.problem.units import AbstractUnit, feature

# An exhaustive search in more dimensions would not end.
_MOST_DIMENSIONS = 3


class Region(eqx.Module):
    """The searched blocks, their domains and the coordinates u of a search.

    - `names`: the blocks searched; the others (the linear one) are set to one.
    - `homogeneous`: only directions are searched, w = u / |u|; `degree`: k.
    - `angles`: u are angles of a direction instead (two or three numbers w).
    - `boxed`: u are the parameters themselves, within `box`.
    """

    blocks: Blocks = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    domain: domains.Product
    homogeneous: bool = eqx.field(static=True)
    degree: float = eqx.field(static=True)
    bounded_unit: bool = eqx.field(static=True)
    radius: float = eqx.field(static=True)
    boxed: bool = eqx.field(static=True)

    @classmethod
    def of_rows(cls, problem: Problem) -> "Region":
        """All the parameters, for psi itself."""
        names = tuple(block.name for block in problem.blocks)
        return cls._make(problem, names, homogeneous=False)

    @classmethod
    def of_features(cls, problem: Problem) -> "Region":
        """All but the linear block; only directions where phi~ is homogeneous and nothing bounds them."""
        names = tuple(block.name for block in problem.blocks if block.name != problem.unit.linear)
        free = all(isinstance(problem.domain.of(name), domains.Euclidean) for name in names)
        return cls._make(problem, names, homogeneous=free and problem.unit.homogeneity is not None)

    @classmethod
    def _make(cls, problem: Problem, names: tuple[str, ...], *, homogeneous: bool) -> "Region":
        sphere = problem.domain.of(names[0]) if names else None
        alone = len(names) == 1 and isinstance(sphere, domains.Sphere)
        return cls(
            blocks=problem.blocks,
            names=names,
            domain=problem.domain,
            homogeneous=homogeneous,
            degree=(problem.unit.homogeneity or 0.0) if homogeneous else 0.0,
            bounded_unit=problem.unit.bound is not None,
            radius=sphere.radius if alone and isinstance(sphere, domains.Sphere) else 1.0,
            boxed=False,
        )

    @property
    def searched(self) -> Blocks:
        return tuple(block for block in self.blocks if block.name in self.names)

    @property
    def size(self) -> int:
        return row_size(self.searched)

    @property
    def norm(self) -> str:
        """The integrand of the variation, in words."""
        linear = next(b.name for b in self.blocks if b.name not in self.names)
        if not self.homogeneous or not self.names:
            return f"|{linear}|"
        rest = ", ".join(self.names)
        power = "" if self.degree == 1.0 else f"^{self.degree:g}"
        return f"|{linear}| |({rest})|{power}" if len(self.names) > 1 else f"|{linear}| |{rest}|{power}"

    @property
    def compact(self) -> bool:
        """Whether the search cannot run to infinity."""
        return self.homogeneous or all(
            isinstance(self.domain.of(b.name), domains.Sphere | domains.Circle)
            or bool(np.all(np.isfinite(self.domain.of(b.name).bounds(b.shape))))
            for b in self.searched
        )

    @property
    def _directions(self) -> bool:
        single = len(self.names) == 1 and isinstance(self.domain.of(self.names[0]), domains.Sphere)
        return self.homogeneous or single

    @property
    def all_points(self) -> np.ndarray | None:
        """All there is to search, where that is finite: nothing, or the two directions of one number."""
        if self.size == 0:
            return np.zeros((1, 0))
        return np.asarray([[1.0], [-1.0]]) if self.size == 1 and self.homogeneous else None

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The box of an exhaustive search, or None where there is none."""
        if self.size > _MOST_DIMENSIONS:
            return None
        if self._directions:
            if self.size == 1:
                return None
            turn = [0.0] if self.size == 2 else [0.0, 0.0]
            ends = [2 * np.pi] if self.size == 2 else [np.pi, 2 * np.pi]
            return np.asarray(turn), np.asarray(ends)
        lower, upper = [], []
        for block in self.searched:
            domain = self.domain.of(block.name)
            if isinstance(domain, domains.Sphere):
                return None
            low, high = domain.bounds(block.shape)
            lower += [low] * block.size
            upper += [high] * block.size
        if not np.all(np.isfinite(lower + upper)):
            return None
        return np.asarray(lower), np.asarray(upper)

    def on_box(self) -> "Region":
        """The same region with u the parameters (or angles) themselves."""
        return dataclasses.replace(self, boxed=True)

    def theta(self, u: Float[Array, " m"]) -> Any:
        """The searched point as named blocks; a block that is not searched is one."""
        if self._directions:
            flat = self.radius * (_direction(u) if self.boxed else u / jnp.sqrt(jnp.sum(u**2)))
            parts = split(self.searched, flat)._asdict()
        else:
            parts = split(self.searched, u)._asdict()
            if not self.boxed:
                parts = {name: self.domain.of(name).chart(z) for name, z in parts.items()}
        full = split(self.blocks, jnp.ones(row_size(self.blocks), u.dtype))
        return full._replace(**parts)

    def row(self, u: Float[Array, " m"]) -> Float[Array, " D"]:
        return join(self.blocks, self.theta(u))

    def starts(self, rows: Float[Array, "N D"]) -> Float[Array, "N m"]:
        """Particles in the coordinates of the local search."""
        theta = split(self.blocks, rows)
        parts = []
        for block in self.searched:
            z = getattr(theta, block.name)
            parts.append(z if self._directions else jax.vmap(self.domain.of(block.name).unchart)(z))
        flat = jnp.concatenate([p.reshape(rows.shape[0], -1) for p in parts], axis=1)
        if self._directions:
            # A particle at the origin has no direction.
            flat = jnp.where(jnp.sum(flat**2, axis=1, keepdims=True) > 0, flat, jnp.ones_like(flat))
        return flat


def _direction(u: Float[Array, " m"]) -> Float[Array, " n"]:
    """A unit vector from one or two angles; it moves no faster than the angles."""
    if u.shape[0] == 1:
        return jnp.stack([jnp.cos(u[0]), jnp.sin(u[0])])
    polar, turn = u[0], u[1]
    return jnp.stack([jnp.cos(polar), jnp.sin(polar) * jnp.cos(turn), jnp.sin(polar) * jnp.sin(turn)])


class Correlation(eqx.Module):
    """|<R'(f), phi~(w, .)>| (Euclidean norm over outputs) as a function of u; `slope` bounds its derivative."""

    unit: AbstractUnit
    x: Float[Array, "Q d"]
    dual: Float[Array, "Q ..."]
    region: Region
    slope: Float[Array, ""] | None

    def __call__(self, u: Float[Array, " m"]) -> Float[Array, ""]:
        theta = self.region.theta(u)
        values = jax.vmap(lambda point: feature(self.unit, theta, point))(self.x)
        total = jnp.tensordot(values, self.dual, axes=1)
        square = jnp.sum(total**2)
        # The root's derivative is infinite at zero; searches never need it there.
        return jnp.sqrt(jnp.maximum(square, 1e-300))


class Depth(eqx.Module):
    """-psi as a function of u; `slope` bounds its derivative."""

    potential: Potential
    region: Region
    slope: Float[Array, ""] | None

    def __call__(self, u: Float[Array, " m"]) -> Float[Array, ""]:
        return -self.potential.at(self.region.theta(u))


def correlation(potential: Potential, region: Region) -> Correlation:
    per_point = _slopes(potential)
    slope = None if per_point is None else jnp.sum(_sizes(potential.dual) * per_point) * region.radius
    return Correlation(potential.unit, potential.x, potential.dual, region, slope)


def potential_depth(potential: Potential, region: Region) -> Depth:
    slope = _potential_slope(potential, region)
    return Depth(potential, region, None if slope is None else jnp.asarray(slope))


def _slopes(potential: Potential) -> Float[Array, " Q"] | None:
    """The unit's Lipschitz constant at each data point, or None."""
    if potential.unit.lipschitz(potential.x[0]) is None:
        return None
    return jax.vmap(lambda x: jnp.asarray(potential.unit.lipschitz(x)))(potential.x)


def _sizes(dual: Float[Array, "Q ..."]) -> Float[Array, " Q"]:
    return jnp.sqrt(jnp.sum(dual.reshape(dual.shape[0], -1) ** 2, axis=1))


def _potential_slope(potential: Potential, region: Region) -> float | None:
    """A Lipschitz constant of psi on a bounded region; None where the parts do not give one."""
    per_point, box = _slopes(potential), region.box
    if per_point is None or box is None:
        return None
    sizes = _sizes(potential.dual)
    through = float(jnp.sum(sizes * per_point)) * region.radius
    linear = potential.unit.linear
    reach = float(np.linalg.norm(np.maximum(np.abs(box[0]), np.abs(box[1])))) if not region._directions else 1.0
    slope = through
    if linear is not None:
        # psi = c . g(w): |d psi| <= |c| |dg| + |g| |dc|, and |g| <= |g(centre)| + its slope times the half-diagonal.
        blocks = {block.name: block for block in potential.blocks}
        low, high = region.domain.of(linear).bounds(blocks[linear].shape)
        charge = max(abs(low), abs(high)) * blocks[linear].size ** 0.5
        centre = split(potential.blocks, jnp.asarray(0.5 * (box[0] + box[1])))
        values = jnp.abs(jax.vmap(lambda x: feature(potential.unit, centre, x))(potential.x))
        half = 0.5 * float(np.linalg.norm(box[1] - box[0]))
        height = float(jnp.sum(sizes * (values + per_point * half)))
        slope = float(np.hypot(charge * through, height))
    for term in penalties.parts(potential.penalty):
        if isinstance(term, penalties.L2):
            slope += 2.0 * term.strength * reach * (1.0 if not region._directions else region.radius**2)
        elif isinstance(term, penalties.TotalVariation):
            slope += term.strength
        else:
            return None
    return slope
