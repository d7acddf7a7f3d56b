"""The transport equation in one parameter, 2,000 cells: widelimit's `TransportPDE` against py-pde with numba.

The equation is mei2018's, d rho/dt = d/dr (rho d psi/dr) with psi(r) = 2 INT (f(s) - y) phi(r, s): two classes, 64
nodes of the data radius for d = 40, phi(r, s) = E ramp(r s G), a uniform grid of [0, 4] with walls. py-pde has no
nonlocal terms in its expressions, so the equation is a `PDEBase` of its own that multiplies by the same table with
BLAS inside numba and takes central differences; its Runge-Kutta solver steps with the fixed step that widelimit's CFL
condition has at the start.

Both run in turn, round after round, in one process, after they have compiled. A cell update is one evaluation of the
right-hand side in one cell: three a step for widelimit (rejected steps count for nothing), four for py-pde. The
figure to quote is the median over rounds of the ratio of updates a second.

    python benchmarks/bench_transport.py [--rounds 7] [--json results/bench_transport.json]

Needs the `bench` extra (py-pde, numba).
"""

import math
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pde
import scipy.special
from jax.scipy.stats import norm
from race import Race

import widelimit as wl
from widelimit.dynamics import TransportPDE
from widelimit.measure import grids

CELLS, LENGTH, T1 = 2_000, 4.0, 2.0
DELTA, DIM, NODES = 0.8, 40, 32
MEAN, STD = 1.2, 0.2
WANTED = 3.0


def ramp_mean(theta: Any, s: Any) -> Any:
    """E ramp(r s G), ramp from -2.5 to 7.5 between 0.5 and 1.5."""
    a = theta.radius * s[0]
    return -2.5 + 10.0 * (_hinge(a, 0.5) - _hinge(a, 1.5))


def _hinge(a: Any, knot: float) -> Any:
    return a * norm.pdf(knot / a) - knot * norm.cdf(-knot / a)


def data() -> wl.data.Samples:
    x, weights = scipy.special.roots_genlaguerre(NODES, DIM / 2 - 1)
    s, weights = np.sqrt(2.0 * x / DIM), weights / weights.sum()
    inputs = np.concatenate([(1 + DELTA) * s, (1 - DELTA) * s])
    return wl.data.Samples(inputs, np.repeat([1.0, -1.0], NODES), np.tile(weights, 2))


def problem() -> wl.Problem:
    unit = wl.units.Function(ramp_mean, columns=["radius"])
    return wl.Problem(unit, data(), wl.losses.squared(1.0), domain=wl.domains.Box(0.0, LENGTH))


class Run:
    """Updates a second of one solver, and its density at T1."""

    def __init__(self, solve: Callable[[], tuple[int, np.ndarray]]) -> None:
        self.solve = solve

    def __call__(self) -> tuple[float, float, np.ndarray]:
        tick = time.perf_counter()
        evaluations, density = self.solve()
        spent = time.perf_counter() - tick
        return CELLS * evaluations / spent, spent, density


def widelimit_run() -> Run:
    grid = grids.uniform(0.0, LENGTH, CELLS)
    own, start, dynamics = problem(), wl.laws.Normal(MEAN, STD), TransportPDE(grid)
    none = (wl.observables.Penalty(),)

    def solve() -> tuple[int, np.ndarray]:
        run = wl.evolve(own, start, dynamics, t1=T1, save_at=[T1], observe=none, progress=False)
        return 3 * run.steps, run.weights[-1] * CELLS / LENGTH

    return Run(solve)


class MeanField(pde.PDEBase):
    """d rho/dt = div(rho grad psi), psi = Phi g(Phi^T rho)."""

    explicit_time_dependence = False

    def __init__(self, table: np.ndarray, y: np.ndarray, weights: np.ndarray) -> None:
        super().__init__()
        self.table, self.y, self.mu = table, y, weights

    def evolution_rate(self, state: Any, t: float = 0) -> Any:
        f = self.table.T @ state.data * (LENGTH / CELLS)
        psi = pde.ScalarField(state.grid, self.table @ (2.0 * self.mu * (f - self.y)))
        slope = psi.gradient(bc={"derivative": 0})
        return (state * slope).divergence(bc={"normal_value": 0})

    def make_evolution_rate(self, state: Any, backend: Any) -> Any:
        options = {"backend": backend, "dtype": state.dtype}
        gradient = state.grid.make_operator("gradient", bc={"derivative": 0}, **options)
        divergence = state.grid.make_operator("divergence", bc={"normal_value": 0}, **options)
        table, transposed = np.ascontiguousarray(self.table), np.ascontiguousarray(self.table.T)
        y, mu, width = self.y, 2.0 * self.mu, LENGTH / CELLS

        def rate(state_data: Any, t: float = 0) -> Any:
            f = np.dot(transposed, state_data) * width
            psi = np.dot(table, mu * (f - y))
            return divergence(state_data * gradient(psi))

        return rate


def pypde_run(dt: float) -> Run:
    grid = pde.CartesianGrid([[0.0, LENGTH]], CELLS)
    own = problem()
    r = np.asarray(grids.uniform(0.0, LENGTH, CELLS).centres[0])
    nodes = own.data.nodes
    rows = jax.vmap(lambda a: jax.vmap(lambda s: ramp_mean(wl.measure.split(own.blocks, a[None]), s))(nodes.x))
    equation = MeanField(np.asarray(rows(jnp.asarray(r))), np.asarray(nodes.y), np.asarray(nodes.weights))
    steps = math.ceil(T1 / dt)
    start = np.exp(-0.5 * ((r - MEAN) / STD) ** 2)
    state = pde.ScalarField(grid, start * CELLS / LENGTH / start.sum())
    solver = pde.RungeKuttaSolver(equation, backend="numba")
    controller = pde.Controller(solver, t_range=T1, tracker=None)

    def solve() -> tuple[int, np.ndarray]:
        end = controller.run(state, dt=T1 / steps)
        return 4 * steps, np.asarray(end.data)

    return Run(solve)


def main() -> None:
    race = Race(__doc__, "py-pde")
    ours, peer = widelimit_run(), pypde_run(T1 / 2_000)
    tick = time.perf_counter()
    _, _, density = ours()
    first = time.perf_counter() - tick
    _, _, other = peer()
    race.row(
        "1-D equation with its nonlocal velocity, 2,000 cells, a cell's update",
        "py-pde with numba",
        lambda: 1.0 / ours()[0],
        lambda: 1.0 / peer()[0],
        wanted=WANTED,
        apart=float(np.abs(density - other).sum() * LENGTH / CELLS),
        allowed=1e-2,
        first=first,
    )
    race.end()


if __name__ == "__main__":
    main()
