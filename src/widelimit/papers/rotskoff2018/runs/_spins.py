"""4: networks that learn 3-spin functions, of exponentials in d = 5 and of sigmoid neurons in d = 10 and 25."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit import kernels
from widelimit._evolve import evolve
from widelimit.dynamics import SGD, sampling, schedules
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, problems, units
from widelimit.theory import rotskoff2018 as theory

from ..._kit import Bench, Data, Parameter

ALPHA, RBF_DIM = 1.0, 5
RBF_WIDTHS = (16, 32, 64, 128, 256)
SIGMOID = units.Neuron(activations.sigmoid, bias=True, output_weight=True)
# Not printed: the step of SGD; the temperature of the first half, in units of the charge's square; the start.
SGD_STEP, HEAT = 0.1, 1e-3
# Points of the curve of the loss, and those that it is averaged over.
SAVES, POINTS = 60, 5_000


def coefficients(d: int, seed: int) -> np.ndarray:
    """a of (4.1)."""
    return np.random.default_rng([d, seed]).normal(size=(d, d, d))


def on_sphere(d: int, count: int, seed: int) -> np.ndarray:
    """Uniform points of the sphere of radius sqrt d, [count, d], in NumPy."""
    x = np.random.default_rng([17, d, seed]).normal(size=(count, d))
    return x * np.sqrt(d) / np.linalg.norm(x, axis=1, keepdims=True)


def rbf_problem(seed: int, norm: str, *, gaussian: bool = False) -> Problem:
    kernel = kernels.gaussian(ALPHA) if gaussian else kernels.exponential(ALPHA)
    return problems.three_spin(coefficients(RBF_DIM, seed), kernel=kernel, norm=norm)


def rbf_start(problem: Problem, n: int, seed: int) -> Particles:
    """c ~ N(0, 1), y uniform on the sphere."""
    law = laws.product(charge=laws.Normal(0.0, 1.0), center=laws.Sphere(RBF_DIM, radius=RBF_DIM**0.5))
    return problem.start(law, n, key=jax.random.key(seed))


def rbf(n: int, seed: int, steps: int, step: float, heat: float, points: int) -> Data:
    """(4.5) with steps of `step`, thermal noise in their first half; the exact loss in L^2, and (4.8) by `points`
    points with its standard error."""
    problem, square = rbf_problem(seed, "rkhs"), rbf_problem(seed, "l2")
    end = steps * step
    noisy = schedules.piecewise([0.5 * end], [heat, 0.0])
    sgd = SGD(step, sampling=sampling.Full(), temperature=noisy)
    more = {"key": jax.random.key(seed), "progress": False, "t1": end, "save_at": np.linspace(0.0, end, SAVES + 1)}
    run = evolve(problem, rbf_start(problem, n, seed), sgd, **more)
    rows = np.asarray(run.final.positions)
    x = on_sphere(RBF_DIM, points, seed)
    squares = 0.5 * (theory.spin(coefficients(RBF_DIM, seed), x) - np.asarray(problem.predict(run.final, x))) ** 2
    return {
        "c": rows[:, 0],
        "y": rows[:, 1:],
        "t": run.times,
        "risk": [square.risk(run[k]) for k in range(len(run.times))],
        "native": run.risk,
        "loss": np.mean(squares),
        "error": np.std(squares) / points**0.5,
        "half": 0.5 * square.target_norm_squared,
    }


def rbfs(bench: Bench) -> dict[int, list[Data]]:
    """Width -> the realisations of a."""
    settings = {
        "steps": bench.pick(quick=10_000, paper=200_000),
        "step": 1e-3,
        "heat": HEAT,
        "points": bench.pick(quick=100_000, paper=1_000_000),
    }
    settings |= bench.given(steps="steps", step="step", heat="heat")
    seeds = range(bench.value("realisations", bench.pick(quick=4, paper=10)))
    widths = bench.value("widths", RBF_WIDTHS)
    return {n: [bench.piece(rbf, n=n, seed=seed, **settings) for seed in seeds] for n in widths}


def sigmoid_problem(d: int, seed: int) -> Problem:
    return problems.three_spin(coefficients(d, seed), unit=SIGMOID)


def sigmoid_start(problem: Problem, n: int, d: int, seed: int) -> Particles:
    """c, a and b ~ N(0, 1)."""
    return Particles(np.random.default_rng([23, seed]).normal(size=(n, d + 2)), blocks=problem.blocks)


def batch_of(n: int) -> int:
    """P = n/5, rounded down."""
    return n // 5


def sigmoid(d: int, n: int, seed: int, steps: int, quench: int, step: float, points: int) -> Data:
    """SGD in float32 with P = n/5 for `steps` steps and (n/5)^2 for `quench` more.

    The curves of the loss over the same POINTS points before and after; of the network in the end (4.8) and (4.11) for
    f > 0 and f < 0 over `points` points, with standard errors; f and f_n along three great circles.
    """
    problem = sigmoid_problem(d, seed)
    places = on_sphere(d, POINTS, seed)
    target = theory.spin(coefficients(d, seed), places)
    now: Any = sigmoid_start(problem, n, d, seed)
    found = {}
    for name, count, batch in (("before", steps, batch_of(n)), ("after", quench, batch_of(n) ** 2)):
        sgd = SGD(step, batch=batch, dtype=jnp.float32)
        more = {"key": jax.random.key(seed), "progress": False, "observe": [], "t1": count * step}
        run = evolve(problem, now, sgd, save_at=np.linspace(0.0, count * step, SAVES + 1), **more)
        predictions = [np.asarray(problem.predict(run[k], places)) for k in range(len(run.times))]
        found |= {f"steps {name}": run.times / step, f"curve {name}": [_half(target, one) for one in predictions]}
        now = run.final
    found |= _checked(problem, now, d, seed, points)
    return found | circles(problem, now, d, seed)


def _half(target: np.ndarray, f: np.ndarray) -> float:
    return float(0.5 * np.mean((target - f) ** 2))


def _checked(problem: Problem, network: Particles, d: int, seed: int, points: int) -> Data:
    x = on_sphere(d, points, seed + 1000)
    f = theory.spin(coefficients(d, seed), x)
    miss = f - np.asarray(problem.predict(network, x), float)
    found = {"loss": 0.5 * np.mean(miss**2), "loss error": 0.5 * np.std(miss**2) / points**0.5}
    for name, side in (("positive", f > 0.0), ("negative", f < 0.0)):
        signed = np.where(side, miss, 0.0)
        found |= {name: np.mean(signed), f"{name} error": np.std(signed) / points**0.5}
    return found | {"half": 0.5 * np.mean(f**2), "d": d, "n": len(network)}


def circles(problem: Problem, network: Particles, d: int, seed: int) -> Data:
    """(4.12) for the coordinates (1, 2), (3, 4) and (5, 6)."""
    angle = np.linspace(0.0, 2.0 * np.pi, 181)
    targets, values = [], []
    for k in range(3):
        x = np.zeros((len(angle), d))
        x[:, 2 * k], x[:, 2 * k + 1] = np.sqrt(d) * np.cos(angle), np.sqrt(d) * np.sin(angle)
        targets.append(theory.spin(coefficients(d, seed), x))
        values.append(np.asarray(problem.predict(network, x), float))
    return {"angle": angle, "circle target": targets, "circle": values}


SIGMOID_WIDTHS = {10: (16, 32, 64, 128, 256), 25: (32, 64, 128, 256)}
"""At both scales: n = 1024 in d = 25 is out of reach of two cores, see `step_seconds`."""


SGD_PARAMETERS = (
    Parameter("steps", 2_000_000, "of SGD before the quench", 1000, 10**7, quick=20_000),
    Parameter("quench", 200_000, "steps after it, with batches of (n/5)^2", 60, 10**6, quick=300),
    Parameter("step", SGD_STEP, "of SGD", 1e-4, 0.5),
)
"""Of the sigmoid networks: what may be set in every figure of them."""


def sigmoid_network(bench: Bench, d: int, n: int, seed: int = 0) -> Data:
    """One network of Figs. 2 to 4."""
    settings = {
        "steps": bench.pick(quick=20_000, paper=2_000_000),
        "quench": bench.pick(quick=300, paper=200_000),
        "step": SGD_STEP,
        "points": 100_000,
    }
    settings |= bench.given(steps="steps", quench="quench", step="step")
    return bench.piece(sigmoid, d=d, n=n, seed=seed, **settings)


def sigmoids(bench: Bench, d: int, n: int) -> list[Data]:
    """The networks of Fig. 3, one a realisation of a: ten, or at the quick scale two, and one of the widest."""
    count = bench.pick(quick=1 if n == SIGMOID_WIDTHS[d][-1] else 2, paper=10)
    return [sigmoid_network(bench, d, n, seed) for seed in range(count)]


def step_seconds(cases: list[list[int]]) -> Data:
    """The time of one step of SGD for each (d, n, P), measured here: by how much more `most` steps take than `few`."""
    found = []
    for d, n, batch in cases:
        problem = sigmoid_problem(d, 0)
        start, sgd = sigmoid_start(problem, n, d, 0), SGD(SGD_STEP, batch=batch, dtype=jnp.float32)
        more: dict[str, Any] = {"key": jax.random.key(0), "progress": False, "observe": [], "save_at": [0.0]}
        few, most = 1, max(3, 1 + int(2e7 / (n * batch)))
        evolve(problem, start, sgd, t1=few * SGD_STEP, **more)
        took = []
        for steps in (few, most):
            began = time.perf_counter()
            evolve(problem, start, sgd, t1=steps * SGD_STEP, **more)
            took.append(time.perf_counter() - began)
        found.append(max(took[1] - took[0], 0.0) / (most - few))
    return {"cases": np.array(cases), "seconds": np.array(found)}
