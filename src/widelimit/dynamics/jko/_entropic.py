"""The minimising movement of the risk in the entropic Wasserstein distance: densities on a grid."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Grid, GridDensity, grids
from widelimit.numerics import leaf
from widelimit.numerics.registry import named, number, positive
from widelimit.problem import Problem

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, registry
from ..clocks import Reading, Steps
from ..grid._axes import Axis, axes, check_density, check_grid, check_metric
from ..grid._cells import Cells, cells_of, read
from ..grid._start import check_start, start_masses
from ._scaling import Inner, Kernel, kernel_of, minimise, raised

# A step whose residual ends above this is not solved.
_UNSOLVED = 1e-8
# The mass of the start that may lie outside the grid, whose edges are finite.
_OUTSIDE = 1e-6


class EntropicState(eqx.Module):
    """`y`: the masses, the last axis of the grid running fastest. `log_g`: log-density, for the next step's guess.

    `residual`: the largest of a step so far.
    """

    y: Float[Array, " N"]
    k: Array
    log_g: Float[Array, " N"]
    residual: Float[Array, ""]
    sweeps: Array
    kernel: Kernel
    cells: Cells
    blur: Float[Array, ""]


class EntropicJKO(AbstractDynamics[EntropicState]):
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
    between them. A mobility diag(P) scales the distance along each axis. Time is t = k tau: what is
    saved has the time of its step.

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
        self, tau: Any, *, grid: Any = None, temperature: Any = 0.0, schedule: Any = 1.0, blur: Any = None
    ) -> None:
        self.tau = leaf(tau, "EntropicJKO(tau=...)", above=0.0)
        if grid is not None and not isinstance(grid, Grid):
            raise ValueError(f"EntropicJKO(grid=...): expected one of widelimit.measure.grids, got {grid!r}.")
        self.grid = grid
        self.temperature = leaf(temperature, "EntropicJKO(temperature=...)", least=0.0)
        self.schedule = schedules.as_schedule(schedule, "EntropicJKO(schedule=...)")
        self.blur = None if blur is None else leaf(blur, "EntropicJKO(blur=...)", above=0.0)

    def facts(self, problem: Problem) -> Facts:
        # On a given grid the error does not vanish with tau, and what falls is the free energy up to the bias.
        return Facts(conserves=("mass",))

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> EntropicState:
        grid, masses = self.placed(problem, measure)
        blur, scales = self._blur(problem, grid), _scales(problem)
        kernel = kernel_of(grid, jnp.asarray(blur * scales))
        cells = cells_of(problem, grid, "EntropicJKO", warm=bool(self.temperature > 0))
        zero, count = jnp.zeros(()), jnp.zeros((), jnp.int64)
        return EntropicState(masses, count, raised(kernel, masses), zero, count, kernel, cells, jnp.asarray(blur))

    def prepare(self, problem: Problem) -> Problem:
        return problem.on_nodes()

    @property
    def clock(self) -> Steps:
        return Steps(self.tau)

    def step(self, problem: Problem, state: EntropicState, noise: Noise) -> EntropicState:
        size = self.tau * self.clock.at(self.schedule, state.k)
        eps = self._regularisation(state.blur, state.k)
        log_m = jnp.log(jnp.maximum(state.y, 1e-300))
        inner = Inner(problem, state.cells, state.kernel, log_m, eps, self.temperature)
        found = minimise(inner, state.y, state.log_g)
        masses = jnp.exp(state.kernel.log_h + found.log_g)
        new = (masses / jnp.sum(masses), found.log_g, jnp.maximum(state.residual, found.residual))
        # Where xi = 0 nothing moves.
        kept = jax.tree.map(lambda a, b: jnp.where(size > 0, a, b), new, (state.y, state.log_g, state.residual))
        counts = (state.k + 1, state.sweeps + found.sweeps)
        return eqx.tree_at(lambda s: (s.y, s.log_g, s.residual, s.k, s.sweeps), state, (*kept, *counts))

    def measure(self, problem: Problem, state: EntropicState, reading: Reading) -> GridDensity:
        grid = state.cells.grid
        return GridDensity(grid, state.y.reshape(grid.shape), blocks=problem.blocks)

    def record(self, problem: Problem, state: EntropicState, reading: Reading) -> dict[str, Array]:
        eps = self._regularisation(state.blur, jnp.maximum(state.k - 1, 0))
        rho = self.measure(problem, state, reading)
        information = _information(rho, axes(problem))
        return {
            "regularisation": eps,
            "excess_temperature": eps * state.blur**2 * information / (8.0 * rho.dim),
            "free_energy": read(problem, state.cells, self.temperature, rho.masses).energy,
            "sweeps": state.sweeps,
        }

    def stalled(self, problem: Problem, state: EntropicState) -> Any:
        # Written so that a NaN counts.
        return ~(state.residual <= _UNSOLVED)

    def advice(self, problem: Problem, measure: Start) -> str:
        return (
            "the iteration for the step does not converge: "
            f"try EntropicJKO(tau={float(self.tau) / 4.0:.2g}), or a larger blur"
        )

    def _regularisation(self, blur: Any, k: Any) -> Float[Array, ""]:
        """eps of step k; that of xi = 1 where xi = 0."""
        size = self.tau * self.clock.at(self.schedule, k)
        return blur**2 / jnp.where(size > 0, size, self.tau)

    def placed(self, problem: Problem, start: Start) -> tuple[Grid, Float[Array, " N"]]:
        """The grid and the start's masses on it."""
        check_density(problem, "EntropicJKO")
        check_metric(problem, "EntropicJKO")
        check_start(problem, start, "EntropicJKO")
        grid = start.grid if self.grid is None else self.grid
        if grid is None:
            raise ValueError("EntropicJKO(grid=...): needed where the start is no density on a grid.")
        check_grid(problem, grid, "EntropicJKO")
        if not all(np.all(np.isfinite(side)) for side in grid.edges):
            raise ValueError("EntropicJKO(grid=...): the edges must be finite: no blur fits an infinite cell.")
        self._blur(problem, grid)
        return grid, jnp.asarray(start_masses(grid, start, "EntropicJKO", outside=_OUTSIDE).ravel())

    def _blur(self, problem: Problem, grid: Grid) -> float:
        pairs = zip(grid.widths, _scales(problem), strict=True)
        widest = max(float(jnp.max(width)) / scale for width, scale in pairs)
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


def _scales(problem: Problem) -> Float[np.ndarray, " D"]:
    """sqrt(P) along each axis."""
    return np.sqrt([float(axis.metric) for axis in axes(problem)])


def _information(rho: GridDensity, parameters: tuple[Axis, ...]) -> Float[Array, ""]:
    r"""$\int \nabla\log\rho \cdot P\nabla\log\rho\,d\rho = 4 \int |\sqrt P\,\nabla\sqrt\rho|^2$ by differences."""
    root = jnp.sqrt(rho.density)
    total = jnp.zeros(())
    for axis, (x, parameter) in enumerate(zip(rho.grid.centres, parameters, strict=True)):
        square = jnp.moveaxis(jnp.diff(root, axis=axis) ** 2, axis, 0)
        each = jnp.tensordot(1.0 / jnp.diff(x), square, axes=1)
        others = [width for k, width in enumerate(rho.grid.widths) if k != axis]
        total = total + 4.0 * parameter.metric * jnp.sum(each * (others[0] if others else 1.0))
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
