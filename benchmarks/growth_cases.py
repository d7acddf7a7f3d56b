"""The runs whose growth is measured: for each dynamics a problem, a start, the sizes that it has, and the exponents of
its count of operations and of its arrays.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np

import widelimit as wl
from widelimit import integrators
from widelimit.dynamics import Characteristics, GaussianClosure, Quantiles

STEP = 1e-6
Sizes = dict[str, int]
# A problem, a start and a dynamics.
Made = tuple[wl.Problem, Any, Any]


class Case(NamedTuple):
    """One dynamics.

    - `make`: from sizes; `base`: those that stay where another grows.
    - `grown`: for each size its values, and the exponents expected of time and of memory. T, the number of steps,
      grows in all of them but those whose one step is the whole run.
    - `counter`: the name in the state of what a step is made of, where that number varies; a time is one of it.
    - `whole`: whether the start is what costs (a theory that is solved at once), not the steps.
    """

    make: Callable[[Sizes], Made]
    base: Sizes
    grown: dict[str, tuple[tuple[int, ...], float, float]]
    counter: str | None = None
    whole: bool = False


def _samples(sizes: Sizes, dim: int) -> wl.data.Samples:
    x = np.random.default_rng(0).standard_normal((sizes["Q"], dim))
    return wl.data.Samples(x, np.sin(x[:, 0]))


def _neurons(sizes: Sizes) -> tuple[wl.Problem, wl.Particles]:
    """phi = c tanh(w . x), D parameters."""
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), _samples(sizes, sizes["D"] - 1))
    rows = np.random.default_rng(1).standard_normal((sizes["N"], sizes["D"]))
    return problem, wl.Particles(rows / sizes["D"] ** 0.5)


def _law(problem: wl.Problem) -> Any:
    """Standard normals, a block each."""
    blocks = {block.name: wl.laws.Normal(0.0, 0.5, dim=block.size) if block.shape else wl.laws.Normal(0.0, 0.5)
              for block in problem.blocks}  # fmt: skip
    return wl.laws.product(**blocks)


def _line(sizes: Sizes) -> wl.Problem:
    """phi = tanh(w x), one parameter."""
    return wl.Problem(
        wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False),
        wl.data.Samples(*_curve(sizes["Q"])),
        penalty=wl.penalties.l2(0.02),
    )


def _curve(count: int) -> tuple[np.ndarray, np.ndarray]:
    x = np.linspace(-2.0, 2.0, count)
    return x, np.tanh(3.0 * x + 0.5)


def flow(sizes: Sizes) -> Made:
    return *_neurons(sizes), wl.GradientFlow(integrators.RungeKutta4(STEP))


def sgd(sizes: Sizes) -> Made:
    return *_neurons(sizes), wl.SGD(STEP, batch=sizes["B"])


def diffusion(sizes: Sizes) -> Made:
    return *_neurons(sizes), wl.SGDDiffusion(STEP, batch=10)


def tangent(sizes: Sizes) -> Made:
    return *_neurons(sizes), wl.TangentFlow()


def closure(sizes: Sizes) -> Made:
    problem, _ = _neurons({**sizes, "N": 1})
    return problem, _law(problem), GaussianClosure(integrators.RungeKutta4(STEP))


def characteristics(sizes: Sizes) -> Made:
    problem, _ = _neurons({**sizes, "N": 1})
    return problem, _law(problem), Characteristics(sizes["N"], integrator=integrators.RungeKutta4(STEP))


def resnet(sizes: Sizes) -> Made:
    x = np.random.default_rng(0).standard_normal((sizes["Q"], sizes["d"]))
    problem = wl.problems.wide_resnet(
        wl.data.Samples(x, np.tanh(x[:, ::-1])), depth=sizes["L"], activation=wl.activations.tanh
    )
    law = wl.laws.Normal(0.0, 1.0 / sizes["d"], dim=sizes["d"] ** 2)
    start = problem.start(law, width=sizes["N"], key=jax.random.key(1))
    return problem, start, wl.GradientFlow(integrators.RungeKutta4(STEP))


def quantiles(sizes: Sizes) -> Made:
    panels = sizes["N"] // 16
    return _line(sizes), wl.laws.Normal(0.0, 0.5), Quantiles(1e-3, panels=panels // 2, capacity=panels)


def transport(sizes: Sizes) -> Made:
    pde = wl.TransportPDE(wl.grids.uniform(-4.0, 4.0, sizes["N"]), step=STEP)
    return _line(sizes), wl.laws.Normal(0.0, 0.5), pde


def transport_2d(sizes: Sizes) -> Made:
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh, output_weight=False), wl.data.Samples(*_curve(sizes["Q"]))
    )
    side = wl.grids.uniform(-4.0, 4.0, round(sizes["N"] ** 0.5))
    grid = wl.grids.product(side, side)
    return problem, _law(problem), wl.TransportPDE(grid, step=STEP)


def jko(sizes: Sizes) -> Made:
    return _line(sizes), wl.laws.Normal(0.0, 0.5), wl.JKO(0.1, particles=sizes["N"])


def entropic(sizes: Sizes) -> Made:
    grid = wl.grids.uniform(-4.0, 4.0, sizes["N"])
    return _line(sizes), wl.laws.Normal(0.0, 0.5), wl.EntropicJKO(0.1, grid=grid, temperature=0.05, blur=0.06)


def _powers(first: int, count: int = 5, ratio: int = 2) -> tuple[int, ...]:
    return tuple(first * ratio**i for i in range(count))


# A sweep of EntropicJKO holds psi fixed: the data only enter between sweeps.
# The transport equation keeps its unit's table by a product of low rank, which does not grow with Q.
CASES: dict[str, Case] = {
    "GradientFlow": Case(
        flow,
        {"N": 1024, "Q": 512, "D": 32},
        {"N": (_powers(512, 5, 4), 1, 1), "Q": (_powers(256, 5, 4), 1, 1), "D": (_powers(16, 5), 1, 1)},
    ),
    "GradientFlow, ResNet": Case(
        resnet,
        {"N": 64, "Q": 64, "d": 4, "L": 8},
        {
            "N": (_powers(64, 5), 1, 1),
            "L": (_powers(4, 5), 1, 1),
            "Q": (_powers(64, 5), 1, 1),
            "d": (_powers(4, 4), 2, 2),
        },
    ),
    "SGD": Case(
        sgd,
        {"N": 1024, "Q": 512, "D": 32, "B": 8},
        {
            "N": (_powers(512, 5, 4), 1, 1),
            "Q": (_powers(512, 5, 4), 0, 1),
            "D": (_powers(32, 5), 1, 1),
            "B": (_powers(8, 5), 1, 1),
        },
    ),
    "SGDDiffusion": Case(
        diffusion,
        {"N": 1024, "Q": 512, "D": 32},
        {"N": (_powers(512, 5), 1, 1), "Q": (_powers(256, 5), 1, 1), "D": (_powers(16, 5), 1, 1)},
    ),
    "Quantiles": Case(
        quantiles,
        {"N": 512, "Q": 256},
        {"N": (_powers(256, 4), 1, 1), "Q": (_powers(128, 4), 1, 1)},
    ),
    "Characteristics": Case(
        characteristics,
        {"N": 256, "Q": 256, "D": 8},
        {"N": (_powers(128, 4), 1, 1), "Q": (_powers(128, 4), 1, 1), "D": (_powers(4, 4), 2, 1)},
    ),
    "GaussianClosure": Case(
        closure,
        {"Q": 1024, "D": 16},
        {"Q": (_powers(1024, 4), 1, 1), "D": (_powers(16, 4), 2, 2)},
    ),
    "TangentFlow, solved": Case(
        tangent,
        {"N": 512, "Q": 256, "D": 16},
        {"N": (_powers(256, 4), 1, 1), "Q": (_powers(64, 4), 2, 1), "D": (_powers(8, 4), 1, 1)},
        whole=True,
    ),
    "TransportPDE, 1-D": Case(
        transport,
        {"N": 2000, "Q": 128},
        {"N": (_powers(1000, 4), 1, 1), "Q": (_powers(64, 4), 0, 0)},
    ),
    "TransportPDE, 2-D": Case(
        transport_2d,
        {"N": 64**2, "Q": 128},
        {"N": ((32**2, 45**2, 64**2, 90**2, 128**2), 1, 1), "Q": (_powers(64, 4), 0, 0)},
    ),
    "JKO, a Newton step": Case(
        jko,
        {"N": 1024, "Q": 64},
        {"N": (_powers(512, 4), 1, 1), "Q": (_powers(32, 4), 2, 1)},
        counter="iterations",
    ),
    "EntropicJKO, a sweep": Case(
        entropic,
        {"N": 256, "Q": 64},
        {"N": (_powers(160, 4), 2, 2), "Q": (_powers(64, 4), 0, 1)},
        counter="sweeps",
    ),
}
