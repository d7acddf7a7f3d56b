"""The speeds of clusters in a run: teacherstudent2020, 2.2, as it can be observed."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles
from widelimit.numerics import real_number
from widelimit.problem import Problem

# Below this part of its start a distance is that of the solver's tolerance, not of the flow.
_FLOOR = 1e-6
_PARTS = (0.1, 0.01)


@dataclasses.dataclass(frozen=True, repr=False)
class MeasuredRates:
    """Clusters of a run, those particles that end near an atom of the teacher.

    - `masses` [K]: of the clusters; `elsewhere`: the mass that ends near no atom, of which nothing is said.
    - `times` [T], `errors` [T, K]: e_i, the distance of a cluster's mean from its atom; nan without particles.
    - `to_tenth`, `to_hundredth` [K]: when e_i falls to .1 and .01 of e_i(0), between save times log-linearly; nan where
      it does not.
    - `late_rates` [K]: -d log e_i/dt by least squares over the second half of the time in which e_i > 1e-6 e_i(0);
      nan for fewer than three save times.
    - `near`: how near is near; `verdict`: in words.
    """

    masses: Float[np.ndarray, " K"]
    elsewhere: float
    times: Float[np.ndarray, " T"]
    errors: Float[np.ndarray, "T K"]
    to_tenth: Float[np.ndarray, " K"]
    to_hundredth: Float[np.ndarray, " K"]
    late_rates: Float[np.ndarray, " K"]
    near: float
    verdict: str

    def __repr__(self) -> str:
        return f"MeasuredRates({self.verdict})"


def measure_rates(problem: Problem, atoms: Float[np.ndarray, "K D"], trajectory: Any, near: float) -> MeasuredRates:
    near = real_number(near, "measured(near=...)", above=0.0)
    if trajectory.grid is not None or trajectory.counts is not None:
        kind = "densities on a grid" if trajectory.grid is not None else "particles whose number grows"
        raise ValueError(f"measured(trajectory=...): needs the same particles at all times; this is a run of {kind}.")
    # Their own numbers as rows: where each column of the problem stands in the run.
    numbers = Particles(np.arange(trajectory.dim, dtype=float)[None], blocks=trajectory.blocks)
    columns = np.asarray(problem.arranged(numbers).positions[0]).astype(int)
    positions, weights = (
        np.asarray(trajectory.positions, float)[:, :, columns],
        np.asarray(trajectory.weights[-1], float),
    )
    off = np.linalg.norm(positions[-1][:, None, :] - atoms[None], axis=2)
    which = np.where(off.min(axis=1) <= near, off.argmin(axis=1), len(atoms))
    masses = np.bincount(which, weights=weights, minlength=len(atoms) + 1)
    errors = np.full((len(trajectory.times), len(atoms)), np.nan)
    for i in np.flatnonzero(masses[:-1] > 0.0):
        w = np.where(which == i, weights, 0.0) / masses[i]
        errors[:, i] = np.linalg.norm(np.einsum("n,tnd->td", w, positions) - atoms[i], axis=1)
    times = np.asarray(trajectory.times, float)
    tenth, hundredth = (np.array([_crossing(times, e, part) for e in errors.T]) for part in _PARTS)
    late = np.array([_late_rate(times, e) for e in errors.T])
    return MeasuredRates(
        masses[:-1], float(masses[-1]), times, errors, tenth, hundredth, late, near,
        _verdict(masses, tenth, hundredth, late, near),
    )  # fmt: skip


def _crossing(times: np.ndarray, e: np.ndarray, part: float) -> float:
    """The first time at which e is `part` of its start, on straight lines of log e."""
    below = np.flatnonzero(e <= part * e[0])
    if not e[0] > 0.0 or not len(below):
        return float("nan")
    k = int(below[0])
    tiny = np.finfo(float).tiny
    before, after, level = (float(np.log(max(value, tiny))) for value in (e[k - 1], e[k], part * e[0]))
    return float(times[k - 1] + (times[k] - times[k - 1]) * (before - level) / (before - after))


def _late_rate(times: np.ndarray, e: np.ndarray) -> float:
    above = e > _FLOOR * e[0] if e[0] > 0.0 else np.zeros(len(e), bool)
    last = len(e) if above.all() else int(np.argmin(above))
    used = (times >= 0.5 * times[last - 1]) & (np.arange(len(e)) < last) if last else above
    if used.sum() < 3:
        return float("nan")
    return -float(np.polyfit(times[used], np.log(e[used]), 1)[0])


def _verdict(masses: np.ndarray, tenth: np.ndarray, hundredth: np.ndarray, late: np.ndarray, near: float) -> str:
    said = [
        f"cluster {i} of mass {mass:.3g}: to .1 at t = {a:.4g}, to .01 at t = {b:.4g}, late rate {rate:.4g}"
        for i, (mass, a, b, rate) in enumerate(zip(masses[:4], tenth[:4], hundredth[:4], late[:4], strict=False))
    ]
    rest = f"mass {masses[-1]:.3g} ends further than {near:g} from every atom"
    if masses[-1] > 0.1:
        rest += ", and the rates of a linearised flow say nothing of this run"
    return "; ".join([*said, rest]) + "."
