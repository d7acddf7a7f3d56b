"""Networks of N neurons around their limit, and the central limit theorem that foresees them (rotskoff2018)."""

import functools
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from widelimit import analysis
from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, units
from widelimit.problem.data import Samples

from .._history import equal_weights, history
from .._page import Arrays, Values

WIDTHS = (4, 8, 16, 32, 64, 128)
END, _MOMENTS, _STEP = 10.0, 17, 0.1
_INPUTS, _DRAWS = 24, (4, 24)
# That carry the fluctuations, and the limit itself.
_PARTICLES = ((32, 64), (128, 1024))
X = np.linspace(-1.0, 1.0, _INPUTS)


def target_of(waves: float, height: float) -> Float[np.ndarray, " Q"]:
    """A sine at the inputs."""
    return height * np.sin(waves * np.pi * (X + 1.0) + 0.6)


def problem_of(y: Float[np.ndarray, " Q"]) -> Problem:
    """c tanh(a x + b) on these targets."""
    return Problem(units.Neuron(activations.tanh), Samples(X[:, None], y))


def law_of(size: float) -> laws.Product:
    """Of (c, a, b): c of variance 1, a and b of `size`."""
    return laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, size, dim=1), bias=laws.Normal(0.0, size))


@functools.cache
def _template() -> Problem:
    return problem_of(target_of(1.0, 1.0))


@functools.cache
def _draws(count: int) -> Float[np.ndarray, "s N 3"]:
    return np.random.default_rng(7).normal(size=(count, WIDTHS[-1], 3))


@eqx.filter_jit
def trained(problem: Problem, y: Any, rows: Any, weights: Any, times: Any) -> tuple[Array, Array]:
    """Risks [S, T] and predictions [S, T, Q] of S starts [S, N, 3] with their weights [S, N]."""
    own = eqx.tree_at(lambda p: p.data.y, problem, y)
    flow = GradientFlow(integrators.RungeKutta4(_STEP))

    def one(start: Array, w: Array) -> tuple[Array, Array]:
        run = history(flow, own, Particles(start, w, blocks=own.blocks), times, most=2000)

        def seen(at: Array) -> tuple[Array, Array]:
            rho = Particles(at, w, blocks=own.blocks)
            return own.risk(rho), own.predict(rho, X[:, None])

        return jax.vmap(seen)(run.positions)

    return jax.vmap(one)(rows, weights)


def compute(values: Values, level: int) -> Arrays:
    """The limit with its central limit theorem, and networks: at the width of the slider, and then at all."""
    t = END * np.linspace(0.0, 1.0, _MOMENTS) ** 2
    width, most = int(values["width"]), WIDTHS[-1]
    y = target_of(values["waves"], values["height"])
    problem = problem_of(y)
    few, many = _PARTICLES[min(level, 1)]
    law = law_of(values["size"])
    clt = analysis.fluctuations(problem, law.quantise(few), t1=END, save_at=t, progress=False)
    variance = np.diagonal(clt.covariance(X), axis1=1, axis2=2)
    draws = _draws(_DRAWS[min(level, 1)]) * np.array([1.0, values["size"], values["size"]])

    def networks(count: int) -> list[np.ndarray]:
        w = np.broadcast_to(np.asarray(equal_weights(count, most)), draws.shape[:2])
        return [np.asarray(part) for part in trained(_template(), y, draws, w, t)]

    def limit(count: int) -> list[np.ndarray]:
        start = law.quantise(count)
        rows, w = np.asarray(start.positions)[None], np.asarray(start.weights)[None]
        return [np.asarray(part)[0] for part in trained(_template(), y, rows, w, t)]

    risk, f = networks(width)
    (lone, middle), (half, _) = limit(many), limit(many // 2)
    found = {
        "t": t,
        "x": X,
        "y": y,
        "limit": middle,
        "half": 2.0 * np.sqrt(variance / width),
        "limit risk": lone,
        "limit error": np.abs(lone - half),
        "expected": lone + clt.excess_risk / width,
        "variance": clt.prediction_variance,
        "networks": f,
        "risk": np.mean(risk, axis=0),
        "error": np.std(risk, axis=0, ddof=1) / len(risk) ** 0.5,
        "width": float(width),
        "particles": many,
    }
    sizes = WIDTHS if level else (width,)
    squares = [np.mean((networks(n)[1][:, -1] - middle[-1]) ** 2, axis=1) for n in sizes]
    found["sizes"] = np.array(sizes, float)
    found["scatter"] = np.array([np.mean(row) for row in squares])
    found["scatter error"] = np.array([np.std(row, ddof=1) / len(row) ** 0.5 for row in squares])
    return found
