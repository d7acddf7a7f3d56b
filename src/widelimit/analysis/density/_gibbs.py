"""The fixed point of the diffusion equation, solved directly."""

import dataclasses
import math

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Grid, GridDensity, split
from widelimit.numerics import entries, map_rows, real_number
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes

from ._dual_newton import Dual, factorise, solve
from ._free_energy import check_convex, check_temperature, energies, log_gibbs, log_volumes, scaled_divergence

# Mass at an edge of the grid, where the domain goes on, above which a grid is called too small.
_EDGE = 1e-8
# Numbers in the table of cells x data: 0.4 GB.
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

    def __repr__(self) -> str:
        return f"GibbsState(free_energy={self.free_energy:.12g}, objective={self.objective:.12g}, {self.statement!r})"


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
    nodes = require_nodes(problem.data, "gibbs")
    problem = problem.on_nodes()
    _check(problem, temperature, grid, tolerance, nodes)
    log_v = log_volumes(problem, grid)
    table, penalty = _table(problem, grid, nodes)
    _check_finite(grid, table, penalty)
    outputs = table.shape[1] // len(nodes.weights)
    rows, columns = factorise(np.asarray(table), np.repeat(np.asarray(nodes.weights), outputs))
    dual = Dual(problem.loss, jnp.asarray(rows), jnp.asarray(columns), nodes.y, nodes.weights, penalty, log_v)
    heat = jnp.asarray(temperature, float)
    found = solve(dual, heat, jnp.asarray(tolerance, float), jnp.asarray(_MOST_STEPS))
    density = GridDensity(grid, found.masses.reshape(grid.shape), blocks=problem.blocks)
    image = log_gibbs(problem, density, log_v, heat)
    residual = 0.5 * float(np.sum(np.abs(np.exp(image) - np.asarray(density.weights))))
    gap = float(scaled_divergence(density.weights, image, heat))
    energy = energies(problem, density, log_v, heat)
    if not math.isfinite(float(energy.free) + residual + gap):
        raise ValueError(
            f"gibbs(temperature=...): psi/T leaves the range of numbers at T = {float(temperature):.4g}; raise it."
        )
    return GibbsState(
        density,
        float(energy.free),
        float(energy.objective),
        residual,
        gap,
        int(found.iterations),
        _say(residual, gap, bool(found.converged), _spilled(problem, density)),
    )


@eqx.filter_jit
def _table(problem: Problem, grid: Grid, nodes: Nodes) -> tuple[Float[Array, "N M"], Float[Array, " N"]]:
    """phi at all cells and data (components fastest), and the penalty at all cells."""
    theta = split(problem.blocks, grid.points)
    factor = problem.scale.factor(1)

    def row(one: object) -> Float[Array, " M"]:
        return factor * jax.vmap(lambda point: problem.unit(one, point))(nodes.x).ravel()

    table = map_rows(row, theta, max(1, entries(problem.budget) // nodes.y.size))
    if problem.penalty is None:
        return table, jnp.zeros(table.shape[0])
    return table, jax.vmap(problem.penalty)(theta)


def _check_finite(grid: Grid, table: Float[Array, "N M"], penalty: Float[Array, " N"]) -> None:
    """Raise `ValueError` that names a cell where the unit or the penalty is not finite."""
    for name, values in (("unit", np.asarray(table)), ("penalty", np.asarray(penalty)[:, None])):
        bad = ~np.all(np.isfinite(values), axis=1)
        if np.any(bad):
            centre = np.asarray(grid.points)[int(np.argmax(bad))].tolist()
            raise ValueError(f"gibbs(grid=...): the {name} is not finite at the cell centre {centre}.")


def _spilled(problem: Problem, density: GridDensity) -> list[str]:
    """Edges of the grid with mass, where the domain goes on."""
    found, names = [], [block.name for block in problem.blocks for _ in range(block.size)]
    shapes = {block.name: block.shape for block in problem.blocks}
    masses = np.asarray(density.masses)
    for axis, (name, side) in enumerate(zip(names, density.grid.edges, strict=True)):
        bounds = problem.domain.of(name).bounds(shapes[name])
        for place, edge, bound in ((0, side[0], bounds[0]), (-1, side[-1], bounds[1])):
            mass = float(np.sum(np.take(masses, place, axis=axis)))
            if mass > _EDGE and not np.isclose(float(edge), bound, rtol=1e-9, atol=1e-9):
                found.append(f"{mass:.2g} at {name} = {float(edge):.4g}")
            elif mass > _EDGE and np.isinf(bound):
                found.append(f"{mass:.2g} in the unbounded cell of {name}")
    return found


def _say(residual: float, gap: float, converged: bool, spilled: list[str]) -> str:
    state = "A fixed point" if converged else f"Not converged in {_MOST_STEPS} steps; a fixed point"
    text = (
        f"{state} to {residual:.2g} in total variation; its free energy is within {gap:.2g} of the least on the grid."
    )
    if spilled:
        text += f" The grid is too small: mass {', '.join(spilled)}."
    return text


def _check(problem: Problem, temperature: float, grid: Grid, tolerance: float, nodes: Nodes) -> None:
    check_temperature(temperature, "gibbs")
    check_convex(problem, "gibbs")
    if not problem.scale.mean_field:
        raise ValueError("gibbs(problem=...): this output scale depends on N; use scales.MeanField().")
    real_number(tolerance, "gibbs(tolerance=...)", above=0.0, below=1.0)
    if not isinstance(grid, Grid) or grid.dim != problem.dim:
        got = f"{grid.dim} axes" if isinstance(grid, Grid) else type(grid).__name__
        raise ValueError(
            f"gibbs(grid=...): expected a Grid with one axis for each of {problem.dim} parameters, got {got}."
        )
    size = math.prod(grid.shape) * nodes.y.size
    if size > _MOST_ENTRIES:
        raise ValueError(
            f"gibbs(grid=...): {math.prod(grid.shape)} cells times {nodes.y.size} data values are more than "
            f"{_MOST_ENTRIES}; take fewer cells, or fewer data (a quadrature, or data.freeze)."
        )
    if not bool(jnp.all(jax.vmap(problem.domain.contains)(split(problem.blocks, grid.points)))):
        raise ValueError("gibbs(grid=...): some cells have their centre outside the problem's domain.")
