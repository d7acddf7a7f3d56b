"""The gradient flow of the particles: the mean-field limit's own dynamics at finite N."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles, theta_type
from widelimit.numerics.registry import named, several, text
from widelimit.problem import Problem, moving, named_blocks

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, refusal, registry, require_particles, start_particles
from .._stability import stable_step
from ..clocks import Reading, Tau
from ..integrators import AbstractIntegrator, ProximalHeun, Step, Tsit5, registry as integrators

# Kinked neurons slide along the rays of the samples (Filippov); there the velocity jumps, and a tight tolerance only
# makes the steps chatter: on 442 samples and 512 ReLU neurons, rtol 1e-6 takes 47 times the steps of 1e-4 for a risk
# that differs by 3e-5.
_ACROSS_KINKS = {"rtol": 1e-4, "atol": 1e-6}


class FlowState(eqx.Module):
    """`y`: (the blocks that move, the energy dissipated so far)."""

    y: Any
    k: Array
    clock: Float[Array, ""]
    previous: Float[Array, ""]
    memory: Any
    still: Any
    weights: Float[Array, " N"]
    end: Float[Array, ""]


class GradientFlow(AbstractDynamics[FlowState]):
    r"""$\dot\theta_i = -\xi(t)\,P\nabla\psi(\theta_i; \rho_t)$, weights constant.

    Integrated in $\tau = \int_0^t \xi$, where the flow is autonomous. Beside the particles it integrates the energy
    dissipated, $\int_0^\tau \int \nabla\psi \cdot P\nabla\psi\,d\rho$, which must equal the fall of the objective:
    `analysis.dissipation` compares the two.

    **Arguments**

    - `integrator`: from `widelimit.integrators`; by default `Tsit5()`, with looser tolerances (1e-4, 1e-6) for a rough
      problem, whose neurons slide along rays where the velocity jumps, and `ProximalHeun()` for a non-smooth penalty.
    - `schedule`: xi, a number, a schedule or a function of t; 1 by default.
    - `trainable`: the name or names of the blocks that move; all by default.
    """

    integrator: AbstractIntegrator | None
    schedule: schedules.AbstractSchedule
    trainable: tuple[str, ...] | None = eqx.field(static=True)

    def __init__(
        self,
        integrator: AbstractIntegrator | None = None,
        *,
        schedule: Any = 1.0,
        trainable: Any = None,
    ) -> None:
        if integrator is not None and not isinstance(integrator, AbstractIntegrator):
            raise ValueError(
                f"GradientFlow(integrator=...): expected one of widelimit.integrators, got {integrator!r}."
            )
        self.integrator = integrator
        self.schedule = schedules.as_schedule(schedule, "GradientFlow(schedule=...)")
        self.trainable = named_blocks(trainable)

    def facts(self, problem: Problem) -> Facts:
        integrator = self._integrator(problem)
        # A kink in the unit, or a wall, breaks the smoothness that a high order rests on; with exact integrals, too:
        # where two knots cross, the second derivative of the velocity jumps.
        rough = problem.integrals.kinked or not problem.domain.unconstrained
        mean_field = problem.scale.mean_field
        return Facts(
            order=None if rough else integrator.order,
            conserves=("mass", "particles"),
            decreases=("objective",),
            splits=mean_field,
            permutes=True,
        )

    def accepts(self, problem: Problem, start: Start) -> str | None:
        return refusal(self._check, problem, start)

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> FlowState:
        self.check(problem, measure)
        measure = require_particles(measure, "GradientFlow")
        integrator = self._integrator(problem)
        theta, weights = problem.unpack(measure)
        # Flows run in float64, whatever the particles came in.
        theta, weights = jax.tree.map(lambda leaf: leaf.astype(float), (theta, weights))
        names = moving(problem, self.trainable)
        moves = {name: getattr(theta, name) for name in names}
        still = {name: getattr(theta, name) for name in theta._fields if name not in names}
        end = jnp.asarray(self.clock.reading(t1), float)
        field = _Field(problem, still, weights)
        first = _start(integrator, field, (moves, jnp.zeros(())), end)
        zero = jnp.zeros((), jnp.int64)
        return FlowState(first.y, zero, first.clock, first.previous, first.memory, still, weights, end)

    @property
    def clock(self) -> Tau:
        return Tau(self.schedule)

    def step(self, problem: Problem, state: FlowState, noise: Noise) -> FlowState:
        field = _Field(problem, state.still, state.weights)
        new = self._integrator(problem).step(field, _step_of(state), state.end)
        return FlowState(new.y, state.k + 1, new.clock, new.previous, new.memory, state.still, state.weights, state.end)

    def measure(self, problem: Problem, state: FlowState, reading: Reading) -> Particles:
        field = _Field(problem, state.still, state.weights)
        moves, _ = self._at(problem, field, state, reading)
        return problem.pack(field.merge(moves), state.weights)

    def record(self, problem: Problem, state: FlowState, reading: Reading) -> dict[str, Array]:
        field = _Field(problem, state.still, state.weights)
        return {"dissipated": self._at(problem, field, state, reading)[1]}

    def stalled(self, problem: Problem, state: FlowState) -> Any:
        return self._integrator(problem).stalled(_step_of(state)) & (state.clock < state.end)

    def advice(self, problem: Problem, measure: Start) -> str:
        if isinstance(self.integrator, Tsit5 | ProximalHeun) or self.integrator is None:
            return "the flow itself blows up or is too rough: shorten t1, or add a penalty or a bounded domain"
        # The clock of the integrators is tau, so xi plays no part.
        now = float(getattr(self.integrator, "size", 1.0))
        step = min(stable_step(problem, require_particles(measure, "GradientFlow"), 1.0) or now, now / 10.0)
        return f"try integrators.RungeKutta4(step={step:.2g}) or the adaptive integrators.Tsit5()"

    def _check(self, problem: Problem, start: Start) -> None:
        require_particles(start, "GradientFlow")
        problem.integrals.require_deterministic("GradientFlow")
        integrator = self._integrator(problem)
        if not problem.smooth and not integrator.proximal:
            raise ValueError(
                f"GradientFlow(integrator={type(integrator).__name__}): the problem has a non-smooth penalty; "
                "use integrators.ProximalHeun()."
            )

    def _integrator(self, problem: Problem) -> AbstractIntegrator:
        if self.integrator is not None:
            return self.integrator
        if not problem.smooth:
            return ProximalHeun()
        return Tsit5(**_ACROSS_KINKS) if problem.rough else Tsit5()

    def _at(self, problem: Problem, field: "_Field", state: FlowState, clock: Any) -> Any:
        shown = self._integrator(problem).within(field, _step_of(state), clock)
        here = clock >= state.clock
        return jax.tree.map(lambda y, z: jnp.where(here, y, z), state.y, field.retract(shown))


class _Field(eqx.Module):
    """The velocity of (blocks that move, dissipated energy), and the geometry of the domain."""

    problem: Problem
    still: Any
    weights: Float[Array, " N"]

    def merge(self, moves: dict[str, Any]) -> Any:
        return theta_type(tuple(block.name for block in self.problem.blocks))(**moves, **self.still)

    def velocity(self, y: Any) -> Any:
        theta = self.merge(y[0])
        gradient = self.problem.variation(theta, self.weights).gradient
        drift = self.problem.velocity(theta, gradient)
        kept = {name: getattr(drift, name) for name in y[0]}
        power = [_weighted(self.weights, getattr(gradient, name), kept[name]) for name in kept]
        return kept, -sum(power, jnp.zeros(()))

    def retract(self, y: Any) -> Any:
        moves, energy = y
        theta = self.problem.retract(self.merge(moves))
        return {name: getattr(theta, name) for name in moves}, energy

    def prox(self, y: Any, step: Any) -> Any:
        moves, energy = y
        theta = self.merge(moves)
        new = self.problem.prox(theta, step)
        return {name: getattr(new, name) for name in moves}, energy

    def account(self, before: Any, after: Any, step: Any) -> Any:
        """`after` with the energy that the steepest descent from `before` dissipates, INT |v|^2_(1/P) d rho a time.

        For a flow with proximal maps, where v is the least-norm velocity and its power is not <grad psi, v>.
        """
        (old, energy), (new, _) = before, after
        # What the mobility freezes does not move, and dissipates nothing.
        p = {name: getattr(self.problem.mobility.scales(self.merge(old)), name) for name in old}
        steps = {name: (new[name] - old[name], jnp.where(p[name] > 0, p[name], jnp.inf)) for name in old}
        power = [_weighted(self.weights, way / step, way / scale) for way, scale in steps.values()]
        return new, energy + sum(power, jnp.zeros(()))

    def norm(self, scaled: Any) -> Any:
        """Root mean square over particles, half by weight and half by number: particles of weight zero count too."""
        moves, energy = scaled
        n = self.weights.shape[0]
        share = 0.5 * (jnp.abs(self.weights) / jnp.sum(jnp.abs(self.weights)) + 1.0 / n)
        squares = sum((_weighted(share, part, part) for part in moves.values()), jnp.zeros(()))
        size = sum(part.size // n for part in moves.values())
        return jnp.maximum(jnp.sqrt(squares / size), jnp.abs(energy))

    @property
    def jumps(self) -> bool:
        return not self.problem.domain.unconstrained


@eqx.filter_jit
def _start(integrator: AbstractIntegrator, field: _Field, y: Any, end: Any) -> Step:
    return integrator.start(field, y, end)


def _step_of(state: FlowState) -> Step:
    return Step(state.clock, state.previous, state.y, state.memory)


def _weighted(w: Any, a: Any, b: Any) -> Any:
    return jnp.sum(w * jnp.sum((a * b).reshape(w.shape[0], -1), axis=1))


registry.add(
    "gradient_flow",
    GradientFlow,
    particles=start_particles,
    integrator=named(integrators),
    schedule=named(schedules.registry),
    trainable=several(text),
)
