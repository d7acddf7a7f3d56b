"""The fixed point of the diffusion equation, solved directly."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from widelimit.dynamics.grid import axes, cells_of, check_grid
from widelimit.measure import Grid, GridDensity, split
from widelimit.numerics import real_number
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from .._measures import check_convex, check_mean
from ._dual_newton import Dual, solve
from ._free_energy import energies, log_gibbs, scaled_divergence

# Mass at an edge of the grid, where the domain goes on, above which a grid is called too small.
_EDGE = 1e-8
# Numbers that the table of cells x data may hold: 0.4 GB.
_MOST_ENTRIES = 50_000_000
_MOST_STEPS = 1000


@dataclasses.dataclass(frozen=True)
class GibbsState:
    """The minimum of the free energy over the densities on a grid.

    - `density`: rho = Gibbs[rho].
    - `free_energy`, `objective`: F(rho), and its part without the entropy: R_lambda(rho) of mei2018 (22), corrected,
      which lies above inf R_lambda by at most C D T.
    - `residual`: the distance in total variation between rho and Gibbs[rho].
    - `gap`: T KL(rho || Gibbs[rho]) >= F(rho) - min F, whether the iteration converged or not.
    - `iterations`: Newton steps.
    - `statement`: all this in a sentence, and a warning where the grid is too small.
    """

    density: GridDensity
    free_energy: float
    objective: float
    residual: float
    gap: float
    iterations: int
    statement: str


def gibbs(problem: Problem, *, temperature: float, grid: Grid, tolerance: float = 1e-13) -> GibbsState:
    r"""Solve $\rho = \mathrm{vol}\, e^{-\psi(\cdot;\rho)/T}/Z$ on a grid (mei2018 (21)): where noisy flows end.

    It is the one minimum of the convex free energy (see `free_energy`). Newton's method in the prediction at the data,
    with a line search and falling temperatures, from the state without data.

    **Arguments**

    - `temperature`: T > 0; 2/beta in mei2018's symbols.
    - `grid`: of the problem's one or two parameters, inside its domain.
    - `tolerance`: of log rho - log Gibbs[rho]. Rounding limits it to about 1e-16 (psi / T)^2; the steps end there.

    **Raises** `ValueError` for T <= 0, a loss that is not convex, data without nodes, an output scale without a limit,
    a grid that does not fit, more than 5e7 pairs of cells and data, and a reduction at d = infinity.
    """
    check_mean(problem, "gibbs")
    require_nodes(problem.data, "gibbs")
    problem = problem.on_nodes()
    _check(problem, temperature, grid, tolerance)
    cells = cells_of(problem, grid, "gibbs", warm=True, room=_MOST_ENTRIES)
    factors = cells.table.factors()
    if factors is None:
        raise ValueError(
            f"gibbs(grid=...): {math.prod(grid.shape)} cells times {cells.nodes.y.size} data values are more than "
            f"{_MOST_ENTRIES}; take fewer cells, or fewer data (a quadrature, or data.freeze)."
        )
    rows, columns = factors
    log_v, heat = cells.log_volumes.ravel(), jnp.asarray(temperature, float)
    columns = problem.scale.factor(1) * columns
    dual = Dual(problem.loss, rows, columns, cells.nodes, cells.penalty.ravel(), log_v)
    found = solve(dual, heat, jnp.asarray(tolerance, float), jnp.asarray(_MOST_STEPS))
    density = GridDensity(grid, found.masses.reshape(grid.shape), blocks=problem.blocks)
    image = log_gibbs(problem, density, log_v, heat)
    residual = 0.5 * float(np.sum(np.abs(np.exp(image) - np.asarray(density.weights))))
    gap = float(scaled_divergence(density.weights, image, heat))
    free, objective = (float(part) for part in energies(problem, density, log_v, heat))
    if not math.isfinite(free + residual + gap):
        raise ValueError(
            f"gibbs(temperature=...): psi/T leaves the range of numbers at T = {float(temperature):.4g}; raise it."
        )
    words = _say(residual, gap, bool(found.converged), _spilled(problem, density))
    return GibbsState(density, free, objective, residual, gap, int(found.iterations), words)


def _spilled(problem: Problem, density: GridDensity) -> list[str]:
    """Edges of the grid with mass, where the domain goes on."""
    found, masses = [], np.asarray(density.masses)
    for k, (axis, side) in enumerate(zip(axes(problem), density.grid.edges, strict=True)):
        for place, edge, bound in ((0, side[0], axis.lower), (-1, side[-1], axis.upper)):
            mass = float(np.sum(np.take(masses, place, axis=k)))
            if mass > _EDGE and not np.isclose(float(edge), bound, rtol=1e-9, atol=1e-9):
                found.append(f"{mass:.2g} at {axis.name} = {float(edge):.4g}")
            elif mass > _EDGE and np.isinf(bound):
                found.append(f"{mass:.2g} in the unbounded cell of {axis.name}")
    return found


def _say(residual: float, gap: float, converged: bool, spilled: list[str]) -> str:
    state = "A fixed point" if converged else "Newton's method did not converge; a fixed point"
    text = f"{state} to {residual:.2g} in total variation; its free energy is within {gap:.2g} of the grid's least."
    return f"{text} The grid is too small: mass {', '.join(spilled)}." if spilled else text


def _check(problem: Problem, temperature: float, grid: Grid, tolerance: float) -> None:
    real_number(temperature, "gibbs(temperature=...)", above=0.0)
    real_number(tolerance, "gibbs(tolerance=...)", above=0.0, below=1.0)
    check_convex(problem, "gibbs")
    if not problem.scale.mean_field:
        raise ValueError("gibbs(problem=...): this output scale depends on N; use scales.MeanField().")
    check_grid(problem, grid, "gibbs")
    if not bool(jnp.all(jax.vmap(problem.domain.contains)(split(problem.blocks, grid.points)))):
        raise ValueError("gibbs(grid=...): some cells have their centre outside the problem's domain.")
