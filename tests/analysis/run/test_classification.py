"""Accuracy and the area under the ROC curve against counting."""

import itertools

import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis import classification, is_classification

RNG = np.random.default_rng(0)
N = 24
X = RNG.normal(size=(N, 2))
WEIGHTS = RNG.integers(1, 4, size=N).astype(float)
LABELS = np.arange(N) % 3


def problem(y, loss, weights=None) -> tuple[wl.Problem, wl.Particles]:
    task = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(X, y, weights), loss)
    return task, wl.Particles(RNG.normal(size=(5, task.dim)), blocks=task.blocks)


def counted(score, positive, weights):
    """P(score of a positive row > that of a negative one) + half of ties, pair by pair."""
    total = right = 0.0
    for i, j in itertools.product(np.flatnonzero(positive), np.flatnonzero(~positive)):
        pair = weights[i] * weights[j]
        total += pair
        right += pair * (1.0 if score[i] > score[j] else 0.5 if score[i] == score[j] else 0.0)
    return right / total


@pytest.mark.parametrize("loss", [wl.losses.logistic(), wl.losses.squared()])
def test_two_classes_by_the_sign(loss):
    y = np.where(LABELS > 0, 1.0, -1.0)
    task, measure = problem(y, loss, WEIGHTS)
    f = np.asarray(task.predict(measure, X))
    found = classification(task, measure)
    accuracy = WEIGHTS[(f > 0) == (y > 0)].sum() / WEIGHTS.sum()
    np.testing.assert_allclose(found.accuracy, accuracy, rtol=1e-12)
    np.testing.assert_allclose(found.accuracy_error, np.sqrt(accuracy * (1 - accuracy) / N), rtol=1e-12)
    np.testing.assert_allclose(found.auc, counted(f, y > 0, WEIGHTS), rtol=1e-12)
    assert found.rows == N
    assert 0.0 < found.accuracy < 1.0


@pytest.mark.parametrize("loss", ["softmax", "logistic", "squared"])
def test_more_classes_by_the_largest_output(loss):
    one_hot = np.eye(3)[LABELS]
    task, measure = problem(one_hot if loss == "softmax" else 2.0 * one_hot - 1.0, wl.losses.registry.make(loss))
    f = np.asarray(task.predict(measure, X))
    p = np.exp(f) / np.exp(f).sum(axis=1, keepdims=True) if loss == "softmax" else f
    found = classification(task, measure)
    np.testing.assert_allclose(found.accuracy, np.mean(f.argmax(axis=1) == LABELS), rtol=1e-12)
    known = np.mean([counted(p[:, c], c == LABELS, np.ones(N)) for c in range(3)])
    np.testing.assert_allclose(found.auc, known, rtol=1e-12)


def test_other_rows_and_a_class_that_is_missing_there():
    task, measure = problem(np.eye(3)[LABELS], wl.losses.softmax())
    kept = LABELS < 2
    other = wl.data.Samples(X[kept], np.eye(3)[LABELS[kept]])
    found = classification(task, measure, other)
    f = np.asarray(task.predict(measure, X[kept]))
    np.testing.assert_allclose(found.accuracy, np.mean(f.argmax(axis=1) == LABELS[kept]), rtol=1e-12)
    assert found.auc is None
    assert found.rows == kept.sum()


def test_targets_that_are_no_classes_are_refused():
    for y in (X[:, 0], np.eye(3)[LABELS] * 2.0, np.ones((N, 2)), np.abs(np.sign(X[:, :1]))):
        task, measure = problem(y, wl.losses.squared())
        assert not is_classification(task)
        with pytest.raises(ValueError, match="the targets are no classes"):
            classification(task, measure)
    assert is_classification(problem(np.sign(X[:, 0]), wl.losses.squared())[0])
