"""Real trainings, by PyTorch (stored; data/make_torch.py) and scikit-learn, on real tables and one of their shape."""

import functools
import importlib.util
import pathlib
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor

import widelimit as wl
from widelimit._diagnose._width import recipe_in, width_band
from widelimit._diagnose.reading._readers import read
from widelimit.analysis import classification

DATA = pathlib.Path(__file__).parent / "data"


@functools.cache
def maker() -> Any:
    spec = importlib.util.spec_from_file_location("make_torch", DATA / "make_torch.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def tables() -> Any:
    return maker().tables()


# Activation, the library's loss for PyTorch's, and its targets for those.
TORCH = {
    "digits": ("relu", wl.losses.softmax(), lambda y: np.eye(10)[y]),
    "cancer": ("tanh", wl.losses.logistic(), lambda y: 2.0 * y - 1.0),
    "diabetes": ("tanh", wl.losses.squared(1.0), lambda y: y),
    "california": ("relu", wl.losses.squared(1.0), lambda y: y),
}


@pytest.mark.parametrize("name", TORCH)
def test_what_pytorch_trained_predicts_here_what_it_predicts_there(name):
    (x, y), (activation, loss, targets) = tables()[name], TORCH[name]
    given = {"activation": activation, "loss": loss, "weight_decay": 0.0, "names": None}
    network = read(DATA / f"{name}.npz", x, targets(y), **given)
    known = np.load(DATA / "predictions.npz")[name]
    problem = network.problem(x[: len(known)], targets(y)[: len(known)])
    f = np.asarray(problem.predict(network.particles(problem), x[: len(known)]))
    # Sums of some dozens of terms in float32.
    np.testing.assert_allclose(f.reshape(known.shape), known, atol=2e-5)
    right = {"digits": 0.9, "cancer": 0.9}.get(name)
    if right is not None:
        found = classification(problem, network.particles(problem))
        assert found.accuracy > right
    else:
        # Better than a constant, by its own measure.
        assert float(problem.risk(network.particles(problem))) < 0.6 * np.var(y[: len(known)])


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH)
def test_a_diagnosis_of_what_pytorch_trained(name):
    (x, y), (activation, loss, targets) = tables()[name], TORCH[name]
    known = np.load(DATA / "predictions.npz")[name]
    rows = slice(0, 400)
    d = wl.diagnose(DATA / f"{name}.npz", x[rows], targets(y)[rows], activation=activation, loss=loss)
    f = np.asarray(d.problem.predict(d.measure, x[: len(known)]))
    np.testing.assert_allclose(f.reshape(known.shape), known, atol=2e-5)
    assert d.training.longer <= d.training.objective
    assert d.smaller.difference <= 0.01
    assert len(d.measure) == maker().WIDTH
    # Nothing is known of its start.
    assert d.band is None
    assert (d.classes is None) == (name in ("diabetes", "california"))


@pytest.mark.slow
def test_plain_sgd_of_pytorch_ends_in_the_band_that_is_predicted_of_it():
    (x, y), sgd = tables()["diabetes"], maker().SGD
    network = read(DATA / "plain.npz", x, y, activation="tanh", loss=None, weight_decay=0.0, names=None)
    problem = network.problem(x, y)
    recipe = recipe_in(wl.from_torch(maker().WIDTH, x, y, activation="tanh", **sgd))
    assert recipe is not None
    band = width_band(recipe, network.width, np.asarray(problem.predict(network.particles(problem), x)))
    ends, found = np.load(DATA / "sgd.npz")["losses"], band.prediction
    np.testing.assert_allclose(band.risk, ends[0], rtol=1e-5)
    # Of 20, fewer than 14 are inside a band that holds 9 in 10 with probability 2e-3.
    assert np.sum((ends >= found.lower[-1]) & (ends <= found.upper[-1])) >= 14
    error = np.hypot(found.mean_error[-1], ends.std(ddof=1) / 20**0.5)
    assert abs(found.mean[-1] - ends.mean()) < 4.0 * error


@pytest.mark.slow
@pytest.mark.parametrize("name", TORCH)
def test_a_diagnosis_of_what_scikit_learn_trained(name):
    x, y = tables()[name]
    train_x, test_x, train_y, test_y = train_test_split(x, y, train_size=300, random_state=0)
    kind = MLPClassifier if name in ("digits", "cancer") else MLPRegressor
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: Any = kind(hidden_layer_sizes=(24,), max_iter=60, random_state=0).fit(train_x, train_y)
    d = wl.diagnose(model, train_x, train_y, held_out=(test_x, test_y))
    assert d.difference < 1e-8
    if kind is MLPRegressor:
        np.testing.assert_allclose(d.held_out, 0.5 * np.mean((model.predict(test_x) - test_y) ** 2), rtol=1e-8)
        return
    p = model.predict_proba(test_x)
    np.testing.assert_allclose(d.held_out, log_loss(test_y, p), rtol=1e-6)
    for found, u, v in ((d.classes, train_x, train_y), (d.classes_held_out, test_x, test_y)):
        np.testing.assert_allclose(found.accuracy, model.score(u, v), rtol=1e-12)
        scores = model.predict_proba(u)
        known = roc_auc_score(v, scores[:, 1]) if name == "cancer" else roc_auc_score(v, scores, multi_class="ovr")
        np.testing.assert_allclose(found.auc, known, rtol=1e-9)
    said = f"{100 * d.classes_held_out.accuracy:.4g} \N{PLUS-MINUS SIGN}"
    assert said in str(d)
