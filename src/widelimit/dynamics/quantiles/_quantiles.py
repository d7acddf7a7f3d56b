"""The transport equation of one parameter, solved for the inverse distribution function."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from widelimit.measure import Particles, laws, split
from widelimit.numerics import compiled_quickly, leaf, whole_number
from widelimit.numerics.registry import named, number, whole
from widelimit.problem import Problem

from .. import schedules
from .._dynamics import AbstractGrowth, Facts, Noise, Start, Theta, Weights, registry, require_mean, require_smooth_line
from ..clocks import Reading
from ..flows._flow import AbstractOnePass, FlowState, Rates
from ..integrators import Tsit5
from ._inverse import by_cell, by_score
from ._label_field import LabelField, between_walls, theta_of, walls
from ._panels import Panels, Rule, grown, halve, rule
from ._resolution import MOST_PANELS, first_rough, resolve, scale_of, to_halve, unresolved

# A step in tau may err by this part of the tolerance: the errors of the steps add up.
_STEP_SHARE = 0.1


class Labels(eqx.Module):
    """What goes along with Y at the nodes, K panels of n nodes.

    - `panels`: None where the start was made of particles, which stay what they are (K = 1 then).
    - `marked`: the panels to be halved before the next step.
    - `size`: the scale of X at the start, to which tolerances are relative.
    """

    weights: Float[Array, "K n"]
    panels: Panels | None
    marked: Bool[Array, " K"]
    size: Float[Array, ""]

    def of(self, y: Theta) -> Float[Array, "K n"]:
        """Y as a table of the panels' nodes."""
        return y[0].reshape(self.weights.shape)

    @property
    def short(self) -> Bool[Array, ""]:
        """Whether more panels are to be halved than there are places."""
        return jnp.sum(self.marked) > jnp.sum(jnp.max(self.weights, axis=1) == 0)

    def sorted(self, values: Float[Array, "K n"]) -> Float[Array, "K n"]:
        """The panels in the order of their labels, those without mass last."""
        if self.panels is None:
            return values
        return values[jnp.argsort(jnp.where(self.panels.used, self.panels.middle, jnp.inf))]


class MorePanels(AbstractGrowth[FlowState]):
    """Twice the places for panels, where more are to be halved than there are places."""

    def needed(self, state: FlowState) -> Bool[Array, ""]:
        return _short(state.carried) if state.carried.marked.shape[0] < MOST_PANELS else jnp.asarray(False)

    def grown(self, state: FlowState) -> FlowState:
        return _enlarged(state, min(2 * state.carried.marked.shape[0], MOST_PANELS))


class Quantiles(AbstractOnePass):
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

    def __init__(
        self, rtol: Any = 1e-9, *, order: int = 16, panels: int = 8, capacity: int = 16, schedule: Any = 1.0
    ) -> None:
        self.rtol = leaf(rtol, "Quantiles(rtol=...)", least=1e-12, most=0.1)
        self.order = whole_number(order, "Quantiles(order=...)", least=4, most=64)
        self.panels = whole_number(panels, "Quantiles(panels=...)", least=1, most=MOST_PANELS)
        self.capacity = whole_number(capacity, "Quantiles(capacity=...)", least=1, most=MOST_PANELS)
        self.integrator = None
        self.schedule = schedules.as_schedule(schedule, "Quantiles(schedule=...)")

    def start(self, problem: Problem, theta: Theta, w: Weights) -> Theta:
        """Y: X to begin with, as the blocks of K n particles; X is Y put back between the walls."""
        return type(theta)(between_walls(problem, theta[0]))

    def positions(self, y: Theta) -> Theta:
        return y

    def begin(self, problem: Problem, measure: Start, end: Float[Array, ""]) -> tuple[Theta, Labels]:
        if isinstance(measure, Particles) or (isinstance(measure, laws.AbstractLaw) and measure.n_atoms is not None):
            x, weights = (jnp.asarray(np.asarray(part, float).reshape(1, -1)) for part in _atoms(measure))
            return _begin(self, problem, x, weights, None, end)[0]
        start = by_cell(measure) if measure.grid is not None else by_score(measure, self.panels)
        return resolve(start, self.order, self.capacity, lambda p, x: _begin(self, problem, x, None, p, end))

    def rates(self, problem: Problem, carried: Labels, y: Theta) -> Rates:
        drift = LabelField(problem, carried.weights, carried.size).drift(carried.of(y))
        return Rates(split(problem.blocks, drift.nodes.reshape(-1, 1)), drift.power)

    def method(self, problem: Problem, carried: Labels) -> Tsit5:
        rtol = _STEP_SHARE * self.rtol
        return Tsit5(rtol, rtol * carried.size)

    def put_back(self, problem: Problem, y: Theta) -> Theta:
        # Behind a wall Y goes on.
        return y

    def norm(self, carried: Labels, scaled: Theta) -> Float[Array, ""]:
        """Root mean square over nodes, half by mass and half by number: the far ones count too."""
        # Places without a panel do not count; particles without mass do.
        counted = jnp.ones_like(carried.weights, bool) if carried.panels is None else carried.weights > 0
        share = 0.5 * (carried.weights + counted / jnp.sum(counted))
        return jnp.sqrt(jnp.sum(share * carried.of(scaled) ** 2))

    def facts(self, problem: Problem) -> Facts:
        # Of a law it makes particles, more of them where they are needed; those of a start stay.
        return Facts(
            conserves=("mass", "particles"), decreases=("objective",), splits=problem.scale.mean_field, permutes=True
        )

    def placed(self, problem: Problem, start: Start) -> None:
        """Raise `ValueError` where the equation has no inverse-distribution form, or no smooth one."""
        others = "GradientFlow or Characteristics"
        require_smooth_line(problem, "Quantiles", "resolves smooth flows", instead=others, kinked="GradientFlow")
        require_mean(problem, "Quantiles")
        problem.check_columns(start)
        _check_inside(problem, start)

    def prepare(self, problem: Problem) -> Problem:
        return problem.on_nodes()

    def step(self, problem: Problem, state: FlowState, noise: Noise) -> FlowState:
        state = self.move(problem, *self._refined(problem, state))
        labels = state.carried
        if labels.panels is None:
            return state
        x = labels.of(state.y[0])
        marks = to_halve(problem, self._rule, labels.panels, x, labels.size, self.rtol)
        return eqx.tree_at(lambda s: s.carried.marked, state, marks)

    def measure(self, problem: Problem, state: FlowState, reading: Reading) -> Particles:
        return _measure(self, problem, state, reading)

    def record(self, problem: Problem, state: FlowState, reading: Reading) -> dict[str, Array]:
        (y, energy), labels = self.at(problem, state, reading), state.carried
        if labels.panels is None:
            return {"dissipated": energy}
        level = labels.sorted(labels.panels.levels(self._rule)).ravel()
        worst = jnp.max(unresolved(problem, self._rule, labels.panels, labels.of(y), labels.size))
        return {"dissipated": energy, "resolution": worst, "level": level}

    def stalled(self, problem: Problem, state: FlowState) -> Bool[Array, ""]:
        full = state.carried.marked.shape[0] == MOST_PANELS
        return super().stalled(problem, state) | (full and _short(state.carried))

    @property
    def growth(self) -> MorePanels:
        return MorePanels()

    def advice(self, problem: Problem, start: Start) -> str:
        return (
            f"the flow is too rough for {MOST_PANELS} panels of {self.order} nodes, or it blows up: shorten t1, raise "
            f"rtol, now {float(self.rtol):g}, or run GradientFlow() from law.quantise(n)"
        )

    @property
    def _rule(self) -> Rule:
        return rule(self.order)

    def _refined(self, problem: Problem, state: FlowState) -> tuple[FlowState, Bool[Array, ""]]:
        """The state with its marked panels halved and the particles that leave a wall on it; whether it changed."""
        (y, energy), labels = state.y, state.carried
        x, cut = labels.of(y), jnp.any(labels.marked)
        if labels.panels is not None:
            panels, x = halve(self._rule, labels.panels, x, labels.marked)
            weights = panels.weights(self._rule)
            labels = eqx.tree_at(lambda c: (c.panels, c.weights), labels, (panels, weights))
        x, freed = LabelField(problem, labels.weights, labels.size).release(x)
        y = split(problem.blocks, x.reshape(-1, 1))
        return eqx.tree_at(lambda s: (s.y, s.carried), state, ((y, energy), labels)), cut | freed


# Compiled whole, wherever they are called from: each operation outside a compiled function compiles for itself.
@compiled_quickly
def _begin(dynamics: Quantiles, problem: Problem, x: Any, weights: Any, panels: Panels | None, end: Any) -> Any:
    """(Y, labels) on given panels or particles, and which panels do not resolve them."""
    weights = weights if panels is None else panels.weights(dynamics._rule)
    y = dynamics.start(problem, split(problem.blocks, x.reshape(-1, 1)), weights.ravel())
    x = y[0].reshape(x.shape)
    labels = Labels(weights, panels, jnp.zeros(x.shape[0], bool), scale_of(weights, x))
    field = LabelField(problem, weights, labels.size)
    rough = labels.marked if panels is None else first_rough(field, dynamics._rule, panels, x, dynamics.rtol, end)
    return (y, labels), rough


@eqx.filter_jit
def _measure(dynamics: Quantiles, problem: Problem, state: FlowState, reading: Reading) -> Particles:
    labels = state.carried
    x = labels.sorted(labels.of(dynamics.at(problem, state, reading)[0]))
    return problem.pack(theta_of(problem, x), labels.sorted(labels.weights).ravel())


@compiled_quickly
def _short(labels: Labels) -> Bool[Array, ""]:
    return labels.short


@compiled_quickly
def _enlarged(state: FlowState, places: int) -> FlowState:
    labels = state.carried
    table, shape = labels.weights.shape, state.y[0][0].shape

    def longer(leaf: Any) -> Any:
        if leaf.shape[-len(shape) :] != shape:
            return leaf
        lead = leaf.shape[: leaf.ndim - len(shape)]
        panels_first = jnp.moveaxis(leaf.reshape(*lead, *table), -2, 0)
        return jnp.moveaxis(grown(panels_first, places), 0, -2).reshape(*lead, places * table[1], *shape[1:])

    y, memory = jax.tree.map(longer, (state.y, state.memory))
    more = places - table[0]
    weights, marked = jnp.pad(labels.weights, ((0, more), (0, 0))), jnp.pad(labels.marked, (0, more))
    panels = None if labels.panels is None else labels.panels.grown(places)
    return eqx.tree_at(
        lambda s: (s.y, s.memory, s.carried), state, (y, memory, Labels(weights, panels, marked, labels.size))
    )


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


registry.add(
    "quantiles",
    Quantiles,
    rtol=number(least=1e-12, most=1e-3, coarser=100.0),
    order=whole(least=4, most=64),
    panels=whole(most=MOST_PANELS),
    schedule=named(schedules.registry),
)
