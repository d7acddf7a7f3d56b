"""What is measured along a run: functions of the problem and the measure, evaluated at save points."""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Grid, Measure, Particles, moment
from widelimit.numerics import Module
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._trajectory import Trajectory


class AbstractObservable(Module):
    """Named arrays of a (problem, measure); compiled once and called at every save point."""

    @abc.abstractmethod
    def __call__(self, problem: Problem, measure: Any) -> dict[str, Array]: ...

    shown: ClassVar[tuple[str, ...]] = ()
    cells: ClassVar[bool] = False
    """Whether it is given a density on a grid as that; else as particles at the centres of the cells."""

    def names(self, problem: Problem) -> tuple[str, ...]:
        """The names of the arrays; `shown` where they are always the same."""
        return self.shown

    def check(self, problem: Problem) -> None:
        """Raise `ValueError` where it cannot be computed for the problem."""
        return None


class Risk(AbstractObservable):
    """`risk`, the data term. Where the data has no nodes, on one fixed set of fresh samples, with `risk_error`.

    **Arguments**

    - `samples`: how many fresh samples, for data without nodes.
    - `key`: which ones; the same at every save point, so that the curve's shape carries less noise than its level.
    """

    samples: int = eqx.field(static=True, default=10_000)
    key: PRNGKeyArray | None = None

    def __call__(self, problem: Problem, measure: Particles) -> dict[str, Array]:
        if problem.integrals.deterministic:
            return {"risk": problem.risk(measure)}
        key = jax.random.key(0) if self.key is None else self.key
        # A stream of its own, apart from the one that trains.
        estimate = problem.estimate_risk(measure, samples=self.samples, key=jax.random.fold_in(key, 2**31 - 1))
        return {"risk": estimate.value, "risk_error": estimate.error}

    def names(self, problem: Problem) -> tuple[str, ...]:
        return ("risk",) if problem.integrals.deterministic else ("risk", "risk_error")


class RiskOn(AbstractObservable):
    """The risk on other data, for instance a held-out part: `RiskOn("held_out", Samples(x, y))`."""

    name: str = eqx.field(static=True)
    data: Any

    def __check_init__(self) -> None:
        _check_name(self.name)

    def __call__(self, problem: Problem, measure: Particles) -> dict[str, Array]:
        other = eqx.tree_at(lambda p: p.data, problem, self.data)
        return {self.name: other.risk(measure)}

    def names(self, problem: Problem) -> tuple[str, ...]:
        return (self.name,)

    def check(self, problem: Problem) -> None:
        nodes = require_nodes(self.data, "observables.RiskOn")
        if nodes.x.shape[1] != problem.data.inputs or nodes.y.shape[1:] != problem.data.outputs:
            raise ValueError(
                f"RiskOn(data=...): inputs [{nodes.x.shape[1]}] and targets {nodes.y.shape[1:]} do not fit the "
                f"problem's [{problem.data.inputs}] and {problem.data.outputs}."
            )


class Penalty(AbstractObservable):
    """`penalty`: INT penalty d rho."""

    shown: ClassVar[tuple[str, ...]] = ("penalty",)

    def __call__(self, problem: Problem, measure: Particles) -> dict[str, Array]:
        return {"penalty": problem.penalty_of(measure)}


class Dissipation(AbstractObservable):
    r"""`dissipation`: $\int \nabla\psi \cdot P\nabla\psi\,d\rho$ (with the walls of the domain), the rate at which the

    objective falls along the gradient flow; smooth penalties only, data with nodes.
    """

    shown: ClassVar[tuple[str, ...]] = ("dissipation",)

    def __call__(self, problem: Problem, measure: Particles) -> dict[str, Array]:
        theta, w = problem.unpack(measure)
        gradient = problem.variation(theta, w).gradient
        drift = problem.velocity(theta, gradient)
        power = [jnp.sum((g * v).reshape(w.shape[0], -1), axis=1) for g, v in zip(gradient, drift, strict=True)]
        return {"dissipation": -jnp.sum(w * sum(power[1:], power[0]))}

    def check(self, problem: Problem) -> None:
        problem.integrals.require_deterministic("observables.Dissipation")
        if not problem.smooth:
            raise ValueError("observables.Dissipation: the problem has a non-smooth penalty.")


class WallMass(AbstractObservable):
    """`wall_mass`: the mass that sits on a wall of the domain.

    A density on a grid has no atoms: there it is the mass of the cells that touch a wall. It holds what lies beside the
    wall, too, which goes away as the cells shrink.
    """

    shown: ClassVar[tuple[str, ...]] = ("wall_mass",)
    cells: ClassVar[bool] = True

    def __call__(self, problem: Problem, measure: Measure) -> dict[str, Array]:
        measure = problem.arranged(measure)
        if measure.grid is not None:
            return {"wall_mass": jnp.sum(jnp.where(_beside_walls(problem, measure.grid), measure.masses, 0.0))}
        theta, w = problem.unpack(measure)
        return {"wall_mass": jnp.sum(jnp.where(jax.vmap(problem.domain.on_wall)(theta), w, 0.0))}

    def check(self, problem: Problem) -> None:
        if not problem.domain.walls:
            raise ValueError("observables.WallMass: the problem's domain has no walls; give it a domains.Box or Ball.")


def _beside_walls(problem: Problem, grid: Grid) -> Array:
    """Which cells touch a wall, in the grid's shape."""
    touching, axis = jnp.zeros((1,) * grid.dim, bool), 0
    for block in problem.blocks:
        low, high = problem.domain.of(block.name).bounds(block.shape)
        for edges in grid.edges[axis : axis + block.size]:
            # An infinite side is no wall.
            below, above = (jnp.isfinite(low) & (edges[:-1] <= low)), (jnp.isfinite(high) & (edges[1:] >= high))
            shape = [-1 if k == axis else 1 for k in range(grid.dim)]
            touching, axis = touching | (below | above).reshape(shape), axis + 1
    return touching


class Moments(AbstractObservable):
    """`mean` and `second_moment` of every parameter, [D] each."""

    shown: ClassVar[tuple[str, ...]] = ("mean", "second_moment")

    def __call__(self, problem: Problem, measure: Particles) -> dict[str, Array]:
        return {"mean": moment(measure, 1), "second_moment": moment(measure, 2)}


class Function(AbstractObservable):
    """Anything else: `function(problem, measure)` gives an array of fixed shape, recorded under `name`."""

    name: str = eqx.field(static=True)
    function: Callable[[Problem, Particles], Float[Array, "..."]]

    def __check_init__(self) -> None:
        _check_name(self.name)

    def __call__(self, problem: Problem, measure: Particles) -> dict[str, Array]:
        try:
            return {self.name: jnp.asarray(self.function(problem, measure))}
        except jax.errors.JAXTypeError as error:
            raise ValueError(
                f"observables.Function({self.name!r}): the function is compiled, where an array has no value yet that "
                "float(), if, .item() or NumPy could use; compute with jax.numpy and return the array."
            ) from error

    def names(self, problem: Problem) -> tuple[str, ...]:
        return (self.name,)


# What a trajectory has already, and the names of its axes.
_TAKEN = (
    *(field.name for field in dataclasses.fields(Trajectory)),
    *(name for name in vars(Trajectory) if not name.startswith("_")),
    *("time", "particle", "parameter", "cell"),
)


def _check_name(name: str) -> None:
    if not name.strip(".") or "/" in name or name in _TAKEN:
        raise ValueError(f"observables: {name!r} cannot name an observable (no '/', and none of {', '.join(_TAKEN)}).")


def default(problem: Problem) -> tuple[AbstractObservable, ...]:
    """Risk and penalty; the dissipation where it is defined, and the mass on walls where there are some."""
    smooth = problem.smooth and problem.integrals.deterministic
    # The walls of a reduced problem, a radius of zero, are none of the full one.
    walls = problem.domain.walls and problem.symmetry is None
    return (Risk(), Penalty(), *((Dissipation(),) if smooth else ()), *((WallMass(),) if walls else ()))
