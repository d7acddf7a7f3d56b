"""SGD's noise and step against cases solved by hand, differences of whole runs, and one way against another."""

import math

import diffrax
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis.expansion import _passes, _scheme
from widelimit.analysis.expansion._draws import _masses, draw_risks
from widelimit.analysis.expansion._expansion import outputs
from widelimit.analysis.expansion._jets import Directions
from widelimit.analysis.expansion._start import setting_of
from widelimit.measure import join

LINEAR = wl.units.Function(lambda theta, x: theta.a, columns=["a"])
Y, MU = np.array([0.0, 1.0, 5.0]), np.array([0.5, 0.3, 0.2])
BY_HAND = wl.Problem(LINEAR, wl.data.Samples(np.zeros(3), Y, MU))
ATOMS = wl.Particles([[1.0], [3.0]], [0.25, 0.75])

RNG = np.random.default_rng(4)
X = RNG.normal(size=(6, 2))
PARTS = dict(unit=wl.units.Neuron(wl.activations.tanh, bias=False), loss=wl.losses.logistic())
SMALL = wl.Problem(
    **PARTS, data=wl.data.Samples(X, np.sign(RNG.normal(size=(6, 2))), RNG.dirichlet(np.ones(6))), budget=300
)
START = wl.Particles(RNG.normal(size=(3, 4)), [0.5, 0.3, 0.2])


def test_batches_by_hand():
    """a' = a - s (a - mean of a batch): V' = (1-s)^2 V + s^2 Var(y)/P, no bias; the steps and P follow schedules."""
    sgd = wl.SGD(0.1, batch=wl.schedules.piecewise([0.35], [2, 5]), schedule=lambda t: 1.0 / (1.0 + t))
    found = wl.analysis.sgd_noise(BY_HAND, ATOMS, sgd, t1=0.8, save_at=[0.0, 0.42, 0.8])
    mean, variance = MU @ Y, MU @ Y**2 - (MU @ Y) ** 2
    off, v, rows = 2.5 - mean, 0.0, []
    for k in range(9):
        rows.append((off, v))
        s = 0.1 / (1.0 + 0.1 * k)
        off, v = (1.0 - s) * off, (1.0 - s) ** 2 * v + s**2 * variance / (2 if k < 4 else 5)
    off, v = np.array([rows[k] for k in (0, 4, 8)]).T
    np.testing.assert_allclose(found.times, [0.0, 0.4, 0.8])
    np.testing.assert_allclose(found.scheme, 0.5 * (off**2 + variance), rtol=1e-12)
    flow = (2.5 - mean) / (1.0 + found.times)
    np.testing.assert_allclose(found.limit, 0.5 * (flow**2 + variance), rtol=1e-6)
    np.testing.assert_allclose(found.step_bias, found.scheme - found.limit)
    np.testing.assert_allclose(found.prediction_variance, v, rtol=1e-10)
    np.testing.assert_allclose(found.bias, 0.0, atol=1e-15)
    np.testing.assert_allclose(found.excess_risk, 0.5 * v, rtol=1e-10)
    np.testing.assert_array_equal(found.standard_error, 0.0)
    assert "Exact, by the covariance" in found.statement


def test_an_epoch_cancels_by_hand():
    """Two samples, one a step: after a pass all that is left of either order is s^2 (y - mean), always of one size."""
    problem = wl.Problem(LINEAR, wl.data.Samples(np.zeros(2), [0.0, 3.0]))
    sgd = wl.SGD(0.1, batch=1, sampling=wl.sampling.Epochs())
    found = wl.analysis.sgd_noise(problem, ATOMS, sgd, t1=0.2, save_at=[0.1, 0.2], key=jax.random.key(3))
    np.testing.assert_allclose(found.prediction_variance, [(0.1 * 1.5) ** 2, (0.01 * 1.5) ** 2], rtol=1e-10)
    assert "sequences of batches" in found.statement
    full = wl.analysis.sgd_noise(problem, ATOMS, wl.SGD(0.1, sampling=wl.sampling.Full()), t1=0.2)
    np.testing.assert_array_equal(full.excess_risk, 0.0)
    np.testing.assert_allclose(full.scheme[-1], found.scheme[-1])


class Again(wl.sampling.AbstractSampling):
    """Fresh samples that do not say that they are independent."""

    def draw(self, data, key, k, size):
        return wl.sampling.Fresh().draw(data, key, k, size)

    def pick(self, data, key, k, size, drawn, order):
        return wl.sampling.Fresh().pick(data, key, k, size, drawn, order)

    def order(self, data, size):
        return 0.5


@pytest.mark.slow
def test_drawn_batches_have_the_covariance():
    """The noise of batches that are drawn, against the covariance carried along: within four of its errors."""
    options = dict(t1=0.8, save_at=[0.0, 0.3, 0.8])
    exact = wl.analysis.sgd_noise(SMALL, START, wl.SGD(0.1, batch=4), **options)
    found = wl.analysis.sgd_noise(
        SMALL, START, wl.SGD(0.1, batch=4, sampling=Again()), tolerance=0.04, key=jax.random.key(0), **options
    )
    assert "sequences" in found.statement
    assert "Exact" in exact.statement
    for name, error in (
        ("prediction_variance", "variance_error"),
        ("bias", "bias_error"),
        ("excess_risk", "standard_error"),
    ):
        assert np.all(np.abs(getattr(found, name) - getattr(exact, name)) <= 4.0 * getattr(found, error) + 1e-15)
    size = np.abs(exact.excess_risk - exact.bias) + np.abs(exact.bias)
    assert np.all(found.standard_error <= 0.04 * size)
    # The bias shows beside its error, and the noise is that of step / batch.
    assert abs(exact.bias[2]) > 4.0 * found.bias_error[2] > 0.0
    twice = wl.analysis.sgd_noise(SMALL, START, wl.SGD(0.1, batch=8), **options)
    np.testing.assert_allclose(2.0 * twice.prediction_variance, exact.prediction_variance, rtol=1e-12)
    np.testing.assert_allclose(2.0 * twice.bias, exact.bias, rtol=1e-9, atol=1e-15)


@pytest.mark.first(1)
@pytest.mark.parametrize("sampling", [wl.sampling.Fresh(), wl.sampling.Epochs()], ids=["fresh", "epochs"])
def test_derivatives_of_the_steps(sampling):
    """f of six steps with weights p + e d and batches mu (1 + e r): its derivatives in e by central differences."""
    sgd, steps = wl.SGD(0.2, batch=2, sampling=sampling), 6
    setting, rows = setting_of(SMALL, START, "test")
    key, data = jax.random.key(7), _scheme.numbered(setting.nodes)
    mass = jnp.array([0.3, -0.1, -0.2])
    directions = Directions(jnp.tile(mass, (2, 1, 1)), jnp.ones((2, 1)))
    *_, jet = _scheme.follow(sgd, setting, directions, rows, np.array([0.0, 0.2 * steps]), key)
    found = outputs(setting, directions, jet, setting.nodes.x)
    own = jax.random.split(key, (2, 1))[1, 0]
    order, batches = sampling.start(data, own), []
    for k in range(steps):
        nodes, order = sampling.pick(data, own, k, 2, sampling.draw(data, own, k, 2), order)
        batches.append(jnp.zeros(6).at[nodes.x[:, -1].astype(int)].add(nodes.weights))
    # A batch of two has no more than two nodes, and weighs 1 (of an epoch, only together with the others).
    assert all(jnp.sum(batch > 0) <= 2 for batch in batches)

    @jax.jit
    def f(e):
        theta, w, z = *SMALL.unpack(START), rows
        for batch in batches:
            mu = setting.nodes.weights + e * (batch - setting.nodes.weights)
            nodes = setting.nodes._replace(weights=mu)
            theta = SMALL.unpack(wl.Particles(z, w))[0]
            z = z + 0.2 * join(
                SMALL.blocks, SMALL.velocity(theta, SMALL.variation(theta, w + e * mass, nodes).gradient)
            )
        return SMALL.predict(wl.Particles(z, w + e * mass), setting.nodes.x)

    h = 1e-3
    low, here, high = (f(e) for e in (-h, 0.0, h))
    np.testing.assert_allclose(found.value, here, rtol=1e-10)
    np.testing.assert_allclose(found.first[1, 0], (high - low) / (2 * h), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.second[1], (high + low - 2 * here) / h**2, rtol=1e-3, atol=1e-4)
    # Each direction has batches of its own.
    assert np.max(np.abs(found.first[1] - found.first[0])) > 1e-3


@pytest.mark.slow
def test_the_step_bias_is_that_of_the_modified_equation():
    """R_scheme - R_flow is R(modified flow) - R_flow but for O(dt^2), modified: v - (dt/2) Dv.v, in two steps of dt."""
    w = START.weights

    def velocity(rows):
        theta, _ = SMALL.unpack(wl.Particles(rows, w))
        return join(SMALL.blocks, SMALL.velocity(theta, SMALL.variation(theta, w).gradient))

    def field(_, rows, dt):
        v, turned = jax.jvp(velocity, (rows,), (velocity(rows),))
        return v - 0.5 * dt * turned

    @jax.jit
    def modified(dt):
        term, control = diffrax.ODETerm(field), diffrax.ConstantStepSize()
        end = diffrax.diffeqsolve(
            term, diffrax.Dopri8(), 0.0, 1.0, 0.05, START.positions, dt, stepsize_controller=control
        ).ys[-1]
        return SMALL.risk(wl.Particles(end, w))

    off, bias = [], []
    for dt in (0.1, 0.05):
        found = wl.analysis.sgd_noise(SMALL, START, wl.SGD(dt, sampling=wl.sampling.Full()), t1=1.0, save_at=[0.0, 1.0])
        off.append(found.scheme[-1] - float(modified(dt)))
        bias.append(found.step_bias[-1])
    assert math.log2(off[0] / off[1]) == pytest.approx(2.0, abs=0.3)
    assert math.log2(bias[0] / bias[1]) == pytest.approx(1.0, abs=0.3)
    assert abs(off[1]) < 0.1 * abs(bias[1])


@pytest.mark.slow
def test_drawn_networks_near_trained_ones():
    """R(f_0 + f_1) and R(f_0 + f_1 + f_2/2) of networks of given weights: off by 1/n and n^(-3/2), fitted."""

    def velocity(_, rows, w):
        theta, _ = SMALL.unpack(wl.Particles(rows, w))
        return join(SMALL.blocks, SMALL.velocity(theta, SMALL.variation(theta, w).gradient))

    @jax.jit
    @jax.vmap
    def trained(w):
        term, control = diffrax.ODETerm(velocity), diffrax.ConstantStepSize()
        end = diffrax.diffeqsolve(
            term, diffrax.Dopri8(), 0.0, 1.0, 0.05, START.positions, w, stepsize_controller=control
        ).ys[-1]
        return SMALL.risk(wl.Particles(end, w))

    key, times, off = jax.random.key(2), np.array([0.0, 1.0]), []
    for n in (30, 3000):
        found = draw_risks(SMALL, START, width=n, times=times, draws=12, key=key)
        weights = START.weights + _masses(START.weights, n, 12, jax.random.split(key)[0])
        counts = n * np.asarray(weights)
        np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
        # At the start f is linear in the weights.
        np.testing.assert_allclose(found.second[0], found.first[0], rtol=1e-12)
        risks = np.asarray(trained(weights))
        off.append([np.sqrt(np.mean((part[1] - risks) ** 2)) for part in (found.first, found.second)])
    first, second = np.log10(off[0]) - np.log10(off[1])
    assert first / 2.0 == pytest.approx(1.0, abs=0.25)
    assert second / 2.0 == pytest.approx(1.5, abs=0.25)


def test_draws_of_batches_alone(monkeypatch):
    """Without a width only batches differ. At the mean of the targets R(f) - R is half of (f - mean)^2: its mean is
    known, of 900 draws within four errors. They may go in groups."""
    sgd, times = wl.SGD(0.1, batch=4), np.array([0.0, 0.31, 0.8])
    monkeypatch.setattr(_passes, "PATHS", 400)
    rho = wl.Particles([[MU @ Y]])
    found = draw_risks(BY_HAND, rho, width=None, times=times, draws=900, key=jax.random.key(1), sgd=sgd)
    exact = wl.analysis.sgd_noise(BY_HAND, rho, sgd, t1=0.8, save_at=times)
    np.testing.assert_allclose(found.times, exact.times)
    np.testing.assert_allclose(found.limit, exact.scheme, rtol=1e-12)
    assert found.second.shape == (3, 900)
    np.testing.assert_allclose(found.second, found.first, rtol=1e-12)
    # Were two groups the same, there would be far fewer.
    assert len(np.unique(found.second[2])) > 700
    more = found.second[1:] - found.limit[1:, None]
    error = more.std(axis=1) / 30.0
    assert np.all(np.abs(more.mean(axis=1) - exact.excess_risk[1:]) < 4.0 * error)
    assert np.all(error < 0.06 * exact.excess_risk[1:])


BAD = {
    "a temperature is noise of order one": lambda: wl.analysis.sgd_noise(
        SMALL, START, wl.SGD(0.1, temperature=0.1), t1=1.0
    ),
    "tolerance=...": lambda: wl.analysis.sgd_noise(SMALL, START, wl.SGD(0.1), t1=1.0, tolerance=-1.0),
    "particles=...": lambda: wl.analysis.sgd_noise(SMALL, START, wl.SGD(0.1), t1=1.0, particles=0),
    "grew without bound": lambda: wl.analysis.sgd_noise(BY_HAND, ATOMS, wl.SGD(1e3), t1=1e6, save_at=[1e6]),
}


@pytest.mark.parametrize("said", BAD)
def test_what_is_refused(said):
    with pytest.raises(ValueError, match=said.replace(".", r"\.").replace("(", r"\(")):
        BAD[said]()


@pytest.mark.slow
@pytest.mark.parametrize("sampling", [wl.sampling.Fresh(), wl.sampling.Epochs()], ids=["fresh", "epochs"])
def test_trained_networks(sampling):
    """400 runs of SGD from one start, of three particles that stand for infinitely many: risk and scatter of f.

    Within four standard errors; the next order is step/batch = 1 % of what is asked.
    """
    sgd, t, count = wl.SGD(0.02, batch=2, sampling=sampling), 1.0, 400
    found = wl.analysis.sgd_noise(SMALL, START, sgd, t1=t, save_at=[0.0, t], tolerance=0.03)
    keys = list(jax.random.split(jax.random.key(5), count))
    runs = wl.evolve_many(SMALL, [START] * count, sgd, keys=keys, t1=t, save_at=[0.0, t])
    plain = wl.SGD(0.02, sampling=wl.sampling.Full())
    scheme = wl.evolve(SMALL, START, plain, t1=t, save_at=[0.0, t])
    assert scheme.risk[-1] == pytest.approx(found.scheme[-1], rel=1e-12)
    risks = np.array([run.risk[-1] for run in runs])
    excess, error = risks.mean() - found.scheme[-1], risks.std() / math.sqrt(count)
    assert abs(excess - found.excess_risk[-1]) < 4.0 * math.hypot(error, found.standard_error[-1])
    x, mu = SMALL.data.nodes.x, SMALL.data.nodes.weights
    f = np.stack([SMALL.predict(run[-1], x) for run in runs]) - np.asarray(SMALL.predict(scheme[-1], x))
    off = np.sum(f**2, axis=2) @ np.asarray(mu)
    error = off.std() / math.sqrt(count)
    assert abs(off.mean() - found.prediction_variance[-1]) < 4.0 * math.hypot(error, found.variance_error[-1])
    assert error < 0.1 * off.mean()
