"""The verb: a trained network in, verdicts out."""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np

from widelimit.analysis import (
    Classification,
    OptimalityGap,
    Regime,
    classification,
    is_classification,
    optimality_gap,
    regime,
)
from widelimit.measure import Particles
from widelimit.numerics import real_number
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes

from ._helps import Help, Rows, on_held_out, on_rows
from ._neurons import Neurons, charges_of, neurons
from ._smaller import Smaller, smaller
from ._training import Training, training
from ._width import WidthBand, recipe_in, width_band
from .page._page import page
from .page._record import record
from .page._sentences import sentences
from .reading._network import TrainedNetwork
from .reading._readers import read

# Local searches for the gap. Better measures are looked for by training on.
_STARTS = 16


@dataclasses.dataclass(frozen=True, repr=False)
class Diagnosis:
    """What is said of a trained network; made by `diagnose`. `str(...)` is its sentences.

    - `problem`, `measure`: the model; `problem.predict(measure, x)` is its prediction.
    - `gap`: how far the objective is from the infimum, over networks of any width whose weights are together as large
      as the model's, in the norm that it names (an `OptimalityGap`).
    - `dead`: indices of neurons that do nothing; `duplicates`: groups of indices of neurons that do the same;
      `cancelling`: those groups that nearly undo each other.
    - `smaller`: a smaller network that predicts the same (`width`, `difference`, `measure`).
    - `training`: the objective, and where it goes by training on, another start, more neurons.
    - `regime`: kernel or adaptive, where the start was given; else None.
    - `band`: the risk of networks of this width, where it is known how it was made (plain SGD from a law); else None.
    - `held_out`: the risk on other rows, where they were given; else None. `risk`: on the rows.
    - `difference`: the largest difference of predictions to the trainer's own.
    - `helps`: what lowers the objective on the rows, best first; `helps_held_out`: what lowers the risk on those held
      out, empty without them. Each a way with its gain, the error of that and a verdict.
    - `classes`, `classes_held_out`: how well the rows are classified, where the targets are classes; else None.
    - `rows`, `rows_held_out`: inputs and targets, as the problem has them.
    - `source`: what the model was, in words.
    """

    problem: Problem
    measure: Particles
    gap: OptimalityGap
    neurons: Neurons
    smaller: Smaller
    training: Training
    regime: Regime | None
    band: WidthBand | None
    risk: float
    held_out: float | None
    difference: float
    helps: tuple[Help, ...]
    helps_held_out: tuple[Help, ...]
    classes: Classification | None
    classes_held_out: Classification | None
    rows: Rows
    rows_held_out: Rows | None
    source: str

    @property
    def dead(self) -> tuple[int, ...]:
        """Neurons that do nothing."""
        return self.neurons.dead

    @property
    def duplicates(self) -> tuple[tuple[int, ...], ...]:
        """Groups of neurons that do the same."""
        return self.neurons.duplicates

    @property
    def cancelling(self) -> tuple[tuple[int, ...], ...]:
        """Groups of neurons that nearly undo each other."""
        return self.neurons.cancelling

    @property
    def sentences(self) -> tuple[str, ...]:
        """What there is to say, the most useful first."""
        return sentences(self)

    @property
    def statement(self) -> str:
        """The first of the sentences."""
        return self.sentences[0]

    def __str__(self) -> str:
        return "\n".join(self.sentences)

    def __repr__(self) -> str:
        return f"Diagnosis({self.statement})"

    def record(self) -> dict[str, Any]:
        """The numbers, for JSON: None where one is infinite or not known."""
        return record(self)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write the diagnosis as an HTML page in one file. Raises `ValueError` where that cannot be done."""
        return page(self).save(path)


def diagnose(
    model: Any,
    x: Any,
    y: Any,
    *,
    activation: str | None = None,
    loss: Any = None,
    weight_decay: float = 0.0,
    names: dict[str, str] | None = None,
    predictions: Any = None,
    start: Any = None,
    held_out: tuple[Any, Any] | None = None,
    tolerance: float = 0.01,
) -> Diagnosis:
    r"""Judge a two-layer network that was trained elsewhere.

        d = wl.diagnose(mlp, x, y)
        print(d)
        d.save("diagnosis.html")

    **Arguments**

    - `model`: scikit-learn's `MLPRegressor` or `MLPClassifier` with one hidden layer; a PyTorch `Sequential` or its
      `state_dict()`; any tree of arrays (Flax, Equinox, a dict); the path of an `.npz` or `.safetensors` file.
    - `x`, `y`: the rows that it was trained on, [n, d] and [n] or [n, C] (classes for a classifier).
    - `activation`: of the hidden layer, where the model does not say it: "tanh", "relu", "sigmoid", ...
    - `loss`: from `widelimit.losses`, where the model does not say it; (f - y)^2 / 2 by default.
    - `weight_decay`: lambda of a penalty lambda/2 times the squares of all weights and biases, as PyTorch's optimisers
      have it; scikit-learn's models bring their own.
    - `names`: which array is which, where the shapes leave doubt: `{"weight": ..., "bias": ..., "output": ...,
      "offset": ...}`, the inner and the output weights and their biases; a square matrix is [neurons, inputs] or
      [neurons, outputs].
    - `predictions`: the model's own on the rows, to be checked against where the model cannot be called.
    - `start`: the model before training, in the same form: then kernel or adaptive is told. Or what
      `from_torch(width, ...)` gives, how such networks are made: then how far they are from their limit (plain SGD of
      scikit-learn says that itself).
    - `held_out`: other rows (x, y): then more data is judged.
    - `tolerance`: of the smaller network's predictions, relative to their standard deviation.

    **Raises** `ValueError` for a model with more than one hidden layer, shapes that do not match the table, unknown
    activations, weights that are not finite, pickles, tables without numbers, a class of one row, and where the
    predictions differ from the model's.
    """
    tolerance = real_number(tolerance, "diagnose(tolerance=...)", above=0.0, below=1.0)
    given = {"activation": activation, "loss": loss, "weight_decay": weight_decay, "names": names}
    network = read(model, x, y, **given)
    problem = network.problem(x, y)
    measure = network.particles(problem)
    difference = network.check(problem, measure, predictions)
    _check_classes(problem, network)
    rows = network.inputs(x), np.asarray(network.labels(y))
    how = training(problem, measure, None if network.steps is None else network.steps.time)
    other = None if held_out is None else _other(network, held_out)
    recipe, found = recipe_in(start) or network.recipe(x, y), None
    if start is not None and recipe_in(start) is None:
        found = regime(problem, _start(network, start, x, y, given).particles(problem), measure)
    predicted = np.asarray(problem.predict(measure, rows[0]))
    labelled = is_classification(problem)
    return Diagnosis(
        problem=problem,
        measure=measure,
        gap=_gap(problem, measure),
        neurons=neurons(problem, measure, rows[0]),
        smaller=smaller(problem, measure, rows[0], tolerance),
        training=how,
        regime=found,
        band=None if recipe is None else width_band(recipe, network.width, predicted),
        risk=float(problem.risk(measure)),
        held_out=None if other is None else float(other.risk(measure)),
        difference=difference,
        helps=on_rows(how, float(problem.risk(measure))),
        helps_held_out=() if other is None else on_held_out(problem, measure, how, rows, _rows_of(other)),
        classes=classification(problem, measure) if labelled else None,
        classes_held_out=classification(other, measure) if labelled and other is not None else None,
        rows=rows,
        rows_held_out=None if other is None else _rows_of(other),
        source=network.source,
    )


def _other(network: TrainedNetwork, held_out: Any) -> Problem:
    if not isinstance(held_out, tuple | list) or len(held_out) != 2:
        raise ValueError("diagnose(held_out=...): expected other rows as a pair (x, y).")
    return network.problem(*held_out)


def _rows_of(problem: Problem) -> Rows:
    nodes = require_nodes(problem.data, "diagnose")
    return np.asarray(nodes.x), np.asarray(nodes.y)


def _start(network: TrainedNetwork, start: Any, x: Any, y: Any, given: dict[str, Any]) -> TrainedNetwork:
    before = read(start, x, y, **given)
    if before.output.shape != network.output.shape or before.weight.shape != network.weight.shape:
        raise ValueError("diagnose(start=...): the start has other shapes than the model.")
    return before


def _check_classes(problem: Problem, network: TrainedNetwork) -> None:
    """Raise `ValueError` for a class of one row, where the loss is one of classes."""
    if not problem.loss.labels:
        return
    y = _rows_of(problem)[1]
    counts = (y > 0).sum(axis=0) if y.ndim == 2 else np.array([(y < 0).sum(), (y > 0).sum()])
    if np.any(counts == 1):
        lonely = int(np.argmax(counts == 1))
        name = repr(network.classes[lonely]) if network.classes else f"number {lonely}"
        raise ValueError(f"diagnose(y=...): the class {name} appears once; nothing can be said of a class of one row.")


def _gap(problem: Problem, measure: Particles) -> OptimalityGap:
    """Over networks of any width, with output weights as large as the model's."""
    budget = None
    if problem.penalty is not None and problem.unit.homogeneity is None:
        # A penalty would bound the competitors, but so small a one excludes nothing.
        budget = max(float(np.sum(np.linalg.norm(charges_of(problem, measure), axis=1))), np.finfo(float).tiny)
    return optimality_gap(problem, measure, budget=budget, starts=_STARTS, competitor=False)
