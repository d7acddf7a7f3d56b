r"""A smaller network that predicts the same.

With the features $\varphi_i$ of the neurons, $f - o = \sum_i \varphi_i v_i$. Neurons are taken one after the other,
each time the one whose feature explains most of what is left (orthogonal matching pursuit), with the best output
weights of all taken so far: dead neurons never come, of duplicates one. Then even fewer of them are trained on the
model's predictions, all weights together, for as long as they reach the tolerance.

Predictions are compared on the rows, and halfway between pairs of rows, so that they agree on the data and not at the
rows alone.
"""

from typing import NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles
from widelimit.problem import Problem, losses
from widelimit.problem.data import Samples

from ._descend import descend
from ._neurons import charges_of, features_of

# Rows that are compared, at most, and as many between them.
_ROWS = 2048
# Trainings of fewer neurons, and the steps of each.
_TRIALS, _STEPS = 3, 150
_LEAST = 8
_SILENT = 1e-9


class Smaller(NamedTuple):
    """A smaller network.

    - `measure`: its neurons with their weights in the mean, for `diagnosis.problem`: the output bias is the model's.
    - `width`: how many neurons it has.
    - `difference`: root mean square of the difference of predictions over the standard deviation of the model's, on the
      rows and halfway between pairs of them; `largest`: the largest difference there, in units of the prediction.
    - `trained`: whether its inner weights were trained; else they are some of the model's.
    """

    measure: Particles
    width: int
    difference: float
    largest: float
    trained: bool


def smaller(problem: Problem, measure: Particles, x: Float[np.ndarray, "n d"], tolerance: float) -> Smaller:
    """The smallest that was found within the tolerance; the model itself where there is none."""
    points = _points(x)
    features, charges = features_of(problem, measure, points), charges_of(problem, measure)
    whole = features @ charges
    spread = float(np.sqrt(np.mean(np.sum((whole - whole.mean(axis=0)) ** 2, axis=1)))) or 1.0
    # A neuron that adds nothing is none of those that are left.
    silent = np.linalg.norm(features, axis=0) * np.linalg.norm(charges, axis=1) <= _SILENT * spread
    order, errors = _pursued(features * ~silent, whole, tolerance * spread * np.sqrt(len(points)))
    if errors[-1] > tolerance * spread * np.sqrt(len(points)):
        return Smaller(measure, len(measure), 0.0, 0.0, False)

    def judged(found: Particles, width: int, *, trained: bool) -> Smaller:
        # Before the padding goes: one size compiles.
        off = features_of(problem, found, points) @ charges_of(problem, found) - whole
        difference = float(np.sqrt(np.mean(np.sum(off**2, axis=1)))) / spread
        own = Particles(found.positions[:width], found.weights[:width], blocks=problem.blocks)
        return Smaller(own, width, difference, float(np.max(np.abs(off))), trained)

    rows = np.asarray(measure.positions, float)
    width, outputs = len(order), charges.shape[1]

    padded = max(_LEAST, 1 << (width - 1).bit_length())

    def taken(count: int) -> Particles:
        """The first neurons with their best output weights, filled up with neurons of weight zero."""
        some = rows[list(order[:count])].copy()
        best = np.linalg.lstsq(features[:, order[:count]], whole, rcond=None)[0]
        some[:, :outputs] = count * best
        weights = np.zeros(padded)
        weights[:count] = 1.0 / count
        filled = np.concatenate([some, np.repeat(some[:1], padded - count, axis=0)])
        return Particles(filled, weights, blocks=problem.blocks)

    best = judged(taken(width), width, trained=False)
    best = best if best.difference <= tolerance else Smaller(measure, len(measure), 0.0, 0.0, False)
    task = _copying(problem, points, whole)
    low, high = 0, width
    for _ in range(_TRIALS):
        count = (low + high) // 2
        if count in (low, high):
            break
        reached = descend(task, taken(count), _STEPS, offset=False).measure
        trial = judged(reached, count, trained=True)
        if trial.difference <= tolerance:
            best, high = trial, count
        else:
            low = count
    return best


def _points(x: np.ndarray) -> np.ndarray:
    """Rows, and points halfway between them."""
    rng = np.random.default_rng(0)
    some = x if len(x) <= _ROWS else x[rng.choice(len(x), _ROWS, replace=False)]
    return np.concatenate([some, 0.5 * (some + some[rng.permutation(len(some))])])


def _copying(problem: Problem, points: np.ndarray, whole: np.ndarray) -> Problem:
    """The same network on the model's predictions, without a penalty."""
    offset = problem.network.offset
    targets = whole.reshape(len(points), *problem.data.outputs) + (0.0 if offset is None else np.asarray(offset))
    own = eqx.tree_at(lambda p: p.penalty, problem, None) if problem.penalty is not None else problem
    samples = Samples(points, targets)
    return eqx.tree_at(lambda p: (p.supervised.data, p.supervised.loss), own, (samples, losses.squared()))


def _pursued(features: np.ndarray, whole: np.ndarray, enough: float) -> tuple[np.ndarray, list[float]]:
    """Columns in the order in which they are taken, and what is left of `whole` after each."""
    left, basis = whole.copy(), np.zeros((len(whole), 0))
    free = features.copy()
    sizes = np.linalg.norm(features, axis=0)
    order: list[int] = []
    errors = [float(np.linalg.norm(left))]
    while errors[-1] > enough and len(order) < features.shape[1]:
        norms = np.linalg.norm(free, axis=0)
        # What is left of a column that the taken ones explain is rounding.
        usable = norms > 1e-10 * sizes
        usable[order] = False
        if not np.any(usable):
            break
        gains = np.where(usable, np.linalg.norm(free.T @ left, axis=1) / np.where(usable, norms, 1.0), -1.0)
        i = int(np.argmax(gains))
        q = free[:, i] / norms[i]
        q -= basis @ (basis.T @ q)
        q /= np.linalg.norm(q)
        basis = np.concatenate([basis, q[:, None]], axis=1)
        free -= np.outer(q, q @ free)
        left -= np.outer(q, q @ left)
        order.append(i)
        errors.append(float(np.linalg.norm(left)))
    # A constant has to come from somewhere.
    return np.asarray(order or [0], int), errors
