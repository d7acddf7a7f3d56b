"""Training the outer weights alone, and its limit."""

import math

import jax
import numpy as np

from widelimit import kernels
from widelimit.dynamics import TangentFlow
from widelimit.measure import laws
from widelimit.problem import activations, problems, units

from ..._kit import Bench, Data
from ..._kit._runs import evolved
from ._networks import measure, square_wave

RELU = units.Neuron(activations.relu)
# Of Fig. 3.
WIDTH, PLACE = 25000, 0.5


def weights(*a: float) -> laws.Empirical:
    """a takes each of these values equally often."""
    return laws.Empirical(np.array(a)[:, None])


def signs_law(half: float) -> laws.Product:
    """a = +-1, b uniform on (-half, half)."""
    return laws.product(weight=weights(-1.0, 1.0), bias=laws.Uniform(-half, half))


def features_fit(width: int, seed: int, time: float, count: int = 10) -> Data:
    """Samples fitted by training c alone from 0, a = +-1 and b ~ U(-1, 1) drawn, to a time in units of the
    kernel's: f by the library's linear flow, by least squares of least norm in NumPy (at infinity), and the
    interpolant at infinite width at the same time."""
    x, y = square_wave(count)
    law = laws.product(output=laws.Atom(0.0), weight=weights(-1.0, 1.0), bias=laws.Uniform(-1.0, 1.0))
    problem = problems.univariate_relu(x, y)
    start = measure(problem, law.sample(width, key=jax.random.key(seed)))
    # Beyond the slowest mode's time for the interpolant.
    end = 1e9 if math.isinf(time) else time
    last = evolved(problem, start, TangentFlow(trainable=("output",)), [0.0, end]).final
    places = np.linspace(-1.0, 1.0, 201)
    _, a, b = np.asarray(start.positions).T
    seen = np.maximum(np.outer(x, a) + b, 0.0) / width
    least = np.linalg.lstsq(seen, y, rcond=1e-13)[0]
    limit = kernels.interpolate(kernels.random_features(RELU, signs_law(1.0)), x, y, time=time)
    return {
        "x": places,
        "f": problem.predict(last, places),
        "least": np.maximum(np.outer(places, a) + b, 0.0) @ least / width,
        "limit": limit(places),
        "natural": kernels.natural_spline_distance(limit) if math.isinf(time) else 0.0,
    }


def uniform_law() -> laws.Product:
    """PyTorch's for one input: a, b ~ U(-1, 1); c ~ U(-1, 1), before it is divided by sqrt(m) or m."""
    return laws.product(output=laws.Uniform(-1.0, 1.0), weight=laws.Uniform(-1.0, 1.0), bias=laws.Uniform(-1.0, 1.0))


def normal_law() -> laws.Product:
    """The same with a, b ~ N(0, 1)."""
    return laws.product(output=laws.Uniform(-1.0, 1.0), weight=laws.Normal(0.0, 1.0), bias=laws.Normal(0.0, 1.0))


def slices(uniform: bool, width: int, seed: int, place: float, points: int) -> Data:
    """The two terms of the tangent kernel at (x, place), of sampled neurons and in the limit: `features`, the term of
    c, and `inner`, that of a and b; with the standard errors of the sampled ones."""
    law = uniform_law() if uniform else normal_law()
    x = np.linspace(-2.0, 2.0, points)
    problem = problems.univariate_relu(x, np.zeros(points))
    particles = measure(problem, law.sample(width, key=jax.random.key(seed)))
    c, a, b = np.asarray(particles.positions).T
    full = kernels.neural_tangent(RELU, law)(x, place)
    features = kernels.random_features(RELU, _inner(law))(x, place)
    found = {"x": x, "features": features, "inner": np.asarray(full) - np.asarray(features)}
    for name, names in (("features", ("output",)), ("inner", ("weight", "bias"))):
        sampled = kernels.tangent_kernel(problem, particles, x, np.array([place]), trainable=names)
        found[f"sampled {name}"] = np.asarray(sampled)[:, 0]
    # One row of neurons after the other: [points, m] would be large.
    at = np.maximum(a * place + b, 0.0), c**2 * (a * place + b > 0.0)
    for name, k in (("features", 0), ("inner", 1)):
        each = [
            np.std(at[0] * np.maximum(a * p + b, 0.0) if k == 0 else at[1] * (p * place + 1.0) * (a * p + b > 0.0))
            for p in x
        ]
        found[f"error {name}"] = np.array(each) / width**0.5
    return found


def _inner(law: laws.Product) -> laws.Product:
    named = zip(law.blocks, law.factors, strict=True)
    return laws.product(**{block.name: part for block, part in named if block.name != "output"})


def slices_of(bench: Bench) -> tuple[Data, Data]:
    """Of Fig. 3: m = 25,000, x' = 0.5, uniform and Gaussian."""
    made: Data = {"width": WIDTH, "seed": 31, "place": PLACE} | bench.given(width="width", seed="seed", place="place")
    first, second = (bench.piece(slices, uniform=uniform, **made, points=81) for uniform in (True, False))
    return first, second
