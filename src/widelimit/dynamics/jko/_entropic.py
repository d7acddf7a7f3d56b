"""The minimising movement of the risk in the entropic Wasserstein distance: densities on a grid."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Grid, GridDensity, Particles, grids, split
from widelimit.numerics.registry import named, number, positive
from widelimit.problem import Problem, domains
from widelimit.problem.data import require_nodes

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Start, registry
from ..grid._unit_table import AbstractTable, unit_table
from ._jko import check_duration, checked_step, checked_temperature, mobilities, step_size
from ._scaling import Inner, Kernel, kernel_of, minimise, raised

# A step whose residual ends above this is not solved.
_UNSOLVED = 1e-8
# The mass of a law that may lie outside the grid.
_OUTSIDE = 1e-6


class EntropicState(eqx.Module):
    """`y`: the masses, the last axis of the grid running fastest. `log_g`: log-density, for the next step's guess.

    `residual`: the largest of a step so far; `own`: penalty - T vol and `log_v`: volumes, of the cells.
    """

    y: Float[Array, " N"]
    k: Array
    log_g: Float[Array, " N"]
    residual: Float[Array, ""]
    sweeps: Array
    kernel: Kernel
    table: AbstractTable
    own: Float[Array, " N"]
    log_v: Float[Array, " N"]
    blur: Float[Array, ""]
    grid: Grid


class EntropicJKO(AbstractDynamics):
    r"""The variational step of mei2018 (10) for the masses of a grid's cells, with the entropic distance,

    $$\rho_{t+\tau} = \arg\min_\rho\ R(\rho) + \int \mathrm{pen}\,d\rho
        + \Big(T - \frac{\varepsilon}{2}\Big) \int \rho\log\rho
        + \min_\Gamma \Big[ \int \frac{|x - y|^2}{2 s}\,d\Gamma
        + \varepsilon\,\mathrm{KL}(\Gamma\,|\,\rho_t \otimes dy) \Big],
      \qquad s = \xi(t)\,\tau,\quad \varepsilon = \mathrm{blur}^2 / s,$$

    over couplings Gamma of rho_t with rho. Alone, the entropy of the coupling diffuses: with psi frozen a step would
    draw the new place from a Gaussian of variance eps s = blur^2 around x - s grad psi, which is a temperature eps/2.
    The entropy of rho, lowered by as much, takes it away. What is left is of fourth order in the blur: to leading order
    F gains the energy blur^4 I / (16 s), with I = INT |grad log rho|^2 rho the Fisher information. For a Gaussian of
    variance v and quadratic psi the step is exact but for blur^4/(4 v'), which adds to v. So the bias is a temperature

    $$\frac{\mathrm{blur}^4}{8\,s\,D} \int |\nabla\log\rho|^2\,\rho,$$

    recorded as `excess_temperature` beside `regularisation` (eps), `free_energy` and the number of `sweeps`. Compare it
    with T, or at T = 0 with the widths that matter: an atom keeps the variance blur^2 / sqrt(8 s psi''), and the
    objective may rise towards that. A finer grid lowers it; the error is of order one in tau while it is small.

    Masses stay positive and sum to 1. The edges of the grid are walls without flux, and a uniform density stays uniform
    between them. A mobility diag(P) scales the distance along each axis. Time is t = k tau: end and save times are
    rounded to whole steps.

    **Arguments**

    - `tau`: the step, > 0.
    - `grid`: a `Grid` with finite edges; that of the start by default, where it is a density.
    - `temperature`: T >= 0.
    - `schedule`: xi; a number, a schedule or a function of t.
    - `blur`: in units of theta / sqrt(P); no less than the widest cell, since a narrower Gaussian would not find the
      next cell. A step takes some 25 (T + eps/2)/eps sweeps, or 30 at T = 0. By default the widest cell or, where
      that is more, a quarter of the diffusion length sqrt(2 s T): then eps is at least T/8.

    Starts from a law or from a `GridDensity`. Units and penalties may have kinks: only their values count.

    Raises `ValueError` for numbers out of range, and in a run for more than two parameters, data without nodes, an
    infinite or too coarse grid, one that does not hold the start, and domains that are no box.

    **Source**: Peyre 2015 for the scheme; Conforti and Tamanini 2021 for the expansion in eps.
    """

    tau: Float[Array, ""]
    grid: Grid | None
    temperature: Float[Array, ""]
    schedule: schedules.AbstractSchedule
    blur: Float[Array, ""] | None

    def __init__(
        self,
        tau: float,
        *,
        grid: Grid | None = None,
        temperature: float = 0.0,
        schedule: Any = 1.0,
        blur: float | None = None,
    ) -> None:
        self.tau = checked_step(tau, "EntropicJKO")
        if grid is not None and not isinstance(grid, Grid):
            raise ValueError(f"EntropicJKO(grid=...): expected one of widelimit.measure.grids, got {grid!r}.")
        self.grid = grid
        self.temperature = checked_temperature(temperature, "EntropicJKO")
        self.schedule = schedules.as_schedule(schedule, "EntropicJKO(schedule=...)")
        if blur is not None and (not isinstance(blur, int | float | np.number) or not 0 < blur < float("inf")):
            raise ValueError(f"EntropicJKO(blur=...): must be a number, positive and finite; got {blur!r}.")
        self.blur = None if blur is None else jnp.asarray(blur, float)

    def facts(self, problem: Problem) -> Facts:
        # On a given grid the error does not vanish with tau, and what falls is the free energy up to the bias.
        return Facts(order=None, conserves=("mass",), decreases=(), splits=False, permutes=False)

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> EntropicState:
        _check_problem(problem)
        check_duration(self.clock(t1), t1, self.tau, "EntropicJKO")
        grid = self._grid(measure)
        _check_grid(problem, grid)
        masses = _masses(measure, grid)
        scales = np.sqrt(mobilities(problem, "EntropicJKO"))
        blur = self._blur(grid, scales)
        kernel = kernel_of(grid, jnp.asarray(blur * scales))
        penalty = _penalties(problem, grid)
        log_v = _log_volumes(problem, grid) if float(self.temperature) > 0 else kernel.log_h
        own = penalty - self.temperature * (log_v - kernel.log_h)
        table = unit_table(problem, grid, np.asarray(grid.points))
        zero, count = jnp.zeros(()), jnp.zeros((), jnp.int64)
        return EntropicState(
            masses, count, raised(kernel, masses), zero, count, kernel, table, own, log_v, jnp.asarray(blur), grid
        )

    def prepare(self, problem: Problem) -> Problem:
        return problem.on_nodes()

    def clock(self, t: float) -> int:
        return round(t / float(self.tau))

    def before(self, state: EntropicState, stop: Any) -> Any:
        return state.k < stop

    def noise(self, problem: Problem, state: EntropicState, k: Any) -> None:
        return None

    def step(self, problem: Problem, state: EntropicState, noise: Any) -> EntropicState:
        size = step_size(self.schedule, self.tau, state.k)
        eps = self._regularisation(state.blur, state.k)
        log_m = jnp.log(jnp.maximum(state.y, 1e-300))
        inner = Inner(problem, state.table, state.kernel, state.own, log_m, eps, self.temperature)
        found = minimise(inner, state.y, state.log_g)
        masses = jnp.exp(state.kernel.log_h + found.log_g)
        new = (masses / jnp.sum(masses), found.log_g, jnp.maximum(state.residual, found.residual))
        # Where xi = 0 nothing moves.
        kept = jax.tree.map(lambda a, b: jnp.where(size > 0, a, b), new, (state.y, state.log_g, state.residual))
        counts = (state.k + 1, state.sweeps + found.sweeps)
        return eqx.tree_at(lambda s: (s.y, s.log_g, s.residual, s.k, s.sweeps), state, (*kept, *counts))

    def measure(self, problem: Problem, state: EntropicState, clock: Any) -> GridDensity:
        return GridDensity(state.grid, state.y.reshape(state.grid.shape), blocks=problem.blocks)

    def record(self, problem: Problem, state: EntropicState, clock: Any) -> dict[str, Array]:
        eps = self._regularisation(state.blur, jnp.maximum(state.k - 1, 0))
        rho = self.measure(problem, state, clock)
        information = _information(rho, mobilities(problem, "EntropicJKO"))
        logs = jnp.log(jnp.where(state.y > 0, state.y, 1.0)) - state.log_v
        return {
            "regularisation": eps,
            "excess_temperature": eps * state.blur**2 * information / (8.0 * state.grid.dim),
            "free_energy": problem.objective(rho) + self.temperature * jnp.sum(state.y * logs),
            "sweeps": state.sweeps,
        }

    def reports(self, problem: Problem) -> tuple[str, ...]:
        return ()

    def stalled(self, problem: Problem, state: EntropicState) -> Any:
        # Written so that a NaN counts.
        return ~(state.residual <= _UNSOLVED)

    def crowded(self, state: EntropicState) -> Any:
        return False

    def enlarge(self, problem: Problem, state: EntropicState) -> EntropicState:
        return state

    def advice(self, problem: Problem, measure: Start) -> str:
        return (
            "the iteration for the step does not converge: "
            f"try EntropicJKO(tau={float(self.tau) / 4.0:.2g}), or a larger blur"
        )

    def _regularisation(self, blur: Any, k: Any) -> Float[Array, ""]:
        """eps of step k; that of xi = 1 where xi = 0."""
        size = step_size(self.schedule, self.tau, k)
        return blur**2 / jnp.where(size > 0, size, self.tau)

    def _grid(self, measure: Start) -> Grid:
        if self.grid is not None:
            return self.grid
        if isinstance(measure, GridDensity):
            return measure.grid
        raise ValueError("EntropicJKO(grid=...): needed where the start is no density on a grid.")

    def _blur(self, grid: Grid, scales: Any) -> float:
        widest = max(float(jnp.max(width)) / scale for width, scale in zip(grid.widths, scales, strict=True))
        if self.blur is None:
            xi = self.schedule.largest()
            xi = float(self.schedule(self.tau)) if xi is None else xi
            return max(widest, 0.25 * float(jnp.sqrt(2.0 * self.temperature * self.tau * xi)))
        if float(self.blur) < widest * (1.0 - 1e-9):
            raise ValueError(
                f"EntropicJKO(blur=...): {float(self.blur):.3g} is less than the widest cell of the grid, {widest:.3g} "
                "(over the square root of the mobility): mass would not find the next cell. Take a finer grid, or a "
                "larger blur."
            )
        return float(self.blur)


def _check_problem(problem: Problem) -> None:
    require_nodes(problem.data, "EntropicJKO")
    if problem.dim > 2:
        raise ValueError(
            f"EntropicJKO: a grid has one or two parameters, the problem has {problem.dim}; reduce it by its symmetry "
            "(problem.reduced()), or take GradientFlow."
        )
    if not problem.scale.mean_field:
        raise ValueError("EntropicJKO: a density has no number of neurons; the scale must be scales.MeanField().")
    mobilities(problem, "EntropicJKO")
    for block in problem.blocks:
        domain = problem.domain.of(block.name)
        if not isinstance(domain, domains.Euclidean | domains.Box):
            raise ValueError(
                f"EntropicJKO: the domain of {block.name!r} must be a line or an interval, got {domain!r}."
            )


def _check_grid(problem: Problem, grid: Grid) -> None:
    if grid.dim != problem.dim:
        raise ValueError(
            f"EntropicJKO(grid=...): the grid has {grid.dim} axes, the problem has {problem.dim} parameters."
        )
    bounds = [problem.domain.of(block.name).bounds(block.shape) for block in problem.blocks for _ in range(block.size)]
    for k, (side, (lower, upper)) in enumerate(zip(grid.edges, bounds, strict=True)):
        low, high = float(side[0]), float(side[-1])
        if not -float("inf") < low < high < float("inf"):
            raise ValueError(
                f"EntropicJKO(grid=...): the edges of axis {k} must be finite: no blur fits an infinite cell."
            )
        if low < lower or high > upper:
            raise ValueError(
                f"EntropicJKO(grid=...): axis {k}, [{low:g}, {high:g}], reaches outside the problem's domain, "
                f"[{lower:g}, {upper:g}]."
            )


def _masses(measure: Start, grid: Grid) -> Float[Array, " N"]:
    """The start's masses of the cells."""
    if isinstance(measure, Particles):
        raise ValueError(
            "EntropicJKO moves a density on a grid, the start is particles; start from a law or a GridDensity, or take "
            "JKO."
        )
    if isinstance(measure, GridDensity):
        same = [jnp.array_equal(a, b) for a, b in zip(measure.grid.edges, grid.edges, strict=False)]
        if measure.grid.shape != grid.shape or not all(bool(one) for one in same):
            raise ValueError("EntropicJKO(grid=...): the start is a density on another grid; leave the grid out.")
        return measure.weights / measure.mass
    if measure.dim != grid.dim:
        raise ValueError(f"EntropicJKO: the start is a law of {measure.dim} parameters, the grid has {grid.dim} axes.")
    masses = np.asarray(measure.box_probability(*grid.boxes()))
    outside = 1.0 - masses.sum()
    if outside > _OUTSIDE:
        raise ValueError(
            f"EntropicJKO(grid=...): the grid does not hold the start's mass, {outside:.3g} of it lies outside; "
            "take a wider grid."
        )
    return jnp.asarray(masses / masses.sum())


@eqx.filter_jit
def _log_volumes(problem: Problem, grid: Grid) -> Float[Array, " N"]:
    """log of the cells' volumes in the reference measure of the entropy."""
    theta = split(problem.blocks, grid.points)
    return jnp.log(grid.volumes.ravel()) + jax.vmap(problem.log_volume)(theta)


@eqx.filter_jit
def _penalties(problem: Problem, grid: Grid) -> Float[Array, " N"]:
    points = grid.points
    if problem.penalty is None:
        return jnp.zeros(points.shape[0])
    return jax.vmap(problem.penalty)(split(problem.blocks, points))


def _information(rho: GridDensity, scales: tuple[float, ...]) -> Float[Array, ""]:
    r"""$\int \nabla\log\rho \cdot P\nabla\log\rho\,d\rho = 4 \int |\sqrt P\,\nabla\sqrt\rho|^2$ by differences."""
    root = jnp.sqrt(rho.density)
    total = jnp.zeros(())
    for axis, (x, scale) in enumerate(zip(rho.grid.centres, scales, strict=True)):
        square = jnp.moveaxis(jnp.diff(root, axis=axis) ** 2, axis, 0)
        each = jnp.tensordot(1.0 / jnp.diff(x), square, axes=1)
        others = [width for k, width in enumerate(rho.grid.widths) if k != axis]
        total = total + 4.0 * scale * jnp.sum(each * (others[0] if others else 1.0))
    return total


registry.add(
    "entropic_jko",
    EntropicJKO,
    tau=number(above=0.0, coarser=2.0),
    grid=named(grids.registry),
    temperature=number(least=0.0),
    schedule=named(schedules.registry),
    blur=positive,
)
