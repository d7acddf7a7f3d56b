"""The limit itself, as an equation on a grid: transport, and diffusion at a temperature."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Grid, GridDensity, describe
from widelimit.numerics import compiled_quickly, leaf, whole_number
from widelimit.numerics.registry import named, number, positive, whole
from widelimit.problem import Problem

from .. import clocks, schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, registry
from ..clocks import Tau
from ._axes import check_density, check_grid
from ._cells import Cells, Reading, cells_of, read
from ._scharfetter_gummel import diffuse, first_step
from ._scheme import Scheme, Tried, face_rates
from ._start import check_start, default_grid, start_masses
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
    rates: tuple[Float[Array, " _"], ...]


class TransportPDE(AbstractDynamics[PDEState]):
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
        cfl: Any = 0.4,
        step: Any = None,
        rtol: Any = 1e-4,
    ) -> None:
        who = "TransportPDE"
        if grid is not None and not isinstance(grid, Grid):
            raise ValueError(f"{who}(grid=...): expected one of widelimit.measure.grids, got {grid!r}.")
        if grid is not None and cells is not None:
            raise ValueError(f"{who}(grid=..., cells=...): give one of the two.")
        self.grid, self.cells = grid, _checked_cells(cells)
        heat = leaf(temperature, f"{who}(temperature=...)", least=0.0)
        self.temperature = None if not isinstance(heat, Tracer) and float(heat) == 0 else heat
        self.schedule = schedules.as_schedule(schedule, f"{who}(schedule=...)")
        # Above 1/2 a mass could turn negative.
        self.cfl = leaf(cfl, f"{who}(cfl=...)", above=0.0, most=0.5)
        self.rtol = leaf(rtol, f"{who}(rtol=...)", above=0.0, below=1.0)
        self.size = None if step is None else leaf(step, f"{who}(step=...)", above=0.0)

    def facts(self, problem: Problem) -> Facts:
        falls = "objective" if self.temperature is None else "free_energy"
        # There are no particles to split or relabel; the order is that of the grid, not of the step.
        return Facts(conserves=("mass",), decreases=(falls,))

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> PDEState:
        grid, masses = self.placed(problem, measure)
        cells = cells_of(problem, grid, "TransportPDE", warm=self.temperature is not None)
        scheme = Scheme(problem, cells, face_rates(problem, grid, "TransportPDE"), self.temperature)
        end = jnp.asarray(self.clock.reading(t1), float)
        reading, first = _first(self, scheme, masses)
        y, zero = (masses, jnp.zeros(())), jnp.zeros(())
        proposal = jnp.minimum(self._allowed(first), end)
        return PDEState(y, jnp.zeros((), jnp.int64), zero, zero, y, reading, proposal, end, cells, scheme.rates)

    def prepare(self, problem: Problem) -> Problem:
        return problem.on_nodes()

    @property
    def clock(self) -> Tau:
        return Tau(self.schedule)

    def step(self, problem: Problem, state: PDEState, noise: Noise) -> PDEState:
        scheme = Scheme(problem, state.cells, state.rates, self.temperature)
        (masses, spent), left = state.y, state.end - state.clock
        if self.temperature is None:
            limit = self.cfl if self.size is None else 0.5
            dt = jnp.minimum(jnp.minimum(state.proposal, limit / outflow(scheme, state.reading.psi)), left)
            tried = transport(scheme, masses, state.reading, dt)
        else:
            dt = jnp.minimum(state.proposal, left)
            tried = diffuse(scheme, masses, state.reading, dt)
        keep, proposal = self._controlled(tried, dt, state.proposal)
        clock = jnp.where(dt >= left, state.end, state.clock + dt)
        new = ((tried.masses, spent + tried.dissipated), clock, state.y, state.clock, tried.reading)
        old = (state.y, state.clock, state.before, state.previous, state.reading)
        y, clock, before, previous, reading = jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)
        rest = (state.end, state.cells, state.rates)
        return PDEState(y, state.k + 1, clock, previous, before, reading, proposal, *rest)

    def measure(self, problem: Problem, state: PDEState, reading: clocks.Reading) -> GridDensity:
        return GridDensity(state.cells.grid, _within(state, reading)[0], blocks=problem.blocks)

    def record(self, problem: Problem, state: PDEState, reading: clocks.Reading) -> dict[str, Array]:
        masses, spent = _within(state, reading)
        return {"free_energy": read(problem, state.cells, self.temperature, masses).energy, "dissipated": spent}

    def stalled(self, problem: Problem, state: PDEState) -> Any:
        least = 8.0 * jnp.finfo(jnp.float64).eps * jnp.maximum(state.clock, 1e-6 * state.end)
        return ~(state.proposal > least) & (state.clock < state.end)

    def advice(self, problem: Problem, measure: Start) -> str:
        if self.temperature is None:
            return "the potential is too steep or too rough for the grid: give a grid that ends earlier, or shorten t1"
        return "the potential is too steep for the grid: give a grid that ends earlier, raise rtol, or shorten t1"

    def placed(self, problem: Problem, start: Start) -> tuple[Grid, Float[Array, "..."]]:
        """The grid and the start's masses on it."""
        check_density(problem, "TransportPDE")
        check_start(problem, start, "TransportPDE")
        grid = self._grid(problem, start)
        check_grid(problem, grid, "TransportPDE")
        return grid, jnp.asarray(start_masses(grid, start, "TransportPDE"), float)

    def _grid(self, problem: Problem, measure: Start) -> Grid:
        grid = measure.grid if self.grid is None and self.cells is None else self.grid
        if grid is not None:
            return grid
        count = self.cells or (_CELLS[problem.dim],)
        count = count * problem.dim if len(count) == 1 else count
        if len(count) != problem.dim:
            raise ValueError(
                f"TransportPDE(cells=...): {len(count)} numbers, the problem has {problem.dim} parameters: "
                f"{describe(problem.blocks)}."
            )
        return default_grid(problem, measure, count)

    def _allowed(self, first: Float[Array, ""]) -> Float[Array, ""]:
        """The first step. Raises `ValueError` for a fixed one above the CFL limit."""
        if self.size is None:
            return first
        if self.temperature is None and not isinstance(self.size, Tracer) and float(self.size) > float(first):
            raise ValueError(
                f"TransportPDE(step=...): {float(self.size):.4g} is above the CFL limit, which is "
                f"{float(first):.4g} at the start; leave the step out to have it chosen."
            )
        return self.size

    def _controlled(self, tried: Tried, dt: Any, proposal: Any) -> tuple[Any, Any]:
        """Whether a step is kept, and the next one."""
        if self.temperature is not None and self.size is None:
            factor = jnp.clip(0.9 * jnp.sqrt(self.rtol / jnp.maximum(tried.error, 1e-300)), 0.2, 4.0)
            small = tried.error <= self.rtol
            return tried.good & small, dt * jnp.where(tried.good, factor, jnp.minimum(factor, 0.5))
        # Near a fixed point the CFL condition allows any step; after a rejection the way up is slow.
        following = jnp.where(tried.good, jnp.maximum(proposal, 1.5 * dt), 0.5 * dt)
        return tried.good, following if self.size is None else jnp.minimum(following, self.size)


@compiled_quickly
def _first(dynamics: TransportPDE, scheme: Scheme, masses: Any) -> tuple[Reading, Any]:
    reading = scheme.read(masses)
    if dynamics.temperature is None:
        return reading, 0.5 / outflow(scheme, reading.psi)
    # An implicit step of first order that moves a share s of the mass misplaces about s^2 of it.
    return reading, first_step(scheme, masses, reading.psi, jnp.sqrt(dynamics.rtol))


def _within(state: PDEState, clock: Any) -> Any:
    """(masses, dissipated) at a time within the last step: linear, which keeps mass and sign, and a convex F low."""
    length = state.clock - state.previous
    s = jnp.clip((clock - state.previous) / jnp.where(length > 0, length, 1.0), 0.0, 1.0)
    here = clock >= state.clock
    return jax.tree.map(lambda a, b: jnp.where(here, b, (1.0 - s) * a + s * b), state.before, state.y)


def _checked_cells(cells: Any) -> tuple[int, ...] | None:
    if cells is None:
        return None
    counts = tuple(cells) if isinstance(cells, tuple | list) else (cells,)
    return tuple(whole_number(n, "TransportPDE(cells=...), one number or one an axis", least=2) for n in counts) or None


registry.add(
    "transport_pde",
    TransportPDE,
    cells=whole(least=2, doubled=(64, 512)),
    temperature=number(least=0.0, default=0.0),
    schedule=named(schedules.registry),
    cfl=number(above=0.0, most=0.5),
    step=positive,
    rtol=number(above=0.0, below=1.0),
)
