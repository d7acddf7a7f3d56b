"""Runs on the isotropic problem: networks trained by SGD, and the limit by four methods, all seen in r = |w|."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.special import ndtri

from widelimit.dynamics import SGD, Characteristics, GradientFlow, Quantiles, TransportPDE, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, problems
from widelimit.theory import mei2018 as theory
from widelimit.trajectory import Trajectory, observables

from ..._kit import Data
from ..._kit._runs import evolved, trained

NEURONS = 800
LEVELS = (np.arange(NEURONS) + 0.5) / NEURONS
"""Where distributions of r are compared: the i-th least of N neurons stands for the level (i + 1/2)/N."""

SIGMAS = {
    "ramp": (problems.ramp, theory.RAMP),
    "nonmonotone": (activations.piecewise_linear([0.0, 0.5, 1.5], [-2.5, -4.0, 7.5]), theory.NONMONOTONE),
}
"""The paper's two activations, the library's and that of the closed forms."""

_BATCH = 10_000
_RISK = (observables.Risk(),)


def full(delta: float, d: int, sigma: str = "ramp") -> Problem:
    return problems.isotropic_gaussians(delta, d, SIGMAS[sigma][0])


def small(delta: float, d: float, sigma: str = "ramp", nodes: int | None = None) -> Problem:
    """The problem in r; d may be infinite. `nodes` of the data quadrature: as many as 1e-13 asks for if left out."""
    return problems.isotropic_gaussians(delta, d, SIGMAS[sigma][0]).reduced(nodes=nodes)


def start(d: int, kappa: float) -> laws.Chi:
    """The law of |w| for w ~ N(0, kappa^2/d I_d)."""
    return laws.Chi(d, kappa / math.sqrt(d))


def weights(d: int, kappa: float) -> laws.Normal:
    """This law of w."""
    return laws.Normal(0.0, kappa / math.sqrt(d), dim=d)


def network(
    delta: float, d: int, sigma: str, kappa: float, step: float, times: list[float], samples: int, seed: int
) -> Data:
    """One network of N = 800 neurons, trained by SGD on one fresh sample a step, xi = 1.

    `radii` [T, N], sorted, `risk` [T] and its standard error `error` [T] at 0 and the given times.
    """
    problem, shadow = full(delta, d, sigma), small(delta, d, sigma)
    *keys, fresh = jax.random.split(jax.random.key(seed), 3)
    # In float32 a step still moves a weight by thousands of rounding units: the rounding is one more small noise.
    sgd = SGD(step, dtype=jnp.float32)
    run = trained(problem, weights(d, kappa), NEURONS, sgd, times, (observables.Moments(),), keys)
    radii = np.sort(np.linalg.norm(run.positions, axis=2), axis=1)
    risks = np.array([measured_risk(problem, shadow, Particles(rows), samples, fresh) for rows in run.positions])
    return {"t": run.times, "radii": radii, "risk": risks[:, 0], "error": risks[:, 1], "steps": run.steps}


def measured_risk(problem: Problem, reduced: Problem, net: Particles, samples: int, key: Array) -> tuple[float, float]:
    r"""The risk of a network on fresh samples, and its standard error.

    $R_N = \bar R(\bar\rho_N) + E[(f_N - y)^2 - (\bar f - y)^2]$: the network with its directions averaged out has a
    risk $\bar R$ known by quadrature, and the samples must only tell the difference, which is small.
    """
    shadow = Particles(jnp.linalg.norm(net.positions, axis=1, keepdims=True))
    total = square = 0.0
    for k in range(-(-samples // _BATCH)):
        x, y = problem.data.batch(jax.random.fold_in(key, k), min(_BATCH, samples))
        length = jnp.linalg.norm(x, axis=1, keepdims=True) / math.sqrt(x.shape[1])
        excess = (problem.predict(net, x) - y) ** 2 - (reduced.predict(shadow, length) - y) ** 2
        total, square = total + float(jnp.sum(excess)), square + float(jnp.sum(excess**2))
    count = min(_BATCH, samples) * -(-samples // _BATCH)
    mean = total / count
    return float(reduced.risk(shadow)) + mean, math.sqrt((square / count - mean**2) / (count - 1))


def _levels(count: int) -> Float[np.ndarray, " n"]:
    """Of particles of equal mass."""
    return (np.arange(count) + 0.5) / count


def limit(delta: float, d: int, sigma: str, kappa: float, times: list[float], rtol: float) -> Data:
    """(13) by its inverse distribution function: `risk` [T], `radii` [T, 800] at `LEVELS`, `at_zero` [T], the mass at
    0."""
    run = evolved(small(delta, d, sigma), start(d, kappa), Quantiles(rtol), times, observe=_RISK)
    radii = [_by_score(run, i) for i in range(len(run))]
    return {"t": run.times, "risk": run.risk, "radii": radii, "at_zero": at_zero(run)}


def _by_score(run: Trajectory, i: int) -> Float[np.ndarray, " n"]:
    """Quantiles between nodes, linear in the normal score of the level."""
    kept = run.weights[i] > 0
    return np.interp(ndtri(LEVELS), ndtri(run.level[i][kept]), run.positions[i][kept, 0])


def at_zero(run: Trajectory) -> Float[np.ndarray, " T"]:
    return np.array([run.weights[i][run.positions[i, :, 0] <= 0.0].sum() for i in range(len(run))])


def cells(delta: float, d: int, sigma: str, kappa: float, times: list[float], count: int) -> Data:
    """(13) by finite volumes, r = 3t/(1 - t) with `count` equal cells of t: `risk`, `radii`."""
    run = evolved(small(delta, d, sigma), start(d, kappa), TransportPDE(cells=count), times, observe=_RISK)
    assert run.grid is not None
    edges, last = np.asarray(run.grid.edges[0]), float(run.grid.centres[0][-1])
    edges = np.append(edges[:-1], 2.0 * last - edges[-2])
    below = np.concatenate([np.zeros((len(run), 1)), np.cumsum(run.weights, axis=1)], axis=1)
    return {"t": run.times, "risk": run.risk, "radii": [np.interp(LEVELS, level, edges) for level in below]}


def characteristics(delta: float, d: int, sigma: str, kappa: float, times: list[float], count: int) -> Data:
    """(13) by `count` particles that carry the density: `risk`, `radii`, and `density` [T, count] at `places`."""
    run = evolved(small(delta, d, sigma), start(d, kappa), Characteristics(count), times, observe=_RISK)
    order = np.argsort(run.positions[:, :, 0], axis=1)
    places, density = (np.take_along_axis(a, order, 1) for a in (run.positions[:, :, 0], np.exp(run.log_density)))
    radii = [np.interp(LEVELS, _levels(count), row) for row in places]
    return {"t": run.times, "risk": run.risk, "radii": radii, "places": places, "density": density}


def particles(delta: float, d: int, sigma: str, kappa: float, times: list[float], count: int) -> Data:
    """(13) by the gradient flow of `count` particles, the middle quantiles of the start: `risk`, `radii`, `at_zero`."""
    flow = GradientFlow(integrators.Tsit5(1e-8, 1e-10))
    run = evolved(small(delta, d, sigma), start(d, kappa).quantise(count), flow, times, observe=_RISK)
    radii = [np.interp(LEVELS, _levels(count), np.sort(row)) for row in run.positions[:, :, 0]]
    return {"t": run.times, "risk": run.risk, "radii": radii, "at_zero": at_zero(run)}


def short(step: float) -> str:
    """1e-5, not 1e-05."""
    return f"{step:.3g}".replace("e-0", "e-")
