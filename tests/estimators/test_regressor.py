"""The regressor: padding, weights, the time that is chosen, and what it refuses."""

import jax
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import widelimit as wl
from widelimit.sklearn import WideRegressor


def small(**changes) -> WideRegressor:
    return WideRegressor(**({"t1": 2.0, "particles": 16, "random_state": 0} | changes))


def unpadded(r, dynamics, key=None):
    """The run of a fitted estimator's problem as it is, without padding."""
    return wl.evolve(r.problem_, r.trajectory_[0], dynamics, t1=r.t1, key=key)


@pytest.mark.first(1)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [None, 7])
def test_padding_changes_nothing_in_a_network(table, batch, bias):
    x, y = table
    r = small(width=12, batch=batch, alpha=0.01, step=0.1, bias=bias).fit(x, y, np.linspace(0.0, 1.0, 60))
    # The numbers that the start takes from the same stream, then the key.
    random = np.random.RandomState(0)
    random.standard_normal(12 * r.problem_.dim)
    key = jax.random.key(random.randint(2**31 - 1))
    drawn = wl.sampling.Full() if batch is None else wl.sampling.Fresh()
    own = unpadded(r, wl.SGD(step=0.1, batch=batch or 1, sampling=drawn), key)
    assert own.steps == r.n_iter_ == 20
    assert r.problem_.data.inputs == 3
    assert len(r.problem_.data.x) == 60
    np.testing.assert_allclose(r.measure_.positions, own.final.positions, rtol=0, atol=1e-13)
    assert np.abs(r.measure_.positions - r.trajectory_[0].positions).max() > 0.1
    np.testing.assert_allclose(r.trajectory_.objective[-1], r.problem_.objective(r.measure_), rtol=1e-13)


@pytest.mark.slow
def test_padding_changes_nothing_in_the_limit():
    random = np.random.default_rng(1)
    tolerance = wl.integrators.Tsit5(1e-6, 1e-8)
    # Eight columns are not padded: then the steps are the same ones.
    for d, atol in ((8, 1e-12), (3, 1e-6)):
        x = random.normal(size=(40, d))
        r = small(alpha=1e-3).fit(x, np.sin(x[:, 0]) + x[:, 1])
        own = unpadded(r, wl.GradientFlow(integrator=tolerance))
        np.testing.assert_allclose(r.measure_.positions, own.final.positions, rtol=0, atol=atol)


def test_predictions_are_those_of_the_problem_in_the_table_s_units(table):
    x, y = table
    r = small().fit(x, y)
    f = r.problem_.predict(r.measure_, StandardScaler().fit_transform(x))
    np.testing.assert_allclose(r.predict(x), y.mean() + y.std() * f, rtol=1e-12)
    risk = 0.5 * np.mean((r.predict(x) - y) ** 2) / y.var()
    np.testing.assert_allclose([r.trajectory_.risk[-1], 1 - r.score(x, y)], [risk, 2 * risk], rtol=1e-10)
    assert risk < 0.2
    # f = 0 at the start, as in the limit.
    np.testing.assert_allclose(r.trajectory_.risk[0], 0.5, rtol=1e-12)
    plain = small(standardise=False).fit(x[:, :1] - 3.0, y)
    np.testing.assert_array_equal(plain.problem_.data.y, y)


def test_outliers_count_less_with_the_huber_loss(table):
    x, y = table
    spoiled = np.where(np.arange(60) == 7, 200.0, y)
    off = {loss: np.median(np.abs(small(loss=loss).fit(x, spoiled).predict(x) - y)) for loss in ("auto", "huber")}
    assert off["huber"] < 0.7 * off["auto"]
    r = small(loss="huber").fit(x, spoiled)
    far = np.abs(r.predict(x) - spoiled) / spoiled.std()
    known = np.mean(np.where(far < 1.0, 0.5 * far**2, far - 0.5))
    np.testing.assert_allclose(r.trajectory_.risk[-1], known, rtol=1e-10)


@pytest.mark.parametrize("standardise", [True, False])
def test_weights_are_repeated_rows(table, standardise):
    x, y = table[0] / [1.0, 20.0, 0.1], table[1]
    times = np.random.default_rng(2).integers(0, 3, size=60)
    by_weight = small(standardise=standardise).fit(x, y, 2.5 * times).predict(x)
    by_rows = small(standardise=standardise).fit(np.repeat(x, times, axis=0), np.repeat(y, times)).predict(x)
    np.testing.assert_allclose(by_weight, by_rows, rtol=1e-9)
    assert np.abs(by_weight - small(standardise=standardise).fit(x, y).predict(x)).max() > 0.01


def test_another_table_of_the_padded_size_compiles_nothing(table, compiled):
    x, y = table
    small().fit(x, y).predict(x)
    compiled.clear()
    other = small(t1=3.0, alpha=0.1, rtol=1e-5, start_scale=0.5, random_state=1)
    other.fit(x[:50], y[:50], np.arange(50.0)).predict(x[:9])
    assert compiled == {}
    # Fewer columns: what checks the unit's own claims is of their number, the run is not.
    other.fit(x[:50, :2], y[:50]).predict(x[:9, :2])
    assert set(compiled) <= {"jit(_wrong_facts)"}
    small(particles=18).fit(x, y)
    assert compiled["jit(_chunk)"] == 1


@pytest.mark.slow
def test_pipelines_searches_and_scores(table, compiled):
    x, y = table
    small().fit(x, y).predict(x)
    compiled.clear()
    search = GridSearchCV(make_pipeline(StandardScaler(), small()), {"wideregressor__alpha": [0.0, 1.0]}, cv=3)
    assert search.fit(x, y).best_params_ == {"wideregressor__alpha": 0.0}
    means = search.cv_results_["mean_test_score"]
    assert means[0] > 0.4 > means[1]
    np.testing.assert_allclose(cross_val_score(small(), x, y, cv=3).mean(), means[0], rtol=1e-6)
    assert compiled == {}


def test_early_stopping_takes_the_time_of_the_least_risk_on_rows_held_out(table):
    x, y = table[0], np.random.default_rng(3).normal(size=60)
    weights = np.random.default_rng(4).uniform(size=60)
    r = small(t1=20.0, early_stopping=True, validation_fraction=0.4).fit(x, y, weights)
    kept, held = train_test_split(np.arange(60), test_size=0.4, random_state=np.random.RandomState(0))
    assert len(r.problem_.data.x) == len(kept) == 36
    # Noise is not learned: what helps on the rows trained on harms on those held out.
    assert 0 <= r.t_ < 20.0
    k = list(r.trajectory_.times).index(r.t_)
    assert r.validation_risk_[k] == r.validation_risk_.min() < r.validation_risk_[-1]
    assert r.trajectory_.risk[k] > r.trajectory_.risk[-1]
    scale = np.sqrt(np.cov(y[kept], aweights=weights[kept], ddof=0))
    expected = 0.5 * np.average((r.predict(x[held]) - y[held]) ** 2, weights=weights[held]) / scale**2
    np.testing.assert_allclose(r.validation_risk_[k], expected, rtol=1e-10)
    assert r.set_params(early_stopping=False).fit(x, y).validation_risk_ is None


@pytest.mark.slow
def test_a_wide_network_is_near_the_limit(table):
    x, y = table
    limit = small(particles=400).fit(x, y).predict(x)
    apart = {n: np.std(small(width=n, step=0.02).fit(x, y).predict(x) - limit) / np.std(y) for n in (20, 2000)}
    # About 1 / sqrt(N), with the step's own error.
    assert apart[2000] < 0.05 < apart[20]


def test_neurons_with_kinks_have_a_tolerance_of_their_own(table):
    x, y = table
    default, loose = (small(activation="relu", **told).fit(x, y) for told in ({}, {"rtol": 1e-4}))
    np.testing.assert_array_equal(default.measure_.positions, loose.measure_.positions)
    smooth, tight = (small(**told).fit(x, y) for told in ({}, {"rtol": 1e-6}))
    np.testing.assert_array_equal(smooth.measure_.positions, tight.measure_.positions)


@pytest.mark.slow
def test_several_outputs_have_their_own_units(table):
    x, y = table
    both = np.stack([y, 100.0 * x[:, 0] - 7.0], axis=1)
    r = small(particles=32).fit(x, both)
    f = r.predict(x[:5])
    assert f.shape == (5, 2)
    assert r.score(x, both) > 0.6
    np.testing.assert_allclose(r.problem_.data.y, (both - both.mean(0)) / both.std(0), rtol=1e-12)
    # Both standardise to what they were.
    np.testing.assert_allclose(small(particles=32).fit(x, both * [1.0, 3.0]).predict(x[:5]), f * [1.0, 3.0], rtol=1e-6)


def test_columns_of_a_data_frame_are_known_by_name(table):
    pandas = pytest.importorskip("pandas")
    x, y = table
    frame = pandas.DataFrame(x, columns=["a", "b", "c"])
    r = small().fit(frame, y)
    assert list(r.feature_names_in_) == ["a", "b", "c"]
    np.testing.assert_array_equal(r.predict(frame), small().fit(x, y).predict(x))
    with pytest.raises(ValueError, match="feature names should match"):
        r.predict(frame[["b", "a", "c"]])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"activation": "tanhh"}, "activation: 'tanhh' is not known.*Did you mean 'tanh'"),
        ({"activation": 3}, r"WideRegressor\(activation=...\): expected an activation"),
        ({"t1": 0.0}, r"WideRegressor\(t1=...\): must be a finite number above 0"),
        ({"particles": 0}, r"WideRegressor\(particles=...\): must be a whole number of at least 1"),
        ({"width": 1.5}, r"WideRegressor\(width=...\): must be a whole number"),
        ({"width": 4, "step": -1.0}, r"WideRegressor\(step=...\): must be a finite number above 0"),
        ({"width": 4, "batch": 0}, r"WideRegressor\(batch=...\): must be a whole number"),
        ({"alpha": -1.0}, r"WideRegressor\(alpha=...\): must be a finite number at least 0"),
        ({"loss": "softmax"}, r"WideRegressor\(loss=...\): must be one of auto, huber, squared, got 'softmax'"),
        ({"rtol": 1.0}, r"WideRegressor\(rtol=...\): must be a finite number above 0 and below 1"),
        ({"start_scale": np.inf}, r"WideRegressor\(start_scale=...\): must be a finite number"),
        ({"early_stopping": True, "validation_fraction": 1.0}, r"WideRegressor\(validation_fraction=...\)"),
    ],
)
def test_parameters_that_are_refused(table, changes, said):
    with pytest.raises(ValueError, match=said):
        small(**changes).fit(*table)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (-np.ones(60), "must be finite, not negative"),
        (np.zeros(60), "not all zero"),
        (np.full(60, np.nan), "must be finite"),
        (np.ones(59), r"one number for each of the 60 rows, got shape \(59,\)"),
    ],
)
def test_weights_that_are_refused(table, weights, said):
    with pytest.raises(ValueError, match=said):
        small().fit(*table, weights)


def test_what_there_is_not(table):
    x, y = table
    with pytest.raises(NotFittedError):
        small().predict(x)
    assert not hasattr(small(), "partial_fit")
    with pytest.raises(AttributeError, match=r"one set of data.*Call fit with all rows"):
        small().partial_fit(x, y)
    with pytest.raises(ValueError, match="both the rows trained on and those held out need weight"):
        small(early_stopping=True).fit(x, y, np.arange(60) == 0)
    with pytest.raises(ValueError, match="contains NaN"):
        small().fit(np.where(x > 3, np.nan, x), y)
    # Steps far too long: an error, not a bad network.
    with pytest.raises(wl.EvolutionError, match="SGD: "):
        small(width=12, step=100.0, t1=1e5).fit(x, y)
