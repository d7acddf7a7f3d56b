"""Student and teacher compared: as measures, part by part, and as functions."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from widelimit.measure import Measure, split, wasserstein2
from widelimit.numerics import real_number
from widelimit.problem import Problem

from ._atoms import own_teacher
from ._parts import Charged, Quantity, shown_by_ramp

# Points of a law where functions are compared that no nodes are known of.
_POINTS = 4096


@dataclasses.dataclass(frozen=True, repr=False)
class StudentComparison:
    """A student and a teacher.

    - `shared`: the parts that they should share, and do; `missing`: those they should share, and do not; `free`: those
      that the function does not fix. Each is a dict from a name to the size of the difference, relative to what
      the part is at most in a measure like the teacher: INT |theta|^k d|rho_*| for moments (k = 1 for the harmonics of
      m(u)), the whole measure's size for its even and odd part.
    - `allowed`: of ReLU-like units and a law of x that rotations leave as it is, for each of `shared` and `missing` the
      difference up to which a function as far from the teacher's as this one may have it; empty elsewhere. A loss that
      is not zero says no more of a part than that, and of high degrees, whose eigenvalues are small, it says little.
    - `wasserstein2`: W_2 of the two in all columns; None where they have signs, or different masses, or are too many.
    - `function_error`: the root of E |f - f_*|^2 over E |f_*|^2, on the data's nodes; None where x has no known law.
    - `verdict`: in words.
    """

    shared: dict[str, float]
    missing: dict[str, float]
    free: dict[str, float]
    allowed: dict[str, float]
    wasserstein2: float | None
    function_error: float | None
    verdict: str

    def __repr__(self) -> str:
        return f"StudentComparison({self.verdict})"


def compared(
    problem: Problem,
    seen: tuple[Quantity, ...],
    unseen: tuple[Quantity, ...],
    student: Any,
    teacher: Any,
    tolerance: float,
    spectrum: Any = None,
) -> StudentComparison:
    tolerance = real_number(tolerance, "compare(tolerance=...)", above=0.0)
    one = problem.arranged(student)
    other = problem.arranged(own_teacher(problem, "compare(teacher=...)") if teacher is None else teacher)
    for name, measure in (("student", one), ("teacher", other)):
        if not np.all(np.isfinite(measure.positions)) or not np.all(np.isfinite(measure.weights)):
            raise ValueError(f"compare({name}=...): positions and weights must be finite.")
    shared: dict[str, float] = {}
    missing: dict[str, float] = {}
    free: dict[str, float] = {}
    if seen or unseen:
        theirs = charged(problem, other)
        rest = charged(problem, one).minus(theirs)
        for part in seen:
            gap = part.size(rest) / (part.scale(theirs) or 1.0)
            (shared if gap <= tolerance else missing)[part.name] = gap
        free = {part.name: part.size(rest) / (part.scale(theirs) or 1.0) for part in unseen}
    distance, error = _wasserstein(one, other), function_error(problem, one, other)
    allowed = {} if spectrum is None else _allowed(problem, seen, one, other, spectrum)
    said = _verdict(shared, missing, free, allowed, distance, error, tolerance)
    if teacher is None and problem.notice is not None:
        said += f" Notice: {problem.notice}"
    return StudentComparison(shared, missing, free, allowed, distance, error, said)


def charged(problem: Problem, measure: Measure) -> Charged:
    """The measure in the block w of a unit sigma(w . x), weighted with the output weights where there are some."""
    unit, theta = problem.unit, split(problem.blocks, measure.positions)
    assert unit.profile is not None
    w = np.asarray(measure.weights, float)[:, None]
    if unit.linear is not None:
        w = w * np.asarray(getattr(theta, unit.linear), float).reshape(len(w), -1)
    return Charged(np.asarray(getattr(theta, unit.profile.weight), float).reshape(len(w), -1), w)


def function_error(problem: Problem, one: Measure, other: Measure) -> float | None:
    """The root of E |f - f_*|^2 / E |f_*|^2 over the data's nodes, or points of the law of x."""
    found = _squares(problem, one, other)
    if found is None:
        return None
    off, size = found
    return float(np.sqrt(off / size)) if size > 0.0 else float(np.sqrt(off))


def _squares(problem: Problem, one: Measure, other: Measure) -> tuple[float, float] | None:
    """E |f - f_*|^2 and E |f_*|^2."""
    if problem.data.nodes is not None:
        x, mu = problem.data.nodes.x, problem.data.nodes.weights
    elif problem.data.input_law is not None:
        found = problem.data.input_law.atoms(_POINTS)
        x, mu = found.positions, found.weights
    else:
        return None
    f, target = (jnp.reshape(problem.predict(measure, x), (len(mu), -1)) for measure in (one, other))
    off, size = (float(jnp.sum(mu * jnp.sum(values**2, axis=1))) for values in (f - target, target))
    return off, size


def _allowed(
    problem: Problem, seen: tuple[Quantity, ...], one: Measure, other: Measure, spectrum: Any
) -> dict[str, float]:
    """How far each part may be off, relative to its scale, in a function that is E |f - f_*|^2 away."""
    law, found = problem.data.input_law, _squares(problem, one, other)
    if law is None or found is None or law.radial((tuple(range(law.dim)),)) is None:
        return {}
    square, theirs = float(np.trace(np.asarray(law.covariance()))), charged(problem, other)
    shown = {
        part: shown_by_ramp(part.degree, law.dim, float(spectrum[part.degree]), square)
        for part in seen
        if part.degree is not None
    }
    off = float(np.sqrt(found[0]))
    return {part.name: off / (each * (part.scale(theirs) or 1.0)) for part, each in shown.items() if each > 0.0}


def _wasserstein(one: Measure, other: Measure) -> float | None:
    a, b = np.asarray(one.weights, float), np.asarray(other.weights, float)
    if min(a.min(), b.min()) < 0.0 or abs(a.sum() - b.sum()) > 1e-9 * abs(b.sum()) or len(a) * len(b) > 10**5:
        return None
    return float(wasserstein2(one.atoms(len(a)), other.atoms(len(b))))


def _verdict(
    shared: dict[str, float],
    missing: dict[str, float],
    free: dict[str, float],
    allowed: dict[str, float],
    distance: float | None,
    error: float | None,
    tolerance: float,
) -> str:
    def said(found: dict[str, float]) -> str:
        return ", ".join(f"{name} ({gap:.2g})" for name, gap in found.items()) or "nothing"

    def bounded(found: dict[str, float]) -> str:
        return ", ".join(
            f"{name} ({gap:.2g}, of {allowed[name]:.2g} that functions so far apart may have)"
            if name in allowed
            else f"{name} ({gap:.2g})"
            for name, gap in found.items()
        )

    parts = [] if error is None else [f"as functions {error:.2g} apart, relative in L2"]
    if distance is not None:
        parts.append(f"as measures W2 = {distance:.3g}")
    if not shared and not missing and not free:
        parts.append("which parts of the measure the function fixes is not known for this unit")
        return "; ".join(parts) + "."
    parts.append(f"they share {said(shared)}")
    if missing:
        parts.append(f"at zero loss they would share, and do not (tolerance {tolerance:g}): {bounded(missing)}")
    parts.append(f"they need not share {said(free)}")
    return "; ".join(parts) + "."
