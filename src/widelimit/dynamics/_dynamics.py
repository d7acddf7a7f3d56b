"""What a dynamics is: an initial state, a pure step, what a state shows, and what is promised."""

import abc
from typing import Any, Generic, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PRNGKeyArray, PyTree

from widelimit.measure import Measure, Particles, describe, laws
from widelimit.numerics import Module
from widelimit.numerics.registry import Registry, whole
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes

from .clocks import AbstractClock, Reading, Tau

Theta = PyTree[Array]
"""Particles as named blocks (`theta.weight`), each [N, *shape]."""

Weights = Float[Array, " N"]

Noise = PyTree[Array] | None
"""All that is random in a step; None where nothing is."""

Start = Measure | laws.AbstractLaw
"""What a run may start from; each dynamics says what it takes."""

State = TypeVar("State")

registry = Registry("dynamics", tag="dynamics")
# Where a dynamics moves given particles: how many stand for a start that is a law.
start_particles = whole(doubled=(64, 1024), argument=False)


class Facts(NamedTuple):
    """What a dynamics promises for a problem; one family of tests checks every promise of every dynamics.

    What is left out is not promised.

    - `order`: the error is O(step^order); for adaptive integrators, the order of the method.
    - `conserves`: names of what stays constant, "mass" or "particles" (their number and weights).
    - `decreases`: what never goes up beyond the integrator's error: "objective", risk + penalty, or "free_energy".
    - `splits`: a particle split into two halves of its weight changes nothing.
    - `permutes`: relabelling the particles relabels the result and changes nothing else.
    - `adaptive`: an estimate of the error chooses the steps, so that a rounding may change which are taken.
    - `digits`: decimal digits of its numbers.
    """

    order: float | None = None
    conserves: tuple[str, ...] = ()
    decreases: tuple[str, ...] = ()
    splits: bool = False
    permutes: bool = False
    adaptive: bool = True
    digits: int = 15


class AbstractGrowth(eqx.Module, Generic[State]):
    """The part of a dynamics whose number of particles or cells grows: room for them, made between compiled chunks."""

    @abc.abstractmethod
    def needed(self, state: State) -> Bool[Array, ""]:
        """Whether the state has no room for what the next step adds."""

    @abc.abstractmethod
    def grown(self, state: State) -> State:
        """The state in larger arrays."""


class AbstractDynamics(Module, Generic[State]):
    """What moves rho. Four members are to be written: `facts`, `init`, `step` and `measure`; the others may be.

    The state is a pytree of arrays with what moves in its field `y` and the number of steps done in `k`; the default
    clock wants tau in `clock`. The steps know nothing of saving, progress and checkpoints: `evolve` does those
    between chunks of steps.
    """

    # To be written.

    @abc.abstractmethod
    def facts(self, problem: Problem) -> Facts: ...

    @abc.abstractmethod
    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> State:
        """The state at t = 0 of a run to t1, which may be infinite.

        Raises `ValueError` with the reason where it does not `accept` problem and start (`self.placed` does).
        """

    @abc.abstractmethod
    def step(self, problem: Problem, state: State, noise: Noise) -> State: ...

    @abc.abstractmethod
    def measure(self, problem: Problem, state: State, reading: Reading) -> Measure:
        """rho when the clock shows `reading`, within the last step."""

    # May be written.

    @property
    def descends(self) -> bool:
        """Whether this is gradient descent of particles without heat, by the flow or in steps of batches.

        It then has a `schedule` and `trainable`; one whose clock `counts` steps has those of `SGD` as well.
        """
        return False

    def placed(self, problem: Problem, start: Start) -> Any:
        """The start as `init` takes it. Raises `ValueError` for what this dynamics does not take, with the reason."""
        return start

    @property
    def clock(self) -> AbstractClock:
        return Tau()

    def noise(self, problem: Problem, state: State, k: Int[Array, ""]) -> Noise:
        """What is random in step k, a pure function of (the state's key, k)."""
        return None

    @property
    def growth(self) -> AbstractGrowth[State] | None:
        return None

    def prepare(self, problem: Problem) -> Problem:
        """The problem as the steps see it (in the dynamics' own precision, say)."""
        return problem

    def record(self, problem: Problem, state: State, reading: Reading) -> dict[str, Array]:
        """What the dynamics itself reports at a save point."""
        return {}

    def reports(self, problem: Problem) -> tuple[str, ...]:
        """The names in `record` that stand for an observable (`risk`, say): `evolve` leaves that one out."""
        return ()

    def stalled(self, problem: Problem, state: State) -> Bool[Array, ""]:
        """Whether the step became too small to move the clock."""
        return jnp.asarray(False)

    def advice(self, problem: Problem, start: Start) -> str:
        """What to try after a divergence or a stall."""
        return "shorten t1, or take smaller steps"

    # Given.

    def accepts(self, problem: Problem, start: Start) -> str | None:
        """None where a run of the problem can start there, else why not, in a sentence (that of `placed`)."""
        try:
            self.placed(problem, start)
        except ValueError as error:
            return str(error)
        return None


def array_numbers(dynamics: AbstractDynamics[State]) -> AbstractDynamics[State]:
    """The dynamics with its numbers as arrays, so that another number does not compile again."""
    return jax.tree.map(lambda leaf: jnp.asarray(leaf) if isinstance(leaf, float) else leaf, dynamics)


def nodes_of_mean(problem: Problem, who: str) -> Nodes:
    """The data's nodes. Raises `ValueError` for a problem that is no two-layer mean, or has none."""
    problem.two_layer(who)
    return require_nodes(problem.data, who)


def require_smooth_line(problem: Problem, who: str, why: str, *, instead: str, kinked: str) -> None:
    """Raise `ValueError` where there is more than one parameter, psi is not smooth in it, or the data have no nodes.

    `why` it must be smooth; `instead`: what takes more parameters; `kinked`: what takes kinks.
    """
    nodes_of_mean(problem, who)
    if problem.dim != 1:
        raise ValueError(
            f"{who}: quantiles are those of one parameter, the problem has {problem.dim}: {describe(problem.blocks)}; "
            f"reduce it by its symmetry (problem.reduced()), or use {instead}."
        )
    if problem.integrals.kinked or not problem.smooth:
        what = "unit has kinks" if problem.integrals.kinked else "penalty is not smooth"
        raise ValueError(f"{who} {why}; this problem's {what}: use {kinked}.")


def require_mean(problem: Problem, who: str) -> None:
    """Raise `ValueError` where the output depends on the number of neurons, which a limit has not."""
    if not problem.scale.mean_field:
        raise ValueError(
            f"{who}: a density has no number of neurons, on which this output scale depends; take scales.MeanField()."
        )


def require_particles(measure: Start, who: str) -> Particles:
    """The start as particles. Raises `ValueError` for a law or a density, with what to do."""
    if isinstance(measure, Particles):
        return measure
    gridded = measure.grid is not None
    what = "a density on a grid" if gridded else f"the law {type(measure).__name__}"
    how = "take density.particles()" if gridded else "sample it first: law.sample(n, key=...) or law.quantise(n)"
    raise ValueError(f"evolve(measure=...): {who} moves particles, this is {what}; {how}.")
