"""F = K G: singular functions known in closed form, other solvers, the two rules, and the networks by sampling."""

import re
from typing import Any

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis import Discrepancy, LCurve, Tikhonov, Truncated, representation, scaling

_X = np.linspace(-1.0, 1.0, 30)
_MU = np.linspace(1.0, 2.0, 30) / np.linspace(1.0, 2.0, 30).sum()
_POINTS = np.linspace(-1.5, 1.5, 25)
_NU = np.full(25, 3.0 / 25) * np.linspace(0.8, 1.2, 25)
_SUPPORT = wl.Particles(_POINTS[:, None], _NU)
_NOISE = 0.02
_Y = np.sin(3.0 * _X) + _NOISE * np.random.default_rng(0).normal(size=30)
_TABLE = np.exp(-0.5 * (_X[:, None] - _POINTS) ** 2 / 0.3**2)


def _problem(y: Any = _Y, **parts: Any) -> wl.Problem:
    return wl.Problem(wl.units.RadialBasis(0.3), wl.data.Samples(_X, y, weights=_MU), **parts)


def test_a_known_singular_system() -> None:
    """cos k(x - y) on the circle: s_0 = 1, s_k = 1/2 twice, so that G is a Fourier series divided by them."""
    count = 16
    x = 2.0 * np.pi * np.arange(count) / count

    def kernel(theta: Any, point: Any) -> Any:
        d = point[0] - theta.y
        return theta.c * (1.0 + jax.numpy.cos(d) + 0.25 * jax.numpy.cos(2.0 * d))

    unit = wl.units.Function(kernel, columns=["c", "y"], linear="c")
    target = 0.7 + 2.0 * np.cos(x) - np.sin(2.0 * x)
    problem = wl.Problem(unit, wl.data.Samples(x, target))
    support = wl.Particles(x[:, None])
    found = representation(problem, support, method=Truncated(5))
    np.testing.assert_allclose(found.singular, [1.0, 0.5, 0.5, 0.125, 0.125], atol=1e-14)
    np.testing.assert_allclose(found.density, 0.7 + 4.0 * np.cos(x) - 8.0 * np.sin(2.0 * x), atol=1e-12)
    assert found.residual < 1e-13
    assert found.norm == pytest.approx(np.sqrt(0.49 + 8.0 + 32.0), rel=1e-12)
    f, kg = found.equation()
    np.testing.assert_allclose(f, kg, atol=1e-13)
    np.testing.assert_allclose(f, 0.7 + np.cos(x) - 0.125 * np.sin(2.0 * x), atol=1e-13)
    # Three modes leave out sin 2x, of norm 1/sqrt 2; Tikhonov shrinks each by s^2 / (s^2 + alpha).
    assert representation(problem, support, method=Truncated(3)).residual == pytest.approx(0.5**0.5, rel=1e-12)
    damped = representation(problem, support, method=Tikhonov(0.1)).density
    shrunk = 0.7 / 1.1 + 1.0 / 0.35 * np.cos(x) - 0.125 / (0.125**2 + 0.1) * np.sin(2.0 * x)
    np.testing.assert_allclose(damped, shrunk, atol=1e-12)


def test_tikhonov_is_the_stacked_least_squares() -> None:
    alpha = 3e-4
    found = representation(_problem(), _SUPPORT, method=Tikhonov(alpha))
    a = np.sqrt(_MU)[:, None] * _TABLE * np.sqrt(_NU)
    stacked = np.concatenate([a, np.sqrt(alpha) * np.eye(25)])
    g = np.linalg.lstsq(stacked, np.concatenate([np.sqrt(_MU) * _Y, np.zeros(25)]), rcond=None)[0]
    np.testing.assert_allclose(found.density, g / np.sqrt(_NU), rtol=1e-9, atol=1e-10)
    assert found.residual == pytest.approx(np.linalg.norm(a @ g - np.sqrt(_MU) * _Y), rel=1e-9)
    assert found.norm == pytest.approx(np.linalg.norm(g), rel=1e-9)
    np.testing.assert_allclose(found.singular, np.linalg.svd(a)[1][: len(found.singular)], atol=1e-14)
    assert found.parameter == alpha
    assert "up to" in found.statement


@pytest.mark.parametrize("scale", [wl.scales.MeanField(), wl.scales.Power(0.5)])
def test_its_particles_are_the_network(scale: Any) -> None:
    problem = _problem(scale=scale)
    found = representation(problem, _SUPPORT, method=Truncated(6))
    np.testing.assert_allclose(problem.predict(found.particles(), _X), found.prediction, atol=1e-12)
    assert float(problem.risk(found.particles())) == pytest.approx(0.5 * found.residual**2, rel=1e-9)
    many = found.sample(20_000, key=jax.random.key(0))
    seen = np.asarray(problem.predict(many, _X))
    assert _MU @ (seen - found.prediction) ** 2 < 3.0 * found.sampling_error(20_000)


def test_many_outputs_share_the_singular_vectors() -> None:
    y = np.stack([_Y, np.cos(2.0 * _X)], axis=1)
    unit = wl.units.Neuron(wl.activations.tanh)
    problem = wl.Problem(unit, wl.data.Samples(_X, y, weights=_MU))
    support = wl.Particles(np.random.default_rng(1).normal(size=(20, 2)))
    both = representation(problem, support, method=Tikhonov(1e-3))
    for c in (0, 1):
        one = wl.Problem(unit, wl.data.Samples(_X, y[:, c], weights=_MU))
        alone = representation(one, support, method=Tikhonov(1e-3))
        np.testing.assert_allclose(both.density[:, c], alone.density, atol=1e-11)
    np.testing.assert_allclose(problem.predict(both.particles(), _X), both.prediction, atol=1e-11)
    drawn = [both.sample(50, key=key) for key in jax.random.split(jax.random.key(1), 60)]
    errors = [_MU @ np.sum((np.asarray(problem.predict(p, _X)) - both.prediction) ** 2, axis=1) for p in drawn]
    assert abs(np.mean(errors) - both.sampling_error(50)) < 4.0 * np.std(errors) / 60**0.5


def test_discrepancy_meets_the_error() -> None:
    found = representation(_problem(), _SUPPORT, method=Tikhonov(Discrepancy(1.2 * _NOISE)))
    assert found.residual == pytest.approx(1.2 * _NOISE, rel=1e-9)
    cut = representation(_problem(), _SUPPORT, method=Truncated(Discrepancy(1.2 * _NOISE)))
    modes = int(cut.parameter)
    assert cut.residual <= 1.2 * _NOISE
    assert representation(_problem(), _SUPPORT, method=Truncated(modes - 1)).residual > 1.2 * _NOISE
    for error in (1e-9, 5.0):
        with pytest.raises(ValueError, match="must lie between the least residual"):
            representation(_problem(), _SUPPORT, method=Tikhonov(Discrepancy(error)))


def test_the_corner_of_the_l_curve() -> None:
    """Its picks come near the best that the clean target allows, and far from no regularisation at all."""
    clean = np.sin(3.0 * _X)

    def error(method: Any) -> float:
        return float(np.sqrt(_MU @ (representation(_problem(), _SUPPORT, method=method).prediction - clean) ** 2))

    best = min(error(Tikhonov(alpha)) for alpha in np.logspace(-8, 0, 17))
    assert error(Tikhonov()) < 2.0 * best
    assert error(Truncated()) < 2.0 * best
    picked = representation(_problem(), _SUPPORT, method=Tikhonov(LCurve()))
    every = representation(_problem(), _SUPPORT, method=Truncated(25))
    assert every.norm > 1e4 * picked.norm
    # The largest curvature, by finite differences of the curve that single solutions draw.
    logs = np.log(picked.parameter) + 0.3 * np.arange(-8, 9)
    curve = [representation(_problem(), _SUPPORT, method=Tikhonov(np.exp(one))) for one in logs]
    x, y = (np.log([getattr(one, name) for one in curve]) for name in ("residual", "norm"))
    dx, dy = np.gradient(x), np.gradient(y)
    bend = (dx * np.gradient(dy) - dy * np.gradient(dx)) / (dx**2 + dy**2) ** 1.5
    assert abs(int(np.argmax(bend[2:-2])) + 2 - 8) <= 2


@pytest.mark.slow
def test_networks_by_sampling_come_near_as_n_to_the_minus_half() -> None:
    problem, widths = _problem(), np.array([16, 64, 256])
    found = representation(problem, _SUPPORT, method=Tikhonov(1e-3))
    keys = jax.random.split(jax.random.key(2), 20)
    alike = np.abs(found.density) * _NU
    errors = []
    for n in widths:
        drawn = [found.sample(int(n), key=jax.random.fold_in(key, n), chances=alike) for key in keys]
        c = np.stack([np.asarray(p.positions)[:, 0] for p in drawn])
        np.testing.assert_allclose(np.abs(c), alike.sum(), rtol=1e-12)
        y = np.stack([np.asarray(p.positions)[:, 1] for p in drawn])
        seen = np.mean(c[:, None] * np.exp(-0.5 * (_X[:, None] - y[:, None]) ** 2 / 0.09), axis=2)
        errors.append((seen - found.prediction) ** 2 @ _MU)
    study = scaling(widths, errors, name="n", within=0.3)
    assert study.determined
    # |f_n - f*|^2 falls as 1/n: the norm as n^(-1/2). At 99.9 %, as the keys are one draw of many.
    lower, upper = study.interval(0.999)
    assert lower < 1.0 < upper
    assert upper - lower < 0.8
    exact = [found.sampling_error(int(n), chances=alike) for n in widths]
    assert np.all(np.abs(study.mean - exact) < 4.0 * study.error)
    assert exact[0] == pytest.approx(16.0 * exact[2], rel=1e-12)


def test_the_equation_is_the_normal_equation() -> None:
    f, kg = representation(_problem(), _SUPPORT, method=Tikhonov(1e-2)).equation()
    np.testing.assert_allclose(f, _TABLE.T @ (_MU * _Y), atol=1e-13)
    found = representation(_problem(), _SUPPORT, method=Tikhonov(1e-2))
    # (K + alpha) G = F.
    np.testing.assert_allclose(f - kg, 1e-2 * found.density, atol=1e-12)


def test_a_density_on_a_grid_is_a_support() -> None:
    grid = wl.grids.uniform(-1.5, 1.5, 25)
    density = wl.GridDensity(grid, np.full(25, 0.12))
    found = representation(_problem(), density, method=Truncated(4))
    rows = wl.Particles(np.asarray(density.positions), np.full(25, 0.12))
    np.testing.assert_allclose(found.density, representation(_problem(), rows, method=Truncated(4)).density, atol=1e-12)


def test_what_it_refuses() -> None:
    bare = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False), wl.data.Samples(_X, _Y))
    cases = (
        (lambda: representation(bare, _SUPPORT), "no output weight"),
        (lambda: representation(_problem(), wl.laws.Normal(0.0, 1.0)), "the law Normal has no points; quantise it"),
        (lambda: representation(_problem(), wl.Particles(np.ones((3, 2)))), "expected the 1 columns beside the output"),
        (lambda: representation(_problem(), wl.Particles(np.ones((2, 1)), [1.0, -1.0])), "weights positive"),
        (lambda: representation(_problem(0.0 * _Y), _SUPPORT), "is zero on all of the data"),
        (lambda: representation(_problem(), _SUPPORT, method=LCurve()), "expected Tikhonov(...) or Truncated(...)"),
        (lambda: Tikhonov(0.0), "Tikhonov(strength=...): must be a finite number above 0"),
        (lambda: Truncated(0), "Truncated(modes=...): must be a whole number of at least 1"),
        (lambda: Discrepancy(-1.0), "Discrepancy(error=...): must be a finite number above 0"),
    )
    for call, said in cases:
        with pytest.raises(ValueError, match=re.escape(said)):
            call()
    found = representation(_problem(), _SUPPORT, method=Truncated(4))
    for chances, said in ((np.ones(3), "expected 25 numbers"), (np.eye(25)[0], "positive wherever G is not 0")):
        with pytest.raises(ValueError, match=said):
            found.sample(5, key=jax.random.key(0), chances=chances)
    fresh = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.GaussianClasses(1.0, 1.0, dim=2))
    with pytest.raises(ValueError, match="needs data with nodes"):
        representation(fresh, wl.Particles(np.ones((2, 2))))
