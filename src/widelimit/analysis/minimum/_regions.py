"""Where the extremum of a first variation is searched, in coordinates without constraints or on a box."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Blocks, join, row_size, split
from widelimit.numerics import compiled_quickly
from widelimit.problem import Problem, domains
from widelimit.problem.data import require_nodes

# An exhaustive search in more dimensions would not end.
_MOST_DIMENSIONS = 3

# r = 3 t / (1 - t): the scale of a search up to infinity.
_SCALE = 3.0


class Region(eqx.Module):
    """The searched blocks, their domains and the coordinates u of a search.

    - `names`: the blocks searched; the others (the linear one) are set to one.
    - `homogeneous`: only directions are searched, w = u / |u|; `degree`: k.
    - `boxed`: u are the parameters themselves, within `box`; or the angles of a direction (two or three numbers w); or,
      where infinity belongs to the search, s: r = `reach` s up to s = 1, r = `reach` / (2 - s) up to s = 2.
    - `infinite`: one parameter r >= 0 that is searched up to and with infinity.
    """

    blocks: Blocks = eqx.field(static=True)
    names: tuple[str, ...] = eqx.field(static=True)
    domain: domains.Product
    homogeneous: bool = eqx.field(static=True)
    degree: float = eqx.field(static=True)
    bounded_unit: bool = eqx.field(static=True)
    radius: float = eqx.field(static=True)
    infinite: bool = eqx.field(static=True)
    boxed: bool = eqx.field(static=True)
    # An array, so that another reach compiles nothing.
    reach: Float[Array, ""]

    @classmethod
    def of_rows(cls, problem: Problem) -> "Region":
        """All the parameters, for psi itself."""
        names = tuple(block.name for block in problem.blocks)
        return cls._make(problem, names, homogeneous=False)

    @classmethod
    def of_extremes(cls, problem: Problem) -> "Region":
        """All but a linear block in a box that no penalty touches: psi is least at the ends of its domain."""
        name = problem.unit.linear
        bounded = name is not None and problem.domain.of(name).box
        if name is None or not bounded or (problem.penalty is not None and problem.penalty.touches(name)):
            return cls.of_rows(problem)
        names = tuple(block.name for block in problem.blocks if block.name != name)
        return cls._make(problem, names, homogeneous=False)

    @classmethod
    def of_features(cls, problem: Problem) -> "Region":
        """All but the linear block; only directions where phi~ is homogeneous and nothing bounds them."""
        names = tuple(block.name for block in problem.blocks if block.name != problem.unit.linear)
        free = all(problem.domain.of(name).free for name in names)
        return cls._make(problem, names, homogeneous=free and problem.unit.homogeneity is not None)

    @classmethod
    def _make(cls, problem: Problem, names: tuple[str, ...], *, homogeneous: bool) -> "Region":
        radius = problem.domain.of(names[0]).sphere if len(names) == 1 else None
        return cls(
            blocks=problem.blocks,
            names=names,
            domain=problem.domain,
            homogeneous=homogeneous,
            degree=(problem.unit.homogeneity or 0.0) if homogeneous else 0.0,
            bounded_unit=problem.unit.bound is not None,
            radius=1.0 if radius is None else float(radius),
            infinite=_reaches_infinity(problem, names),
            boxed=False,
            reach=jnp.ones(()),
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
        return self.homogeneous or self.infinite or all(self.domain.of(name).compact for name in self.names)

    @property
    def _floor(self) -> Any:
        """The least r of an infinite region; traced inside of a compiled search."""
        return self.domain.of(self.names[0]).bounds(())[0]

    @property
    def directions(self) -> bool:
        """Whether w is searched on a sphere, by its direction."""
        return self.homogeneous or (len(self.names) == 1 and self.domain.of(self.names[0]).sphere is not None)

    @property
    def all_points(self) -> np.ndarray | None:
        """All there is to search, where that is finite: nothing, or the two directions of one number."""
        if self.size == 0:
            return np.zeros((1, 0))
        return np.asarray([[1.0], [-1.0]]) if self.size == 1 and self.directions else None

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray] | None:
        """The box of an exhaustive search, or None where there is none."""
        if self.size > _MOST_DIMENSIONS:
            return None
        if self.directions:
            if self.size == 1:
                return None
            turn = [0.0] if self.size == 2 else [0.0, 0.0]
            ends = [2 * np.pi] if self.size == 2 else [np.pi, 2 * np.pi]
            return np.asarray(turn), np.asarray(ends)
        lower, upper = [], []
        for block in self.searched:
            domain = self.domain.of(block.name)
            if not domain.box and domain.period is None:
                return None
            low, high = domain.bounds(block.shape)
            lower += [low] * block.size
            upper += [high] * block.size
        if not np.all(np.isfinite(lower + upper)):
            return None
        return np.asarray(lower), np.asarray(upper)

    def on_box(self, reach: float = 1.0) -> "Region":
        """The same region with u the parameters (or angles, or s) themselves."""
        return dataclasses.replace(self, boxed=True, reach=jnp.asarray(reach))

    def theta(self, u: Float[Array, " m"]) -> Any:
        """The searched point as named blocks; a block that is not searched is one."""
        if self.directions:
            flat = self.radius * (_direction(u) if self.boxed else u / jnp.sqrt(jnp.sum(u**2)))
            parts = split(self.searched, flat)._asdict()
        elif self.infinite:
            r = jnp.where(u <= 1.0, self.reach * u, self.reach / (2.0 - u)) if self.boxed else self._floor + _out(u)
            parts = split(self.searched, r)._asdict()
        else:
            parts = split(self.searched, u)._asdict()
            if not self.boxed:
                parts = {name: self.domain.of(name).chart(z) for name, z in parts.items()}
        full = split(self.blocks, jnp.ones(row_size(self.blocks), u.dtype))
        return full._replace(**parts)

    def row(self, u: Float[Array, " m"]) -> Float[Array, " D"]:
        return join(self.blocks, self.theta(u))

    def row_sample(self, count: int) -> Float[Array, "n D"]:
        """Points all over the region, where it has an end; none elsewhere."""
        if self.infinite:
            return jax.vmap(self.row)(jnp.linspace(0.0, jnp.pi, count)[:, None])
        if self.box is None:
            return jnp.zeros((0, row_size(self.blocks)))
        low, high = (jnp.asarray(side) for side in self.box)
        u = low + (high - low) * jax.random.uniform(jax.random.key(0), (count, len(low)))
        return jax.vmap(self.on_box().row)(u)

    def starts(self, rows: Float[Array, "N D"]) -> Float[Array, "N m"]:
        """Particles in the coordinates of the local search."""
        return _starts(self, rows)

    def _starts(self, rows: Any) -> Any:
        theta = split(self.blocks, rows)
        if not self.names:
            return rows[:, :0]
        if self.infinite:
            r = getattr(theta, self.names[0]).reshape(-1, 1)
            return 2.0 * jnp.arctan(jnp.sqrt(jnp.maximum(r - self._floor, 0.0) / _SCALE))
        parts = []
        for block in self.searched:
            z = getattr(theta, block.name)
            parts.append(z if self.directions else jax.vmap(self.domain.of(block.name).unchart)(z))
        flat = jnp.concatenate([p.reshape(rows.shape[0], -1) for p in parts], axis=1)
        if self.directions:
            # A particle at the origin has no direction.
            flat = jnp.where(jnp.sum(flat**2, axis=1, keepdims=True) > 0, flat, jnp.ones_like(flat))
        return flat


@compiled_quickly
def _starts(region: Region, rows: Any) -> Any:
    return region._starts(rows)


def _out(u: Float[Array, " m"]) -> Float[Array, " m"]:
    """3 tan^2(u/2): all of [0, inf], smooth at zero; exactly infinite where the cosine is -1 to rounding."""
    return _SCALE * (1.0 - jnp.cos(u)) / (1.0 + jnp.cos(u))


def _reaches_infinity(problem: Problem, names: tuple[str, ...]) -> bool:
    """Whether there is one number r >= 0 to search, without an upper bound, at whose end the unit has a limit."""
    searched = [block for block in problem.blocks if block.name in names]
    if problem.data.nodes is None or row_size(tuple(searched)) != 1:
        return False
    domain = problem.domain.of(names[0])
    lower, upper = domain.bounds(searched[0].shape)
    # A penalty on r keeps it finite; one of the user's own may.
    free = problem.penalty is None or not problem.penalty.touches(names[0])
    return domain.box and lower >= 0.0 and upper == float("inf") and free and _has_limit(problem, names[0])


# How far out a unit is compared with what it gives at infinity.
_OUT = 1e12


def _has_limit(problem: Problem, name: str) -> bool:
    """Whether the unit is finite at infinity, and is nearly that far out, on all of the data."""
    end, near = (np.asarray(_far_values(problem, name, r)) for r in (jnp.asarray(jnp.inf), jnp.asarray(_OUT)))
    return bool(np.all(np.isfinite(end)) and np.all(np.abs(near - end) <= 1e-6 * (1.0 + np.max(np.abs(end)))))


@compiled_quickly
def _far_values(problem: Problem, name: str, r: Any) -> Any:
    ones = split(problem.blocks, jnp.ones(row_size(problem.blocks)))
    theta = ones._replace(**{name: jnp.full_like(getattr(ones, name), r)})
    return jax.vmap(lambda x: problem.unit(theta, x))(require_nodes(problem.data, "minimise").x)


def _direction(u: Float[Array, " m"]) -> Float[Array, " n"]:
    """A unit vector from one or two angles; it moves no faster than the angles."""
    if u.shape[0] == 1:
        return jnp.stack([jnp.cos(u[0]), jnp.sin(u[0])])
    polar, turn = u[0], u[1]
    return jnp.stack([jnp.cos(polar), jnp.sin(polar) * jnp.cos(turn), jnp.sin(polar) * jnp.sin(turn)])
