"""Every sentence of a diagnosis, on a network that was made to have the illness it tells of."""

import copy
import json
import warnings
from typing import Any

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

import widelimit as wl
from widelimit._diagnose.reading._readers import read
from widelimit.analysis import stationarity

RNG = np.random.default_rng(5)
X = RNG.uniform(-2.0, 2.0, size=(60, 2))
Y = np.tanh(2.0 * X[:, 0] - 1.0) - 0.5 * np.tanh(X[:, 1] + X[:, 0]) + 0.7
N = 8


def fitted(y: Any = Y, x: Any = X, **options: Any) -> Any:
    options = {"hidden_layer_sizes": (N,), "activation": "tanh", "solver": "lbfgs", "random_state": 0} | options
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MLPRegressor(**options).fit(x, y)


def with_weights(model: Any, weight: Any = None, bias: Any = None, output: Any = None) -> Any:
    """The same model with other weights of its neurons: {neuron: new}."""
    changed = copy.deepcopy(model)
    for i, new in (weight or {}).items():
        changed.coefs_[0][:, i] = new
    for i, new in (bias or {}).items():
        changed.intercepts_[0][i] = new
    for i, new in (output or {}).items():
        changed.coefs_[1][i] = new
    return changed


def diagnose(model: Any, x: Any, y: Any, **options: Any) -> Any:
    return wl.diagnose(model, x, y, **options)


def seen(model: Any, y: Any = Y) -> tuple[wl.Problem, wl.Particles]:
    """The problem and the measure alone."""
    network = read(model, X, y, activation=None, loss=None, weight_decay=0.0, names=None)
    problem = network.problem(X, y)
    measure = network.particles(problem)
    network.check(problem, measure)
    return problem, measure


@pytest.fixture(scope="module")
def healthy() -> MLPRegressor:
    return fitted(alpha=0.0, max_iter=3000, tol=1e-12)


@pytest.fixture(scope="module")
def diagnosed(healthy):
    return wl.diagnose(healthy, X, Y)


@pytest.mark.slow
def test_it_predicts_what_the_model_predicts_anywhere(healthy, diagnosed):
    other = RNG.normal(size=(40, 2))
    np.testing.assert_allclose(diagnosed.problem.predict(diagnosed.measure, other), healthy.predict(other), atol=1e-10)
    assert diagnosed.difference < 1e-10


def test_a_healthy_network_is_said_to_be_one(diagnosed):
    assert diagnosed.dead == diagnosed.duplicates == diagnosed.cancelling == ()
    text = str(diagnosed)
    assert "None of the 8 neurons is dead." in text
    assert text.startswith(diagnosed.statement)


def test_the_objective_is_the_trainers(healthy):
    """With scikit-learn's own loss, penalty included, as its full-batch solver computes it."""
    model = fitted(alpha=0.3)
    problem, measure = seen(model)
    squares = sum(float(np.sum(w**2)) for w in model.coefs_)
    known = 0.5 * np.mean((model.predict(X) - Y) ** 2) + 0.5 * 0.3 * squares / len(X)
    np.testing.assert_allclose(problem.objective(measure), known, rtol=1e-10)
    # At the optimum with its penalty nothing moves.
    assert stationarity(problem, measure).conditions[0] < 1e-2


def test_batches_share_the_penalty_as_they_do_in_scikit_learn():
    """60 rows in batches of 25, 25 and 10: alpha is divided by each of these numbers in turn."""
    model = fitted(solver="adam", alpha=0.3, batch_size=25, max_iter=3)
    problem, measure = seen(model)
    squares = sum(float(np.sum(w**2)) for w in model.coefs_)
    mean = 0.15 * squares * (1 / 25 + 1 / 25 + 1 / 10) / 3
    np.testing.assert_allclose(problem.penalty_of(measure), mean, rtol=1e-10)


def test_time_is_learning_rate_times_steps():
    """One step of the trainer's gradient descent is one Euler step of the problem's flow."""
    model = fitted(solver="sgd", alpha=0.1, momentum=0.0, batch_size=60, max_iter=1, learning_rate_init=1e-3)
    before = copy.deepcopy(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.partial_fit(X, Y)
    problem, start = seen(before)
    theta, w = problem.unpack(start)
    velocity = problem.velocity(theta, problem.variation(theta, w).gradient)
    moved = {
        name: np.asarray(getattr(theta, name)) + 1e-3 * np.asarray(getattr(velocity, name)) for name in theta._fields
    }
    np.testing.assert_allclose(moved["output"], N * model.coefs_[1][:, 0], rtol=1e-9)
    np.testing.assert_allclose(moved["weight"], model.coefs_[0].T, rtol=1e-9)
    np.testing.assert_allclose(moved["bias"], model.intercepts_[0], rtol=1e-9)


@pytest.mark.slow
def test_dead_neurons_are_found_and_left_out(healthy):
    """A relu that no row reaches, and a neuron whose output weight is zero."""
    model = with_weights(fitted(activation="relu"), bias={1: -100.0}, output={4: 0.0})
    d = diagnose(model, X, Y, tolerance=1e-6)
    assert {1, 4} <= set(d.dead)
    assert f"{len(d.dead)} of 8 neurons are dead" in str(d)
    assert d.smaller.width <= N - len(d.dead)
    assert d.smaller.difference <= 1e-6


@pytest.mark.slow
def test_duplicates_and_cancelling_pairs_are_found(healthy):
    first, second = healthy.coefs_[0][:, 0], healthy.coefs_[0][:, 3]
    bias = healthy.intercepts_[0]
    sick = with_weights(
        healthy,
        # 2 does what 0 does, with the other sign; 5 and 6 what 3 does, 7 undoes a part of it.
        weight={2: -first, 5: second, 6: second},
        bias={2: -bias[0], 5: bias[3], 6: bias[3]},
        output={3: 1.0, 5: -0.4, 6: -0.61, 0: 0.5, 2: 0.5 - 1.0},
    )
    d = diagnose(sick, X, Y, tolerance=1e-6)
    assert d.duplicates == ((0, 2), (3, 5, 6))
    # 0 and 2 have opposite signs inside and outside: they add up.
    assert d.cancelling == ((3, 5, 6),)
    assert "2 groups of neurons do the same on the rows, 3 neurons could be merged" in str(d)
    assert "1 of these groups nearly cancels in itself: (3, 5, 6)" in str(d)
    assert d.smaller.width <= 5
    f, g = d.problem.predict(d.measure, X), d.problem.predict(d.smaller.measure, X)
    assert float(np.max(np.abs(f - g))) <= d.smaller.largest + 1e-12
    assert d.smaller.difference <= 1e-6


def verdicts(helps: Any) -> dict[str, str]:
    return {help.way: help.verdict for help in helps}


@pytest.mark.slow
def test_training_that_was_stopped_early_is_said_to_be(healthy, diagnosed):
    d = diagnose(fitted(alpha=0.0, max_iter=3), X, Y)
    assert not d.training.trained
    assert d.helps[0].way == "longer"
    assert d.helps[0].verdict == "helps"
    assert d.statement.startswith("On its own rows, what would help most is to train longer")
    assert d.statement.endswith("held_out= tells.")
    assert "Training was not done" in str(d)
    assert d.training.longer < 0.5 * d.training.objective
    # What it says of the end is what is reached by it.
    assert diagnosed.training.objective <= d.training.objective


@pytest.mark.slow
def test_a_network_that_is_too_narrow_is_said_to_be():
    one = {"hidden_layer_sizes": (1,), "alpha": 0.0, "max_iter": 3000, "tol": 1e-12}
    d = diagnose(fitted(**one), X, Y)
    assert d.training.trained
    assert d.statement.startswith("On its own rows, what would help most is to take more neurons")
    assert d.training.large.mean + d.training.large.error < 0.5 * d.training.objective
    assert f"with 16 neurons at {d.training.large.mean:.4g}" in str(d)
    assert "The one neuron is not dead." in str(d)
    # Where starts end so far apart that three of them do not tell, nothing is claimed.
    y = np.sin(3.0 * X[:, 0])
    d = diagnose(fitted(y, **one), X, y)
    assert verdicts(d.helps) == {"longer": "no", "another start": "undecided", "wider": "undecided"}
    assert d.statement.startswith("On its own rows, nothing that was tried is seen to help much: to train longer gains")
    assert "Not decided is whether it helps on its own rows to take more neurons (" in d.statement


@pytest.mark.slow
def test_a_start_that_training_cannot_leave_is_said_to_be_bad(healthy):
    """Eight equal neurons stay equal: longer training does not part them, any random start does."""
    same = {i: healthy.coefs_[0][:, 0] for i in range(N)}
    stuck = with_weights(
        healthy,
        weight=same,
        bias=dict.fromkeys(range(N), 0.1),
        output=dict.fromkeys(range(N), healthy.coefs_[1][0] / N),
    )
    d = diagnose(stuck, X, Y)
    ways = {help.way: help for help in d.helps}
    assert ways["another start"].verdict == "helps"
    assert ways["another start"].gain > 0.1 * d.training.longer
    assert "train from another start" in d.statement
    assert d.duplicates == (tuple(range(N)),)


def test_where_hardly_anything_helps_it_says_so(diagnosed):
    """Trained to the end, on targets that its neurons can make, but for less than a 10,000th of what a constant has."""
    assert diagnosed.training.objective < 1e-4 * diagnosed.training.constant
    assert diagnosed.training.trained
    assert set(verdicts(diagnosed.helps).values()) == {"no"}
    assert diagnosed.statement.startswith("On its own rows, nothing that was tried is seen to help much: to train")
    assert "held_out=" not in diagnosed.statement
    np.testing.assert_allclose(diagnosed.training.constant, 0.5 * np.var(Y), rtol=1e-6)


@pytest.mark.slow
def test_rows_that_were_held_out_speak_for_more_data_and_against_longer_training(healthy):
    noisy = Y + RNG.normal(size=60)
    model = fitted(noisy, alpha=0.0, max_iter=60)
    x = RNG.uniform(-2.0, 2.0, size=(400, 2))
    y = np.tanh(2.0 * x[:, 0] - 1.0) - 0.5 * np.tanh(x[:, 1] + x[:, 0]) + 0.7 + RNG.normal(size=400)
    d = diagnose(model, X, noisy, held_out=(x, y))
    np.testing.assert_allclose(d.held_out, 0.5 * np.mean((model.predict(x) - y) ** 2), rtol=1e-10)
    assert d.statement.startswith("On rows that were held out, what would help most is to get more data")
    assert "To train longer harms there" in str(d)
    # On its own rows the same helps: the two are told apart.
    assert verdicts(d.helps)["longer"] == "helps"
    assert verdicts(d.helps_held_out)["longer"] == "no"
    ways = {help.way: help for help in d.helps_held_out}
    np.testing.assert_allclose(ways["more data"].gain, d.held_out - d.risk, rtol=1e-10)
    # By hand: the fall of the risk row by row, and half of its interval.
    end = d.training.onward
    before, after = (
        0.5 * (np.asarray(p.predict(m, x)) - y) ** 2 for p, m in ((d.problem, d.measure), (end.problem, end.measure))
    )
    np.testing.assert_allclose(ways["longer"].gain, np.mean(before - after), rtol=1e-10)
    np.testing.assert_allclose(ways["longer"].error, 1.96 * np.std(before - after, ddof=1) / 20.0, rtol=1e-10)


@pytest.mark.slow
def test_kernel_or_adaptive_where_the_start_is_given(healthy):
    small = with_weights(healthy, output={i: healthy.coefs_[1][i] * (1.0 + 1e-5) for i in range(N)})
    assert diagnose(small, X, Y, start=healthy).regime.verdict == "kernel"
    before = fitted(max_iter=1)
    d = diagnose(healthy, X, Y, start=before)
    assert d.regime.verdict == "adaptive"
    assert "It learned with features of its own (adaptive)" in str(d)
    half = with_weights(healthy, output={i: healthy.coefs_[1][i] * 0.85 for i in range(N)})
    d = diagnose(half, X, Y, start=healthy)
    assert d.regime.verdict == "intermediate"
    assert "It learned between a kernel method and features of its own (intermediate)" in str(d)


def test_the_record_and_the_page_hold_the_numbers(diagnosed, tmp_path):
    record = json.loads(json.dumps(diagnosed.record(), allow_nan=False))
    assert record["width"] == N
    assert record["smaller"]["width"] == diagnosed.smaller.width
    assert record["sentences"] == list(diagnosed.sentences)
    text = diagnosed.save(tmp_path / "diagnosis.html").read_text()
    assert f"{diagnosed.training.objective:.5g}" in text
    assert text.count("data:image/png") == 3
    assert "MLPRegressor" in text


@pytest.mark.parametrize(
    ("model", "x", "y", "said"),
    [
        (lambda: fitted(hidden_layer_sizes=(4, 3)), X, Y, "2 hidden layers; one hidden layer is supported"),
        (lambda: MLPRegressor(), X, Y, "is not fitted"),
        (lambda: fitted(), X[:, :1], Y, "the model has 2 inputs, the table has shape"),
        (lambda: fitted(), X[:-1], Y, "59 rows and 60 targets"),
        (lambda: fitted(), X, np.stack([Y, Y], 1), "the model has outputs of shape"),
        (lambda: fitted(), [["a", "b"]], Y, "must be a table of numbers"),
        (lambda: with_weights(fitted(), output={2: np.nan}), X, Y, "entries of the output are not finite"),
        (lambda: with_weights(fitted(), weight={2: np.inf}), X, Y, "2 entries of the weight are not finite"),
        (lambda: fitted(), X, ["a"] * 60, "must be numbers"),
        (lambda: fitted(), np.where(X > 1.9, np.nan, X), Y, "3 entries are not finite, the first at (4, 1)"),
        (lambda: fitted(), X, np.where(Y > 1.8, np.inf, Y), "entries are not finite, the first at"),
        (lambda: object(), X, Y, "is no model that can be read"),
    ],
)
def test_bad_input_is_one_clear_error(model, x, y, said):
    with pytest.raises(ValueError, match=r"diagnose\((model|x|y|x=..., y)=...\)") as error:
        wl.diagnose(model(), x, y)
    assert said in str(error.value)


def test_a_model_that_is_read_wrongly_is_refused_with_the_difference():
    model = fitted()
    vars(model)["predict"] = lambda x: np.full(len(x), 7.0)
    with pytest.raises(ValueError, match="differ by up to"):
        wl.diagnose(model, X, Y)


@pytest.mark.parametrize("classes", [2, 3])
def test_classifiers(classes):
    y = np.array(["a", "b", "c"])[np.digitize(Y, np.quantile(Y, [0.5] if classes == 2 else [0.3, 0.6]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MLPClassifier((N,), activation="logistic", solver="lbfgs", alpha=0.2, random_state=0).fit(X, y)
    problem, measure = seen(model, y)
    # Its solver reports the loss that it ended with.
    np.testing.assert_allclose(problem.objective(measure), model.loss_, rtol=1e-3)
    f = np.asarray(problem.predict(measure, X))
    said = model.classes_[(f > 0).astype(int) if classes == 2 else f.argmax(1)]
    np.testing.assert_array_equal(said, model.predict(X))
    lonely = y.copy()
    lonely[lonely == "b"] = "a"
    lonely[0] = "b"
    with pytest.raises(ValueError, match="the class 'b' appears once"):
        wl.diagnose(model, X, lonely)


@pytest.mark.slow
def test_steps_that_are_too_large_are_said_to_be():
    """The noise of large steps stands in modes that were done long ago; small steps leave little there."""
    noisy = Y + 0.5 * RNG.normal(size=60)
    shares = {}
    for step in (0.1, 0.002):
        options = {"solver": "sgd", "alpha": 0.0, "momentum": 0.0, "batch_size": 1, "tol": 0.0, "n_iter_no_change": 400}
        d = diagnose(fitted(noisy, learning_rate_init=step, max_iter=400, **options), X, noisy)
        (noise,) = (help for help in d.helps if help.way == "smaller steps")
        shares[step] = noise.gain / d.training.objective
        assert ("of it is noise of the steps" in d.statement) == (shares[step] > 0.05)
    assert shares[0.1] > 0.05
    assert shares[0.002] < 0.5 * shares[0.1]
