"""Residual networks of section 3: the problems, starts and runs that figures and claims share."""

from typing import Any

import jax
import numpy as np

from widelimit._evolve import evolve_many
from widelimit.dynamics import SGD, GradientFlow, integrators, sampling
from widelimit.measure import Particles
from widelimit.problem import Problem, activations, problems, units
from widelimit.problem.data import Samples
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Data
from ..._kit._runs import evolved

DIM = 2
X = np.random.default_rng(1).normal(size=(12, DIM))
Y = np.tanh(X[:, ::-1])
# No law here is symmetric in theta: there half of the terms of the expansion cancel.
MEAN = np.array([[0.5, -0.3], [0.2, 0.4]])
SPREAD = 0.7
END = 1.0


def wide(depth: int, x: np.ndarray = X, y: np.ndarray = Y) -> Problem:
    return problems.wide_resnet(Samples(x, y), depth=depth, activation=activations.tanh)


def branches(depth: int, x: np.ndarray = X, y: np.ndarray = Y) -> Problem:
    """The ensemble ResNet."""
    return Problem(units.ResNetBranch(depth, activations.tanh), Samples(x, y))


def drawn(depth: int, width: int, seed: int) -> np.ndarray:
    """[L, N, d, d], independent."""
    return MEAN + SPREAD * np.random.default_rng([seed, depth, width]).normal(size=(depth, width, DIM, DIM))


def along_depth(depth: int) -> np.ndarray:
    """[L, 2, d, d]: two atoms a level that vary smoothly with eps = l/L, for every L the same functions."""
    eps = np.arange(depth)[:, None, None] / depth
    turn = np.array([[0.3, 0.8], [-0.6, 0.1]])
    return np.stack([MEAN + eps * turn, 1.5 * turn.T - eps * MEAN], axis=1)


def placed(theta: np.ndarray) -> Particles:
    """[L, N, d, d] as particles on levels."""
    depth, width, d = theta.shape[:3]
    levels = np.repeat(np.arange(float(depth)), width)
    return Particles(np.column_stack([theta.reshape(depth * width, d * d), levels]))


def matrices(rows: Any, depth: int, d: int = DIM) -> np.ndarray:
    """The inverse of `placed`, of positions."""
    return np.asarray(rows)[:, :-1].reshape(depth, -1, d, d)


def filled(theta: np.ndarray, axis: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """theta with zeros along an axis up to `count`, and the weights of its particles: zeros there, equal before.

    Networks of several widths are so of one shape, and compiled once: particles without mass move no others.
    """
    mass = np.ones(theta.shape[:2] if axis else theta.shape[:1])
    more = [(0, 0)] * theta.ndim
    more[axis] = (0, count - theta.shape[axis])
    weights = np.pad(mass / mass.size, more[: mass.ndim])
    return np.pad(theta, more), weights.ravel()


def trained_wide(depth: int, widths: list[int], seeds: int, step: float) -> Data:
    """Networks of independent starts, for each width: risks at 0 and END, and what they predict at the inputs then."""
    starts = []
    for width in widths:
        for seed in range(seeds):
            theta, weights = filled(drawn(depth, width, seed), 1, widths[-1])
            starts.append(Particles(placed(theta).positions, weights))
    return {str(w): one for w, one in zip(widths, _ends(wide(depth), starts, step, len(widths)), strict=True)}


def trained_branches(depth: int, counts: list[int], seeds: int, step: float) -> Data:
    """The same for ensembles of so many branches."""
    starts = []
    for count in counts:
        for seed in range(seeds):
            theta, weights = filled(drawn(count, depth, 100 + seed), 0, counts[-1])
            starts.append(Particles(theta.reshape(counts[-1], -1), weights))
    return {str(n): one for n, one in zip(counts, _ends(branches(depth), starts, step, len(counts)), strict=True)}


def trained_deep(depth: int, step: float) -> Data:
    """One network whose levels are a function of eps."""
    return _ends(wide(depth), [placed(along_depth(depth))], step, 1)[0]


def _ends(problem: Problem, starts: list[Particles], step: float, groups: int) -> list[Data]:
    """Of each group of so many runs: the risks at 0 and END [S, 2], the predictions then [S, q, d]."""
    flow = GradientFlow(integrators.RungeKutta4(step))
    runs = evolve_many(problem, starts, flow, t1=END, save_at=[0.0, END], observe=[], progress=False)
    start, end = (np.asarray([problem.predict(run[k], X) for run in runs]) for k in (0, -1))
    risk = np.stack([0.5 * np.mean(np.sum((f - Y) ** 2, axis=2), axis=1) for f in (start, end)], axis=1)
    parts = zip(*(np.split(values, groups) for values in (risk, start, end)), strict=True)
    return [dict(zip(("risk", "start", "f"), part, strict=True)) for part in parts]


WIDTHS, DEPTHS, SMOOTH_DEPTHS = (4, 16, 64), (4, 16, 64), (4, 8, 16)
STEP = 0.2
# Levels of the wide networks and of a branch.
LEVELS, BRANCH = 4, 3
SEEDS = {"quick": 48, "paper": 400}


def sizes(bench: Bench, usual: tuple[int, ...]) -> tuple[int, ...]:
    """N, or L of the vanilla ResNet: `usual` is the paper's."""
    return bench.value("sizes", usual)


def seeds_of(bench: Bench) -> int:
    """The number of independent starts."""
    return bench.value("seeds", bench.pick(**SEEDS))


def over_width(bench: Bench) -> list[Data]:
    """Four levels, N = 4, 16, 64 particles on each."""
    widths, depth = sizes(bench, WIDTHS), bench.value("levels", LEVELS)
    found = bench.piece(trained_wide, depth=depth, widths=list(widths), seeds=seeds_of(bench), step=STEP)
    return [found[str(width)] for width in widths]


def over_depth(bench: Bench) -> list[Data]:
    """The vanilla ResNet, one particle on each of L = 4, 16, 64 levels."""
    more = {"seeds": seeds_of(bench), "step": STEP}
    return [bench.piece(trained_wide, depth=depth, widths=[1], **more)["1"] for depth in sizes(bench, DEPTHS)]


def over_branches(bench: Bench) -> list[Data]:
    """Ensembles of N = 4, 16, 64 branches of three levels."""
    counts, depth = sizes(bench, WIDTHS), bench.value("branch", BRANCH)
    found = bench.piece(trained_branches, depth=depth, counts=list(counts), seeds=seeds_of(bench), step=STEP)
    return [found[str(count)] for count in counts]


def smooth_in_depth(bench: Bench) -> list[Data]:
    """Levels that are functions of eps, L = 4, 8, 16, and at the paper scale 32 and 64."""
    depths = SMOOTH_DEPTHS + bench.pick(quick=(), paper=(32, 64))
    return [bench.piece(trained_deep, depth=depth, step=STEP) | {"depth": depth} for depth in depths]


def spread(found: Data, name: str = "f") -> np.ndarray:
    """|f - mean f|^2 of each seed, whose mean is the variance."""
    f = found[name]
    squares = np.mean(np.sum((f - np.mean(f, axis=0)) ** 2, axis=2), axis=1)
    return squares * len(f) / (len(f) - 1)


def descended(kind: str, end: float, steps: list[float]) -> Data:
    """Gradient descent with rate alpha on the network's own parameters, by NumPy and by the library, and the flow.

    `steps`: alpha over the number of particles, L N or N. Positions at the time `end` of the flow; all at d = 2.
    """
    if kind == "wide":
        problem, theta, gradient, count = wide(3), drawn(3, 2, 7), theory.wide_gradient, 6
        start = placed(theta)
    else:
        problem, theta, gradient, count = branches(3), drawn(4, 3, 7), theory.ensemble_gradient, 4
        start = Particles(theta.reshape(4, -1))

    def shaped(run: Any) -> np.ndarray:
        rows = np.asarray(run.final.positions)
        return (rows[:, :-1] if kind == "wide" else rows).reshape(theta.shape)

    by_hand = []
    for step in steps:
        now = theta
        for _ in range(round(end / step)):
            now = now - step * count * gradient(now, X, Y)
        by_hand.append(now)
    flow = evolved(problem, start, GradientFlow(integrators.Tsit5(1e-9, 1e-11)), [0.0, end])
    sgd = evolved(problem, start, SGD(steps[0], sampling=sampling.Full()), [0.0, end], key=jax.random.key(0))
    slopes = problem.variation(*problem.unpack(start)).gradient.theta
    return {
        "by hand": by_hand,
        "flow": shaped(flow),
        "sgd": shaped(sgd),
        "start": theta,
        "gradient": np.asarray(slopes).reshape(theta.shape),
        "gradient by hand": count * gradient(theta, X, Y),
        "levels": [run.positions[-1][:, -1] for run in (flow, sgd)] if kind == "wide" else np.zeros(1),
        "risk": flow.risk,
    }


def descents(bench: Bench, kind: str) -> Data:
    return bench.piece(descended, kind=kind, end=0.6, steps=[0.2, 0.1, 0.05, 0.025])
