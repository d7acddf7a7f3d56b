"""tanh students of one input in Theta = [-1, 1]."""

import numpy as np

from widelimit import analysis
from widelimit.dynamics import GradientFlow, TransportPDE
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, domains

from ..._kit import Bench, Data
from ..._kit._runs import evolved
from ._networks import nodes
from ._students import circle, taught

WALL, PARTICLES = 1.0, 200
INSIDE, OUTSIDE = 0.8, 1.4
"""The teacher's atom."""
CELLS = {"quick": (100, 200), "paper": (100, 200, 400)}
TIMES = np.linspace(0.0, 40.0, 161)
_LONG = np.concatenate([TIMES, [100.0, 400.0, 1600.0, 6400.0]])


def problem(centre: float) -> Problem:
    """A teacher of one atom at `centre`; x ~ N(0, 9)."""
    box = domains.Box(-WALL, WALL)
    return taught("tanh", Particles(np.array([[centre]])), laws.Normal(0.0, 3.0, dim=1), domain=box, nodes=32)


def particles(centre: float, count: int = PARTICLES) -> Data:
    """Particles, equally spaced at the start: paths [T, N], the mass on the wall and E [T], the data's nodes, psi at
    the end on 201 points of Theta, and what the library says of Theorem 2 there."""
    task = problem(centre)
    start = Particles(((np.arange(count) + 0.5) * 2.0 * WALL / count - WALL)[:, None])
    run = evolved(task, start, GradientFlow(), _LONG)
    end = analysis.identifiable(task).stationary(run)
    return nodes(task) | {
        "times": _LONG,
        "paths": run.positions[:, :, 0],
        "wall": run.wall_mass,
        "risk": run.risk,
        "psi": task.potential(run.final)(np.linspace(-WALL, WALL, 201)[:, None]),
        "loss": end.loss,
        "rests": bool(end.is_stationary),
        "zero": end.zero_loss,
        "inside": end.teacher_inside,
        "failed": np.array(end.failed),
    }


def equation(centre: float, cells: int) -> Data:
    """The mean field equation (3) from the uniform law: the mass on the wall, in the last cells, and all of it, [T]."""
    run = evolved(problem(centre), laws.Uniform(-WALL, WALL, dim=1), TransportPDE(cells=cells), TIMES)
    return {"wall": run.wall_mass, "mass": np.sum(run.weights, axis=1)}


def students(bench: Bench, centre: float) -> Data:
    return bench.piece(particles, centre=centre, **bench.given(count="particles"))


def cells(bench: Bench) -> tuple[int, ...]:
    return bench.value("cells", bench.pick(**CELLS))


def grids(bench: Bench, centre: float) -> dict[int, Data]:
    return {n: bench.piece(equation, centre=centre, cells=n) for n in cells(bench)}


def in_ball(centre: np.ndarray, end: float) -> Data:
    """tanh students of two inputs, 60 particles spread over the ball |theta| <= 1, the teacher's atom at `centre`:
    where they end, the mass on the wall, psi there and at other points of the ball, the data's nodes, and what the
    library says of Theorem 2."""
    teacher, data = Particles(centre[None]), laws.Normal(0.0, 1.0, dim=2)
    task = taught("tanh", teacher, data, domain=domains.Ball(WALL), nodes=16)
    square = np.asarray(laws.Uniform(-WALL, WALL, dim=2).quantise(256, laws.Sobol()).positions)
    inner = square[np.linalg.norm(square, axis=1) < WALL]
    run = evolved(task, Particles(inner[:60]), GradientFlow(), [0.0, end])
    said, psi = analysis.identifiable(task).stationary(run), task.potential(run.final)
    return nodes(task) | {
        "rows": run.positions[-1],
        "wall": run.wall_mass[-1],
        "loss": said.loss,
        "rests": bool(said.is_stationary),
        "zero": said.zero_loss,
        "inside": said.teacher_inside,
        "psi": psi(run.positions[-1]),
        "elsewhere": psi(np.concatenate([inner, WALL * circle(64)])),
    }
