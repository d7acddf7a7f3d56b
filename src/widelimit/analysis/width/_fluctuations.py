r"""The central limit theorem of wide networks along training, and what it does to the risk."""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Measure, laws
from widelimit.numerics import random_key, real_number, whole_number
from widelimit.problem import Problem
from widelimit.problem.data import as_points

from ._expansion import Setting, moments, outputs
from ._jets import Directions, Jet
from ._passes import Course, at_random, of_atoms
from ._start import particles_of, setting_of, times_of

WHO = "fluctuations"
# Up to so many atoms their own directions cost no more than the random ones that a few per cent need.
_EXACT = 256
# Random directions of the first pass, and in how many groups: their scatter is the standard error.
_PILOT, _GROUPS = 128, 8
# Random directions after which the error is reported as it is.
_MOST = 8192


@dataclasses.dataclass(frozen=True)
class Fluctuations:
    r"""What n independent neurons do to the prediction and the risk, at leading order in 1/n, at `times` [T].

    - `limit`: R(f_0), the risk of the limit.
    - `prediction_variance`: $\lim n\,E|f_n - f_0|^2$ in $L^2(\mu)$.
    - `bias`: $\langle \ell'(f_0), \lim n\,(E f_n - f_0) \rangle$; for the loss $(f - y)^2/2$ it is <f_0 - y, .>.
    - `excess_risk`: $\lim n\,(E R(f_n) - R(f_0))$ = E <f_1, loss''(f_0) f_1> / 2 + bias; the first is half the variance
      for the loss (f - y)^2/2.
    - `standard_error`: that of `excess_risk`; zero where all directions were followed. `variance_error` and
      `bias_error` are those of the others.
    - `statement`: what was followed, in a sentence.
    """

    times: Float[np.ndarray, " T"]
    limit: Float[np.ndarray, " T"]
    prediction_variance: Float[np.ndarray, " T"]
    bias: Float[np.ndarray, " T"]
    excess_risk: Float[np.ndarray, " T"]
    standard_error: Float[np.ndarray, " T"]
    variance_error: Float[np.ndarray, " T"]
    bias_error: Float[np.ndarray, " T"]
    statement: str
    followed: "Followed" = dataclasses.field(repr=False)

    def risk(self, width: int) -> Float[np.ndarray, " T"]:
        """R(f_0) + excess_risk / n: the mean risk of networks of n = `width` neurons, but for O(1/n^2)."""
        return self.limit + self.excess_risk / whole_number(width, "Fluctuations.risk(width=...)", least=1)

    def covariance(self, x: Any) -> Float[np.ndarray, "T ..."]:
        r"""$\lim n\,\mathrm{Cov}(f_n(x_a), f_n(x_b))$ at inputs x [m, d] ([m] for d = 1) and all times.

        **Returns** [T, m, m]; [T, m, C, m, C] for outputs of shape (C,). The directions are followed once more, which
        takes as long as the first time.
        """
        data = self.followed.course.setting.problem.data
        points = as_points(x, data.inputs, "Fluctuations.covariance(x=...)").astype(float)
        found = self.followed.mean(lambda *at: _covariance(points, *at))
        shape = (len(points), *data.outputs)
        return found.reshape(len(self.times), *shape, *shape)


@dataclasses.dataclass(frozen=True)
class Followed:
    """The directions that were followed, and along what. `whole`: whether they are all there are."""

    course: Course
    passes: list[Directions]
    whole: bool
    progress: bool | None
    key: PRNGKeyArray

    def seen(self, visit: Any, label: str) -> list[Any]:
        return self.course.seen(self.passes, visit, key=self.key, label=label, progress=self.progress)

    def mean(self, visit: Any) -> Float[np.ndarray, "T ..."]:
        """A sum over directions (of all of them, or the mean over groups of random ones)."""
        found = self.seen(visit, WHO)
        return np.sum(found, axis=0) if self.whole else np.mean(found, axis=0)


def fluctuations(
    problem: Problem,
    measure: Measure | laws.AbstractLaw,
    *,
    t1: float,
    save_at: Any = None,
    key: PRNGKeyArray | None = None,
    tolerance: float = 0.05,
    particles: int = 256,
    trainable: Any = None,
    progress: bool | None = None,
) -> Fluctuations:
    r"""How networks of n neurons scatter around the limit of the gradient flow, and what that adds to their risk.

    With neurons drawn independently from rho, $f_n = f_0 + n^{-1/2} f_1 + O(1/n)$ (rotskoff2018, Sections 2.3 and 2.4;
    the initial fluctuation is centred, its covariance is diag p - p p^T). The mean of f_n moves by O(1/n) as well, so

    $$\lim n\,(E R(f_n) - R(f_0)) = \frac12 \sum_i p_i\, \frac{d^2}{de^2} R\big(\Phi_t(p + e\,(\delta_i - p))\big)
      \Big|_{e = 0},$$

    $\Phi_t$ the flow of particles and weights. The derivatives solve $u' = D_\theta v\,u + D_w v\,d$ for every
    direction d, and $s' = Dv\,s + \sum_i p_i D^2 v(u_i, u_i)$ once. The time is tau, the integral of the schedule.

    **Arguments**

    - `measure`: atoms with their weights, or a law. Up to 256 atoms the result is exact: one direction an atom.
    - `t1`, `save_at`: the end, and the times of the result in [0, t1]; 33 of them by default.
    - `key`: for random directions, and a law that can only be sampled; `jax.random.key(0)` by default where only
      directions are drawn.
    - `tolerance`: of more atoms, random directions are followed until the standard error is below `tolerance` times
      variance/2 + |bias| at all times (their sum may cancel), or all atoms if they are fewer, or 8192.
    - `particles`: that stand for a law; `statement` says how they were chosen.
    - `trainable`: the blocks that move; all by default.
    - `progress`: as in `evolve`; the number of directions and the seconds they will take are said first.

    K directions of N particles in R^D on Q nodes take O(K N D Q + N D^3 Q) operations a velocity, some 7 (steps + T)
    velocities; the memory is that of 20 times the 2^21 numbers of a pass of directions, and the problem's budget.

    **Raises** `ValueError` for a loss or unit that is not known to have two derivatives, penalties that are not smooth,
    walls, reduced problems, data without nodes, and laws that are not known to have second moments.
    """
    real_number(tolerance, f"{WHO}(tolerance=...)", above=0.0)
    whole_number(particles, f"{WHO}(particles=...)", least=2)
    times = times_of(t1, save_at, WHO)
    key = None if key is None else random_key(key, f"{WHO}(key=...)")
    start, chosen = particles_of(problem, measure, particles, key, WHO)
    setting, rows = setting_of(problem, start, WHO, trainable)
    course = Course(setting, rows, times)
    key = jax.random.key(0) if key is None else key
    if len(start) <= _EXACT:
        return _of_all(course, chosen, progress, key)
    return _of_some(course, chosen, tolerance, progress, key)


def _of_all(course: Course, chosen: str, progress: bool | None, key: PRNGKeyArray) -> Fluctuations:
    """One direction an atom."""
    followed = Followed(course, of_atoms(course.setting.p, course.size), True, progress, key)
    count = len(course.rows)
    found = followed.seen(_moments, f"{WHO}, {count} directions")
    square, spread, shift = (np.sum([getattr(part, name) for part in found], axis=0) for name in _PARTS)
    said = f"Exact for {chosen}: a direction an atom."
    return _told(followed, found[0].risk, square, spread, shift, said)


def _of_some(course: Course, chosen: str, tolerance: float, progress: bool | None, key: PRNGKeyArray) -> Fluctuations:
    """Random directions, as many as the tolerance needs."""
    each = min(course.size, _PILOT)
    shape = (min(each, _GROUPS), each // min(each, _GROUPS))
    each = shape[0] * shape[1]
    passes: list[Directions] = []
    found: list[Any] = []
    wanted = max(_PILOT, _GROUPS)
    while True:
        numbers = range(len(passes), -(-wanted // each))
        fresh = [at_random(course.setting.p, shape, jax.random.fold_in(key, i)) for i in numbers]
        label = f"{WHO}, {each * (len(passes) + len(fresh))} random directions"
        found += course.seen(fresh, _moments, key=key, label=label, progress=progress)
        passes += fresh
        done = each * len(passes)
        square, spread, shift = (np.concatenate([getattr(part, name) for part in found], axis=1) for name in _PARTS)
        said = f"{done} random directions around {chosen}."
        result = _told(Followed(course, passes, False, progress, key), found[0].risk, square, spread, shift, said)
        reached = _relative(result)
        if reached <= tolerance or done >= _MOST:
            return result
        # A little more than the scatter asks for, which is not known well.
        wanted = min(_MOST, math.ceil(1.1 * done * (reached / tolerance) ** 2))
        if wanted >= len(course.rows):
            return _of_all(course, chosen, progress, key)


_PARTS = ("square", "spread", "shift")
_moments = eqx.filter_jit(moments)


def _told(
    followed: Followed,
    limit: Float[np.ndarray, " T"],
    square: Float[np.ndarray, "T G"],
    spread: Float[np.ndarray, "T G"],
    shift: Float[np.ndarray, "T G"],
    statement: str,
) -> Fluctuations:
    """The means over groups of directions, and their standard errors."""

    def error(groups: np.ndarray) -> np.ndarray:
        count = groups.shape[1]
        return np.std(groups, axis=1, ddof=1) / np.sqrt(count) if count > 1 else np.zeros(len(groups))

    excess = spread + shift
    return Fluctuations(
        times=followed.course.shown,
        limit=limit,
        prediction_variance=square.mean(axis=1),
        bias=shift.mean(axis=1),
        excess_risk=excess.mean(axis=1),
        standard_error=error(excess),
        variance_error=error(square),
        bias_error=error(shift),
        statement=statement,
        followed=followed,
    )


def _relative(found: Fluctuations) -> float:
    """The largest standard error relative to what the variance and the bias each do to the risk."""
    size = np.abs(found.excess_risk - found.bias) + np.abs(found.bias)
    return float(np.max(found.standard_error / np.where(size > 0, size, 1.0)))


@eqx.filter_jit
def _covariance(x: Any, setting: Setting, directions: Directions, rows: Jet) -> Float[Array, "q q"]:
    first = outputs(setting, directions, rows, x).first
    flat = first.reshape(*first.shape[:2], -1)
    return jnp.einsum("mk,mkq,mkr->qr", directions.share, flat, flat) / len(flat)
