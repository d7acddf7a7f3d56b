r"""Whether training was done, and what would have helped: measured by training on, again, and wider.

All trials take as many steps of the same method. Those from random starts are made several times: their scatter says
what a difference is worth.
"""

import math
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from widelimit.analysis import Stationarity, stationarity
from widelimit.measure import Particles
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._descend import Descended, descend
from ._spectrum import Spectrum, spectrum

# Steps of every trial, so that they compare, and the random starts of each kind.
STEPS, STARTS = 200, 3
# With more than so many rows times parameters in all steps, fewer of them, so that all trials take a minute or so.
_WORK, _FEWEST = 2.6e9, 40
# Training was done where as many more steps gain no more than this share of the objective, or of what a constant has.
DONE, FLOOR = 0.01, 1e-4


class Trials(NamedTuple):
    """Networks trained from random starts, `width` neurons each; `objectives` [k]: what they end with on the rows."""

    width: int
    networks: tuple[Descended, ...]

    @property
    def objectives(self) -> Float[np.ndarray, " k"]:
        return np.array([network.objective for network in self.networks])

    @property
    def mean(self) -> float:
        return float(np.mean(self.objectives))

    @property
    def error(self) -> float:
        """Half of the interval of 95 % for the mean over all starts (Student's)."""
        return interval(self.objectives)


class Training(NamedTuple):
    """What was measured of the training; objectives are on the rows, with the penalty.

    - `objective`: of the model; `constant`: the risk of the best constant prediction.
    - `onward`: the model after more steps with all rows at once (L-BFGS); `longer`: its objective.
    - `again`: networks of the model's width after as many steps from random starts; `large`: the same for wider ones.
    - `stationarity`: how far the model is from rest.
    - `spectrum`: the time that is left; None for a loss that is not squared.
    - `steps`: of each trial; fewer than 200 where rows times parameters are many.
    """

    objective: float
    constant: float
    onward: Descended
    again: Trials
    large: Trials
    stationarity: Stationarity
    spectrum: Spectrum | None
    steps: int = STEPS

    @property
    def longer(self) -> float:
        return self.onward.objective

    @property
    def trained(self) -> bool:
        """Whether training on lowers the objective by less than a hundredth of it, or a 10,000th of a constant's."""
        return self.objective - self.longer <= max(DONE * self.objective, FLOOR * self.constant)


def training(problem: Problem, measure: Particles, time: float | None) -> Training:
    """Trains on, again, and wider. `time`: of the training, learning rate x steps, where known."""
    width = len(measure)
    wider = max(16, 4 * width if width <= 64 else 2 * width)
    squared = problem.loss.square_factor is not None
    steps = affordable(len(require_nodes(problem.data, "diagnose").weights) * width * problem.dim)
    return Training(
        objective=float(problem.objective(measure)),
        constant=constant_risk(problem),
        onward=descend(problem, measure, steps),
        again=trials(problem, width, range(1, 1 + STARTS), steps),
        large=trials(problem, wider, range(101, 101 + STARTS), steps),
        stationarity=stationarity(problem, measure),
        spectrum=spectrum(problem, measure, time) if squared else None,
        steps=steps,
    )


def affordable(size: int) -> int:
    """The steps of a trial where rows times parameters are `size`."""
    return max(_FEWEST, min(STEPS, int(_WORK / size)))


def trials(problem: Problem, width: int, seeds: range, steps: int) -> Trials:
    """Networks of so many neurons, trained from random starts."""
    return Trials(width, tuple(descend(problem, fresh(problem, width, seed), steps) for seed in seeds))


def interval(values: Float[np.ndarray, " k"]) -> float:
    """Half of Student's interval of 95 % for the mean that values are drawn around."""
    from scipy.special import stdtrit

    k = len(values)
    return float(stdtrit(k - 1, 0.975) * np.std(values, ddof=1) / math.sqrt(k))


def constant_risk(problem: Problem) -> float:
    """The least risk of a prediction that is one constant."""
    import scipy.optimize

    nodes = require_nodes(problem.data, "diagnose")

    def risk(f: jax.Array) -> jax.Array:
        return nodes.weights @ jax.vmap(lambda y: problem.loss(f.reshape(problem.data.outputs), y))(nodes.y)

    # From the mean, which is the best one for the squared loss.
    start = np.atleast_1d(np.average(np.asarray(nodes.y, float), axis=0, weights=np.asarray(nodes.weights)))
    graded = jax.jit(jax.value_and_grad(risk))
    found = scipy.optimize.minimize(lambda f: [np.asarray(v) for v in graded(f)], start, jac=True, method="BFGS")
    return float(found.fun)


def fresh(problem: Problem, count: int, seed: int) -> Particles:
    r"""A random start of `count` neurons by Glorot's rule: uniform up to sqrt(6 / (inputs + outputs)) of each layer."""
    rng = np.random.default_rng(seed)
    outputs = max(1, math.prod(problem.data.outputs))
    inner = math.sqrt(6.0 / (problem.data.inputs + count))
    outer = count * math.sqrt(6.0 / (count + outputs))
    sizes = [block.size for block in problem.blocks]
    spans = np.repeat([outer if b.name == problem.unit.linear else inner for b in problem.blocks], sizes)
    return Particles(rng.uniform(-spans, spans, size=(count, problem.dim)), blocks=problem.blocks)
