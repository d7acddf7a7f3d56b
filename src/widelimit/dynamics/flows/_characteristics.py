"""Particles that carry the density along: the transport equation by the method of characteristics."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import GridDensity, Particles, describe, join, laws, split
from widelimit.numerics import entries, map_rows
from widelimit.numerics.registry import named, whole
from widelimit.problem import Potential, Problem

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, refusal, registry
from ..clocks import Reading, Tau
from ..integrators import AbstractIntegrator, Step, Tsit5, registry as integrators


class CharacteristicState(eqx.Module):
    """`y`: (rows [N, D], log rho_t there [N], the energy dissipated so far). `left`: whether a row left the domain."""

    y: Any
    k: Array
    clock: Float[Array, ""]
    previous: Float[Array, ""]
    memory: Any
    weights: Float[Array, " N"]
    left: Array
    end: Float[Array, ""]


class Characteristics(AbstractDynamics[CharacteristicState]):
    r"""The transport equation at temperature 0 along its characteristics, which carry the density,

    $$\dot X = -\xi P\nabla\psi(X; \rho_t), \qquad
    \frac{d}{dt}\log\rho_t(X(t)) = \xi\,\mathrm{div}(P\nabla\psi)(X(t); \rho_t).$$

    The particles stand for rho in psi as those of `GradientFlow` do, and their number sets the error; the divergence is
    an exact trace of derivatives at the particle, D products each, with the rest of rho held. It observes:

    - `log_density`: [N], log rho_t at each particle, a density in the parameters of this problem (of a reduced one: in
      the reduced parameters).
    - `entropy`: $-\int \rho_t \log\rho_t$, as the mean over the particles.
    - `dissipated`: see `GradientFlow`.

    It starts from a law that has a density, or from a density on a grid. At a wall mass has no density, so that a run
    stops when a particle reaches one.

    **Arguments**

    - `particles`: how many stand for a law, placed by the law's default rule.
    - `integrator`: from `widelimit.integrators`; `Tsit5(1e-8, 1e-10)` by default.
    - `schedule`: xi, a number, a schedule or a function of t.

    Raises `ValueError` for other values, and in a run for a rough problem (`Problem.rough`; the density of a kinked
    unit jumps), a non-smooth penalty, a sphere as domain and a start without density.
    """

    particles: int = eqx.field(static=True)
    integrator: AbstractIntegrator | None
    schedule: schedules.AbstractSchedule

    def __init__(
        self, particles: int = 1024, *, integrator: AbstractIntegrator | None = None, schedule: Any = 1.0
    ) -> None:
        if isinstance(particles, bool) or not isinstance(particles, int | np.integer) or particles < 1:
            raise ValueError(
                f"Characteristics(particles=...): must be a whole number of at least 1, got {particles!r}."
            )
        if integrator is not None and not isinstance(integrator, AbstractIntegrator):
            raise ValueError(
                f"Characteristics(integrator=...): expected one of widelimit.integrators, got {integrator!r}."
            )
        self.particles, self.integrator = int(particles), integrator
        self.schedule = schedules.as_schedule(schedule, "Characteristics(schedule=...)")

    def facts(self, problem: Problem) -> Facts:
        return Facts(
            # Where two knots of a spline cross, the second derivative of the velocity jumps.
            order=None if problem.integrals.kinked else self._integrator.order,
            conserves=("mass", "particles"),
            decreases=("objective",),
            # It makes its own particles, so none can be split or relabelled.
            splits=False,
            permutes=False,
        )

    def accepts(self, problem: Problem, start: Start) -> str | None:
        return refusal(_check, problem, start)

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> CharacteristicState:
        self.check(problem, measure)
        rows, weights, logs = self._start(problem, measure)
        if not problem.domain.unconstrained and not bool(jnp.all(_starts_inside(problem, rows))):
            raise ValueError(
                "evolve(measure=...): some of the start's mass lies outside the problem's domain, or on its wall, "
                "where Characteristics has no density to carry."
            )
        return _begin(self, problem, rows, weights, logs, jnp.asarray(self.clock.reading(t1), float))

    @property
    def clock(self) -> Tau:
        return Tau(self.schedule)

    def step(self, problem: Problem, state: CharacteristicState, noise: Noise) -> CharacteristicState:
        new = self._integrator.step(_Field(problem, state.weights), _step_of(state), state.end)
        left = state.left if problem.domain.unconstrained else state.left | ~jnp.all(_inside(problem, new.y[0]))
        return CharacteristicState(
            new.y, state.k + 1, new.clock, new.previous, new.memory, state.weights, left, state.end
        )

    def measure(self, problem: Problem, state: CharacteristicState, reading: Reading) -> Particles:
        rows, _, _ = self._at(problem, state, reading)
        theta = split(problem.blocks, rows)
        return problem.pack(problem.retract(theta), state.weights)

    def record(self, problem: Problem, state: CharacteristicState, reading: Reading) -> dict[str, Array]:
        _, logs, energy = self._at(problem, state, reading)
        return {"log_density": logs, "entropy": -jnp.sum(state.weights * logs), "dissipated": energy}

    def stalled(self, problem: Problem, state: CharacteristicState) -> Any:
        return state.left | (self._integrator.stalled(_step_of(state)) & (state.clock < state.end))

    def advice(self, problem: Problem, measure: Start) -> str:
        if not problem.domain.unconstrained:
            return (
                "mass may have reached a wall, where it has no density: shorten t1, or use GradientFlow or TransportPDE"
            )
        return "the flow itself blows up or is too rough: shorten t1, or add a penalty"

    @property
    def _integrator(self) -> AbstractIntegrator:
        return Tsit5(1e-8, 1e-10) if self.integrator is None else self.integrator

    def _start(self, problem: Problem, measure: Start) -> tuple[Array, Array, Array]:
        """Rows [N, D], weights [N] and log densities [N]."""
        if isinstance(measure, Particles) or (isinstance(measure, laws.AbstractLaw) and measure.n_atoms is not None):
            raise ValueError(
                f"evolve(measure=...): Characteristics carries a density along, and {type(measure).__name__} has none; "
                "start from a law such as laws.Normal, or use GradientFlow."
            )
        if measure.dim != problem.dim or measure.blocks not in ((), problem.blocks):
            own = f" ({describe(measure.blocks)})" if measure.blocks else ""
            raise ValueError(
                f"evolve(measure=...): the start has {measure.dim} columns{own}, the unit needs {problem.dim}: "
                f"{describe(problem.blocks)}."
            )
        if isinstance(measure, GridDensity):
            kept = np.asarray(measure.weights) > 0
            return measure.positions[kept], measure.weights[kept], jnp.log(measure.density.ravel()[kept])
        points = measure.quantise(self.particles)
        rows = points.positions.astype(float)
        return rows, points.weights.astype(float), measure.log_density(rows)

    def _at(self, problem: Problem, state: CharacteristicState, clock: Any) -> Any:
        shown = self._integrator.within(_Field(problem, state.weights), _step_of(state), clock)
        return jax.tree.map(lambda y, z: jnp.where(clock >= state.clock, y, z), state.y, shown)


class _Field(eqx.Module):
    """The velocity of (rows, log densities, dissipated energy). Walls are not felt: a run ends at them."""

    problem: Problem
    weights: Float[Array, " N"]

    def velocity(self, y: Any) -> Any:
        rows, problem = y[0], self.problem
        theta = problem.retract(split(problem.blocks, rows))
        potential = problem.potential(problem.pack(theta, self.weights))
        # A particle takes its D derivatives on all the data at once.
        size = max(1, entries(problem.budget) // (potential.field.entries * problem.dim))
        drift, divergence, power = map_rows(lambda row: _along(problem, potential, row), rows, size)
        return drift, -divergence, jnp.sum(self.weights * power)

    def retract(self, y: Any) -> Any:
        return y

    def prox(self, y: Any, step: Any) -> Any:
        return y

    def account(self, before: Any, after: Any, step: Any) -> Any:
        return after

    def norm(self, scaled: Any) -> Any:
        """The largest of the root mean squares over the particles of rows and of log densities, and the energy's."""
        rows, logs, energy = scaled
        squares = jnp.stack([jnp.sum(self.weights * jnp.mean(rows**2, axis=1)), jnp.sum(self.weights * logs**2)])
        return jnp.maximum(jnp.sqrt(jnp.max(squares)), jnp.abs(energy))

    @property
    def jumps(self) -> bool:
        return False


def _along(problem: Problem, potential: Potential, row: Float[Array, " D"]) -> tuple[Any, Any, Any]:
    """The drift v = -P grad psi of one particle, div v and -<grad psi, v>, psi held."""

    def drift(row: Any) -> Any:
        theta = problem.domain.retract(split(problem.blocks, row))
        gradient = jax.grad(potential.at)(theta)
        v = -join(problem.blocks, problem.mobility(theta, gradient))
        return v, (v, -jnp.vdot(join(problem.blocks, gradient), v))

    jacobian, (v, power) = jax.jacfwd(drift, has_aux=True)(row)
    return v, jnp.trace(jacobian), power


@eqx.filter_jit
def _begin(dynamics: Characteristics, problem: Problem, rows: Any, weights: Any, logs: Any, end: Any) -> Any:
    first = dynamics._integrator.start(_Field(problem, weights), (rows, logs, jnp.zeros(())), end)
    steps, left = jnp.zeros((), jnp.int64), jnp.asarray(False)
    return CharacteristicState(first.y, steps, first.clock, first.previous, first.memory, weights, left, end)


def _step_of(state: CharacteristicState) -> Step:
    return Step(state.clock, state.previous, state.y, state.memory)


def _starts_inside(problem: Problem, rows: Float[Array, "N D"]) -> Any:
    # On a circle a start that goes round would have more than one density at a place.
    return _inside(problem, rows) & jax.vmap(problem.domain.contains)(split(problem.blocks, rows))


def _inside(problem: Problem, rows: Float[Array, "N D"]) -> Any:
    """Whether each row is in the interior of the domain; a circle has no boundary."""
    theta, fine = split(problem.blocks, rows), jnp.ones(rows.shape[0], bool)
    for block, values in zip(problem.blocks, theta, strict=True):
        if problem.domain.of(block.name).walls:
            lower, upper = problem.domain.of(block.name).bounds(block.shape)
            fine &= jnp.all(((values > lower) & (values < upper)).reshape(rows.shape[0], -1), axis=1)
    return fine


def _check(problem: Problem, start: Start) -> None:
    """Raise `ValueError` where the density does not follow the characteristics smoothly."""
    problem.integrals.require_deterministic("Characteristics")
    if problem.rough or not problem.smooth:
        what = "unit has kinks, where the density jumps" if problem.rough else "penalty is not smooth"
        raise ValueError(
            f"Characteristics: the problem's {what}; use GradientFlow, or a smooth unit (a smooth activation, or "
            "problem.reduced(), whose unit is averaged over directions)."
        )
    if not problem.scale.mean_field:
        raise ValueError("Characteristics solves the limit of many particles; Problem(scale=...) must be the mean.")
    for block in problem.blocks:
        domain = problem.domain.of(block.name)
        if not domain.flat:
            raise ValueError(
                f"Characteristics: block {block.name!r} lives on a {type(domain).__name__.lower()}, where rows have no "
                "density."
            )
        if domain.walls and not domain.box:
            raise ValueError(f"Characteristics: the walls of {domain!r}, the domain of {block.name!r}, are not known.")


registry.add(
    "characteristics",
    Characteristics,
    particles=whole(doubled=(64, 1024)),
    integrator=named(integrators),
    schedule=named(schedules.registry),
)
