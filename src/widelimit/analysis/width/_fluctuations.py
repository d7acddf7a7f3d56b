r"""The central limit theorem of wide networks along training, and what it does to the risk."""

import dataclasses
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit._shown import Shown
from widelimit.measure import Measure, laws
from widelimit.numerics import random_key, real_number, whole_number
from widelimit.problem import Problem
from widelimit.problem.data import as_points

from ..expansion import _flow as flow
from ..expansion._estimate import MOST, Estimate, at_random, of_all
from ..expansion._expansion import outputs
from ..expansion._jets import Directions, Jet, Setting
from ..expansion._passes import Course, Pass, centred, of_atoms
from ..expansion._start import particles_of, setting_of, times_of

WHO = "fluctuations"
# Up to so many atoms their own directions cost no more than the random ones that a few per cent need.
_EXACT = 256


@dataclasses.dataclass(frozen=True, repr=False)
class Fluctuations(Shown):
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

    def __repr__(self) -> str:
        end = f"n (E R(f_n) - R(f_0)) -> {self.excess_risk[-1]:.4g} +- {self.standard_error[-1]:.2g}"
        return f"Fluctuations({len(self.times)} times to t = {self.times[-1]:g}, {end}: {self.statement})"

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
    passes: list[Pass]
    whole: bool
    progress: bool | None

    def mean(self, visit: Any) -> Float[np.ndarray, "T ..."]:
        """A sum over directions: over all of them, or the mean over passes of random ones."""
        found = self.course.seen(self.passes, visit, label=f"{WHO}, covariance", progress=self.progress)
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
      variance/2 + |bias|, as they add to the risk, at all times (their sum may cancel), or all atoms if they are fewer,
      or 8192.
    - `particles`: that stand for a law; `statement` says how they were chosen.
    - `trainable`: the blocks that move; all by default.
    - `progress`: as in `evolve`; what more than the first random directions will take is said before.

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
    course = Course(setting, rows, times, flow.follow)
    key = jax.random.key(0) if key is None else key
    found, said = _found(course, key, tolerance, progress)
    followed = Followed(course, found.passes, found.whole, progress)
    statement = f"{said} {chosen}."
    return Fluctuations(times=times, limit=found.risk, **found.numbers, statement=statement, followed=followed)


def _found(course: Course, key: PRNGKeyArray, tolerance: float, progress: bool | None) -> tuple[Estimate, str]:
    """The estimate, and what was followed."""
    p = course.setting.p
    if len(p) > _EXACT:

        def draw(i: int, shape: tuple[int, int]) -> Pass:
            return Pass(centred(p, shape, jax.random.fold_in(key, i)), key)

        most = min(MOST, len(p))
        found = at_random(course, draw, tolerance=tolerance, most=most, label=WHO, progress=progress)
        # Where as many random directions are needed as there are atoms, these do it exactly.
        if found.relative <= tolerance or most == MOST:
            return found, f"{found.count} random directions for"
    label = f"{WHO}, {len(p)} directions"
    found = of_all(course, of_atoms(p, course.size), label=label, progress=progress)
    return found, "Exact, a direction an atom, for"


@eqx.filter_jit
def _covariance(x: Any, setting: Setting, directions: Directions, rows: Jet) -> Float[Array, "q q"]:
    first = outputs(setting, directions, rows, x).first
    flat = first.reshape(*first.shape[:2], -1)
    return jnp.einsum("mk,mkq,mkr->qr", directions.share, flat, flat) / len(flat)
