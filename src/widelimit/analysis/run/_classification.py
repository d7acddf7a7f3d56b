r"""How well a measure classifies: accuracy and the area under the ROC curve, where the targets are classes.

A row's class is the sign of one output of targets +-1 (the second class is +1, of an output of zero the first is
chosen), and the largest of several outputs. The area under the curve of a class is the probability that a row of the
class has a larger score than a row of another, ties counting half; the score is f, or the probability where the loss is
softmax, whose outputs are known up to a constant a row.
"""

import warnings
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.measure import Measure
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes


class Classification(NamedTuple):
    """How well the rows are classified.

    - `accuracy`: the share of rows whose class is chosen; `accuracy_error`: its standard error if the rows are
      independent, sqrt(a (1 - a) / n).
    - `auc`: the area under the ROC curve, the mean over the classes (each against the rest) of more than two; None
      where a class is missing.
    - `rows`: n.
    """

    accuracy: float
    accuracy_error: float
    auc: float | None
    rows: int


def is_classification(problem: Problem) -> bool:
    """Whether the targets on the data's nodes are classes: all -1 or +1, or one class of several in every row."""
    nodes = problem.data.nodes
    return nodes is not None and _labels(np.asarray(nodes.y)) is not None


def classification(problem: Problem, measure: Measure, data: Any = None) -> Classification:
    """Accuracy and area under the ROC curve of `measure` on the problem's data, or on other `data`.

    Rows count with their weights. The area is scikit-learn's `roc_auc_score`.

    **Raises** `ValueError` for data without nodes, and for targets that are no classes: numbers -1 and +1, or in every
    row of several columns one 1 beside zeros or minus ones.
    """
    nodes = require_nodes(problem.data if data is None else data, "classification")
    targets = np.asarray(nodes.y, float)
    labels = _labels(targets)
    if labels is None:
        raise ValueError(
            "classification(problem=...): the targets are no classes: they must be -1 or +1, or have one 1 in every "
            "row beside zeros or minus ones."
        )
    f, mu = np.asarray(problem.predict(measure, nodes.x)), np.asarray(nodes.weights, float)
    chosen = (f > 0).astype(int) if f.ndim == 1 else f.argmax(axis=1)
    accuracy = float(mu @ (chosen == labels) / mu.sum())
    error = (accuracy * (1.0 - accuracy) / len(labels)) ** 0.5
    return Classification(accuracy, error, _auc(labels, _scores(f, softmax=problem.loss.one_hot), mu), len(labels))


def _labels(targets: Float[np.ndarray, "n ..."]) -> np.ndarray | None:
    """The number of each row's class; None where the targets are no classes."""
    if targets.ndim == 1:
        return (targets > 0).astype(int) if np.all(np.abs(targets) == 1.0) else None
    if targets.ndim != 2 or targets.shape[1] < 2:
        return None
    low = np.min(targets)
    known = low in (0.0, -1.0) and np.all((targets == 1.0) | (targets == low)) and np.all((targets == 1.0).sum(1) == 1)
    return targets.argmax(axis=1) if known else None


def _scores(f: np.ndarray, *, softmax: bool) -> np.ndarray:
    if not softmax:
        return f
    grown = np.exp(f - f.max(axis=1, keepdims=True))
    return grown / grown.sum(axis=1, keepdims=True)


def _auc(labels: np.ndarray, scores: np.ndarray, mu: np.ndarray) -> float | None:
    from sklearn.metrics import roc_auc_score

    classes = 2 if scores.ndim == 1 else scores.shape[1]
    truth = labels if scores.ndim == 1 else np.eye(classes, dtype=int)[labels]
    if len(np.unique(labels[mu > 0])) < classes:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return float(roc_auc_score(truth, scores, average="macro", sample_weight=mu))
