"""The limit itself, as an equation on a grid: transport, and diffusion at a temperature."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Grid, GridDensity, describe
from widelimit.numerics.registry import named, number, positive, whole
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Start, registry
from ._cells import Cells, Reading, cells_of, read
from ._scharfetter_gummel import diffuse, first_step, free_reading
from ._start import check_grid, check_start, default_grid, start_masses
from ._upwind import outflow, transport

# Cells an axis where nothing is said, in one and in two parameters.
_CELLS = {1: 400, 2: 120}


class PDEState(eqx.Module):
    """`y`: (masses of the cells, energy dissipated so far); `before`: the same at `previous`, where the last step
    began.

    `reading`: energy and potential at y. `proposal`: the next step, or the most it may be.
    """

    y: Any
    k: Array
    clock: Float[Array, ""]
    previous: Float[Array, ""]
    before: Any
    reading: Reading
    proposal: Float[Array, ""]
    end: Float[Array, ""]
    cells: Cells


class TransportPDE(AbstractDynamics):
    r"""$\partial_t\rho = \xi(t)\,[\,\mathrm{div}(\rho P\nabla\psi) + T\,\mathrm{div}(P\nabla\rho)\,]$ in one or two
    parameters,

    no flux through the walls, by finite volumes (mei2018 (7), and (12) with T = 2/beta as NOTATION.md has it).

    The unknowns are the masses of a grid's cells, psi is the derivative of the discrete objective (atoms at the
    centres) by them. Mass is kept to rounding, none turns negative, and the free energy
    $F = \mathrm{objective} + T\sum m\log(m/V)$ never rises: a step that would do so is halved. V are the cells'
    volumes, in a reduced problem times its reference volume. The schemes work in the index of the cells, so
    compactified grids with an infinite last cell are like others.

    - T = 0: upwind fluxes with limited linear reconstruction, of second order where the density is smooth, in time a
      strong-stability-preserving Runge-Kutta method of order 3 with a step from the CFL condition. Mass at a wall
      sits at the centre of the last cell, half a cell off: there it is of first order.
    - T > 0: Scharfetter-Gummel fluxes, implicit in time: the discrete Gibbs measure is an exact fixed point. Second
      order in space where psi changes by less than 2 T from cell to cell, first order where it changes by more; second
      order in time, with an adaptive step.

    A penalty, smooth or not, only counts by its values at the centres.

    **Arguments**

    - `grid`: from `widelimit.measure.grids`, one axis a parameter; its ends are walls. Left out: that of the start if
      it has one, else uniform on a bounded domain, and compactified to infinity on others, scaled to the start.
    - `cells`: cells an axis of the grid that is left out, a number or one an axis; 400 (120 in two parameters).
    - `temperature`: T >= 0.
    - `schedule`: xi, a number, a schedule or a function of t.
    - `cfl`: for T = 0, the most of its mass that a cell may lose in a step as if it were uniform, in (0, 0.5].
    - `step`: a fixed step (in tau = INT xi) instead of that of the CFL condition or the error control.
    - `rtol`: for T > 0, the mass that a step of first order may misplace (the steps are of second order).

    Starts from a law (exact probabilities of the cells), a `GridDensity` on its grid, or particles, shared between
    neighbouring cells. It records `free_energy` and `dissipated`, the integral of $-dF/d\tau$ as the scheme has it.

    Raises `ValueError` for numbers out of range, and in a run for a problem with more than two parameters, data without
    nodes, a circle or sphere as domain, a grid that does not hold the start, a mobility that is no diagonal, and a
    `step` above the CFL limit.
    """

    grid: Grid | None
    cells: tuple[int, ...] | None = eqx.field(static=True)
    temperature: Float[Array, ""] | None
    schedule: schedules.AbstractSchedule
    cfl: Float[Array, ""]
    size: Float[Array, ""] | None
    rtol: Float[Array, ""]

    def __init__(
        self,
        grid: Any = None,
        *,
        cells: Any = None,
        temperature: Any = 0.0,
        schedule: Any = 1.0,
        cfl: float = 0.4,
        step: float | None = None,
        rtol: float = 1e-4,
    ) -> None:
        if grid is not None and not isinstance(grid, Grid):
            raise ValueError(f"TransportPDE(grid=...): expected one of widelimit.measure.grids, got {grid!r}.")
        if grid is not None and cells is not None:
            raise ValueError("TransportPDE(grid=..., cells=...): give one of the two.")
        _check_number("temperature", temperature, 0.0 <= _number(temperature) < math.inf, "finite and not negative")
        _check_number("cfl", cfl, 0.0 < _number(cfl) <= 0.5, "in (0, 0.5]: above, a mass could turn negative")
        _check_number("rtol", rtol, 0.0 < _number(rtol) < 1.0, "in (0, 1)")
        if step is not None:
            _check_number("step", step, 0.0 < _number(step) < math.inf, "positive and finite")
        self.grid, self.cells = grid, _checked_cells(cells)
        self.temperature = None if float(temperature) == 0 else jnp.asarray(temperature, float)
        self.schedule = schedules.as_schedule(schedule, "TransportPDE(schedule=...)")
        self.cfl, self.rtol = jnp.asarray(cfl, float), jnp.asarray(rtol, float)
        self.size = None if step is None else jnp.asarray(step, float)

    def facts(self, problem: Problem) -> Facts:
        falls = "objective" if self.temperature is None else "free_energy"
        # There are no particles to split or relabel; the order is that of the grid, not of the step.
        return Facts(order=None, conserves=("mass",), decreases=(falls,), splits=False, permutes=False)

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> PDEState:
        require_nodes(problem.data, "TransportPDE")
        _check_problem(problem)
        check_start(problem, measure)
        grid = self._grid(problem, measure)
        masses = jnp.asarray(start_masses(grid, measure))
        cells = cells_of(problem, grid, warm=self.temperature is not None)
        end = jnp.asarray(self.clock(t1), float)
        reading, proposal = self._begin(problem, cells, masses, end)
        y, zero = (masses, jnp.zeros(())), jnp.zeros(())
        return PDEState(y, jnp.zeros((), jnp.int64), zero, zero, y, reading, proposal, end, cells)

    def prepare(self, problem: Problem) -> Problem:
        return problem.on_nodes()

    def clock(self, t: float) -> float:
        return self.schedule.integral(t)

    def before(self, state: PDEState, stop: Any) -> Any:
        return state.clock < stop

    def noise(self, problem: Problem, state: PDEState, k: Any) -> None:
        return None

    def step(self, problem: Problem, state: PDEState, noise: Any) -> PDEState:
        masses, spent = state.y
        left = state.end - state.clock
        if self.temperature is None:
            limit = self.cfl if self.size is None else 0.5
            wanted = jnp.minimum(state.proposal, limit / outflow(state.cells, state.reading.psi))
            dt = jnp.minimum(wanted, left)
            tried = transport(problem, state.cells, masses, state.reading, dt)
            keep = tried.good
            # Near a fixed point the CFL condition allows any step; after a rejection the way up is slow.
            proposal = jnp.where(keep, jnp.maximum(state.proposal, 1.5 * dt), 0.5 * dt)
        else:
            dt = jnp.minimum(state.proposal, left)
            tried = diffuse(problem, state.cells, self.temperature, masses, state.reading, dt)
            keep, proposal = self._controlled(tried.good, tried.error, dt, state.proposal)
        if self.size is not None:
            proposal = jnp.minimum(proposal, self.size)
        new = (tried.masses, spent + tried.dissipated)
        clock = jnp.where(dt >= left, state.end, state.clock + dt)

        def choose(new: Any, old: Any) -> Any:
            return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)

        return PDEState(
            choose(new, state.y),
            state.k + 1,
            choose(clock, state.clock),
            choose(state.clock, state.previous),
            choose(state.y, state.before),
            choose(tried.reading, state.reading),
            proposal,
            state.end,
            state.cells,
        )

    def measure(self, problem: Problem, state: PDEState, clock: Any) -> GridDensity:
        return GridDensity(state.cells.grid, _within(state, clock)[0], blocks=problem.blocks)

    def record(self, problem: Problem, state: PDEState, clock: Any) -> dict[str, Array]:
        masses, spent = _within(state, clock)
        return {"free_energy": self._read(problem, state.cells, masses).energy, "dissipated": spent}

    def reports(self, problem: Problem) -> tuple[str, ...]:
        return ()

    def stalled(self, problem: Problem, state: PDEState) -> Any:
        least = 8.0 * jnp.finfo(jnp.float64).eps * jnp.maximum(state.clock, 1e-6 * state.end)
        return ~(state.proposal > least) & (state.clock < state.end)

    def crowded(self, state: PDEState) -> Any:
        return False

    def enlarge(self, problem: Problem, state: PDEState) -> PDEState:
        return state

    def advice(self, problem: Problem, measure: Start) -> str:
        if self.temperature is None:
            return "the potential is too steep or too rough for the grid: give a grid that ends earlier, or shorten t1"
        return "the potential is too steep for the grid: give a grid that ends earlier, raise rtol, or shorten t1"

    def _grid(self, problem: Problem, measure: Start) -> Grid:
        grid = self.grid
        if grid is None and isinstance(measure, GridDensity) and self.cells is None:
            grid = measure.grid
        if grid is None:
            count = self.cells or (_CELLS[problem.dim],)
            count = count * problem.dim if len(count) == 1 else count
            if len(count) != problem.dim:
                raise ValueError(
                    f"TransportPDE(cells=...): {len(count)} numbers, the unit has {problem.dim} parameters: "
                    f"{describe(problem.blocks)}."
                )
            grid = default_grid(problem, measure, count)
        check_grid(problem, grid)
        return grid

    def _read(self, problem: Problem, cells: Cells, masses: Any) -> Reading:
        if self.temperature is None:
            return read(problem, cells, masses)
        return free_reading(problem, cells, self.temperature, masses)

    def _begin(self, problem: Problem, cells: Cells, masses: Any, end: Any) -> tuple[Reading, Any]:
        """The reading at the start, and the first step. Raises `ValueError` for a fixed step above the CFL limit."""
        reading, first = _first(self, problem, cells, masses)
        if self.size is None:
            return reading, jnp.asarray(min(float(first), float(end)), float)
        if self.temperature is None and float(self.size) > float(first):
            raise ValueError(
                f"TransportPDE(step=...): {float(self.size):.4g} is above the CFL limit, which is "
                f"{float(first):.4g} at the start; leave the step out to have it chosen."
            )
        return reading, jnp.asarray(min(float(self.size), float(end)), float)

    def _controlled(self, good: Any, error: Any, dt: Any, proposal: Any) -> tuple[Any, Any]:
        """Whether an implicit step is kept, and the next one."""
        if self.size is not None:
            return good, jnp.where(good, jnp.maximum(proposal, 1.5 * dt), 0.5 * dt)
        factor = jnp.clip(0.9 * jnp.sqrt(self.rtol / jnp.maximum(error, 1e-300)), 0.2, 4.0)
        return good & (error <= self.rtol), dt * jnp.where(good, factor, jnp.minimum(factor, 0.5))


@eqx.filter_jit
def _first(dynamics: TransportPDE, problem: Problem, cells: Cells, masses: Any) -> tuple[Reading, Any]:
    reading = dynamics._read(problem, cells, masses)
    if dynamics.temperature is None:
        return reading, 0.5 / outflow(cells, reading.psi)
    # An implicit step of first order that moves a share s of the mass misplaces about s^2 of it.
    return reading, first_step(cells, dynamics.temperature, masses, reading.psi, jnp.sqrt(dynamics.rtol))


def _within(state: PDEState, clock: Any) -> Any:
    """(masses, dissipated) at a time within the last step: linear, which keeps mass and sign, and a convex F low."""
    length = state.clock - state.previous
    s = jnp.clip((clock - state.previous) / jnp.where(length > 0, length, 1.0), 0.0, 1.0)
    here = clock >= state.clock
    return jax.tree.map(lambda a, b: jnp.where(here, b, (1.0 - s) * a + s * b), state.before, state.y)


def _check_problem(problem: Problem) -> None:
    if problem.dim > 2:
        raise ValueError(
            f"TransportPDE: a grid needs one or two parameters, the unit has {problem.dim}: "
            f"{describe(problem.blocks)}; use GradientFlow, or a problem reduced by its symmetry (problem.reduced())."
        )
    if not problem.scale.mean_field:
        raise ValueError("TransportPDE: the output scale depends on the number of particles, so there is no limit.")


def _checked_cells(cells: Any) -> tuple[int, ...] | None:
    if cells is None:
        return None
    counts = tuple(cells) if isinstance(cells, tuple | list) else (cells,)
    if not counts or not all(isinstance(n, int | np.integer) and not isinstance(n, bool) and n >= 2 for n in counts):
        raise ValueError(
            f"TransportPDE(cells=...): must be a whole number of at least 2, or one an axis; got {cells!r}."
        )
    return tuple(int(n) for n in counts)


def _number(value: Any) -> float:
    """The value as a number; NaN, which lies in no range, for what is none."""
    if isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _check_number(name: str, value: Any, fits: bool, allowed: str) -> None:
    if not fits:
        raise ValueError(f"TransportPDE({name}=...): must be {allowed}; got {value!r}.")


registry.add(
    "transport_pde",
    TransportPDE,
    cells=whole(least=4, doubled=(64, 512)),
    temperature=number(least=0.0, default=0.0),
    schedule=named(schedules.registry),
    cfl=number(above=0.0, most=0.5),
    step=positive,
    rtol=number(above=0.0, below=1.0),
)
