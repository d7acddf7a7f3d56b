r"""The risk of networks of a width, batch and step, predicted: a mean and a band over starts and batches.

Around the limit a network of n neurons computes $f_n = f_0 + f_1 + \tfrac12 f_2 + \dots$, with $f_1$ linear and $f_2$
quadratic in what is random: which neurons it starts with and which batches it sees. Each draw of that randomness gives
a curve $R(f_0 + f_1 + f_2/2)$; the band is between two quantiles of them. Where the band of $R(f_0 + f_1)$ has other
edges, the expansion is not trusted, and networks are trained.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, PRNGKeyArray

from widelimit._evolve import evolve, evolve_many
from widelimit.dynamics import SGD, GradientFlow, sampling as samplings
from widelimit.measure import Measure, Particles, laws
from widelimit.numerics import Count, Number, leaf, random_key, real_number, whole_number
from widelimit.problem import Problem
from widelimit.results import EvolutionError
from widelimit.trajectory import Trajectory, observables

from ..expansion._draws import draw_risks
from ..expansion._start import check_problem, particles_of, times_of
from ._first_order import first_order
from ._prediction import Prediction, enough, of_networks, predicted

# A law's own risk curve comes from so many particles more than the directions need, on so many nodes.
FINER, _NODES = 8, 1024
# Numbers in the saved positions of networks that are trained together.
_SAVED = 2**26


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
    order: Count = 2,
    draws: Count = 400,
    directions: Count = 32,
    trainable: Any = None,
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
    - `order`: 2, or 1 for problems of many inputs: K directions then take O(K N D Q) operations a velocity, and what a
      finite width does to the mean prediction is left out; nothing is trusted, and no networks are trained. 0 takes no
      expansion and trains `networks` of them: kinks and any loss will do, and narrow networks cost less.
    - `draws`: curves drawn from the expansion of order 2; cost as in `fluctuations`, once for all of them.
    - `directions`: of order 1, from which all curves are combined.
    - `trainable`: the blocks that move; all by default.
    - `networks`: how many to train where the expansion cannot be trusted; 0 trains none.
    - `progress`: as in `evolve`.

    **Returns** a `Prediction`. Its mean and edges have the scatter of quantiles of `draws` or `networks` curves.

    **Raises** `ValueError` for a width below 2, a batch without a step, laws without second moments, problems that
    `fluctuations` refuses (kinks, a loss that is not twice differentiable, walls) but for order 0, and for that fewer
    networks than give quantiles (19 for 90 %).
    """
    who = "predict"
    n, level = whole_number(width, "predict(width=...)", least=2), real_number(level, "predict(level=...)", above=0.0)
    if not level < 1.0:
        raise ValueError(f"predict(level=...): must be below 1, got {level:g}.")
    which = whole_number(order, f"{who}(order=...)", least=0)
    if which > 2:
        raise ValueError(f"predict(order=...): must be 0, 1 or 2, got {order}.")
    if which:
        check_problem(problem, who)
    sgd = sgd_of(step, batch, sampling, trainable, who)
    count = whole_number(particles, "predict(particles=...)", least=2)
    drawn = whole_number(draws, "predict(draws=...)", least=20)
    trained = whole_number(networks, "predict(networks=...)", least=0)
    some = whole_number(directions, "predict(directions=...)", least=2)
    times = times_of(t1, save_at, who)
    if sgd is not None:
        times = np.unique([sgd.clock.nearest(float(t)) for t in times])
    keys = jax.random.split(random_key(key, "predict(key=...)"), 3)
    start, rule = particles_of(problem, law, count, keys[0], who)
    of_law = sgd is not None and sgd.sampling.independent
    given: dict[str, Any]
    if which == 0:
        given = {"trainable": trainable, "progress": progress}
        risks = trained_risks(problem, law, n, sgd, times, enough(trained, level), keys[2], **given)
        flat = limit_risk(problem, start, sgd, times, progress, of_law=of_law, trainable=trainable)
        return of_networks(risks, times=times, limit=flat, level=level, width=n, batch=batch, step=step, start=rule)
    fine = particles_of(problem, law, FINER * count, keys[0], who)[0]

    def flow_risk(on: Particles, *, of_law: bool) -> Float[np.ndarray, " T"]:
        return limit_risk(problem, on, None, tau, progress, of_law=of_law, trainable=trainable)

    # What the steps do to the limit is seen on the particles; the flow, which is cheaper, is known by more of them.
    tau = times if sgd is None else np.array([sgd.schedule.integral(float(t)) for t in times])
    better = flow_risk(fine, of_law=of_law)
    about: dict[str, Any] = {
        "level": level,
        "width": n,
        "start": rule,
        "order": which,
    }
    about |= {"batch": None if batch is None else int(batch), "step": None if step is None else float(step)}
    if which == 1:
        given = {"directions": some, "key": keys[1], "sgd": sgd, "trainable": trainable, "progress": progress}
        # So few directions know nothing that float32 does not hold; the limit itself is computed in float64.
        found = first_order(problem, start, times, dtype=jnp.float32, **given)
        return predicted(found.draws(n).around(better + found.limit - found.flow), directions=some, **about)
    given = {"width": n, "times": times, "draws": drawn, "key": keys[1], "progress": progress}
    found = draw_risks(problem, start, sgd=sgd, trainable=trainable, **given)
    found = found.around(better + found.limit - flow_risk(start, of_law=False))
    prediction = predicted(found, directions=drawn, **about)
    unsure = ~prediction.trusted
    if trained and np.any(unsure):
        risks = trained_risks(
            problem, law, n, sgd, times[unsure], trained, keys[2], trainable=trainable, progress=progress
        )
        return prediction.replaced(unsure, risks)
    return prediction


def limit_risk(
    problem: Problem,
    start: Particles,
    sgd: SGD | None,
    times: Float[np.ndarray, " T"],
    progress: bool | None,
    *,
    of_law: bool,
    trainable: Any = None,
) -> Float[np.ndarray, " T"]:
    """The risk of infinite width at `times`: of the gradient flow, or under the steps of an SGD with all data at once.

    `of_law`: trained on the law of the data, which its nodes may only stand for, as batches of fresh samples train.
    The risk is that on the problem's own nodes.
    """
    on = eqx.tree_at(lambda p: p.data, problem, problem.data.finer(_NODES)) if of_law else problem
    full = GradientFlow(trainable=trainable)
    if sgd is not None:
        full = SGD(sgd.step_size, sampling=samplings.Full(), schedule=sgd.schedule, trainable=sgd.trainable)
    run = evolve(on, start, full, t1=float(times[-1]), save_at=times, observe=[], progress=progress)
    place = np.argmin(np.abs(np.asarray(run.times)[:, None] - times), axis=0)
    return np.array([float(problem.risk(run[int(i)])) for i in place])


def sgd_of(step: Number | None, batch: Count | None, how: Any, trainable: Any, who: str) -> SGD | None:
    """What trains the networks; None for the gradient flow. Raises `ValueError` for a batch without a step."""
    if step is None:
        for name, value in (("batch", batch), ("sampling", how)):
            if value is not None:
                raise ValueError(f"{who}({name}=...): a {name} needs a step of time; give step=... as well.")
        return None
    if batch is None and how is not None:
        raise ValueError(f"{who}(sampling=...): needs a batch; without one every step takes all data.")
    length = leaf(step, f"{who}(step=...)", above=0.0)
    if batch is None:
        return SGD(length, sampling=samplings.Full(), trainable=trainable)
    size = whole_number(batch, f"{who}(batch=...)", least=1)
    return SGD(length, batch=size, sampling=how, trainable=trainable)


def trained_risks(
    problem: Problem,
    law: Measure | laws.AbstractLaw,
    width: int,
    sgd: SGD | None,
    times: Float[np.ndarray, " T"],
    networks: int,
    key: PRNGKeyArray,
    *,
    trainable: Any = None,
    progress: bool | None = None,
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
            GradientFlow(trainable=trainable) if sgd is None else sgd,
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
