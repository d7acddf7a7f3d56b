r"""Which width, batch and step reach a target for the least work, and which of the three to pay for."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from widelimit.dynamics import SGD, stable_step
from widelimit.measure import Measure, Particles, laws
from widelimit.numerics import Count, Number, random_key, real_number, whole_number
from widelimit.problem import Estimate, Problem

from ..expansion._start import check_problem, particles_of
from ._cheapest import Hyperparameters, Terms, cheapest, cost, whole_steps
from ._fluctuations import fluctuations
from ._predict import FINER, limit_risk, predict, sgd_of
from ._prediction import Prediction
from ._sgd_noise import sgd_noise

# What may be chosen where nothing is said.
_MOST = Hyperparameters(width=2**20, batch=2**16, step=1e-6)
# `stable_step` is an eighth of what does not diverge.
_MARGIN = 8.0
# How often what the step does is measured anew, at the step that was chosen.
_ROUNDS = 6


@dataclasses.dataclass(frozen=True)
class WidthChoice:
    r"""The cheapest training whose mean risk at t1 is within `excess` of the flow of infinite width; by `width_for`.

    - `chosen`: width n, batch P and step dt; `cost`: $n P\,t_1/\Delta t$ gradients of a neuron on a sample, and
      `step_cost` for each of the t1/dt steps.
    - `terms`, `errors`: A, B and C of $E R - R = A/n + B\,\Delta t/P + C\,\Delta t$, and their standard errors.
    - `limit`: R of the flow at t1; `excess`: what was asked for.
    - `prediction`: the band at t1 of networks so trained. Where the expansion was not `trusted`, they were trained.
    """

    chosen: Hyperparameters
    cost: float
    terms: Terms
    errors: Terms
    limit: float
    excess: float
    t1: float
    prediction: Prediction

    @property
    def expected(self) -> float:
        """E R - R to first order in 1/n, dt/P and dt: A/n + B dt/P + C dt, of the sign that each has."""
        n, batch, step = self.chosen
        return self.terms.width / n + self.terms.noise * step / batch + self.terms.step * step

    @property
    def trusted(self) -> bool:
        """Whether the second order changes the band little."""
        return bool(self.prediction.trusted[-1])

    @property
    def measured(self) -> Estimate | None:
        """The mean excess of the networks that were trained, with its standard error; None where none were."""
        if self.prediction.networks == 0 or self.trusted:
            return None
        return Estimate(*map(jnp.asarray, (self.prediction.mean[-1] - self.limit, self.prediction.mean_error[-1])))

    @property
    def statement(self) -> str:
        """What to choose, which part of the excess comes of what, and how far that is to be believed."""
        n, batch, step = self.chosen
        parts = self.terms.width / n, self.terms.noise * step / batch, self.terms.step * step
        errors = self.errors.width / n, self.errors.noise * step / batch, self.errors.step * step
        names = "the width", "the noise of the batches", "the step"
        told = [f"{_with_error(*pair)} of {name}" for *pair, name in zip(parts, errors, names, strict=True)]
        said = (
            f"Width {n}, batch {batch} and step {step:.4g}: the mean risk at t = {self.t1:g} is then "
            f"{self.expected:.2g} above the {self.limit:.4g} of the flow ({told[0]}, {told[1]} and {told[2]}), for "
            f"{self.cost:.2g} gradients of a neuron on a sample. "
        )
        mean = _with_error(float(self.prediction.mean[-1]) - self.limit, float(self.prediction.mean_error[-1]))
        if self.measured is not None:
            return said + (
                f"That is a first order, not to be trusted here: the mean of {self.prediction.networks} networks that "
                f"were trained is {mean} above."
            )
        drawn = f"the mean of {self.prediction.draws} networks drawn from the expansion to second order is {mean} above"
        if self.trusted:
            return f"{said}{drawn[0].upper()}{drawn[1:]}."
        return f"{said}That is a first order, not to be trusted here, and no networks were trained; {drawn}."


def width_for(
    problem: Problem,
    law: Measure | laws.AbstractLaw,
    *,
    excess: Number,
    t1: Number,
    step_cost: Number = 0.0,
    most: Hyperparameters = _MOST,
    sampling: Any = None,
    particles: Count = 128,
    networks: Count = 200,
    key: PRNGKeyArray,
    progress: bool | None = None,
) -> WidthChoice:
    r"""The width, batch and step of SGD whose mean risk is within `excess` of the flow's, for the least work.

        choice = wl.width_for(problem, law, excess=1e-3, t1=5.0, key=jax.random.key(0))

    To leading order $E R_{n, P, \Delta t} = R + A/n + B\,\Delta t/P + C\,\Delta t$: A from `fluctuations`, B from
    `sgd_noise` at an eighth of the largest stable step, C from the scheme at the step that is chosen. A negative one
    counts as 0. The work is $n P\,t_1/\Delta t$ gradients of a neuron on a sample plus `step_cost` for each of the
    t1/dt steps.

    **Arguments**

    - `excess`: of the mean risk above that of the flow of infinite width, > 0.
    - `step_cost`: what a step costs beside its gradients, counted in gradients of a neuron on a sample.
    - `most`: the largest width and batch and the smallest step that may be chosen.
    - `sampling`: of the batches; `Fresh()` by default.
    - `particles`: a law is quantised to so many, or sampled where it cannot be.
    - `networks`: that are trained at the chosen setting where the expansion is not trusted there; 0 trains none.

    **Returns** a `WidthChoice`. Steps beyond the stability of explicit descent are not chosen.

    **Raises** `ValueError` where even `most` does not reach the target, with the floor; as `fluctuations` does for
    problems and laws.
    """
    who = "width_for"
    target, end = real_number(excess, f"{who}(excess=...)", above=0.0), real_number(t1, f"{who}(t1=...)", above=0.0)
    overhead = real_number(step_cost, f"{who}(step_cost=...)", least=0.0)
    allowed, count = _allowed(most, who), whole_number(particles, f"{who}(particles=...)", least=2)
    trained = whole_number(networks, f"{who}(networks=...)", least=0)
    keys = jax.random.split(random_key(key, f"{who}(key=...)"), 4)
    check_problem(problem, who)
    start, _ = particles_of(problem, law, count, keys[0], who)
    largest = _largest_step(problem, start, end)
    sgd = _sgd(min(largest, end) / _MARGIN, sampling, who)
    width = fluctuations(problem, start, t1=end, save_at=[end], key=keys[1], progress=progress)
    noise = sgd_noise(problem, start, sgd, t1=end, save_at=[end], key=keys[2], progress=progress)
    length = float(sgd.step_size)
    errors = Terms(float(width.standard_error[-1]), float(noise.standard_error[-1]) / length, 0.0)
    rates = float(width.excess_risk[-1]), float(noise.excess_risk[-1]) / length
    fine = particles_of(problem, law, FINER * count, keys[0], who)[0]
    of_law = sgd.sampling.independent

    def risk(moves: SGD | None) -> float:
        return float(limit_risk(problem, fine, moves, np.array([end]), progress, of_law=of_law)[-1])

    limit, terms = risk(None), Terms(*rates, float(noise.step_bias[-1]) / length)
    chosen = whole_steps(cheapest(terms, target, step_cost=overhead, most=allowed, largest_step=largest), end)
    for _ in range(_ROUNDS):
        if chosen.step == length:
            break
        length = chosen.step
        terms = Terms(*rates, (risk(_sgd(length, sampling, who)) - limit) / length)
        chosen = whole_steps(cheapest(terms, target, step_cost=overhead, most=allowed, largest_step=largest), end)
    given: dict[str, Any] = {"batch": chosen.batch, "step": chosen.step, "sampling": sampling}
    prediction = predict(
        problem,
        law,
        width=chosen.width,
        t1=end,
        save_at=[end],
        particles=count,
        networks=trained,
        key=keys[3],
        progress=progress,
        **given,
    )
    return WidthChoice(chosen, cost(chosen, end, overhead), terms, errors, limit, target, end, prediction)


def _sgd(step: float, how: Any, who: str) -> SGD:
    found = sgd_of(step, 1, how, None, who)
    assert found is not None
    return found


def _largest_step(problem: Problem, start: Particles, t1: float) -> float:
    """The largest step of explicit descent that does not diverge, and no more than the whole time."""
    safe = stable_step(problem, start, 1.0)
    return t1 if safe is None else min(t1, _MARGIN * safe)


def _allowed(most: Any, who: str) -> Hyperparameters:
    try:
        width, batch, step = most
    except (TypeError, ValueError):
        raise ValueError(f"{who}(most=...): expected Hyperparameters(width, batch, step), got {most!r}.") from None
    return Hyperparameters(
        whole_number(width, f"{who}(most=Hyperparameters(width=...))", least=2),
        whole_number(batch, f"{who}(most=Hyperparameters(batch=...))", least=1),
        real_number(step, f"{who}(most=Hyperparameters(step=...))", above=0.0),
    )


def _with_error(value: float, error: float) -> str:
    return f"{value:.2g}" if error == 0.0 else f"{value:.2g} ± {error:.1g}"
