"""The band of a width against networks that scikit-learn itself trains."""

import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPRegressor

import widelimit as wl
from widelimit._diagnose._width import width_band
from widelimit._diagnose.page import _sentences
from widelimit._diagnose.reading._readers import read

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 2))
Y = np.sin(X[:, 0]) + 0.3 * X[:, 1] + 0.3 * RNG.normal(size=60)
N = 16


def fitted(**options: Any) -> MLPRegressor:
    options = {
        "hidden_layer_sizes": (N,),
        "activation": "tanh",
        "solver": "sgd",
        "momentum": 0.0,
        "alpha": 0.01,
        "batch_size": 25,
        "learning_rate_init": 0.02,
        "max_iter": 40,
        "n_iter_no_change": 40,
        "random_state": 0,
    } | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPRegressor(**options).fit(X, Y)


def reading(model: Any) -> Any:
    return read(model, X, Y, activation=None, loss=None, weight_decay=0.0, names=None)


@pytest.fixture(scope="module")
def band():
    model = fitted()
    recipe = reading(model).recipe(X, Y)
    # 60 rows in batches of 25: three steps an epoch.
    np.testing.assert_allclose(recipe.t1, 40 * 3 * 0.02)
    return width_band(recipe, N, model.predict(X))


def risks(seeds: range, **options: Any) -> np.ndarray:
    return np.array([0.5 * np.mean((fitted(random_state=s, **options).predict(X) - Y) ** 2) for s in seeds])


@pytest.mark.slow
def test_networks_that_scikit_learn_trains_are_where_they_are_predicted(band):
    found, ended = band.prediction, risks(range(40))
    np.testing.assert_allclose(band.risk, ended[0], rtol=1e-10)
    inside = np.sum((ended >= found.lower[-1]) & (ended <= found.upper[-1]))
    # Of 40, fewer than 29 are inside a band that holds 9 in 10 with probability 3e-4 (8 in 10: 0.08).
    assert inside >= 29
    assert band.inside == (found.lower[-1] <= ended[0] <= found.upper[-1])
    error = np.hypot(found.mean_error[-1], ended.std(ddof=1) / 40**0.5)
    assert abs(found.mean[-1] - ended.mean()) < 4.0 * error
    # It is a band of these networks: others are outside of it.
    assert np.mean(risks(range(5), max_iter=20) > found.upper[-1]) > 0.5


def said(band: Any) -> str:
    class Shown:
        pass

    shown: Any = Shown()
    shown.band = band
    return " ".join(_sentences.band(shown))


def test_the_sentences_say_where_the_network_is(band):
    found = band.prediction
    middle = float(found.mean[-1])
    assert f"this one, at {middle:.4g}, is inside." in said(band._replace(risk=middle))
    assert "is above it, where about one network in 20 is." in said(band._replace(risk=2.0 * float(found.upper[-1])))
    assert "is below it, where about one network in 20 is." in said(band._replace(risk=0.5 * float(found.lower[-1])))
    assert f"their limit of infinite width has {found.limit[-1]:.4g}" in said(band)
    assert "39 trained networks" in said(band)
    assert said(None) == ""


@pytest.mark.parametrize("options", [{"momentum": 0.9}, {"solver": "adam"}, {"early_stopping": True}])
def test_where_the_training_is_not_plain_nothing_is_said(options):
    assert reading(fitted(max_iter=2, **options)).recipe(X, Y) is None


def test_what_would_take_too_long_is_not_computed():
    recipe = reading(fitted(max_iter=2)).recipe(X, Y)
    assert width_band(recipe, 10**7, np.zeros(60)) is None


@pytest.mark.slow
def test_a_training_in_the_words_of_pytorch_and_a_relu():
    """The same training as its numbers say; its loss is PyTorch's mean of squares, without 1/2."""
    model = fitted(activation="relu", alpha=0.0)
    told = wl.from_torch(N, X, Y, lr=0.01, batch_size=25, epochs=40, activation="relu", init="xavier_uniform")
    found = wl.diagnose(model, X, Y, start=told)
    assert found.band is not None
    assert found.regime is None
    np.testing.assert_allclose(found.band.risk, 2.0 * found.risk, rtol=1e-10)
    assert f"Other networks of {N} neurons, started and trained like this one" in str(found)
    assert found.record()["band"]["networks"] == 39
    own = wl.diagnose(model, X, Y).band
    # PyTorch draws biases in another way; what else there is is the same.
    np.testing.assert_allclose(0.5 * found.band.prediction.mean[-1], own.prediction.mean[-1], rtol=0.1)
