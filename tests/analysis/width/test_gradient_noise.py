"""The covariance of one sample's gradient: (3.11), (3.12) written out, the statistics of batches, refusals."""

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis import gradient_noise
from widelimit.problem.networks import AbstractNetwork, integrate

KEY = jax.random.key(1)
_RNG = np.random.default_rng(3)
_X = _RNG.normal(size=(6, 2))
_Y = np.sin(_X[:, 0]) + 0.3
_MU = np.linspace(1.0, 2.0, 6) / np.linspace(1.0, 2.0, 6).sum()
_ROWS = _RNG.normal(size=(4, 3))
_UNIT = wl.units.RadialBasis(0.8)


def _problem(**parts: Any) -> wl.Problem:
    return wl.Problem(_UNIT, wl.data.Samples(_X, _Y, weights=_MU), **parts)


def _papers(rows: np.ndarray) -> np.ndarray:
    """R_ij of (3.11) from A_0, A_1, A_2 of (3.12), the charge first; for phi = exp(-|x - y|^2 / (2 s^2))."""
    c, centers, s = rows[:, 0], rows[:, 1:], 0.8
    apart = _X[None] - centers[:, None]
    phi = np.exp(-0.5 * np.sum(apart**2, axis=2) / s**2)
    slope = phi[:, :, None] * apart / s**2
    r = np.mean(c[:, None] * phi, axis=0) - _Y

    def mean(a: np.ndarray) -> np.ndarray:
        return np.tensordot(_MU, a, axes=(0, 0))

    out = np.zeros((4, 3, 4, 3))
    for i in range(4):
        for j in range(4):
            a0 = mean(r**2 * phi[i] * phi[j]) - mean(r * phi[i]) * mean(r * phi[j])
            a1 = mean((r**2 * phi[j])[:, None] * slope[i]) - mean(r[:, None] * slope[i]) * mean(r * phi[j])
            across = mean((r**2 * phi[i])[:, None] * slope[j]) - mean(r[:, None] * slope[j]) * mean(r * phi[i])
            a2 = mean((r**2)[:, None, None] * slope[i][:, :, None] * slope[j][:, None, :])
            a2 = a2 - np.outer(mean(r[:, None] * slope[i]), mean(r[:, None] * slope[j]))
            out[i, 0, j, 0] = a0
            out[i, 1:, j, 0], out[i, 0, j, 1:] = c[i] * a1, c[j] * across
            out[i, 1:, j, 1:] = c[i] * c[j] * a2
    return out


@pytest.mark.first(1)
@pytest.mark.parametrize("budget", [None, 24])
def test_it_is_that_of_the_paper(budget: int | None) -> None:
    problem = _problem(budget=budget, penalty=wl.penalties.l2(0.2))
    found, exact = gradient_noise(problem, wl.Particles(_ROWS)), _papers(_ROWS)
    np.testing.assert_allclose(found.dense(), exact, atol=1e-14)
    np.testing.assert_allclose(found.blocks(1, 3), exact[1, :, 3], atol=1e-14)
    np.testing.assert_allclose(found.blocks(2), exact[2, :, 2], atol=1e-14)
    assert found.trace == pytest.approx(np.einsum("iaia", exact), rel=1e-12)
    v = _RNG.normal(size=_ROWS.shape)
    np.testing.assert_allclose(found.apply(v), np.einsum("iajb,jb->ia", exact, v), atol=1e-13)
    root = found.factor()
    assert root.shape == (4, 3, 6)
    np.testing.assert_allclose(np.einsum("iaq,jbq->iajb", root, root), exact, atol=1e-14)
    bare = _problem().variation(*_problem().unpack(wl.Particles(_ROWS))).gradient
    np.testing.assert_allclose(found.mean, np.column_stack([bare.charge, bare.center]), atol=1e-14)


def test_draws_have_that_covariance() -> None:
    found = gradient_noise(_problem(), wl.Particles(_ROWS))
    # The draw is linear in the normals: what it makes of them has the covariance exactly in mean.
    draws = np.stack([found.sample(key) for key in jax.random.split(KEY, 400)]).reshape(400, -1)
    size = np.sqrt(np.diag(found.dense().reshape(12, 12)))
    assert np.all(np.abs(draws.mean(0)) < 4.5 * size / 20.0)
    assert np.all(np.abs(draws.var(0) / size**2 - 1.0) < 4.5 * np.sqrt(2.0 / 400))
    assert np.mean(np.sum(draws**2, axis=1)) == pytest.approx(found.trace, rel=0.3)


def test_batches_of_sgd_scatter_so() -> None:
    """The covariance of the library's own gradient on fresh batches is R / B."""
    problem, batch, draws = _problem(), 3, 6000
    theta, w = problem.unpack(wl.Particles(_ROWS))

    @jax.jit
    def one(key: Any) -> Any:
        x, y = problem.data.batch(key, batch)
        nodes = wl.data.Nodes(x, y, jnp.full(batch, 1.0 / batch))
        gradient = problem.variation(theta, w, nodes).gradient
        return jnp.concatenate([gradient.charge[:, None], gradient.center], axis=1).ravel()

    seen = np.asarray(jax.vmap(one)(jax.random.split(KEY, draws)))
    exact = gradient_noise(problem, wl.Particles(_ROWS)).dense().reshape(12, 12) / batch
    # Entries of an empirical covariance scatter by sqrt((R_ii R_jj + R_ij^2) / n), somewhat more for few atoms.
    scale = np.sqrt((np.outer(np.diag(exact), np.diag(exact)) + exact**2) / draws)
    assert np.all(np.abs(np.cov(seen.T) - exact) < 6.0 * scale)


class _Twice(AbstractNetwork):
    """tanh of a two-layer mean: no two-layer mean itself."""

    inner: Any = eqx.field()

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Any:
        return self.inner.blocks(inputs, outputs)

    def __call__(self, theta: Any, w: Any, x: Any) -> Any:
        return jnp.tanh(integrate(self.inner, theta, w, x))


@pytest.mark.slow
def test_any_network_and_loss() -> None:
    problem = wl.Problem(_Twice(_UNIT), wl.data.Samples(_X, np.sign(_Y)), wl.losses.logistic())
    w = np.array([0.1, 0.2, 0.3, 0.4])
    found = gradient_noise(problem, wl.Particles(_ROWS, w))

    def loss(rows: Any, x: Any, y: Any) -> Any:
        phi = jnp.exp(-0.5 * jnp.sum((x - rows[:, 1:]) ** 2, axis=1) / 0.64)
        return jnp.logaddexp(0.0, -y * jnp.tanh(jnp.sum(w * rows[:, 0] * phi)))

    g = jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(jnp.asarray(_ROWS), _X, np.sign(_Y)) / w[:, None]
    g = np.asarray(g - g.mean(0))
    np.testing.assert_allclose(found.dense(), np.einsum("qia,qjb->iajb", g, g) / 6, atol=1e-14)


def test_what_it_refuses() -> None:
    fresh = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.GaussianClasses(1.0, 1.0, dim=2))
    with pytest.raises(ValueError, match="gradient_noise needs data with nodes"):
        gradient_noise(fresh, wl.Particles(_ROWS))
    with pytest.raises(ValueError, match=re.escape("gradient_noise(measure=...): the law Normal")):
        gradient_noise(_problem(), wl.laws.Normal(0.0, 1.0, dim=3))
    with pytest.raises(ValueError, match="not finite"):
        gradient_noise(_problem(), wl.Particles(np.array([[1e200, 0.0, 0.0]])))
    found = gradient_noise(_problem(), wl.Particles(_ROWS))
    with pytest.raises(ValueError, match=re.escape("GradientNoise.blocks(second=...): must be a whole number from 0")):
        found.blocks(0, 4)
    with pytest.raises(ValueError, match=re.escape("expected finite numbers of shape (4, 3), got shape (3, 4)")):
        found.apply(_ROWS.T)
    many = wl.Particles(np.zeros((2_731, 3)))
    with pytest.raises(ValueError, match="more than"):
        gradient_noise(_problem(), many).dense()
