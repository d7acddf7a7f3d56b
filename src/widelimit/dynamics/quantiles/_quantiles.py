"""The transport equation of one parameter, solved for the inverse distribution function."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from widelimit.measure import GridDensity, Particles, describe, laws
from widelimit.numerics.registry import named, number, whole
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from .. import schedules
from .._dynamics import AbstractDynamics, AbstractGrowth, Facts, Noise, Start, refusal, registry
from ..clocks import Reading, Tau
from ..integrators import Step, Tsit5
from ._inverse import by_cell, by_score
from ._label_field import LabelField, between_walls, theta_of, walls
from ._panels import Panels, Rule, grown, halve, rule
from ._resolution import MOST_PANELS, first_rough, resolve, scale_of, to_halve, unresolved

# A step in tau may err by this part of the tolerance: the errors of the steps add up.
_STEP_SHARE = 0.1


class QuantileState(eqx.Module):
    """`y`: (Y at the nodes [K, n], the energy dissipated so far); X is Y put back between the walls.

    - `panels`: None where the start was made of particles, which stay what they are (K = 1 then).
    - `marked`: the panels to be halved before the next step.
    - `size`: the scale of X at the start, to which tolerances are relative.
    """

    y: Any
    k: Array
    clock: Float[Array, ""]
    previous: Float[Array, ""]
    memory: Any
    weights: Float[Array, "K n"]
    panels: Panels | None
    marked: Bool[Array, " K"]
    size: Float[Array, ""]
    end: Float[Array, ""]


class MorePanels(AbstractGrowth[QuantileState]):
    """Twice the places for panels, where more are to be halved than there are places."""

    def needed(self, state: QuantileState) -> Bool[Array, ""]:
        return _short(state) if state.marked.shape[0] < MOST_PANELS else jnp.asarray(False)

    def grown(self, state: QuantileState) -> QuantileState:
        return _enlarged(state, min(2 * state.marked.shape[0], MOST_PANELS))


class Quantiles(AbstractDynamics[QuantileState]):
    r"""The transport equation of one parameter at temperature 0, for the inverse distribution function X,

    $$\partial_t X(u, t) = -\xi(t)\,P\,\psi'(X(u, t); \rho_t), \qquad \rho_t = X(\cdot, t)_\# \mathrm{Uniform}[0, 1].$$

    As a function of the normal score z of u, X is a polynomial on panels of Gauss-Legendre nodes, so the error falls
    exponentially where X and the unit are smooth. A panel that does not resolve them to the tolerance is halved, at
    the start and along the way: where the flow splits the mass X steepens exponentially, which costs a panel a halving.

    It starts from a law or a density on a grid (whose inverse distribution function is linear in each cell). Particles
    and laws of atoms are points that stay what they are. It observes, beside `dissipated` (see `GradientFlow`):

    - `resolution`: the largest part of X (in the root mean square over rho, relative to that of X) or of an integral
      of the unit that a panel does not resolve. Above `rtol` at the kink that a wall makes: there X is known to this.
    - `level`: [N], u at the nodes; X(u) is the u-quantile of rho_t.

    **Arguments**

    - `rtol`: relative tolerance of X and of the risk, between 1e-12 and 0.1.
    - `order`: nodes a panel; `panels`: panels at the start, more where they do not resolve it.
    - `capacity`: how many panels the first arrays hold. More room is made where needed, which compiles anew.
    - `schedule`: xi, a number, a schedule or a function of t.

    Raises `ValueError` for other values. Source: mei2018 (7), in one dimension.
    """

    rtol: Float[Array, ""]
    order: int = eqx.field(static=True)
    panels: int = eqx.field(static=True)
    capacity: int = eqx.field(static=True)
    schedule: schedules.AbstractSchedule

    def __init__(
        self, rtol: Any = 1e-9, *, order: int = 16, panels: int = 8, capacity: int = 16, schedule: Any = 1.0
    ) -> None:
        if not isinstance(rtol, int | float) or not 1e-12 <= rtol <= 0.1:
            raise ValueError(f"Quantiles(rtol=...): must be a number from 1e-12 to 0.1, got {rtol!r}.")
        self.rtol = jnp.asarray(rtol, float)
        self.order = _whole("order", order, 4, 64)
        self.panels = _whole("panels", panels, 1, MOST_PANELS)
        self.capacity = _whole("capacity", capacity, 1, MOST_PANELS)
        self.schedule = schedules.as_schedule(schedule, "Quantiles(schedule=...)")

    def facts(self, problem: Problem) -> Facts:
        # Of a law it makes particles, more of them where they are needed; those of a start stay.
        mean_field = problem.scale.mean_field
        return Facts(
            order=None, conserves=("mass", "particles"), decreases=("objective",), splits=mean_field, permutes=True
        )

    def accepts(self, problem: Problem, start: Start) -> str | None:
        return refusal(_check, problem, start)

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> QuantileState:
        self.check(problem, measure)
        end = jnp.asarray(self.clock.reading(t1), float)
        if isinstance(measure, Particles) or (isinstance(measure, laws.AbstractLaw) and measure.n_atoms is not None):
            x, weights = (jnp.asarray(np.asarray(part, float).reshape(1, -1)) for part in _atoms(measure))
            return _begin(self, problem, x, weights, None, end)[0]
        start = by_cell(measure) if isinstance(measure, GridDensity) else by_score(measure, self.panels)
        return resolve(start, self.order, self.capacity, lambda p, x: _begin(self, problem, x, None, p, end))

    def prepare(self, problem: Problem) -> Problem:
        return problem.on_nodes()

    @property
    def clock(self) -> Tau:
        return Tau(self.schedule)

    def step(self, problem: Problem, state: QuantileState, noise: Noise) -> QuantileState:
        state, jumps = self._refined(problem, state)
        new = self._integrator(state).step(_field(problem, state, jumps), _step_of(state), state.end)
        state = _with(state, new)
        return eqx.tree_at(lambda s: (s.k, s.marked), state, (state.k + 1, self._marks(problem, state)))

    def measure(self, problem: Problem, state: QuantileState, reading: Reading) -> Particles:
        return _measure(self, problem, state, reading)

    def record(self, problem: Problem, state: QuantileState, reading: Reading) -> dict[str, Array]:
        x, energy = self._at(problem, state, reading)
        if state.panels is None:
            return {"dissipated": energy}
        level = _sorted(state, state.panels.levels(self._rule)).ravel()
        worst = jnp.max(unresolved(problem, self._rule, state.panels, x, state.size))
        return {"dissipated": energy, "resolution": worst, "level": level}

    def stalled(self, problem: Problem, state: QuantileState) -> Any:
        short = state.marked.shape[0] == MOST_PANELS and _short(state)
        return short | _stuck(self, state)

    @property
    def growth(self) -> "MorePanels":
        return MorePanels()

    def advice(self, problem: Problem, measure: Start) -> str:
        return (
            f"the flow is too rough for {MOST_PANELS} panels of {self.order} nodes, or it blows up: shorten t1, raise "
            f"rtol, now {float(self.rtol):g}, or run GradientFlow() from law.quantise(n)"
        )

    @property
    def _rule(self) -> Rule:
        return rule(self.order)

    def _integrator(self, state: QuantileState) -> Tsit5:
        rtol = _STEP_SHARE * self.rtol
        return Tsit5(rtol, rtol * state.size)

    def _marks(self, problem: Problem, state: QuantileState) -> Bool[Array, " K"]:
        """The panels that must be halved, and may be."""
        if state.panels is None:
            return state.marked
        return to_halve(problem, self._rule, state.panels, state.y[0], state.size, self.rtol)

    def _refined(self, problem: Problem, state: QuantileState) -> tuple[QuantileState, Bool[Array, ""]]:
        """The state with its marked panels halved and the particles that leave a wall on it; whether it changed."""
        y, energy = state.y
        cut = jnp.any(state.marked)
        if state.panels is not None:
            panels, y = halve(self._rule, state.panels, y, state.marked)
            weights = panels.weights(self._rule)
            state = eqx.tree_at(lambda s: (s.panels, s.weights), state, (panels, weights))
        y, freed = _field(problem, state, False).release(y)
        return eqx.tree_at(lambda s: s.y, state, (y, energy)), cut | freed

    def _at(self, problem: Problem, state: QuantileState, clock: Any) -> Any:
        shown = self._integrator(state).within(_field(problem, state, False), _step_of(state), clock)
        return jax.tree.map(lambda y, z: jnp.where(clock >= state.clock, y, z), state.y, shown)


# Compiled whole, wherever they are called from: each operation outside a compiled function compiles for itself.
@eqx.filter_jit
def _begin(dynamics: Quantiles, problem: Problem, x: Any, weights: Any, panels: Panels | None, end: Any) -> Any:
    """The first state on given panels or particles, and which panels do not resolve it."""
    weights = weights if panels is None else panels.weights(dynamics._rule)
    x, zero, steps = between_walls(problem, x), jnp.zeros(()), jnp.zeros((), jnp.int64)
    marked, size = jnp.zeros(x.shape[0], bool), scale_of(weights, x)
    state = QuantileState((x, zero), steps, zero, zero, None, weights, panels, marked, size, end)
    field = _field(problem, state, False)
    rough = marked if panels is None else first_rough(field, dynamics._rule, panels, x, dynamics.rtol, end)
    return _with(state, dynamics._integrator(state).start(field, state.y, end)), rough


@eqx.filter_jit
def _measure(dynamics: Quantiles, problem: Problem, state: QuantileState, clock: Any) -> Particles:
    x, _ = dynamics._at(problem, state, clock)
    return problem.pack(theta_of(problem, _sorted(state, x)), _sorted(state, state.weights).ravel())


def _field(problem: Problem, state: QuantileState, jumps: Any) -> LabelField:
    # Places without a panel do not count; particles without mass do.
    counted = jnp.ones_like(state.weights, bool) if state.panels is None else state.weights > 0
    return LabelField(problem, state.weights, counted, state.size, jumps)


def _with(state: QuantileState, new: Step) -> QuantileState:
    return eqx.tree_at(
        lambda s: (s.y, s.clock, s.previous, s.memory),
        state,
        (new.y, new.clock, new.previous, new.memory),
        is_leaf=lambda leaf: leaf is None,
    )


def _step_of(state: QuantileState) -> Step:
    return Step(state.clock, state.previous, state.y, state.memory)


def _sorted(state: QuantileState, values: Float[Array, "K n"]) -> Float[Array, "K n"]:
    """The panels in the order of their labels, those without mass last."""
    if state.panels is None:
        return values
    return values[jnp.argsort(jnp.where(state.panels.used, state.panels.middle, jnp.inf))]


@eqx.filter_jit
def _short(state: QuantileState) -> Any:
    """Whether more panels are to be halved than there are places."""
    return jnp.sum(state.marked) > jnp.sum(jnp.max(state.weights, axis=1) == 0)


@eqx.filter_jit
def _stuck(dynamics: Quantiles, state: QuantileState) -> Any:
    return dynamics._integrator(state).stalled(_step_of(state)) & (state.clock < state.end)


@eqx.filter_jit
def _enlarged(state: QuantileState, places: int) -> QuantileState:
    shape = state.weights.shape

    def longer(leaf: Any) -> Any:
        if leaf.shape[-2:] != shape:
            return leaf
        return jnp.moveaxis(grown(jnp.moveaxis(leaf, -2, 0), places), 0, -2)

    y, memory = jax.tree.map(longer, (state.y, state.memory))
    more = places - shape[0]
    weights, marked = jnp.pad(state.weights, ((0, more), (0, 0))), jnp.pad(state.marked, (0, more))
    panels = None if state.panels is None else state.panels.grown(places)
    return eqx.tree_at(
        lambda s: (s.y, s.memory, s.weights, s.marked, s.panels), state, (y, memory, weights, marked, panels)
    )


def _check(problem: Problem, measure: Start) -> None:
    """Raise `ValueError` where the equation has no inverse-distribution form, or no smooth one."""
    require_nodes(problem.data, "Quantiles")
    if problem.dim != 1:
        raise ValueError(
            f"Quantiles needs one parameter; this unit has {problem.dim} ({describe(problem.blocks)}): use "
            "GradientFlow or Characteristics."
        )
    if problem.integrals.kinked or not problem.smooth:
        what = "unit has kinks" if problem.integrals.kinked else "penalty is not smooth"
        raise ValueError(f"Quantiles resolves smooth flows; this problem's {what}: use GradientFlow.")
    if not problem.scale.mean_field:
        raise ValueError("Quantiles solves the limit of many particles; Problem(scale=...) must be the mean.")
    if measure.dim != 1 or (isinstance(measure, laws.AbstractLaw) and measure.blocks not in ((), problem.blocks)):
        raise ValueError(
            f"evolve(measure=...): the start has {measure.dim} columns"
            f"{' (' + describe(measure.blocks) + ')' if measure.blocks else ''}, the unit one, "
            f"{describe(problem.blocks)}."
        )
    _check_inside(problem, measure)


def _check_inside(problem: Problem, measure: Start) -> None:
    """Raise `ValueError` for a law with mass outside the walls; `evolve` has looked at particles and grids."""
    if not isinstance(measure, laws.AbstractLaw) or not walls(problem):
        return
    lower, upper = problem.domain.of(problem.blocks[0].name).bounds(problem.blocks[0].shape)
    sides = np.array([[-np.inf], [np.nextafter(upper, np.inf)]]), np.array([[lower], [np.inf]])
    outside = float(np.sum(measure.box_probability(*sides)))
    if outside > 1e-12:
        raise ValueError(
            f"evolve(measure=...): {outside:.3g} of the law's mass lies outside the problem's domain, "
            f"[{lower:g}, {upper:g}]."
        )


def _atoms(measure: Particles | laws.AbstractLaw) -> tuple[Any, Any]:
    if isinstance(measure, Particles):
        return measure.positions, measure.weights
    return measure.gauss(measure.n_atoms or 1)


def _whole(name: str, value: Any, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not least <= value <= most:
        raise ValueError(f"Quantiles({name}=...): must be a whole number from {least} to {most}, got {value!r}.")
    return int(value)


registry.add(
    "quantiles",
    Quantiles,
    rtol=number(least=1e-12, most=1e-3, coarser=100.0),
    order=whole(least=4, most=64),
    panels=whole(most=MOST_PANELS),
    schedule=named(schedules.registry),
)
