"""What a dynamics is: an initial state, the noise of a step, a pure step, and what a state shows."""

import abc
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, PRNGKeyArray

from widelimit.measure import GridDensity, Measure, Particles, laws, theta_type
from widelimit.numerics.registry import Registry, whole
from widelimit.problem import Problem, moving as moving, named_blocks as named_blocks, penalties

registry = Registry("dynamics", tag="dynamics")
# Where a dynamics moves given particles: how many stand for a start that is a law.
start_particles = whole(doubled=(64, 1024), argument=False)


class Facts(NamedTuple):
    """What a dynamics promises for a problem; one family of tests checks every promise of every dynamics.

    - `order`: the error is O(step^order); for adaptive integrators, the order of the method. None: nothing is promised.
    - `conserves`: names of what stays constant, "mass" or "particles" (their number and weights).
    - `decreases`: what never goes up beyond the integrator's error: "objective", risk + penalty, or "free_energy".
    - `splits`: a particle split into two halves of its weight changes nothing.
    - `permutes`: relabelling the particles relabels the result and changes nothing else.
    """

    order: float | None
    conserves: tuple[str, ...]
    decreases: tuple[str, ...]
    splits: bool
    permutes: bool


Start = Measure | laws.AbstractLaw
"""What a run may start from; each dynamics says what it takes."""


class AbstractDynamics(eqx.Module):
    """What moves rho.

    The state is a pytree of arrays with what moves in its field `y`. The steps know nothing of saving, progress and
    checkpoints: `evolve` does those between chunks of steps. The clock is the dynamics' own (tau for a flow, the step
    count for SGD); `clock(t)` gives its reading at time t.
    """

    @abc.abstractmethod
    def facts(self, problem: Problem) -> Facts: ...

    @abc.abstractmethod
    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> Any:
        """The state at t = 0. Raises `ValueError` where this dynamics cannot run on the problem or from the measure."""

    @abc.abstractmethod
    def prepare(self, problem: Problem) -> Problem:
        """The problem as the steps see it (in the dynamics' own precision)."""

    @abc.abstractmethod
    def clock(self, t: float) -> float | int:
        """The clock's reading at time t."""

    @abc.abstractmethod
    def before(self, state: Any, stop: Any) -> Any:
        """Whether the state's clock has not reached `stop`; the one end predicate, on host and device."""

    @abc.abstractmethod
    def noise(self, problem: Problem, state: Any, k: Any) -> Any:
        """All that is random in step k, a pure function of (state's key, k); None where nothing is."""

    @abc.abstractmethod
    def step(self, problem: Problem, state: Any, noise: Any) -> Any: ...

    @abc.abstractmethod
    def measure(self, problem: Problem, state: Any, clock: Any) -> Measure:
        """rho at a clock reading within the last step."""

    @abc.abstractmethod
    def record(self, problem: Problem, state: Any, clock: Any) -> dict[str, Array]:
        """What the dynamics itself reports at a save point."""

    @abc.abstractmethod
    def reports(self, problem: Problem) -> tuple[str, ...]:
        """The names in `record` that stand for an observable (`risk`, say): `evolve` leaves that one out."""

    @abc.abstractmethod
    def stalled(self, problem: Problem, state: Any) -> Any:
        """Whether the step became too small to move the clock."""

    @abc.abstractmethod
    def crowded(self, state: Any) -> Any:
        """Whether the state has no room for the particles or cells that the next step needs."""

    @abc.abstractmethod
    def enlarge(self, problem: Problem, state: Any) -> Any:
        """A crowded state with more room, in larger arrays; the host calls it between compiled chunks."""

    @abc.abstractmethod
    def advice(self, problem: Problem, measure: Start) -> str:
        """What to try after a divergence or a stall; `measure` is the start."""


class Bound(eqx.Module):
    """A dynamics and its problem, as the compiled loop wants them (`widelimit.numerics.Stepper`)."""

    dynamics: AbstractDynamics
    problem: Problem

    def before(self, state: Any, stop: Any) -> Any:
        return self.dynamics.before(state, stop) & ~jnp.asarray(self.dynamics.crowded(state))

    def index(self, state: Any) -> Any:
        return state.k

    def noise(self, state: Any, k: Any) -> Any:
        return self.dynamics.noise(self.problem, state, k)

    def step(self, state: Any, noise: Any) -> Any:
        return self.dynamics.step(self.problem, state, noise)


def require_particles(measure: Start, who: str) -> Particles:
    """The start as particles. Raises `ValueError` for a law or a density, with what to do."""
    if isinstance(measure, Particles):
        return measure
    if isinstance(measure, GridDensity):
        raise ValueError(
            f"evolve(measure=...): {who} moves particles, this is a density on a grid; take density.particles()."
        )
    raise ValueError(
        f"evolve(measure=...): {who} moves particles, this is the law {type(measure).__name__}; sample it first: "
        "law.sample(n, key=...) or law.quantise(n)."
    )


def merge(problem: Problem, moves: dict[str, Any], still: dict[str, Any]) -> Any:
    """The blocks that move and those that do not, as one theta in the unit's order."""
    return theta_type(tuple(block.name for block in problem.blocks))(**moves, **still)


def stable_step(problem: Problem, measure: Particles, rate: float) -> float | None:
    """A step of explicit descent that does not diverge from `measure`: an eighth of the limit, or None for no limit.

    The limit is 2 / (xi (p M + 2 lambda)): p the largest mobility, M the curvature below, 2 lambda the bend of the
    penalty. The curvature at the start is what training has to survive; later it changes, hence the margin.
    """
    scales = problem.mobility.scales(theta_type(tuple(b.name for b in problem.blocks))(*problem.blocks))
    mobility = max((float(scale) for scale in scales), default=1.0) if scales is not None else 1.0
    names = tuple(block.name for block in problem.blocks)
    bends = [term.bend(names) for term in penalties.parts(problem.penalty)]
    decay = sum(bend.most for bend in bends if bend is not None)
    stiffness = rate * mobility * (largest_curvature(problem, measure) + decay)
    return 0.25 / stiffness if stiffness > 0 else None


def largest_curvature(problem: Problem, measure: Particles) -> float:
    r"""$\max_q \ell''(f_q)\,M(x_q, x_q)$, M the tangent kernel: a step above 2 over it diverges for one sample.

    It also bounds the largest eigenvalue that the full batch sees, as a trace bounds a norm. At most 256 data points
    are used.
    """
    unit, data = problem.two_layer("the largest curvature"), problem.data
    nodes = data.nodes
    # The first nodes of an interval are those at its left end.
    if nodes is None or problem.integrals.exact:
        x, y = data.batch(jax.random.key(0), 256)
    else:
        x, y = nodes.x[:256], nodes.y[:256]
    theta, w = problem.unpack(measure)
    scale = problem.scale.factor(w.shape[0])

    def one(point: Array, target: Array) -> Array:
        jacobian = jax.jacrev(lambda th: scale * jnp.ravel(unit(th, point)))
        each = jax.vmap(lambda th: sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(jacobian(th))))(theta)
        f = problem.predict(measure, point)
        bend = jnp.max(jnp.abs(jax.hessian(problem.loss)(f, target)))
        return bend * jnp.sum(w * each)

    return float(jnp.max(jax.lax.map(lambda pair: one(*pair), (x, y))))
