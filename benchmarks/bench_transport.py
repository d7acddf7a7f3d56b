"""The transport equation in one parameter and in two: widelimit's `TransportPDE` against py-pde with numba.

In one parameter, 2,000 cells, the equation is mei2018's, d rho/dt = d/dr (rho d psi/dr) with
psi(r) = 2 INT (f(s) - y) phi(r, s): two classes, 64 nodes of the data radius for d = 40, phi(r, s) = E ramp(r s G), a
uniform grid of [0, 4] with walls. py-pde has no
nonlocal terms in its expressions, so the equation is a `PDEBase` of its own that multiplies by the same table with
BLAS inside numba and takes central differences; its Runge-Kutta solver steps with the fixed step that widelimit's CFL
condition has at the start. In two, 200 x 200 cells, it is that of a tanh neuron of one input in (weight, bias) in
[-2, 2]^2, on 32 samples.

Both run in turn, round after round, in one process, after they have compiled. A cell update is one evaluation of the
right-hand side in one cell: three a step for widelimit (rejected steps count for nothing), four for py-pde. The
figure to quote is the median over rounds of the ratio of updates a second.

    python benchmarks/bench_transport.py [--rounds 7] [--json results/bench_transport.json]

Needs the `bench` extra (py-pde, numba).
"""

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
SIDE, HALF, T1_PLANE = 200, 2.0, 0.5
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


def plane() -> wl.Problem:
    x = np.linspace(-2.0, 2.0, 32)
    unit = wl.units.Neuron(wl.activations.tanh, output_weight=False)
    return wl.Problem(unit, wl.data.Samples(x, np.sin(x)), domain=wl.domains.Box(-HALF, HALF))


class Run:
    """Updates a second of one solver, and its density at the end."""

    def __init__(self, cells: int, solve: Callable[[], tuple[int, np.ndarray]]) -> None:
        self.cells, self.solve = cells, solve

    def __call__(self) -> tuple[float, np.ndarray]:
        tick = time.perf_counter()
        evaluations, density = self.solve()
        return self.cells * evaluations / (time.perf_counter() - tick), density


def ours(own: wl.Problem, grid: Any, start: wl.laws.AbstractLaw, t1: float) -> Run:
    dynamics, none = TransportPDE(grid), (wl.observables.Penalty(),)

    def solve() -> tuple[int, np.ndarray]:
        run = wl.evolve(own, start, dynamics, t1=t1, save_at=[t1], observe=none, progress=False)
        return 3 * run.steps, np.asarray(run.weights[-1])

    return Run(int(np.prod(grid.shape)), solve)


class MeanField(pde.PDEBase):
    """d rho/dt = div(rho grad psi), psi = Phi g(Phi^T rho); rho in masses of cells."""

    explicit_time_dependence = False

    def __init__(self, table: np.ndarray, y: np.ndarray, weights: np.ndarray) -> None:
        super().__init__()
        self.table, self.y, self.mu = table, y, weights

    def evolution_rate(self, state: Any, t: float = 0) -> Any:
        f = self.table.T @ state.data.ravel()
        psi = pde.ScalarField(state.grid, (self.table @ (self.mu * (f - self.y))).reshape(state.data.shape))
        slope = psi.gradient(bc={"derivative": 0})
        return (state * slope).divergence(bc={"normal_value": 0})

    def make_evolution_rate(self, state: Any, backend: Any) -> Any:
        options = {"backend": backend, "dtype": state.dtype}
        gradient = state.grid.make_operator("gradient", bc={"derivative": 0}, **options)
        divergence = state.grid.make_operator("divergence", bc={"normal_value": 0}, **options)
        table, transposed = np.ascontiguousarray(self.table), np.ascontiguousarray(self.table.T)
        y, mu, shape = self.y, self.mu, state.data.shape

        def rate(state_data: Any, t: float = 0) -> Any:
            f = np.dot(transposed, np.ravel(state_data))
            psi = np.dot(table, mu * (f - y)).reshape(shape)
            return divergence(state_data * gradient(psi))

        return rate


def theirs(own: wl.Problem, grid: Any, start: np.ndarray, t1: float, steps: int, factor: float) -> Run:
    """`start`: masses; `factor`: of the loss factor/2 (f - y)^2."""
    edges = [np.asarray(side) for side in grid.edges]
    box = pde.CartesianGrid([[side[0], side[-1]] for side in edges], grid.shape)
    nodes = own.data.nodes
    at = jax.vmap(lambda z: jax.vmap(lambda s: own.unit(wl.measure.split(own.blocks, z), s))(nodes.x))
    table = np.asarray(at(jnp.asarray(grid.points))).reshape(int(np.prod(grid.shape)), -1)
    equation = MeanField(table, np.asarray(nodes.y), factor * np.asarray(nodes.weights))
    state = pde.ScalarField(box, start.reshape(grid.shape))
    controller = pde.Controller(pde.RungeKuttaSolver(equation, backend="numba"), t_range=t1, tracker=None)

    def solve() -> tuple[int, np.ndarray]:
        return 4 * steps, np.asarray(controller.run(state, dt=t1 / steps).data).ravel()

    return Run(int(np.prod(grid.shape)), solve)


def main() -> None:
    race = Race(__doc__, "py-pde")
    line, square = grids.uniform(0.0, LENGTH, CELLS), grids.uniform(-HALF, HALF, SIDE)
    square = grids.product(square, square)
    cases = (
        ("1-D equation, 2,000 cells", problem(), line, wl.laws.Normal(MEAN, STD), T1, 2_000, 2.0),
        ("2-D equation, 200 x 200 cells", plane(), square, wl.laws.Normal(0.5, 0.22, dim=2), T1_PLANE, 200, 1.0),
    )
    for name, own, grid, law, t1, steps, factor in cases:
        mine = ours(own, grid, law, t1)
        tick = time.perf_counter()
        _, density = mine()
        first = time.perf_counter() - tick
        peer = theirs(own, grid, np.asarray(law.cell_masses(grid)), t1, steps, factor)
        _, other = peer()
        race.row(
            f"{name} with its nonlocal velocity, a cell's update",
            "py-pde with numba",
            lambda mine=mine: 1.0 / mine()[0],
            lambda peer=peer: 1.0 / peer()[0],
            wanted=WANTED,
            apart=float(np.abs(density - other).sum()),
            allowed=1e-2,
            first=first,
        )
    race.end()


if __name__ == "__main__":
    main()
