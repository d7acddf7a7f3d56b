"""Sums by binned knots against sums written out in NumPy, ties, equal samples and flat neurons included."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.problem.integrals import BinnedKnots, Dense, bins

RAMP = ([-0.5, 0.25, 1.5], [-2.5, 1.0, 7.5])
ACTIVATIONS = {
    "relu": wl.activations.relu,
    "leaky": wl.activations.leaky_relu(-0.3),
    "ramp": wl.activations.piecewise_linear(*RAMP),
}


def sigma(name, z):
    """(value, left derivative), written out."""
    if name == "relu":
        return np.maximum(z, 0.0), np.where(z > 0, 1.0, 0.0)
    if name == "leaky":
        return np.where(z > 0, z, -0.3 * z), np.where(z > 0, 1.0, -0.3)
    knots, values = map(np.array, RAMP)
    slopes = np.concatenate([[0.0], np.diff(values) / np.diff(knots), [0.0]])
    return np.interp(z, knots, values), slopes[np.searchsorted(knots, z, side="left")]


def particles(rng, n, outputs, x):
    """Knots on samples, between and outside of them, flat and absent neurons, and some without weight."""
    a, b = rng.normal(size=n), rng.normal(size=n)
    a[:6] = [1.0, -1.0, 2.0, -0.5, 0.0, 0.0]
    b[:6] = [-x[0], x[1], -2.0 * x[2], 0.5 * x[3], 1.0, -1.0]
    a[6], b[6] = 0.0, 0.0
    w = rng.uniform(0.5, 1.5, size=n)
    w[7] = 0.0
    return rng.normal(size=(n, *outputs)), a, b, w / w.sum()


def oracle(name, x, y, mu, c, a, b, w, factor, loss):
    c2, y2 = c.reshape(len(w), -1), y.reshape(len(x), -1)
    value, slope = sigma(name, a[:, None] * x + b[:, None])
    f = factor * (w[:, None] * c2).T @ value
    cost, dual = loss(f.T, y2)
    dual = factor * mu[:, None] * dual
    each = c2 @ dual.T
    return {
        "f": f.T,
        "risk": mu @ cost,
        "psi": np.sum(each * value, axis=1),
        "output": (value @ dual).reshape(c.shape),
        "weight": np.sum(each * slope * x, axis=1)[:, None],
        "bias": np.sum(each * slope, axis=1),
        # What rounding is compared with: INT |c| L (|a| |x| + |b|) d rho, and the same against |dual|.
        "size": 26.0 * (np.sum(w * np.abs(c2).max(1) * (np.abs(a) * 2.0 + np.abs(b) + 2.0)) + 1.0),
    }


def squared(f, y):
    return 0.5 * np.sum((f - y) ** 2, axis=1), f - y


def logistic(f, y):
    return np.sum(np.logaddexp(0.0, -y * f), axis=1), -y / (1.0 + np.exp(y * f))


CASES = [
    ("relu", (), wl.losses.squared(), squared, None),
    ("relu", (2,), wl.losses.logistic(), logistic, wl.scales.Power(0.5, 2.0)),
    pytest.param("leaky", (), wl.losses.logistic(), logistic, None, marks=pytest.mark.slow),
    ("ramp", (2,), wl.losses.squared(), squared, None),
]


@pytest.mark.first(1)
@pytest.mark.parametrize(("name", "outputs", "loss", "plain", "scale"), CASES)
def test_all_sums_are_those_over_the_samples(name, outputs, loss, plain, scale):
    rng = np.random.default_rng(3)
    n, s = 60, 23
    x = rng.uniform(-1.5, 1.5, size=s)
    # Equal samples, three of them.
    x[[5, 9]] = x[2]
    y, mu = np.sign(rng.normal(size=(s, *outputs))), rng.uniform(0.5, 1.5, size=s)
    mu /= mu.sum()
    c, a, b, w = particles(rng, n, outputs, x)
    problem = wl.Problem(wl.units.Neuron(ACTIVATIONS[name]), wl.data.Samples(x, y, mu), loss, scale=scale)
    assert type(problem.integrals) is BinnedKnots
    rho = problem.pack(
        type(problem.unpack(_rows(problem, n))[0])(jnp.array(c), jnp.array(a)[:, None], jnp.array(b)), jnp.array(w)
    )
    factor = 1.0 if scale is None else n**0.5 / 2.0
    true = oracle(name, x, y, mu, c, a, b, w, factor, plain)
    near = {"rtol": 0.0, "atol": 1e-13 * factor * true["size"]}
    assert float(problem.risk(rho)) == pytest.approx(true["risk"], rel=1e-13)
    np.testing.assert_allclose(problem.predict(rho, x).reshape(s, -1), true["f"], **near)
    found = problem.variation(*problem.unpack(rho))
    np.testing.assert_allclose(found.psi, true["psi"], **near)
    for block in ("output", "weight", "bias"):
        np.testing.assert_allclose(getattr(found.gradient, block), true[block], **near, err_msg=block)
    psi = problem.potential(rho)
    np.testing.assert_allclose(psi(rho.positions), true["psi"], **near)
    rows = jnp.concatenate([true[k].reshape(n, -1) for k in ("output", "weight", "bias")], axis=1)
    np.testing.assert_allclose(psi.gradient(rho.positions), rows, **near)
    np.testing.assert_allclose(np.sum(psi.dual.reshape(s, -1) * true["f"]), factor * (w @ true["psi"]), **near)


def _rows(problem, n):
    return wl.Particles(jnp.zeros((n, problem.dim)))


def test_derivatives_of_the_risk_are_those_of_the_dense_sums():
    rng = np.random.default_rng(0)
    data = wl.data.Samples(rng.normal(size=9), rng.normal(size=9))
    unit = wl.units.Neuron(wl.activations.relu)
    binned, dense = wl.Problem(unit, data), wl.Problem(unit, data, integrals=Dense)
    rho = wl.Particles(rng.normal(size=(7, 3)))
    for of in (lambda m, p: p.risk(m), lambda m, p: p.risk(m) ** 2):
        got, expected = (jax.grad(lambda m, p=p, of=of: of(m, p))(rho) for p in (binned, dense))
        np.testing.assert_allclose(got.positions, expected.positions, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(got.weights, expected.weights, rtol=1e-12, atol=1e-14)


def test_free_knots_on_samples():
    rng = np.random.default_rng(1)
    data = wl.data.Samples(rng.uniform(size=11), rng.normal(size=11))
    for charge in (True, False):
        unit = wl.units.FreeKnot(charge)
        binned, dense = wl.Problem(unit, data), wl.Problem(unit, data, integrals=Dense)
        rho = wl.Particles(rng.normal(size=(8, binned.dim)))
        assert type(binned.integrals) is BinnedKnots
        got, expected = (p.variation(*p.unpack(rho)) for p in (binned, dense))
        for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14)


def test_gaps_are_where_the_neuron_itself_changes():
    """Knots within rounding of samples, of which some are equal: on the side that the sign of z says."""
    from widelimit.problem.integrals.bins import gaps, line, right_of

    rng = np.random.default_rng(5)
    base = rng.normal(size=40)
    x = np.concatenate([base, base, base])
    on = line(jnp.array(x))
    a = np.concatenate([rng.normal(size=200), 10.0 ** rng.uniform(-9, 9, size=200) * np.sign(rng.normal(size=200))])
    for kink in (0.0, 0.7):
        b = kink - a * rng.choice(base, size=400)
        n = np.array(gaps(on, jnp.array(a), jnp.array(b), kink))
        right = np.array(jax.vmap(lambda a, b, kink=kink: right_of(on.x, a, b, kink))(jnp.array(a), jnp.array(b)))
        ordered = np.arange(120)
        np.testing.assert_array_equal(right, ordered >= n[:, None])


def test_what_cannot_be_binned_is_refused():
    data = wl.data.Samples(jnp.ones((3, 2)) * jnp.arange(3.0)[:, None], jnp.ones(3))
    with pytest.raises(ValueError, match="BinnedKnots needs a piecewise-linear neuron of one input"):
        wl.Problem(wl.units.Neuron(wl.activations.relu), data, integrals=BinnedKnots).risk(
            wl.Particles(jnp.ones((1, 4)))
        )
    assert type(wl.Problem(wl.units.Neuron(wl.activations.relu), data).integrals) is Dense
    with pytest.raises(ValueError, match="RadialBasis is not known"):
        wl.units.RadialBasis(1.0).ridge(None)


def test_a_derivative_at_a_tie_is_the_left_one():
    for name, activation in ACTIVATIONS.items():
        kinks = [float(k) for k in activation.kinks]
        found = [float(jax.grad(activation)(k)) for k in kinks]
        np.testing.assert_allclose(found, sigma(name, np.array(kinks))[1], err_msg=name)


@pytest.mark.parametrize("s", [33, 63, 64, 65])
@pytest.mark.parametrize("side", ["left", "right"])
def test_the_place_of_a_knot_among_many_samples_is_the_library_s(s: int, side: str) -> None:
    """Ties, infinities and numbers beyond both ends, where the halvings end exactly and where they do not."""
    x = np.sort(np.round(np.random.default_rng(s).standard_normal(s), 1))
    at = np.concatenate([x, x + 0.01, [-np.inf, np.inf, x[0] - 1.0, x[-1] + 1.0]])
    np.testing.assert_array_equal(
        bins._place(jnp.asarray(x), jnp.asarray(at), side=side), np.searchsorted(x, at, side=side)
    )
