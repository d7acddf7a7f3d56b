"""The verb: a trained network in, verdicts out."""

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np

from widelimit.analysis import OptimalityGap, Regime, optimality_gap, regime
from widelimit.measure import Particles
from widelimit.numerics import real_number
from widelimit.problem import Problem

from . import _say
from ._neurons import Neurons, charges_of, neurons
from ._readers import read
from ._smaller import Smaller, smaller
from ._training import Training, training

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
    - `held_out`: the risk on other rows, where they were given; else None. `risk`: on the rows.
    - `difference`: the largest difference of predictions to the trainer's own.
    - `helps`: what lowers the objective, best first, each with by how much.
    - `source`: what the model was, in words.
    """

    problem: Problem
    measure: Particles
    gap: OptimalityGap
    neurons: Neurons
    smaller: Smaller
    training: Training
    regime: Regime | None
    risk: float
    held_out: float | None
    difference: float
    helps: tuple[tuple[str, float], ...]
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
        return _say.sentences(self)

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
        return _say.record(self)

    def save(self, path: str | os.PathLike[str]) -> pathlib.Path:
        """Write the diagnosis as an HTML page in one file. Raises `ValueError` where that cannot be done."""
        return _say.page(self).save(path)


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
    - `start`: the model before training, in the same form: then kernel or adaptive is told.
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
    rows = network.inputs(x)
    how = training(problem, measure, network.time)
    risk = float(problem.risk(measure))
    other = None
    if held_out is not None:
        if not isinstance(held_out, tuple | list) or len(held_out) != 2:
            raise ValueError("diagnose(held_out=...): expected other rows as a pair (x, y).")
        other = float(network.problem(*held_out).risk(measure))
    found = None
    if start is not None:
        before = read(start, x, y, **given)
        if before.output.shape != network.output.shape or before.weight.shape != network.weight.shape:
            raise ValueError("diagnose(start=...): the start has other shapes than the model.")
        found = regime(problem, before.particles(problem), measure)
    return Diagnosis(
        problem=problem,
        measure=measure,
        gap=_gap(problem, measure),
        neurons=neurons(problem, measure, rows),
        smaller=smaller(problem, measure, rows, tolerance),
        training=how,
        regime=found,
        risk=risk,
        held_out=other,
        difference=difference,
        helps=_helps(how, risk, other),
        source=network.source,
    )


def _gap(problem: Problem, measure: Particles) -> OptimalityGap:
    """Over networks of any width, with output weights as large as the model's."""
    budget = None
    if problem.penalty is not None and problem.unit.homogeneity is None:
        # A penalty would bound the competitors, but so small a one excludes nothing.
        budget = max(float(np.sum(np.linalg.norm(charges_of(problem, measure), axis=1))), np.finfo(float).tiny)
    return optimality_gap(problem, measure, budget=budget, starts=_STARTS, competitor=False)


def _helps(how: Training, risk: float, held_out: float | None) -> tuple[tuple[str, float], ...]:
    """What each way lowers: the objective, or, for more data, the risk on rows that were held out."""
    reached = min(how.objective, how.longer)
    gains = {
        "longer": how.objective - how.longer,
        "another start": reached - how.restarted,
        "wider": min(reached, how.restarted) - how.wider,
    }
    spectrum = how.spectrum
    if spectrum is not None and spectrum.agitated is not None:
        gains["smaller steps"] = risk * spectrum.agitated
    if held_out is not None:
        gains["more data"] = held_out - risk
    return tuple(sorted(gains.items(), key=lambda item: -item[1]))
