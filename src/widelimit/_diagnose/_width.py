r"""How far a network of this width is expected to be from its limit, where it is known how it was made.

Networks of the same width are trained from the same law in as many steps of the same (`predict` of order 0, which needs
no smoothness): their mean beside the limit, and the band that holds nine in ten of them. Narrow networks cost less than
an expansion around the limit, which follows hundreds of particles in dozens of directions.
"""

import math
from typing import Any, NamedTuple

import jax
import numpy as np

from widelimit.analysis import Prediction, predict

from .reading._network import Recipe

# Networks that are trained, the better count first, and the particles that stand for the limit.
_NETWORKS, _PARTICLES = (39, 19), 512
# Operations that all of it may take: half a minute or so.
_MOST_WORK = 6e10


class WidthBand(NamedTuple):
    """The risk of networks made like the model, and its own `risk` on the same rows, without a penalty.

    `prediction`: a `Prediction` for the end of training.
    """

    prediction: Prediction
    risk: float

    @property
    def inside(self) -> bool:
        """Whether the model is in the band, which one in ten networks is not."""
        return bool(self.prediction.lower[-1] <= self.risk <= self.prediction.upper[-1])


def recipe_in(start: Any) -> Recipe | None:
    """How networks are made by what `from_torch` gives for a width; None for other starts.

    The law of a model's own neurons says nothing of other networks.
    """
    if not all(hasattr(start, name) for name in ("problem", "law", "sgd", "t1")):
        return None
    return Recipe(start.problem, start.law, start.sgd, start.t1)


def width_band(recipe: Recipe, width: int, predictions: np.ndarray) -> WidthBand | None:
    """The band; None where it would take too long. `predictions`: of the model on the recipe's rows."""
    problem = recipe.problem
    nodes = problem.data.nodes
    networks = None if nodes is None else _affordable(recipe, width, len(nodes.x))
    if nodes is None or networks is None or (recipe.law.n_atoms or math.inf) <= width:
        return None
    sampled = recipe.sgd.sampling.stochastic
    found = predict(
        problem,
        recipe.law,
        width=width,
        batch=int(recipe.sgd.largest_batch) if sampled else None,
        step=float(recipe.sgd.step_size),
        sampling=recipe.sgd.sampling if sampled else None,
        t1=recipe.t1,
        save_at=[recipe.t1],
        order=0,
        networks=networks,
        particles=_PARTICLES,
        key=jax.random.key(0),
        progress=False,
    )
    losses = jax.vmap(problem.loss)(predictions.reshape(nodes.y.shape), nodes.y)
    return WidthBand(found, float(nodes.weights @ losses))


def _affordable(recipe: Recipe, width: int, rows: int) -> int | None:
    """How many networks may be trained."""
    steps = recipe.t1 / float(recipe.sgd.step_size)
    batch = min(rows, int(recipe.sgd.largest_batch)) if recipe.sgd.sampling.stochastic else rows
    for count in _NETWORKS:
        pairs = count * width * batch + _PARTICLES * rows
        if 10.0 * steps * pairs * recipe.problem.dim <= _MOST_WORK:
            return count
    return None
