r"""The risk of networks of a width, batch and step, predicted: a mean and a band over starts and batches.

Around the limit a network of n neurons computes $f_n = f_0 + f_1 + \tfrac12 f_2 + \dots$, with $f_1$ linear and $f_2$
quadratic in what is random: which neurons it starts with and which batches it sees. Each draw of that randomness gives
a curve $R(f_0 + f_1 + f_2/2)$; the band is between two quantiles of them. Where the band of $R(f_0 + f_1)$ has other
edges, the expansion is not trusted, and networks are trained.
"""

import dataclasses
import math
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Bool, Float, PRNGKeyArray

from widelimit._evolve import evolve, evolve_many
from widelimit.dynamics import SGD, GradientFlow, sampling as samplings
from widelimit.measure import Measure, Particles, laws
from widelimit.numerics import Count, Number, leaf, random_key, real_number, whole_number
from widelimit.problem import Problem
from widelimit.results import EvolutionError
from widelimit.trajectory import Trajectory, observables

from ._draws import Draws, draw_risks
from ._start import particles_of, times_of

# A law's own risk curve comes from so many particles more than the directions need, on so many nodes.
FINER, _NODES = 8, 1024
# Edges of the two orders may differ by this share of the band's width.
_TRUSTED = 0.1
# Numbers in the saved positions of networks that are trained together.
_SAVED = 2**26


@dataclasses.dataclass(frozen=True)
class Prediction:
    r"""The risk of networks of `width` neurons over time; made by `predict`.

    - `times` [T]; `limit` [T]: the risk of infinite width, under the same steps where there are steps.
    - `mean`, `mean_error` [T]: with the standard error of a mean over so many curves.
    - `lower`, `upper` [T]: between them lies the risk of a network with probability `level`.
    - `trusted` [T]: whether the expansion gives mean and band there; elsewhere trained networks do, or, where none
      were trained, the expansion does all the same.
    - `width`; `batch`, `step`: of SGD, None for the gradient flow (a batch of None: all data in every step).
    - `draws`, `networks`: how many curves were drawn from the expansion, and how many networks were trained.
    - `start`: what stands for the law, in words.
    """

    times: Float[np.ndarray, " T"]
    limit: Float[np.ndarray, " T"]
    mean: Float[np.ndarray, " T"]
    mean_error: Float[np.ndarray, " T"]
    lower: Float[np.ndarray, " T"]
    upper: Float[np.ndarray, " T"]
    trusted: Bool[np.ndarray, " T"]
    level: float
    width: int
    batch: int | None
    step: float | None
    draws: int
    networks: int
    start: str

    @property
    def content(self) -> tuple[float, float]:
        """The share of networks that a band of the quantiles of `networks` trained ones holds, with confidence 95 %.

        It is a beta variable, whatever the law of the risk: of m networks, order statistics i and j hold Beta(j - i,
        m + 1 - (j - i)) of all. (nan, nan) where none were trained.
        """
        if self.networks == 0:
            return math.nan, math.nan
        from scipy.stats import beta

        held = self.level * (self.networks + 1)
        low, high = beta.ppf([0.025, 0.975], held, self.networks + 1 - held)
        return float(low), float(high)

    @property
    def statement(self) -> str:
        """What is predicted for the end, and on what ground."""
        how = "by the gradient flow"
        if self.step is not None:
            batch = "all data" if self.batch is None else f"batches of {self.batch}"
            how = f"in steps of {self.step:g} with {batch}"
        said = (
            f"At t = {self.times[-1]:g} a network of width {self.width} trained {how} has a risk between "
            f"{self.lower[-1]:.3g} and {self.upper[-1]:.3g} with probability {self.level:.0%}, {self.mean[-1]:.3g} in "
            f"the mean; the limit has {self.limit[-1]:.3g}. The band comes from "
        )
        return said + self._ground() + f" The start: {self.start}."

    def _ground(self) -> str:
        expansion = f"{self.draws} curves drawn from the expansion around the limit, of second order"
        if bool(np.all(self.trusted)):
            return f"{expansion}; to first order its edges are the same within a tenth of its width."
        first = f"{self.times[int(np.argmin(self.trusted))]:g}"
        other = f"from t = {first} on" if not np.any(self.trusted[int(np.argmin(self.trusted)) :]) else "at some times"
        other = f"{other}, first at t = {first}," if other == "at some times" else other
        why = "where the second order moves the edges by more than a tenth of the width"
        if self.networks == 0:
            return f"{expansion}, which is not to be trusted {other} {why}; no networks were trained."
        low, high = self.content
        return (
            f"{expansion}, and {other} {why}, from {self.networks} trained networks (such a band holds {low:.0%} to "
            f"{high:.0%} of all)."
        )


def predict(
    problem: Problem,
    law: Measure | laws.AbstractLaw,
    *,
    width: Count,
    batch: Count | None = None,
    step: Number | None = None,
    t1: Number,
    save_at: Any = None,
    level: Number = 0.9,
    sampling: Any = None,
    particles: Count = 256,
    draws: Count = 400,
    networks: Count = 200,
    key: PRNGKeyArray,
    progress: bool | None = None,
) -> Prediction:
    r"""Mean and band of the risk of networks of `width` neurons drawn from `law`.

        band = wl.predict(problem, law, width=256, batch=16, step=0.02, t1=5.0, key=jax.random.key(0))

    **Arguments**

    - `law`: of the neurons at the start; or particles, from which networks draw theirs.
    - `width`: n >= 2.
    - `batch`, `step`: of SGD; a step without a batch takes all data in every step, neither is the gradient flow.
    - `save_at`: increasing times in [0, t1]; 33 by default, denser at the start. With steps, the nearest of them.
    - `level`: the probability of the band, in (0, 1).
    - `sampling`: of the batches, from `widelimit.sampling`; `Fresh()` by default.
    - `particles`: a law is quantised to so many, or sampled where it cannot be.
    - `draws`: curves drawn from the expansion; cost as in `fluctuations`, once for all of them.
    - `networks`: how many to train where the expansion cannot be trusted; 0 trains none.
    - `progress`: as in `evolve`.

    **Returns** a `Prediction`. Its mean and edges have the scatter of quantiles of `draws` or `networks` curves.

    **Raises** `ValueError` for a width below 2, a batch without a step, problems that `fluctuations` refuses (kinks, a
    loss that is not twice differentiable, walls), and laws without second moments.
    """
    who = "predict"
    n, level = whole_number(width, "predict(width=...)", least=2), real_number(level, "predict(level=...)", above=0.0)
    if not level < 1.0:
        raise ValueError(f"predict(level=...): must be below 1, got {level:g}.")
    sgd = sgd_of(step, batch, sampling, who)
    count = whole_number(particles, "predict(particles=...)", least=2)
    drawn = whole_number(draws, "predict(draws=...)", least=20)
    trained = whole_number(networks, "predict(networks=...)", least=0)
    times = times_of(t1, save_at, who)
    keys = jax.random.split(random_key(key, "predict(key=...)"), 3)
    start, rule = particles_of(problem, law, count, keys[0], who)
    if sgd is not None:
        times = np.unique([sgd.clock.nearest(float(t)) for t in times])
    found = draw_risks(problem, start, width=n, times=times, draws=drawn, key=keys[1], sgd=sgd, progress=progress)
    of_law = sgd is not None and sgd.sampling.independent
    fine = particles_of(problem, law, FINER * count, keys[0], who)[0]
    found = found.around(limit_risk(problem, fine, sgd, found.times, progress, of_law=of_law))
    bands = banded(found, level)
    unsure = ~bands.trusted
    if trained and np.any(unsure):
        risks = trained_risks(problem, law, n, sgd, found.times[unsure], trained, keys[2], progress)
        bands = bands.replaced(unsure, risks, level)
    return Prediction(
        found.times,
        found.limit,
        bands.mean,
        bands.mean_error,
        bands.lower,
        bands.upper,
        bands.trusted,
        level,
        n,
        None if batch is None else int(batch),
        None if step is None else float(step),
        drawn,
        trained if np.any(unsure) else 0,
        rule,
    )


def limit_risk(
    problem: Problem,
    start: Particles,
    sgd: SGD | None,
    times: Float[np.ndarray, " T"],
    progress: bool | None,
    *,
    of_law: bool,
) -> Float[np.ndarray, " T"]:
    """The risk of infinite width at `times`: of the gradient flow, or under the steps of an SGD with all data at once.

    `of_law`: trained on the law of the data, which its nodes may only stand for, as batches of fresh samples train.
    The risk is that on the problem's own nodes.
    """
    on = eqx.tree_at(lambda p: p.data, problem, problem.data.finer(_NODES)) if of_law else problem
    full = GradientFlow() if sgd is None else SGD(sgd.step_size, sampling=samplings.Full())
    run = evolve(on, start, full, t1=float(times[-1]), save_at=times, observe=[], progress=progress)
    place = np.argmin(np.abs(np.asarray(run.times)[:, None] - times), axis=0)
    return np.array([float(problem.risk(run[int(i)])) for i in place])


def sgd_of(step: Number | None, batch: Count | None, how: Any, who: str) -> SGD | None:
    """What trains the networks; None for the gradient flow. Raises `ValueError` for a batch without a step."""
    if step is None:
        for name, value in (("batch", batch), ("sampling", how)):
            if value is not None:
                raise ValueError(f"{who}({name}=...): a {name} needs a step of time; give step=... as well.")
        return None
    if batch is None:
        if how is not None:
            raise ValueError(f"{who}(sampling=...): needs a batch; without one every step takes all data.")
        return SGD(leaf(step, f"{who}(step=...)", above=0.0), sampling=samplings.Full())
    size = whole_number(batch, f"{who}(batch=...)", least=1)
    return SGD(leaf(step, f"{who}(step=...)", above=0.0), batch=size, sampling=how)


@dataclasses.dataclass(frozen=True)
class Bands:
    """Mean with its standard error, edges [T], and where they are trusted."""

    mean: Float[np.ndarray, " T"]
    mean_error: Float[np.ndarray, " T"]
    lower: Float[np.ndarray, " T"]
    upper: Float[np.ndarray, " T"]
    trusted: Bool[np.ndarray, " T"]

    def replaced(self, where: Bool[np.ndarray, " T"], risks: Float[np.ndarray, "t m"], level: float) -> "Bands":
        """At the times `where`, those of the given risks."""
        mean, error, lower, upper = (part.copy() for part in (self.mean, self.mean_error, self.lower, self.upper))
        mean[where], error[where] = mean_of(risks)
        lower[where], upper[where] = edges(risks, level)
        return Bands(mean, error, lower, upper, self.trusted)


def banded(found: Draws, level: float) -> Bands:
    """The band of the second order, and where that of the first has the same edges within a tenth of its width.

    Raises `ValueError` where a draw is not a finite number.
    """
    if not np.all(np.isfinite(found.second)) or not np.all(np.isfinite(found.first)):
        raise ValueError(
            "predict: the expansion around the limit grows beyond all numbers; take a shorter t1 or smaller steps."
        )
    lower, upper = edges(found.second, level)
    shift = np.abs(np.stack(edges(found.first, level)) - np.stack([lower, upper]))
    trusted = np.all(shift <= _TRUSTED * (upper - lower), axis=0)
    return Bands(*mean_of(found.second), lower, upper, trusted)


def mean_of(risks: Float[np.ndarray, "T m"]) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
    """The mean over curves and its standard error."""
    return risks.mean(axis=1), np.std(risks, axis=1, ddof=1) / risks.shape[1] ** 0.5


def edges(risks: Float[np.ndarray, "T m"], level: float) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
    """Quantiles between which one more curve lies with probability `level` (Weibull's: unbiased for any law)."""
    ends = [0.5 * (1.0 - level), 0.5 * (1.0 + level)]
    lower, upper = np.quantile(risks, ends, axis=1, method="weibull")
    return lower, upper


def trained_risks(
    problem: Problem,
    law: Measure | laws.AbstractLaw,
    width: int,
    sgd: SGD | None,
    times: Float[np.ndarray, " T"],
    networks: int,
    key: PRNGKeyArray,
    progress: bool | None,
) -> Float[np.ndarray, "T networks"]:
    """The risks of trained networks at `times`. Raises `EvolutionError` where one does not reach the end."""
    source = laws.Empirical(law.positions, law.weights, blocks=law.blocks) if isinstance(law, Particles) else law
    assert isinstance(source, laws.AbstractLaw)
    together = max(1, min(networks, _SAVED // (len(times) * width * problem.dim)))
    curves: list[np.ndarray] = []
    for some in np.array_split(np.arange(networks), -(-networks // together)):
        pairs = [jax.random.split(jax.random.fold_in(key, int(i))) for i in some]
        starts = [source.sample(width, key=drawing) for drawing, _ in pairs]
        runs = evolve_many(
            problem,
            starts,
            GradientFlow() if sgd is None else sgd,
            t1=float(times[-1]),
            keys=[seed for _, seed in pairs],
            save_at=times,
            observe=[observables.Risk()],
            progress=progress,
        )
        curves += [_at(run, times) for run in runs]
    return np.stack(curves, axis=1)


def _at(run: Trajectory, times: Float[np.ndarray, " T"]) -> Float[np.ndarray, " T"]:
    if not run.outcome.ok:
        raise EvolutionError(f"predict: a network that was trained for the band: {run.message}", run)
    return np.asarray(run.risk)[np.argmin(np.abs(np.asarray(run.times)[:, None] - times), axis=0)]
