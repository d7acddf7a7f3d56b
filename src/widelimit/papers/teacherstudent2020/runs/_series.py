"""The expansion (9) of the wide ResNet: its terms, their sums, and how far an order is from the network."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from widelimit.measure import Particles
from widelimit.problem import Problem, activations, problems
from widelimit.problem.data import Samples
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Data
from ._residual import X, Y, drawn, placed, wide

# Radii of Theta: 1/2, ..., 2^-8; slopes are fitted from 2^-4 on.
RADII = 0.5 ** np.arange(1, 9)
FITTED = slice(3, None)
ORDERS = (1, 2, 3)
LEVELS, WIDTH = 4, 2
# Terms that are summed: what is left out is smaller than rounding in the fitted part.
_LAST = 9


@eqx.filter_jit
def _terms(network: Any, theta: Any, w: Any, x: Any) -> Any:
    return network.terms(theta, w, x)


def terms(problem: Problem, measure: Particles, x: np.ndarray) -> np.ndarray:
    """c_0, c_1, ... of an expansion at inputs, [k + 1, q, d]."""
    return np.asarray(_terms(problem.network, *problem.unpack(measure), jnp.asarray(x)))


def against_radius(depth: int, width: int) -> Data:
    """X^L - X_(k) and E - E_(k) for k = 1, 2, 3, from summed tails, as all matrices shrink; [R, 3] each.

    The largest matrix has the Frobenius norm r. E with fixed labels, with those of a teacher of the same radius, and at
    the teacher itself.
    """
    problem = wide(depth).expansion(order=_LAST)
    shapes = [theta / np.max(np.linalg.norm(theta, axis=(2, 3))) for theta in (drawn(depth, width, s) for s in (1, 2))]
    found: dict[str, list[list[float]]] = {"X": [], "fixed": [], "taught": [], "zero": []}
    for radius in RADII:
        mine, other = (terms(problem, placed(radius * shape), X) for shape in shapes)
        tails = [np.sum(mine[k + 1 :], axis=0) for k in ORDERS]
        residuals = {"fixed": np.sum(mine, axis=0) - Y, "taught": np.sum(mine - other, axis=0), "zero": 0.0 * X}
        found["X"].append([float(np.sqrt(np.mean(np.sum(tail**2, axis=1)))) for tail in tails])
        for name, off in residuals.items():
            # |g|^2/2 - |g - tail|^2/2, without the difference of near numbers.
            found[name].append([float(np.mean(np.sum(off * tail - 0.5 * tail**2, axis=1))) for tail in tails])
    start = placed(RADII[1] * shapes[0])
    whole, second = wide(depth), wide(depth).expansion(order=2)
    return {name: np.array(values) for name, values in found.items()} | {
        "E - E_2": float(whole.risk(start)) - float(second.risk(start)),
        "sum": np.sum(terms(problem, start, X), axis=0),
        "network": whole.predict(start, X),
    }


def shrinking(bench: Bench) -> Data:
    return bench.piece(against_radius, depth=bench.value("levels", LEVELS), width=bench.value("width", WIDTH))


def second_terms(depth: int, width: int) -> Data:
    """c_1 and c_2 of the library, at L and at infinity; those of (9) by loops; E_2 of a teacher's labels."""
    theta, other = drawn(depth, width, 1), drawn(depth, width, 2)
    finite, deep = (wide(depth).expansion(order=2, continuous=spread) for spread in (False, True))
    teacher = np.asarray(finite.predict(placed(other), X))
    taught = wide(depth, y=teacher).expansion(order=2)
    return {
        "finite": terms(finite, placed(theta), X)[1:],
        "deep": terms(deep, placed(theta), X)[1:],
        "by hand": np.stack(theory.series_terms(theta, X)),
        "teacher by hand": np.stack(theory.series_terms(other, X)),
        "E_2": taught.risk(placed(theta)),
        "one level": one_level(theta),
    }


def one_level(theta: np.ndarray) -> np.ndarray:
    """The pairs of one level: what two copies of a level have as their double sum, less that of none with itself."""
    depth = len(theta)
    # Two equal levels: (1/2)^2 of the pairs, with 1/L^2 those of one level.
    pairs = [theory.series_terms(np.stack([level, level]), X)[1] for level in theta]
    return np.sum(pairs, axis=0) * 4.0 / depth**2


def one_atom_terms(theta: float, x: float, depth: int, activation: str, order: int, continuous: bool) -> Data:
    """c_0, ..., c_k in d = 1 with all mass at one theta."""
    sigma = {"tanh": activations.tanh, "identity": activations.identity}[activation]
    point = np.full((1, 1), x)
    problem = problems.wide_resnet(Samples(point, point), depth=depth, activation=sigma)
    network = problem.expansion(order=order, continuous=continuous)
    rows = Particles(np.column_stack([np.full(depth, theta), np.arange(float(depth))]))
    return {"terms": terms(network, rows, point)[:, 0, 0]}


def fitted_radius(theta: float, x: float, depth: int, count: int, continuous: bool) -> Data:
    """`Problem.radius` in d = 1 with all mass at one theta."""
    point = np.full((1, 1), x)
    problem = problems.wide_resnet(Samples(point, point), depth=depth, activation=activations.tanh)
    rows = Particles(np.column_stack([np.full(depth, theta), np.arange(float(depth))]))
    found = problem.expansion(order=1, continuous=continuous).radius(rows, terms=count)
    return {"pole": found.pole, "branch": found.branch, "sizes": found.coefficients}
