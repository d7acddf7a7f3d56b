"""The classifier: labels, probabilities, weights."""

import numpy as np
import pytest
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from widelimit.sklearn import WideClassifier


def small(**changes) -> WideClassifier:
    return WideClassifier(**({"t1": 30.0, "particles": 16, "random_state": 0} | changes))


def test_two_classes(table):
    x, y = table
    label = np.where(y > np.median(y), "a", "b")
    c = small().fit(x, label)
    f = c.decision_function(x)
    assert list(c.classes_) == ["a", "b"]
    np.testing.assert_allclose(c.predict_proba(x), np.stack([expit(-f), expit(f)], axis=1), rtol=1e-12)
    np.testing.assert_array_equal(c.predict(x), np.where(f > 0, "b", "a"))
    assert c.score(x, label) > 0.8
    signs = np.where(label == "b", 1.0, -1.0)
    np.testing.assert_allclose(c.trajectory_.risk[[0, -1]], [np.log(2), -np.log(expit(signs * f)).mean()], rtol=1e-9)


@pytest.fixture
def three(table):
    return table[0], np.digitize(table[1], np.quantile(table[1], [0.3, 0.7])) * 5 - 1


def test_more_classes_are_each_against_the_rest_with_the_logistic_loss(three):
    x, label = three
    c = small(loss="logistic").fit(x, label)
    f = c.decision_function(x)
    assert list(c.classes_) == [-1, 4, 9]
    assert f.shape == (60, 3)
    p = expit(f)
    np.testing.assert_allclose(c.predict_proba(x), p / p.sum(axis=1, keepdims=True), rtol=1e-12)
    np.testing.assert_array_equal(c.predict(x), c.classes_[f.argmax(axis=1)])
    assert c.score(x, label) > 0.7
    signs = np.where(label[:, None] == c.classes_, 1.0, -1.0)
    np.testing.assert_allclose(c.trajectory_.risk[-1], -np.log(expit(signs * f)).sum(axis=1).mean(), rtol=1e-9)


def test_more_classes_have_softmax(three):
    x, label = three
    c = small(t1=10.0).fit(x, label)
    f, p = c.decision_function(x), c.predict_proba(x)
    assert f.shape == p.shape == (60, 3)
    np.testing.assert_allclose(p, softmax(f, axis=1), rtol=1e-12)
    np.testing.assert_array_equal(c.predict(x), c.classes_[p.argmax(axis=1)])
    assert c.score(x, label) > 0.7
    # All classes alike at the start; then scikit-learn's own log loss.
    np.testing.assert_allclose(c.trajectory_.risk[[0, -1]], [np.log(3), log_loss(label, p)], rtol=1e-9)


def test_two_classes_with_softmax_have_one_decision(three):
    x, label = three[0], three[1] > 0
    c = small(loss="softmax", t1=10.0).fit(x, label)
    f, p = c.decision_function(x), c.predict_proba(x)
    assert f.shape == (60,)
    np.testing.assert_allclose(p[:, 1], expit(f), rtol=1e-10)
    np.testing.assert_array_equal(c.predict(x), f > 0)
    np.testing.assert_allclose(c.trajectory_.risk[-1], log_loss(label, p), rtol=1e-9)
    assert c.score(x, label) > 0.7


def test_weights_are_repeated_rows_and_early_stopping_keeps_the_shares(table):
    x, y = table
    label, times = y > np.quantile(y, 0.8), np.random.default_rng(2).integers(0, 3, size=60)
    by_weight = small().fit(x, label, times).decision_function(x)
    by_rows = small().fit(np.repeat(x, times, axis=0), np.repeat(label, times)).decision_function(x)
    np.testing.assert_allclose(by_weight, by_rows, rtol=1e-8)
    stopped = small(early_stopping=True, validation_fraction=0.25).fit(x, label)
    assert (np.asarray(stopped.problem_.data.y) > 0).sum() == 9
    assert stopped.predict(x).dtype == bool


def test_what_is_refused(table):
    x, y = table
    with pytest.raises(ValueError, match=r"two classes or more.*of one class, 7"):
        small().fit(x, np.full(60, 7))
    with pytest.raises(ValueError, match=r"two classes or more.*of one class, 1"):
        small().fit(x, np.arange(60) % 2, np.arange(60) % 2)
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        small().fit(x, y)
    for loss in ("squared", None):
        with pytest.raises(
            ValueError, match=r"WideClassifier\(loss=...\): must be one of auto, logistic, softmax, got"
        ):
            small(loss=loss).fit(x, y > 0)
