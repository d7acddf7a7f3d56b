r"""What batches and steps of SGD do to the risk of a network of infinite width."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.dynamics import SGD
from widelimit.measure import Measure, laws
from widelimit.numerics import random_key, real_number, whole_number
from widelimit.problem import Problem

from ..expansion import _covariance as covariance, _flow as flow, _scheme as scheme
from ..expansion._estimate import MOST, Estimate, at_random, of_all
from ..expansion._jets import Directions, Setting
from ..expansion._passes import Course, Pass
from ..expansion._start import particles_of, setting_of, times_of

WHO = "sgd_noise"
# Numbers in the square factor of a covariance, and nodes, up to which it is carried instead of batches being drawn.
_COLUMNS, _NODES = 512, 4096


@dataclasses.dataclass(frozen=True)
class SGDNoise:
    r"""What SGD adds to the gradient flow at infinite width, at `times` [T] (those of its steps).

    - `limit`: R of the flow; `scheme`: R of the same explicit steps with all the data at once.
    - `step_bias`: scheme - limit, of the order of the step: what batches of any size leave.
    - `prediction_variance`: $E|f - f_0|^2$ in $L^2(\mu)$, f_0 the scheme's, at leading order in step/P, not divided
      by it.
    - `bias`: $\langle \ell'(f_0), E f - f_0 \rangle$ at the same order.
    - `excess_risk`: E R(f) - R(f_0) = E <f_1, loss''(f_0) f_1> / 2 + bias.
    - `standard_error`: that of `excess_risk`; zero where no batch was drawn. `variance_error` and `bias_error` are
      those of the others.
    - `statement`: how it was computed, in a sentence.
    """

    times: Float[np.ndarray, " T"]
    limit: Float[np.ndarray, " T"]
    scheme: Float[np.ndarray, " T"]
    prediction_variance: Float[np.ndarray, " T"]
    bias: Float[np.ndarray, " T"]
    excess_risk: Float[np.ndarray, " T"]
    standard_error: Float[np.ndarray, " T"]
    variance_error: Float[np.ndarray, " T"]
    bias_error: Float[np.ndarray, " T"]
    statement: str

    @property
    def step_bias(self) -> Float[np.ndarray, " T"]:
        return self.scheme - self.limit


def sgd_noise(
    problem: Problem,
    measure: Measure | laws.AbstractLaw,
    sgd: SGD,
    *,
    t1: float,
    save_at: Any = None,
    key: PRNGKeyArray | None = None,
    tolerance: float = 0.05,
    particles: int = 256,
    progress: bool | None = None,
) -> SGDNoise:
    r"""What SGD's batches and steps add to the risk at infinite width, apart from what a finite width adds.

    With batches of P fresh samples and steps of length dt, $f = f_0 + f_1 + f_2/2$ with

    $$f_1 = -\sqrt\theta \int R(t, s)\,(f_0 - y)\,dW_s, \qquad \theta = dt/P$$

    (rotskoff2018, Section 3, for the square loss; R the resolvent of the tangent flow, dW centred), here for the steps
    themselves, any loss, schedule and sampling. Its covariance is carried along exactly where the samples are
    independent and particles and nodes are few (512 numbers, 4096 nodes); else batches are drawn by the very sampling
    of `sgd`: those of an epoch nearly cancel. The data's nodes stand for its law. The second order f_2 gives the bias.

    **Arguments**

    - `measure`: atoms with their weights, or a law.
    - `sgd`: its step, schedule, batch, sampling and `trainable` count; no temperature.
    - `t1`, `save_at`: as in `evolve`; times are those of the nearest steps.
    - `key`, `tolerance`: where batches are drawn: until the standard error is below `tolerance` times the sizes of
      variance/2 and bias together, or 8192 times. `jax.random.key(0)` by default.
    - `particles`, `progress`: as in `fluctuations`.

    **Raises** `ValueError` as `fluctuations` does, and for a temperature.
    """
    if not isinstance(sgd, SGD):
        raise ValueError(f"{WHO}(sgd=...): expected wl.SGD(step, batch=...), got {type(sgd).__name__}.")
    if sgd.temperature is not None:
        raise ValueError(f"{WHO}(sgd=...): a temperature is noise of order one, not of the order of the step; take 0.")
    real_number(tolerance, f"{WHO}(tolerance=...)", above=0.0)
    whole_number(particles, f"{WHO}(particles=...)", least=2)
    key = None if key is None else random_key(key, f"{WHO}(key=...)")
    start, chosen = particles_of(problem, measure, particles, key, WHO)
    setting, rows = setting_of(problem, start, WHO, sgd.trainable)
    sgd.sampling.check(problem.data)
    steps = np.unique([sgd.clock.reading(float(t)) for t in times_of(t1, save_at, WHO)])
    course = Course(setting, rows, steps * float(sgd.step_size), functools.partial(scheme.follow, sgd))
    found, how = _found(course, sgd, jax.random.key(0) if key is None else key, tolerance, progress)
    flow = _flow_risk(setting, rows, np.array([sgd.schedule.integral(float(t)) for t in course.times]))
    return SGDNoise(course.times, flow, found.risk, **found.numbers, statement=f"{how} for {chosen}.")


def _found(
    course: Course, sgd: SGD, key: PRNGKeyArray, tolerance: float, progress: bool | None
) -> tuple[Estimate, str]:
    setting, rows = course.setting, course.rows
    if not sgd.sampling.stochastic:
        return of_all(course, [_nothing(setting)], label=WHO, progress=progress), "No noise, all data in every step,"
    if sgd.sampling.independent and rows.size <= _COLUMNS and len(setting.nodes.weights) <= _NODES:
        exact = dataclasses.replace(course, follow=functools.partial(covariance.follow, sgd))
        return of_all(exact, [_columns(rows)], label=WHO, progress=progress), "Exact, by the covariance of the batches,"

    def draw(i: int, shape: tuple[int, int]) -> Pass:
        still = jnp.zeros((*shape, len(rows)))
        return Pass(Directions(still, jnp.full(shape, 1.0 / shape[1])), jax.random.fold_in(key, i))

    found = at_random(course, draw, tolerance=tolerance, most=MOST, label=WHO, progress=progress)
    return found, f"{found.count} sequences of batches"


def _nothing(setting: Setting) -> Pass:
    """One direction that does not move."""
    return Pass(Directions(jnp.zeros((1, 1, len(setting.p))), jnp.zeros((1, 1))), jax.random.key(0))


def _columns(rows: Float[Array, "N D"]) -> Pass:
    """One direction a coordinate, none of which changes the weights: the columns of a covariance's factor."""
    return Pass(Directions(jnp.zeros((1, rows.size, len(rows))), jnp.ones((1, rows.size))), jax.random.key(0))


def _flow_risk(setting: Setting, rows: Float[Array, "N D"], tau: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    """The risk along the gradient flow."""
    return of_all(
        Course(setting, rows, tau, flow.follow), [_nothing(setting)], label=f"{WHO}, flow", progress=False
    ).risk
