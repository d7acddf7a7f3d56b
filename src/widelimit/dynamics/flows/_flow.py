"""The adapter of all flows: what has a velocity gets integrators, walls, energy, stalls and save times from here."""

import abc
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray, PyTree

from widelimit.measure import Particles, join, split
from widelimit.numerics import compiled_quickly
from widelimit.problem import Potential, Problem

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, Theta, Weights, require_particles
from .._stability import stable_step
from ..clocks import Reading, Tau
from ..integrators import AbstractIntegrator, ProximalHeun, Step, Tsit5
from ..kinks import KinkedNeurons

Y = PyTree[Array]
"""What a flow moves: a pytree of arrays of floats."""

# Kinked neurons slide along the rays of the samples (Filippov); there the velocity jumps, and a tight tolerance only
# makes the steps chatter: on 442 samples and 512 ReLU neurons, rtol 1e-6 takes 47 times the steps of 1e-4 for a risk
# that differs by 3e-5.
_ACROSS_KINKS = {"rtol": 1e-4, "atol": 1e-6}


class Rates(NamedTuple):
    r"""dy/d tau, and the power $-\int \nabla\psi \cdot \dot\theta\,d\rho$ at which the objective falls."""

    velocity: Y
    power: Float[Array, ""]


class FlowState(eqx.Module):
    """`y`: (what the flow moves, the energy dissipated so far). `carried`: the weights, or what else `begin` gave."""

    y: tuple[Y, Float[Array, ""]]
    k: Array
    clock: Float[Array, ""]
    previous: Float[Array, ""]
    memory: PyTree
    carried: PyTree
    end: Float[Array, ""]


class AbstractFlow(AbstractDynamics[FlowState]):
    r"""$dy/d\tau = v(y)$, $\tau = \int_0^t \xi$, for a y that says where the particles are; their weights are constant.

    Three members are to be written: `start`, `velocity` and `positions`. What does not move has velocity zero. A y of
    more than positions (momenta, log densities) is any pytree of arrays.

    **Arguments**, by keyword, of every flow

    - `integrator`: from `widelimit.integrators`; by default `Tsit5()`, with looser tolerances (1e-4, 1e-6) for a rough
      problem, whose neurons slide along rays where the velocity jumps, and `ProximalHeun()` for a non-smooth penalty.
    - `schedule`: xi, a number, a schedule or a function of t; 1 by default.

    It observes `dissipated`, $-\int_0^\tau \int \nabla\psi \cdot \dot\theta\,d\rho$, which must equal the fall of the
    objective. Positions are put back into the domain after each step.
    """

    integrator: AbstractIntegrator | None = eqx.field(default=None, kw_only=True)
    schedule: schedules.AbstractSchedule = eqx.field(
        default=1.0, kw_only=True, converter=lambda xi: schedules.as_schedule(xi, "schedule=...")
    )

    def __check_init__(self) -> None:
        if self.integrator is not None and not isinstance(self.integrator, AbstractIntegrator):
            raise ValueError(
                f"{type(self).__name__}(integrator=...): expected one of widelimit.integrators, got "
                f"{self.integrator!r}."
            )

    # To be written.

    @abc.abstractmethod
    def start(self, problem: Problem, theta: Theta, w: Weights) -> Y:
        """y of particles at rest."""

    @abc.abstractmethod
    def velocity(self, problem: Problem, w: Weights, y: Y) -> Y:
        """dy/d tau."""

    @abc.abstractmethod
    def positions(self, y: Y) -> Theta:
        """The particles in y."""

    # May be written.

    proximal: ClassVar[bool] = False
    """Whether `prox` steps the non-smooth penalties."""

    def begin(self, problem: Problem, measure: Start, end: Float[Array, ""]) -> tuple[Y, PyTree]:
        """y at tau = 0 of a run to tau = end, and what is carried along: the weights, for all that take particles."""
        theta, w = _unpacked(problem, require_particles(measure, type(self).__name__))
        return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), self.start(problem, theta, w)), w

    def rates(self, problem: Problem, carried: PyTree, y: Y) -> Rates:
        """Velocity and power; written where one pass gives both."""
        v = self.velocity(problem, carried, y)
        theta, motion = jax.jvp(self.positions, (y,), (v,))
        gradient = problem.variation(theta, carried).gradient
        parts = jax.tree.map(lambda a, b: weighted(carried, a, b), gradient, motion)
        return Rates(v, -sum(jax.tree.leaves(parts), jnp.zeros(())))

    def method(self, problem: Problem, carried: PyTree) -> AbstractIntegrator:
        """The integrator of a run."""
        if self.integrator is not None:
            return self.integrator
        if not problem.smooth:
            return ProximalHeun()
        return Tsit5(**_ACROSS_KINKS) if problem.rough else Tsit5()

    def neurons(self, problem: Problem, carried: PyTree) -> KinkedNeurons:
        """The particles as piecewise-linear neurons of one input, for integrators that ask. Raises `ValueError`."""
        raise ValueError(f"{type(self).__name__}(integrator=Filippov): only a GradientFlow is followed across kinks.")

    def put_back(self, problem: Problem, y: Y) -> Y:
        """y with its positions in the domain; they must be parts of y as they are, else this is to be written."""
        if problem.domain.unconstrained:
            return y
        return _placed(self, y, problem.retract(self.positions(y)))

    def prox(self, problem: Problem, y: Y, step: Float[Array, ""]) -> Y:
        """The proximal map of the non-smooth penalties for time `step`."""
        return y

    def norm(self, carried: PyTree, scaled: Y) -> Float[Array, ""]:
        """The size of an error that was divided by its tolerance."""
        return particle_norm(carried, scaled)

    # Given, and the parts of a dynamics; those may be written too.

    def facts(self, problem: Problem) -> Facts:
        return Facts(conserves=("mass", "particles"))

    def placed(self, problem: Problem, start: Start) -> Any:
        who = type(self).__name__
        theta, w = problem.unpack(require_particles(start, who))
        problem.integrals.require_deterministic(who)
        if not problem.smooth and not self.proximal:
            raise ValueError(f"{who} takes no non-smooth penalty (it has no proximal map); use GradientFlow.")
        if not problem.smooth and not self.method(problem, None).proximal:
            raise ValueError(
                f"{who}(integrator={type(self.integrator).__name__}): the problem has a non-smooth penalty; "
                "use integrators.ProximalHeun()."
            )
        if self.method(problem, None).proximal and problem.mobility.scales(theta) is None:
            raise ValueError(
                f"{who}(integrator={type(self.integrator).__name__}): a proximal map needs a mobility of one number a "
                "block, and this one is none; use integrators.Tsit5()."
            )
        if self.method(problem, None).kinked:
            self.neurons(problem, w)

    @property
    def clock(self) -> Tau:
        return Tau(self.schedule)

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> FlowState:
        self.placed(problem, measure)
        end = jnp.asarray(self.clock.reading(t1), float)
        return _first(self, problem, *self.begin(problem, measure, end), end)

    def step(self, problem: Problem, state: FlowState, noise: Noise) -> FlowState:
        return self.move(problem, state, not problem.domain.unconstrained)

    def move(self, problem: Problem, state: FlowState, jumps: Any) -> FlowState:
        """One step of the integrator; `jumps`: whether y was changed since the last one."""
        field = _Field(self, problem.within_step(self.positions(state.y[0])), state.carried, jumps)
        new = self.method(problem, state.carried).step(field, _step_of(state), state.end)
        return FlowState(new.y, state.k + 1, new.clock, new.previous, new.memory, state.carried, state.end)

    def at(self, problem: Problem, state: FlowState, reading: Reading) -> tuple[Y, Float[Array, ""]]:
        """(y, energy dissipated) within the last step."""
        within, field = self.method(problem, state.carried).within, _Field(self, problem, state.carried, False)
        shown = within(field, _step_of(state), reading)
        if problem.domain.bent:
            # What is on a wall at both ends of a step slides along it between them.
            ends = within(field, _step_of(state), state.previous), state.y
            beside = problem.within_step(*(self.positions(end[0]) for end in ends))
            shown = _Field(self, beside, state.carried, False).retract(shown)
        here = reading >= state.clock
        return jax.tree.map(lambda y, z: jnp.where(here, y, z), state.y, field.retract(shown))

    def measure(self, problem: Problem, state: FlowState, reading: Reading) -> Particles:
        return problem.pack(self.positions(self.at(problem, state, reading)[0]), state.carried)

    def record(self, problem: Problem, state: FlowState, reading: Reading) -> dict[str, Array]:
        own = self.method(problem, state.carried).record(_step_of(state))
        return {"dissipated": self.at(problem, state, reading)[1], **own}

    def stalled(self, problem: Problem, state: FlowState) -> Bool[Array, ""]:
        return self.method(problem, state.carried).stalled(_step_of(state)) & (state.clock < state.end)

    def advice(self, problem: Problem, start: Start) -> str:
        now = self.method(problem, None).fixed
        if self.method(problem, None).kinked:
            return "neurons met more lines of samples in a step than they can: take a shorter one"
        if now is None and problem.rough and self._follows_kinks(problem, start):
            return (
                "where neurons slide along the rays of samples an adaptive step becomes too short: take "
                "integrators.Filippov(step), which follows them, or shorten t1"
            )
        if now is None:
            return "the flow itself blows up or is too rough: shorten t1, or add a penalty or a bounded domain"
        # The clock of the integrators is tau, so xi plays no part.
        stable = stable_step(problem, require_particles(start, type(self).__name__), 1.0)
        step = min(stable or float(now), float(now) / 10.0)
        return f"try integrators.{type(self.integrator).__name__}(step={step:.2g}) or the adaptive integrators.Tsit5()"

    def _follows_kinks(self, problem: Problem, start: Start) -> bool:
        try:
            self.neurons(problem, problem.unpack(require_particles(start, type(self).__name__))[1])
        except ValueError:
            return False
        return True


class _Field(eqx.Module):
    """The right-hand side of (y, dissipated energy), and its geometry, as integrators want them."""

    flow: AbstractFlow
    problem: Problem
    carried: PyTree
    jumps: Any

    # Compiled code calls it several times, in several programs: so it is traced once.
    @eqx.filter_jit
    def velocity(self, y: Any) -> Any:
        rates = self.flow.rates(self.problem, self.carried, y[0])
        return rates.velocity, rates.power

    def retract(self, y: Any) -> Any:
        return self.flow.put_back(self.problem, y[0]), y[1]

    def prox(self, y: Any, step: Any) -> Any:
        return self.flow.prox(self.problem, y[0], step), y[1]

    def neurons(self) -> KinkedNeurons:
        return self.flow.neurons(self.problem, self.carried)

    def account(self, before: Any, after: Any, step: Any) -> Any:
        """`after` with the energy that the steepest descent from `before` dissipates, INT |v|^2_(1/P) d rho a time.

        For a flow with proximal maps, where v is the least-norm velocity and its power is not <grad psi, v>.
        """
        (old, energy), (new, _) = before, after
        here, there = self.flow.positions(old), self.flow.positions(new)
        # A block of mobility zero does not move: whatever its change is divided by, it is zero.
        power = [
            weighted(self.carried, (b - a) / step, (b - a) / jnp.where(scale > 0, scale, 1.0))
            for a, b, scale in zip(here, there, self.problem.mobility.scales(here) or (), strict=True)
        ]
        return new, energy + sum(power, jnp.zeros(()))

    def norm(self, scaled: Any) -> Any:
        return jnp.maximum(self.flow.norm(self.carried, scaled[0]), jnp.abs(scaled[1]))


def particle_norm(w: Weights, scaled: Y) -> Float[Array, ""]:
    """Root mean square over particles, half by weight and half by number: particles of weight zero count too.

    Of what is not one entry a particle, the largest absolute value.
    """
    n = w.shape[0]
    share = 0.5 * (jnp.abs(w) / jnp.sum(jnp.abs(w)) + 1.0 / n)
    leaves = jax.tree.leaves(scaled)
    each = [leaf for leaf in leaves if leaf.ndim > 0 and leaf.shape[0] == n]
    size = max(sum(leaf.size // n for leaf in each), 1)
    squares = sum((weighted(share, leaf, leaf) for leaf in each), jnp.zeros(()))
    rest = [jnp.max(jnp.abs(leaf)) for leaf in leaves if not (leaf.ndim > 0 and leaf.shape[0] == n)]
    return jnp.max(jnp.stack([jnp.sqrt(squares / size), *rest]))


def weighted(w: Weights, a: Float[Array, "N ..."], b: Float[Array, "N ..."]) -> Float[Array, ""]:
    """SUM w_i <a_i, b_i>."""
    return jnp.sum(w * jnp.sum((a * b).reshape(w.shape[0], -1), axis=1))


def drift_along(problem: Problem, potential: Potential, row: Float[Array, " D"]) -> tuple[Array, Array, Array]:
    """D v [D, D], v and -<grad psi, v> for the drift v = -P grad psi of one particle, psi held."""

    def drift(row: Any) -> Any:
        theta = problem.domain.retract(split(problem.blocks, row))
        gradient = jax.grad(potential.at)(theta)
        v = -join(problem.blocks, problem.mobility(theta, gradient))
        return v, (v, -jnp.vdot(join(problem.blocks, gradient), v))

    jacobian, (v, power) = jax.jacfwd(drift, has_aux=True)(row)
    return jacobian, v, power


class AbstractOnePass(AbstractFlow):
    """A flow whose velocity and power come of one pass, `rates`."""

    @abc.abstractmethod
    def rates(self, problem: Problem, carried: PyTree, y: Y) -> Rates: ...

    def velocity(self, problem: Problem, w: PyTree, y: Y) -> Y:
        return self.rates(problem, w, y).velocity


# Compiled whole, wherever they are called from: each operation outside a compiled function compiles for itself.
@compiled_quickly
def _unpacked(problem: Problem, measure: Particles) -> tuple[Theta, Weights]:
    return jax.tree.map(lambda leaf: leaf.astype(float), problem.unpack(measure))


@compiled_quickly
def _first(flow: AbstractFlow, problem: Problem, y: Y, carried: PyTree, end: Float[Array, ""]) -> FlowState:
    def shape(tree: Any) -> Any:
        return jax.tree.map(lambda leaf: leaf.shape, tree)

    v = eqx.filter_eval_shape(flow.velocity, problem, carried, y)
    if jax.tree.structure(v) != jax.tree.structure(y) or shape(v) != shape(y):
        raise ValueError(
            f"{type(flow).__name__}.velocity: must give what `start` gives, {shape(y)}, but it gives {shape(v)}."
        )
    field = _Field(flow, problem, carried, False)
    first = flow.method(problem, carried).start(field, (y, jnp.zeros(())), end)
    return FlowState(first.y, jnp.zeros((), jnp.int64), first.clock, first.previous, first.memory, carried, end)


def _step_of(state: FlowState) -> Step:
    return Step(state.clock, state.previous, state.y, state.memory)


def _placed(flow: AbstractFlow, y: Y, theta: Theta) -> Y:
    """y with theta in the places that `positions` reads.

    Where positions only picks leaves, its transpose puts a theta back into a tree of zeros, and marks the places.
    """
    with jax.ensure_compile_time_eval():
        probe = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.37, leaf.dtype), y)
        read, back = jax.vjp(flow.positions, probe)
        (marks,) = back(jax.tree.map(jnp.ones_like, read))
        marks = jax.tree.map(np.asarray, marks)
        picks = all(np.all(np.asarray(leaf) == np.asarray(leaf.dtype.type(0.37))) for leaf in jax.tree.leaves(read))
    count = sum(leaf.size for leaf in jax.tree.leaves(read))
    if not picks or sum(int(np.sum(m != 0)) for m in jax.tree.leaves(marks)) != count:
        raise ValueError(
            f"{type(flow).__name__}.positions: computes the particles instead of picking parts of y, so that a step "
            "out of the domain cannot be undone; write put_back(problem, y)."
        )
    (placed,) = jax.vjp(flow.positions, y)[1](theta)
    return jax.tree.map(lambda mark, new, old: jnp.where(mark != 0, new, old), marks, placed, y)
