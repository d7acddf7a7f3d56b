"""Predicted bands against networks simulated in NumPy, and the cheapest setting against a search of all of them."""

import math

import jax
import numpy as np
import pytest
from scipy.stats import beta

import widelimit as wl
from widelimit.analysis import Hyperparameters, halving, predict_widths
from widelimit.analysis.width._cheapest import Terms, cheapest, cost
from widelimit.analysis.width._first_order import first_order
from widelimit.analysis.width._prediction import edges, mean_of

KEY = jax.random.key(3)
LINEAR = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
ATOMS = wl.Particles(
    np.random.default_rng(1).normal(2.5, 1.5, size=(40, 1)), np.random.default_rng(2).dirichlet(np.ones(40))
)
MEAN = float(ATOMS.weights @ ATOMS.positions[:, 0])
X, Y = np.array([1.0, 0.5]), np.array([1.0, -1.0])
PROBLEM = wl.Problem(LINEAR, wl.data.Samples(X[:, None], Y))
TIMES = [0.0, 0.5, 2.0]
RNG = np.random.default_rng(0)


def starts(n, count):
    """f_n(0) / x of networks of n neurons."""
    return RNG.multinomial(n, np.asarray(ATOMS.weights), size=count) @ np.asarray(ATOMS.positions)[:, 0] / n


def risk(a):
    return 0.5 * np.mean((np.multiply.outer(a, X) - Y) ** 2, axis=-1)


def flowed(a, t):
    """da/dt = -mean x (x a - y)."""
    rest = np.mean(X * Y) / np.mean(X * X)
    return rest + (a - rest) * math.exp(-np.mean(X * X) * t)


def stepped(a, steps, step, batch):
    for _ in range(steps):
        which = RNG.integers(0, 2, size=(len(a), batch))
        a = a - step * np.mean(X[which] * (X[which] * a[:, None] - Y[which]), axis=1)
    return a


@pytest.mark.first(1)
@pytest.mark.parametrize(
    ("order", "training"),
    [(0, {"step": 0.1, "batch": 2}), *((k, t) for k in (1, 2) for t in ({}, {"step": 0.1, "batch": 2}))],
)
def test_a_band_holds_the_share_of_networks_that_it_says(order, training):
    """A linear network, whose expansion ends with the first order: 20,000 are simulated."""
    n, options = 20, {"networks": 0 if order else 100, "key": KEY, "directions": 200}
    band = wl.predict(PROBLEM, ATOMS, width=n, t1=2.0, save_at=TIMES, order=order, level=0.8, **training, **options)
    np.testing.assert_allclose(band.times, TIMES)
    assert band.trusted.all() == (order == 2)
    assert ("100 trained networks (such", "first order", "second order")[order] in band.statement
    for i, t in enumerate(TIMES):
        a = starts(n, 20_000)
        risks = risk(stepped(a, round(t / 0.1), 0.1, 2) if training else flowed(a, t))
        held = np.mean((risks >= band.lower[i]) & (risks <= band.upper[i]))
        # Quantiles of 400 curves: (0.8 * 0.2 / 400)^(1/2) = 0.02; of 100 networks twice that.
        assert abs(held - 0.8) < (0.08 if order else 0.16)
        assert abs(band.mean[i] - risks.mean()) < 5.0 * band.mean_error[i] + 1e-4
        exact = risk(stepped_all(MEAN, round(t / 0.1)) if training else flowed(MEAN, t))
        np.testing.assert_allclose(band.limit[i], exact, rtol=1e-5)


def stepped_all(a, steps):
    for _ in range(steps):
        a = a - 0.1 * np.mean(X * (X * a - Y))
    return a


TANH = wl.Problem(
    wl.units.Neuron(wl.activations.tanh, bias=False),
    wl.data.Samples(np.linspace(-1.0, 1.0, 5)[:, None], np.sin(2.0 * np.linspace(-1.0, 1.0, 5))),
)
START = wl.laws.product(output=wl.laws.Normal(0.5, 1.0), weight=wl.laws.Normal(0.0, 1.0, dim=1))


@pytest.mark.slow
def test_first_order_scatters_as_the_fluctuations_do():
    """Variances of starts and batches from random directions, against the exact sums over all of them."""
    atoms, sgd = START.quantise(12), wl.SGD(0.1, batch=3)
    times = np.array([0.5, 2.0])
    found = first_order(TANH, atoms, times, directions=400, sequences=400, key=KEY, sgd=sgd)
    width = wl.analysis.fluctuations(TANH, atoms, t1=2.0, save_at=times)
    noise = wl.analysis.sgd_noise(TANH, atoms, sgd, t1=2.0, save_at=times)
    for drawn, exact in ((found.starts, width.prediction_variance), (found.noise, noise.prediction_variance)):
        # A mean of 400 squares is off by (2/400)^(1/2) = 7 %, if one mode does it all.
        np.testing.assert_allclose(np.mean(drawn**2, axis=(1, 2)), exact, rtol=0.25)
    np.testing.assert_allclose(found.limit, noise.scheme, rtol=1e-6)
    np.testing.assert_allclose(found.flow, width.limit, rtol=1e-4)
    terms = found.terms(0.1, 3)
    np.testing.assert_allclose(terms.width, 0.5 * width.prediction_variance[-1], rtol=0.25)
    np.testing.assert_allclose(terms.noise, 0.5 * noise.prediction_variance[-1] * 30.0, rtol=0.25)
    np.testing.assert_allclose(terms.step, noise.step_bias[-1] / 0.1, rtol=1e-2)


@pytest.mark.slow
def test_where_the_expansion_is_not_trusted_networks_are_trained():
    options = {"width": 2, "t1": 4.0, "save_at": [0.0, 1.0, 4.0], "particles": 12, "draws": 60, "key": KEY}
    alone = wl.predict(TANH, START, networks=0, **options)
    band = wl.predict(TANH, START, networks=15, **options)
    assert alone.networks == 0
    assert band.networks == 15
    assert alone.trusted[0]
    assert not alone.trusted[-1]
    sure = band.trusted
    np.testing.assert_array_equal(alone.lower[sure], band.lower[sure])
    assert np.all(alone.lower[~sure] != band.lower[~sure])
    assert np.all((band.mean >= band.lower) & (band.mean <= band.upper))
    assert "15 trained networks" in band.statement
    assert "no networks were trained" in alone.statement
    # 90 % of 15 networks: 14.4 of the 16 gaps between order statistics, Beta(14.4, 1.6).
    assert band.content == pytest.approx(tuple(beta.ppf([0.025, 0.975], 14.4, 1.6)))
    assert math.isnan(alone.content[0])


def test_a_band_of_trained_networks_is_that_of_their_quantiles():
    risks = np.arange(1.0, 20.0)[None]
    lower, upper = edges(risks, 0.9)
    # Of 19 numbers the first and the last have 1/20 of a new one below and above.
    assert (lower[0], upper[0]) == (1.0, 19.0)
    mean, error = mean_of(risks)
    assert mean[0] == 10.0
    assert error[0] == pytest.approx(np.std(risks, ddof=1) / 19**0.5)


def test_bands_of_several_widths_go_around_the_limit_that_is_given():
    """To first order the band of a linear network is that of its own limit, shifted."""
    given = {"t1": 2.0, "save_at": TIMES, "key": KEY, "directions": 64}
    moves = wl.SGD(0.1, batch=2)
    first = predict_widths(PROBLEM, ATOMS, moves, widths=[20, 80], limit=lambda t: 7.0 + 0.0 * t, **given)
    small, large = first.bands
    np.testing.assert_allclose(small.limit[0], 7.0)
    ratio = (small.upper - small.lower)[0] / (large.upper - large.lower)[0]
    assert 1.6 < ratio < 2.4
    assert first.at(20) == Hyperparameters(20, 2, 0.1)
    assert predict_widths(PROBLEM, ATOMS, wl.GradientFlow(), widths=[20], limit=lambda t: t, **given).at(
        20
    ) == Hyperparameters(20, 1, 1.0)
    with pytest.raises(ValueError, match="the fluctuations of TangentFlow are not known"):
        predict_widths(PROBLEM, ATOMS, wl.TangentFlow(), widths=[20], limit=lambda t: t, **given)


TERMS = [Terms(1.0, 0.3, 0.05), Terms(0.02, 3.0, -0.4), Terms(-1.0, 0.5, 2.0), Terms(0.7, 0.0, 0.0)]


@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize("step_cost", [0.0, 300.0])
def test_the_cheapest_setting_is_that_of_a_search_of_all(terms, step_cost):
    most, target, largest = Hyperparameters(90, 30, 1e-3), 0.03, 0.4
    found = cheapest(terms, target, step_cost=step_cost, most=most, largest_step=largest)
    assert terms.excess(found) <= target
    a, b, c = (max(part, 0.0) for part in terms)
    n, p = np.arange(2.0, 91.0)[:, None], np.arange(1.0, 31.0)[None]
    with np.errstate(divide="ignore"):
        step = np.minimum(largest, (target - a / n) / (b / p + c))
    price = np.where(step >= most.step, (n * p + step_cost) / step, np.inf)
    # Steps are told with three digits.
    assert cost(found, 1.0, step_cost) <= 1.011 * price.min()


def test_the_cost_of_a_setting():
    """20 steps of 10 neurons on 4 samples, and 7 for each step."""
    assert cost(Hyperparameters(10, 4, 0.1), 2.0, 7.0) == pytest.approx(20 * 47)


def test_a_floor_is_told_by_its_parts():
    most = Hyperparameters(10, 4, 0.1)
    said = r"leave 0.13 \(0.1 of the width, 0.02 of the noise of the batch and 0.01 of the step\)"
    with pytest.raises(ValueError, match=said):
        cheapest(Terms(1.0, 0.8, 0.1), 0.1, step_cost=0.0, most=most, largest_step=1.0)


def test_what_halves_an_excess():
    now = Hyperparameters(10, 4, 0.1)
    # 0.1 of the width, 0.02 of the batches, 0.01 of the step: width alone can halve it.
    terms = Terms(1.0, 0.8, 0.1)
    assert halving(terms, now) == {"width": 29.0}
    assert terms.excess(Hyperparameters(29, 4, 0.1)) <= 0.065
    assert terms.excess(Hyperparameters(28, 4, 0.1)) > 0.065
    assert halving(Terms(0.1, 1.0, 0.5), now).keys() == {"step"}
    assert halving(Terms(0.0, 1.0, 0.5), now)["step"] == 0.05
    assert halving(Terms(0.0, 4.0, 0.0), now) == {"batch": 8.0, "step": 0.05}


def test_the_width_for_a_target():
    """A linear network: A = Var/2 INT x^2 e^(-2 m t), m = INT x^2, and the scheme converges faster than the flow."""
    choice = wl.width_for(PROBLEM, ATOMS, excess=0.002, t1=1.0, step_cost=50.0, key=KEY)
    m = np.mean(X * X)
    a = np.asarray(ATOMS.positions)[:, 0]
    p = np.asarray(ATOMS.weights)
    variance = p @ a**2 - (p @ a) ** 2
    np.testing.assert_allclose(choice.terms.width, 0.5 * m * variance * math.exp(-2 * m), rtol=1e-4)
    np.testing.assert_allclose(choice.limit, risk(flowed(p @ a, 1.0)), rtol=1e-5)
    assert choice.terms.excess(choice.chosen) <= 0.002
    assert choice.cost == pytest.approx(cost(choice.chosen, 1.0, 50.0))
    assert choice.trusted
    assert choice.measured is None
    n, batch, step = choice.chosen
    risks = risk(stepped(starts(n, 40_000), round(1.0 / step), step, batch))
    excess = risks.mean() - choice.limit
    error = risks.std() / 200.0
    # To leading order in 1/n and dt/P; what the step does is exact.
    assert abs(excess - choice.expected) < 5 * error + 0.3 * abs(choice.expected)
    assert f"Width {n}, batch {batch} and step {step:.4g}" in choice.statement


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"width": 1}, r"predict\(width=...\): must be .*at least 2"),
        ({"batch": 4}, r"predict\(batch=...\): a batch needs a step"),
        ({"batch": 0, "step": 0.1}, r"predict\(batch=...\): must be .*at least 1"),
        ({"sampling": wl.sampling.Fresh(), "step": 0.1}, r"predict\(sampling=...\): needs a batch"),
        ({"level": 1.0}, r"predict\(level=...\): must be below 1"),
        ({"order": 3}, r"predict\(order=...\): must be 0, 1 or 2"),
        ({"order": 0, "networks": 18}, r"predict\(networks=...\): a band of 90% takes at least 19, got 18"),
        ({"save_at": [3.0]}, r"predict\(save_at=...\): expected a list of times in \[0, 1\]"),
    ],
)
def test_bad_input(options, said):
    with pytest.raises(ValueError, match=said):
        wl.predict(PROBLEM, ATOMS, **{"width": 8, "t1": 1.0, "key": KEY, **options})


def test_kinks_are_refused_by_the_name_that_was_called():
    relu = wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples(X[:, None], Y))
    with pytest.raises(ValueError, match=r"predict\(problem=...\): the unit Neuron has kinks"):
        wl.predict(relu, ATOMS, width=8, t1=1.0, key=KEY)


@pytest.mark.slow
def test_networks_alone_need_no_smoothness():
    relu = wl.Problem(wl.units.Neuron(wl.activations.relu, bias=False), wl.data.Samples(X[:, None], Y))
    law = wl.laws.product(output=wl.laws.Normal(0.5, 1.0), weight=wl.laws.Normal(0.0, 1.0, dim=1))
    options = {"t1": 1.0, "save_at": [0.0, 1.0], "order": 0, "networks": 19, "step": 0.1, "particles": 64}
    band = wl.predict(relu, law, width=8, key=KEY, **options)
    assert band.networks == 19
    assert band.order == 0
    # At the start nothing is trained: risks of networks as they are drawn.
    _, _, key = jax.random.split(KEY, 3)
    keys = [jax.random.split(jax.random.fold_in(key, i))[0] for i in range(19)]
    drawn = sorted(float(relu.risk(law.sample(8, key=k))) for k in keys)
    # 5 % of 19: the first and the last of them.
    np.testing.assert_allclose([band.lower[0], band.upper[0]], [drawn[0], drawn[-1]], rtol=1e-12)
    assert band.upper[1] < band.upper[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"excess": 0.0}, r"width_for\(excess=...\): must be a finite number above 0"),
        ({"step_cost": -1.0}, r"width_for\(step_cost=...\): must be a finite number at least 0"),
        ({"most": Hyperparameters(1, 1, 0.1)}, r"width_for\(most=Hyperparameters\(width=...\)\): must be .*at least 2"),
        ({"most": Hyperparameters(10, 5, 1e-3)}, r"width 10 and batch 5 and the smallest step 0.001 .* leave"),
        ({"most": Hyperparameters(10, 5, 50.0)}, r"the smallest step that is allowed, 50, is beyond what is stable"),
    ],
)
def test_bad_targets(options, said):
    with pytest.raises(ValueError, match=said):
        wl.width_for(PROBLEM, ATOMS, **{"excess": 1e-6, "t1": 1.0, "key": KEY, **options})
