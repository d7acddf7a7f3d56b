"""E_(2): its stationary points from many starts."""

from typing import Any

import numpy as np

from widelimit import analysis
from widelimit.measure import Particles
from widelimit.problem import Problem, activations, problems
from widelimit.problem.data import Samples

from ..._kit import Bench, Data

LEVELS, WIDTH = 3, 3
STARTS = {"quick": 8, "paper": 60}
GRID = np.linspace(-2.0, 2.0, 9)[:, None]


def taught(teacher: Particles, depth: int) -> Problem:
    """E_(2) of tanh in d = 1 with the labels of a teacher of the same kind."""
    labels = problems.wide_resnet(Samples(GRID, GRID), depth=depth, activation=activations.tanh).expansion(order=2)
    y = np.asarray(labels.predict(teacher, GRID))
    return problems.wide_resnet(Samples(GRID, y), depth=depth, activation=activations.tanh).expansion(order=2)


def on_line(theta: np.ndarray) -> Particles:
    """[L, N] as particles on levels, d = 1."""
    return Particles(np.column_stack([theta.ravel(), np.repeat(np.arange(float(len(theta))), theta.shape[1])]))


def teacher_of(depth: int, width: int) -> np.ndarray:
    return 0.4 + 0.8 * np.random.default_rng(11).normal(size=(depth, width))


def search(starts: int, t1: float, levels: int = LEVELS, width: int = WIDTH) -> Data:
    """Searches for the stationary points of E_(2) with a teacher's labels, from independent starts."""
    teacher = teacher_of(levels, width)
    problem, rng = taught(on_line(teacher), levels), np.random.default_rng(12)
    begun = [on_line(rng.normal(size=(levels, width))) for _ in range(starts)]
    found = analysis.stationary_points(problem, begun, t1=t1)
    return described(found) | {
        "teacher": teacher,
        "labels": problem.predict(on_line(teacher), GRID),
        "at the start": [problem.risk(one) for one in begun],
        "levels at the start": np.asarray(begun[0].positions)[:, -1],
    }


def described(found: analysis.StationaryPoints) -> Data:
    """The table of a search as arrays; theta [P, L N], the levels of all."""
    points = found.points

    def column(name: str) -> list[Any]:
        return [getattr(point, name) for point in points]

    return {
        "by": column("by"),
        "loss": column("loss"),
        "gradient": column("gradient"),
        "moved": column("moved"),
        "kind": [point.kind.value for point in points],
        "group": [-1 if point.group is None else point.group for point in points],
        "falling": [-1 if point.falling is None else point.falling for point in points],
        "lowest": [0.0 if point.rates is None else point.rates[0] for point in points],
        "theta": [np.asarray(point.measure.positions)[:, 0] for point in points],
        "levels": [np.asarray(point.measure.positions)[:, -1] for point in points],
    }


def linear_search(depth: int, means: list[float], seeds: int, t1: float) -> Data:
    """The same for sigma(z) = z, d = 1, one input 1 with the label 1; two particles a level around each mean."""
    one = np.ones((1, 1))
    problem = problems.wide_resnet(Samples(one, one), depth=depth, activation=activations.identity).expansion(order=2)
    rng = np.random.default_rng(13)
    begun = [on_line(mean + 0.5 * rng.normal(size=(depth, 2))) for mean in means for _ in range(seeds)]
    return described(analysis.stationary_points(problem, begun, t1=t1))


def many_starts(bench: Bench) -> Data:
    starts = bench.value("starts", bench.pick(**STARTS))
    more = bench.given(levels="levels", width="width")
    return bench.piece(search, starts=starts, t1=bench.pick(quick=200.0, paper=5000.0), **more)


def linear_starts(bench: Bench) -> Data:
    depth = bench.value("levels", LEVELS)
    return bench.piece(
        linear_search, depth=depth, means=[-2.2, -1.4, -0.6], seeds=bench.pick(quick=2, paper=20), t1=100.0
    )
