"""Students and teachers of units sigma(theta . x), perhaps times a weight, and what is asked of pairs of them."""

from typing import Any

import jax
import numpy as np

from widelimit import analysis
from widelimit.dynamics import GradientFlow
from widelimit.measure import Particles, join, laws
from widelimit.problem import Problem, activations, problems, units
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Data
from ..._kit._runs import evolved

# Of N(0, 1) in one dimension.
_NODES = 48
_POINTS, _END = 240, 3.5
CENTRE = 0.4
# Three neurons in the plane whose sum is zero.
TRIANGLE = np.array([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])


def taught(activation: str, teacher: Particles, data: Any, *, weighted: bool = False, **more: Any) -> Problem:
    """Units sigma(theta . x), `weighted` ones times w."""
    unit = units.Neuron(getattr(activations, activation), bias=False, output_weight=weighted)
    return problems.teacher_student(unit, teacher, data, **more)


def _one_input(activation: str, teacher: Particles) -> Problem:
    return taught(activation, teacher, laws.Normal(0.0, 1.0, dim=1), nodes=_NODES)


def compared(problem: Problem, student: Particles) -> Data:
    """The loss and the mean square of grad psi over the student, both over what they are at f = 0; its smallest weight
    over the largest."""
    theta, w = problem.unpack(student)
    here, empty = problem.variation(theta, w), problem.variation(theta, 0.0 * w)
    slopes = [np.asarray(join(problem.blocks, one.gradient)) for one in (here, empty)]
    speeds = [float(np.asarray(w) @ np.sum(one**2, axis=1)) for one in slopes]
    return {
        "loss": float(here.risk) / float(empty.risk),
        "unrest": speeds[0] / speeds[1],
        "least": float(np.min(w) / np.max(w)),
    }


def line(centre: float = CENTRE) -> tuple[np.ndarray, np.ndarray]:
    """240 points of [-3.5, 3.5] and a teacher's weights on them, normal around `centre`, sum 1."""
    theta = (np.arange(_POINTS) + 0.5) * 2.0 * _END / _POINTS - _END
    weights = np.exp(-0.5 * (theta - centre) ** 2)
    return theta, weights / np.sum(weights)


def tilted(activation: str, kind: str, centre: float = CENTRE) -> Data:
    """A positive teacher and a positive student, on `line`, that differ by `theory.tilt` of a kind."""
    theta, teacher = line(centre)
    student = teacher + theory.tilt(theta, teacher, kind)
    rows = theta[:, None]
    return compared(_one_input(activation, Particles(rows, weights=teacher)), Particles(rows, weights=student))


def invisible(activation: str, rows: np.ndarray, inputs: np.ndarray | None = None) -> Data:
    """Charges on the rows [n, d] that the function does not show, by the library: an orthonormal basis [m, n] and the
    rank (-1 where it counts none). Inputs: of one dimension N(0, 1), else given."""
    teacher = Particles(rows[:1])
    problem = _one_input(activation, teacher) if inputs is None else taught(activation, teacher, Particles(inputs))
    found = analysis.identifiable(problem).null_space(Particles(rows))
    none = np.zeros((0, len(rows)))
    return {
        "rank": -1 if found.rank is None else found.rank,
        "charges": none if found.null is None else found.null,
        "singular": found.singular,
    }


def circle(count: int, shift: float = 0.5) -> np.ndarray:
    """`count` equally spaced directions of the plane, the first at `shift` steps."""
    angle = 2.0 * np.pi * (np.arange(count) + shift) / count
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def sphere(d: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the unit sphere in R^2 or R^3 and their weights, sum 1: `count` a great circle; each antipode is there,
    and polynomials of degree `count` - 1 at least are summed exactly."""
    if d == 2:
        return circle(count), np.full(count, 1.0 / count)
    z, w = np.polynomial.legendre.leggauss(count // 2)
    flat = np.sqrt(1.0 - z**2)[:, None, None] * circle(count)
    rows = np.concatenate([flat, np.broadcast_to(z[:, None, None], (*flat.shape[:2], 1))], axis=2)
    return rows.reshape(-1, 3), np.repeat(w / (2.0 * count), count)


def harmonic(d: int, k: int, count: int, size: float) -> Data:
    """`compared` for ReLU: the teacher uniform on the sphere in R^d, the student with the density 1 + size P_k(u_d),
    the inputs the same `sphere` points."""
    rows, w = sphere(d, count)
    student = Particles(rows, weights=w * (1.0 + size * theory.zonal(k, d, rows[:, -1])))
    return compared(taught("relu", Particles(rows, weights=w), Particles(rows, weights=w)), student)


def exchanged(first: np.ndarray, second: np.ndarray, weighted: bool = False) -> Data:
    """f [2, 200] of two sets of equally heavy ReLU neurons, rows theta or (w, theta), at normal x; and the library's
    comparison of their measures: the differences that a function fixes, and those it leaves free."""
    d = first.shape[1] - weighted
    one, other = Particles(first), Particles(second)
    problem = taught("relu", one, laws.Normal(0.0, 1.0, dim=d), weighted=weighted, nodes=6)
    x = np.random.default_rng(0).normal(size=(200, d))
    found = analysis.identifiable(problem).compare(other)
    return {
        "f": np.stack([problem.predict(each, x) for each in (one, other)]),
        "fixed": [*found.shared.values(), *found.missing.values()],
        "free": list(found.free.values()),
    }


def spectrum(d: int) -> Data:
    """The library's eigenvalues of sigma(u . v) on the sphere of R^d."""
    problem = taught("relu", Particles(np.eye(d)[:1]), laws.Normal(0.0, 1.0, dim=d), samples=4)
    return {"values": analysis.identifiable(problem).spectrum}


def reversed_pair(rows: np.ndarray, angles: int) -> Data:
    """f [2, angles] of ReLU neurons in the plane and of the reversed ones, on the unit circle, by the library."""
    one, other = Particles(rows), Particles(-rows)
    problem = taught("relu", one, laws.Normal(0.0, 1.0, dim=2), nodes=6)
    angle = np.linspace(-np.pi, np.pi, angles)
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return {"angle": angle, "f": np.stack([problem.predict(each, x) for each in (one, other)])}


def trained(d: int, nodes: int, count: int, end: float) -> Data:
    """A ReLU student drawn from N(0, I), its teacher of three random neurons: E before and after the library's flow,
    and its comparison of the two measures at the end."""
    teacher = Particles(np.random.default_rng(5).normal(size=(3, d)), weights=np.array([0.5, 0.3, 0.2]))
    law = laws.Normal(0.0, 1.0, dim=d)
    problem = taught("relu", teacher, law, nodes=nodes)
    run = evolved(problem, law.sample(count, key=jax.random.key(3)), GradientFlow(), [0.0, end])
    found = analysis.identifiable(problem).compare(run.final)
    fixed = found.shared | found.missing
    return {
        "risk": run.risk,
        "error": found.function_error,
        "fixed names": list(fixed),
        "fixed": list(fixed.values()),
        "free": list(found.free.values()),
    }
