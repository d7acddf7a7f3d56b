r"""Theorems 2 to 5 of teacherstudent2020 as a check on the end of a run.

They say: if rho is stationary and positive on all of Theta, psi is constant on each connected component of Theta, and
with one component $\int \psi\,d(\rho - \rho_*) = 2 k\,E|f - y|^2 = 0$ gives zero loss. So a positive loss at rest means
that a hypothesis failed: the support is not all of Theta, mass has gathered on a wall, the teacher lies outside Theta,
or Theta has more than one component.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit.measure import Measure, join, laws, split
from widelimit.numerics import map_rows, real_number
from widelimit.problem import Problem
from widelimit.trajectory.observables import WallMass

from ..run._stationarity import stationarity
from ._atoms import own_teacher
from ._compare import function_error

# Points of Theta from which the nearest particle is looked for, and how far it may be, relative to Theta's diagonal.
_POINTS = 1024
_HOLE = 0.1


@dataclasses.dataclass(frozen=True, repr=False)
class ZeroLossTheorem:
    """The theorem's hypotheses and its conclusion at one measure.

    - `is_stationary`: as `analysis.stationarity` says; `zero_loss`: whether E |f - y|^2 < tolerance E y^2, the labels
      without noise; `loss`: that ratio.
    - `hole`: the largest distance from a point of Theta to the nearest particle with mass, relative to the diagonal,
      over 1024 points (of the box around student and teacher where Theta is unbounded); `full_support`: hole < 0.1.
      A finite network fills Theta only in this sense.
    - `on_wall`: the mass that sits on a wall, see `observables.WallMass`.
    - `teacher_inside`: whether all atoms of the teacher lie in Theta.
    - `connected`: whether Theta is; None where it is not known.
    - `failed`: the hypotheses that do not hold; `verdict`: in words.
    """

    is_stationary: bool | None
    zero_loss: bool
    loss: float
    hole: float
    full_support: bool
    on_wall: float
    teacher_inside: bool
    connected: bool | None
    failed: tuple[str, ...]
    verdict: str

    def __repr__(self) -> str:
        return f"ZeroLossTheorem({self.verdict})"


def theorem(problem: Problem, end: Any, tolerance: float) -> ZeroLossTheorem:
    tolerance = real_number(tolerance, "stationary(tolerance=...)", above=0.0, below=1.0)
    measure = problem.arranged(getattr(end, "final", end))
    teacher = own_teacher(problem, "stationary(...)")
    rests = stationarity(problem, measure, tolerance=tolerance).is_stationary
    error = function_error(problem, measure, teacher)
    assert error is not None  # stationarity has asked for nodes
    walls = WallMass()(problem, measure)["wall_mass"] if problem.domain.walls else 0.0
    hole, wall = _hole(problem, measure, teacher), float(walls)
    inside, connected = problem.notice is None, problem.domain.connected
    checks = {
        "it is not stationary": rests is not True,
        f"its support is not all of Theta (a hole of {hole:.2g} of the diagonal)": hole >= _HOLE,
        f"mass {wall:.3g} sits on a wall": wall > 0.0,
        "the teacher lies outside Theta": not inside,
        "Theta has more than one component": connected is False,
        "the teacher has another mass than the student": abs(float(teacher.mass - measure.mass)) > 1e-9,
        "a penalty moves the minimum": problem.penalty is not None,
    }
    failed = tuple(name for name, fails in checks.items() if fails)
    zero = error**2 < tolerance
    return ZeroLossTheorem(
        rests, zero, error**2, hole, hole < _HOLE, wall, inside, connected, failed, _verdict(zero, error**2, failed)
    )


def _verdict(zero: bool, loss: float, failed: tuple[str, ...]) -> str:
    if zero:
        said = f"zero loss ({loss:.2g} of E y^2)"
        return f"{said}, as the theorem says." if not failed else f"{said}, though {'; '.join(failed)}."
    if failed:
        return f"positive loss ({loss:.2g} of E y^2); the theorem does not apply: {'; '.join(failed)}."
    return (
        f"positive loss ({loss:.2g} of E y^2) at rest, though no hypothesis is seen to fail: the network is finite, "
        "and its support has holes below the resolution, or Theta a second component."
    )


def _hole(problem: Problem, measure: Measure, teacher: Measure) -> float:
    rows = np.asarray(measure.positions, float)[np.asarray(measure.weights) > 0.0]
    around = np.concatenate([rows, np.asarray(teacher.positions, float)])
    lower, upper = around.min(axis=0), around.max(axis=0)
    start = 0
    for block in problem.blocks:
        least, most = problem.domain.of(block.name).bounds(block.shape)
        columns = slice(start, start + block.size)
        lower[columns] = np.where(np.isfinite(least), least, lower[columns])
        upper[columns] = np.where(np.isfinite(most), most, upper[columns])
        start += block.size
    diagonal = float(np.linalg.norm(upper - lower))
    if diagonal == 0.0:
        return 0.0
    points = laws.Uniform(0.0, 1.0, dim=len(lower)).quantise(_POINTS, laws.Sobol()).positions
    theta = split(problem.blocks, jnp.asarray(lower + (upper - lower) * np.asarray(points)))
    places = join(problem.blocks, problem.retract(theta))
    return float(_farthest(places, jnp.asarray(rows))) / diagonal


@jax.jit
def _farthest(places: Any, rows: Any) -> Any:
    """The largest over places of the distance to the nearest row."""
    nearest = map_rows(lambda z: jnp.min(jnp.sum((rows - z) ** 2, axis=1)), places, max(1, 2**18 // rows.size))
    return jnp.sqrt(jnp.max(nearest))
