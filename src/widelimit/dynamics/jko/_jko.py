"""The minimising movement of the risk in the Wasserstein distance: exact steps for particles on a line."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles, laws, split
from widelimit.numerics import leaf, whole_number
from widelimit.numerics.registry import named, number, whole
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, registry, require_smooth_line
from ..clocks import Reading, Steps
from ..grid._axes import axes, check_intervals, check_metric
from ..grid._start import check_start
from ..quantiles._inverse import from_score
from ._newton import Inner, energy, minimise

# A step whose Newton iteration ends above this is not solved; iterations that converge end far below.
_UNSOLVED = 1e-8
# The largest matrix of an inner problem: 512 MB.
_MOST_ENTRIES = 2**26


class JKOState(eqx.Module):
    """`y`: positions in increasing order; `place`: where each particle of the start stands among them.

    `action`: the sum of W_2^2 / (2 s P) over the steps; `last`: the longest last step of Newton's method so far.
    """

    y: Float[Array, " N"]
    k: Array
    action: Float[Array, ""]
    last: Float[Array, ""]
    iterations: Array
    place: Array
    weights: Float[Array, " N"]


class JKO(AbstractDynamics[JKOState]):
    r"""The variational step of mei2018 (10), for a problem of one parameter,

    $$\rho_{t+\tau} = \arg\min_\rho\ R(\rho) + \int \mathrm{pen}\,d\rho + T \int \rho\log\rho
                      + \frac{1}{2 s} W_2(\rho, \rho_t)^2,\qquad s = \xi(t)\,\tau,$$

    over measures of N atoms with the weights of the start. On a line the best coupling keeps the order, so W_2 is the
    distance of the quantiles and the step a minimum over N positions, which Newton's method finds to rounding. It is
    the implicit Euler step of the gradient flow, of order one in tau. The free energy F (the objective at T = 0) never
    rises, however long the step:

    $$\sum_k \frac{W_2(\rho_{k+1}, \rho_k)^2}{2 s_k} \le F(\rho_0) - F(\rho_t).$$

    The left side is recorded as `action`, F at T > 0 as `free_energy`, Newton's iterations so far as `newton`.

    At T > 0 the density is taken as constant between neighbouring particles (moments are right to O(1/N)); the entropy
    of a reduced problem is relative to its volume. Walls of the domain are respected; a mobility P scales s. Time is
    t = k tau: what is saved has the time of its step. The minimum is unique while s P psi'' > -1; where Newton's
    method finds none, or particles overtake each other, the run ends as stalled.

    **Arguments**

    - `tau`: the step, > 0.
    - `temperature`: T >= 0.
    - `schedule`: xi; a number, a schedule or a function of t.
    - `particles`: how many midpoint quantiles stand for a start that is a law.

    Starts from particles or from a law; at T > 0 no two particles may share a place.

    Raises `ValueError` for numbers out of range, and in a run for more than one parameter, kinked units, penalties that
    are not smooth, vector targets, data without nodes, and domains that are no interval.
    """

    tau: Float[Array, ""]
    temperature: Float[Array, ""] | None
    schedule: schedules.AbstractSchedule
    particles: int = eqx.field(static=True)

    def __init__(self, tau: Any, *, temperature: Any = 0.0, schedule: Any = 1.0, particles: Any = 256) -> None:
        self.tau = leaf(tau, "JKO(tau=...)", above=0.0)
        heat = leaf(temperature, "JKO(temperature=...)", least=0.0)
        self.temperature = None if not isinstance(heat, Tracer) and float(heat) == 0 else heat
        self.schedule = schedules.as_schedule(schedule, "JKO(schedule=...)")
        self.particles = whole_number(particles, "JKO(particles=...)", least=1)

    def facts(self, problem: Problem) -> Facts:
        cold = self.temperature is None
        mean_field = problem.scale.mean_field
        rough = problem.integrals.kinked or not problem.domain.unconstrained or self.schedule.singular
        return Facts(
            order=None if rough else 1.0,
            conserves=("mass", "particles"),
            decreases=("objective",) if cold else ("free_energy",),
            splits=cold and mean_field,
            permutes=True,
        )

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> JKOState:
        start = self.placed(problem, measure)
        rows, zero, count = np.asarray(start.positions[:, 0], float), jnp.zeros(()), jnp.zeros((), jnp.int64)
        order = np.argsort(rows, kind="stable")
        weights = start.weights.astype(float)[order]
        return JKOState(jnp.asarray(rows[order]), count, zero, zero, count, jnp.asarray(np.argsort(order)), weights)

    def prepare(self, problem: Problem) -> Problem:
        return problem.on_nodes()

    @property
    def clock(self) -> Steps:
        return Steps(self.tau)

    def step(self, problem: Problem, state: JKOState, noise: Noise) -> JKOState:
        size = self.tau * self.clock.at(self.schedule, state.k) * axes(problem)[0].metric
        found = minimise(self._inner(problem, state, size))
        # Particles that overtake: another coupling is shorter, so this is not the minimum.
        overtaken = jnp.min(jnp.diff(found.x), initial=0.0) < -1e-9 * (1.0 + jnp.max(jnp.abs(found.x)))
        last = jnp.where(overtaken, jnp.inf, found.last)
        moved = jnp.sum(state.weights * (found.x - state.y) ** 2)
        action = state.action + jnp.where(size > 0, moved / jnp.where(size > 0, 2.0 * size, 1.0), 0.0)
        last, iterations = jnp.maximum(state.last, last), state.iterations + found.iterations
        return JKOState(found.x, state.k + 1, action, last, iterations, state.place, state.weights)

    def measure(self, problem: Problem, state: JKOState, reading: Reading) -> Particles:
        order = state.place
        return Particles(state.y[order][:, None], state.weights[order], blocks=problem.blocks)

    def record(self, problem: Problem, state: JKOState, reading: Reading) -> dict[str, Array]:
        shown = {"action": state.action, "newton": state.iterations}
        if self.temperature is None:
            return shown
        return {**shown, "free_energy": energy(self._inner(problem, state, jnp.ones(())), state.y)}

    def stalled(self, problem: Problem, state: JKOState) -> Any:
        # Written so that a NaN counts.
        return ~(state.last <= _UNSOLVED)

    def advice(self, problem: Problem, measure: Start) -> str:
        return (
            "the step has no unique minimum that Newton's method finds, tau is too long for it: "
            f"try JKO(tau={float(self.tau) / 4.0:.2g})"
        )

    def _inner(self, problem: Problem, state: JKOState, size: Any) -> Inner:
        axis = axes(problem)[0]
        return Inner(problem, state.y, state.weights, size, self.temperature, axis.lower, axis.upper, axis.walls)

    def placed(self, problem: Problem, start: Start) -> Particles:
        """The start as particles."""
        _check_problem(problem)
        check_start(problem, start, "JKO")
        if start.grid is not None:
            raise ValueError(
                "JKO moves particles, the start is a density on a grid; take density.particles(), or EntropicJKO."
            )
        rho = _quantised(start, self.particles) if isinstance(start, laws.AbstractLaw) else start.atoms(self.particles)
        n, q = len(rho), require_nodes(problem.data, "JKO").weights.shape[0]
        if n * min(n, q) > _MOST_ENTRIES:
            raise ValueError(
                f"JKO: {n} particles make Newton's matrix too large; take at most {int(_MOST_ENTRIES**0.5)}."
            )
        x, axis = np.sort(np.asarray(rho.positions[:, 0], float)), axes(problem)[0]
        if x[0] < axis.lower or x[-1] > axis.upper:
            raise ValueError(f"JKO: the start reaches outside the problem's domain, [{axis.lower:g}, {axis.upper:g}].")
        if self.temperature is not None:
            _check_spread(x, np.asarray(rho.weights), (axis.lower, axis.upper))
            # Refuses d = infinity.
            problem.log_volume(split(problem.blocks, rho.positions[0]))
        return rho


def _check_problem(problem: Problem) -> None:
    why, others = "needs second derivatives (Newton's method)", "EntropicJKO (up to two parameters) or GradientFlow"
    require_smooth_line(problem, "JKO", why, instead=others, kinked="EntropicJKO or GradientFlow")
    if problem.data.outputs:
        raise ValueError(f"JKO: the targets must be numbers, they have shape {problem.data.outputs}.")
    check_intervals(problem, "JKO")
    check_metric(problem, "JKO")


def _check_spread(x: Float[np.ndarray, " N"], weights: Float[np.ndarray, " N"], walls: tuple[float, float]) -> None:
    """Raise `ValueError` where the entropy of the start is infinite."""
    places = np.concatenate([side for side in ([walls[0]], x, [walls[1]]) if np.all(np.isfinite(side))])
    if len(places) < 2:
        raise ValueError("JKO(temperature=...): one particle is an atom, of infinite entropy; take two or more.")
    if not np.all(np.diff(places) > 0):
        raise ValueError(
            "JKO(temperature=...): particles at one place, or on a wall, have infinite entropy; start from a law, or "
            "from its quantise(n)."
        )
    if not np.all(weights > 0):
        raise ValueError("JKO(temperature=...): particles of weight zero have no density; leave them out.")


def _quantised(law: laws.AbstractLaw, n: int) -> Particles:
    """n midpoint quantiles of a law of one parameter; of atoms, all of them where they are no more."""
    from scipy.special import ndtri

    if law.n_atoms is not None:
        return law.quantise(n)
    return Particles(from_score(law, ndtri((np.arange(n) + 0.5) / n))[:, None], blocks=law.blocks)


registry.add(
    "jko",
    JKO,
    tau=number(above=0.0, coarser=2.0),
    temperature=number(least=0.0),
    schedule=named(schedules.registry),
    particles=whole(),
)
