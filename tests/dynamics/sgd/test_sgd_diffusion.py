"""SGDDiffusion: its noise against (3.10) written out, and its moments against SGD's and those of the SDE, all exact.

With only the output weights moving, a step of SGD and of the diffusion is affine in the weights z for given noise, so
that E (1, z)(1, z)^T obeys a linear recursion; that of the SDE obeys a linear equation.
"""

import re
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

import widelimit as wl
from widelimit import schedules

KEY = jax.random.key(2)
_X = np.array([[-1.0], [0.4], [1.3]])
_Y = np.array([0.8, -0.5, 1.1])
_MU = np.array([0.5, 0.2, 0.3])
_DATA = wl.data.Samples(_X, _Y, weights=_MU)
_LINEAR = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), _DATA)
_SLOPES = np.array([0.7, -1.6])
_TABLE = np.tanh(_SLOPES[:, None] * _X[:, 0])
_START = wl.Particles(np.stack([[1.0, -2.0], _SLOPES], axis=1), [0.4, 0.6])


@eqx.filter_jit
def _after(dynamics: Any, state: Any, noises: Any) -> Any:
    def one(noise: Any, z: Any) -> Any:
        here = eqx.tree_at(lambda s: s.y["output"], state, z)
        return dynamics.step(_LINEAR, here, noise).y["output"]

    places = jnp.asarray([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    return jax.vmap(lambda noise: jax.vmap(lambda z: one(noise, z))(places))(noises)


def _maps(dynamics: Any, noises: Any) -> np.ndarray:
    """The matrices B of (1, z') = B (1, z) for a batch of noises."""
    state = dynamics.init(_LINEAR, _START, t1=1.0, key=KEY)
    ends = np.asarray(_after(dynamics, state, noises))
    out = np.zeros((len(ends), 3, 3))
    out[:, 0, 0] = 1.0
    out[:, 1:, 0] = ends[:, 0]
    out[:, 1:, 1:] = np.swapaxes(ends[:, 1:] - ends[:, :1], 1, 2)
    return out


def _moments(maps: np.ndarray, chances: np.ndarray, steps: int) -> np.ndarray:
    """E (1, z)(1, z)^T after so many steps."""
    z = np.array([1.0, 1.0, -2.0])
    second = np.outer(z, z)
    for _ in range(steps):
        second = np.einsum("k,kab,bc,kdc->ad", chances, maps, second, maps)
    return second


def _of_sgd(step: float, t1: float) -> np.ndarray:
    """By the library's own steps of SGD, one sample each: exact, as there are three."""
    sgd = wl.SGD(step, trainable="output")
    maps = _maps(sgd, ((jnp.asarray(_X)[:, None], jnp.asarray(_Y)[:, None]), None))
    return _moments(maps, _MU, round(t1 / step))


def _of_diffusion(dynamics: wl.SGDDiffusion, t1: float) -> np.ndarray:
    """By its own steps: they are affine in the normals, so that three points of each tell the second moments."""
    units = jnp.concatenate([jnp.zeros((1, 3)), jnp.eye(3)])
    maps = _maps(dynamics, (units, None))
    maps[1:] -= maps[:1]
    return _moments(maps, np.ones(4), round(t1 / float(dynamics.clock.size)))


def _parts() -> tuple[np.ndarray, np.ndarray]:
    """-grad psi of each sample as a matrix on (1, z) [Q, 3, 3], and its mean; written out by hand."""
    w = np.asarray(_START.weights)
    one = np.zeros((3, 3, 3))
    one[:, 1:, 0] = (_TABLE * _Y).T
    one[:, 1:, 1:] = -np.einsum("iq,j,jq->qij", _TABLE, w, _TABLE)
    return one, np.einsum("q,qab->ab", _MU, one)


def _of_equation(theta: float, t1: float) -> np.ndarray:
    """d M/dt = b M + M b^T + theta SUM_q mu_q (b_q - b) M (b_q - b)^T: Ito's formula."""
    one, mean = _parts()
    eye = np.eye(3)
    generator = np.kron(mean, eye) + np.kron(eye, mean)
    generator += theta * sum(m * np.kron(b - mean, b - mean) for m, b in zip(_MU, one, strict=True))
    z = np.array([1.0, 1.0, -2.0])
    return (scipy.linalg.expm(t1 * generator) @ np.outer(z, z).ravel()).reshape(3, 3)


def _risk(second: np.ndarray) -> float:
    """E of the risk, a quadratic function of the weights."""
    rows = np.concatenate([-_Y[:, None], (np.asarray(_START.weights)[:, None] * _TABLE).T], axis=1)
    return float(0.5 * _MU @ np.einsum("qa,ab,qb->q", rows, second, rows))


def _order(sizes: Any, errors: Any) -> float:
    return float(np.polyfit(np.log(sizes), np.log(np.abs(errors)), 1)[0])


def test_the_weak_order_against_sgd() -> None:
    steps = [0.2, 0.1, 0.05, 0.025]
    errors = [_risk(_of_sgd(dt, 2.0)) - _risk(_of_equation(dt, 2.0)) for dt in steps]
    assert abs(_order(steps, errors) - 1.0) < 0.15
    own = [_risk(_of_sgd(dt, 2.0)) - _risk(_of_diffusion(_diffusion(dt, dt / 4), 2.0)) for dt in steps]
    np.testing.assert_allclose(own, errors, rtol=0.05)
    # Twice as fine once more, as the third order is not small at the first.
    second = [_risk(_of_sgd(dt, 2.0)) - _risk(_of_diffusion(_diffusion(dt, dt / 8, weak_order=2), 2.0)) for dt in steps]
    assert _order(steps[1:], second[1:]) > 1.7
    assert abs(second[-1]) < 0.1 * abs(errors[-1])


def _diffusion(dt: float, size: float, **more: Any) -> wl.SGDDiffusion:
    return wl.SGDDiffusion(dt, size=size, trainable="output", **more)


def test_the_integration_converges_to_itos_equation() -> None:
    sizes = [0.2, 0.1, 0.05, 0.025]
    for theta, least in ((1e-3, 1.8), (0.4, 0.9)):
        exact = _of_equation(theta, 2.0)
        errors = [np.max(np.abs(_of_diffusion(_diffusion(theta, h), 2.0) - exact)) for h in sizes]
        assert _order(sizes, errors) > least
        assert errors[-1] < 5e-3 * np.max(np.abs(exact))


def test_a_batch_divides_the_noise_of_its_step() -> None:
    four = _of_diffusion(_diffusion(0.4, 0.1, batch=4), 1.0)
    np.testing.assert_allclose(four, _of_diffusion(_diffusion(0.1, 0.1), 1.0), rtol=1e-13)
    assert np.max(np.abs(four - _of_diffusion(_diffusion(0.4, 0.1), 1.0))) > 1e-3


@pytest.mark.slow
def test_sampled_means_are_the_exact_ones() -> None:
    runs, dt = 20_000, 0.1
    keys = jax.random.split(KEY, runs)
    own = _diffusion(dt, dt / 2)
    for dynamics, second in ((wl.SGD(dt, trainable="output"), _of_sgd(dt, 2.0)), (own, _of_diffusion(own, 2.0))):

        @jax.jit
        def end(key: Any, dynamics: Any = dynamics, steps: int = round(2.0 / float(dynamics.clock.size))) -> Any:
            return wl.rollout(_LINEAR, _START, dynamics, steps=steps, key=key).positions[:, 0]

        sizes = np.sum(np.asarray(jax.vmap(end)(keys)) ** 2, axis=1)
        exact, quiet = (np.trace(m) - 1.0 for m in (second, _of_equation(0.0, 2.0)))
        error = sizes.std() / np.sqrt(runs)
        assert abs(sizes.mean() - exact) < 4.0 * error
        # Not blunt: the noise's share is far above what is allowed.
        assert 12.0 * error < exact - quiet


def test_the_noise_of_a_step_is_the_papers() -> None:
    """Covariance xi^2 (dt / B) P R P h of a short step, R of (3.10) sample by sample: n grad_z of the loss."""
    rng = np.random.default_rng(4)
    x, y, mu = rng.normal(size=(5, 2)), np.sign(rng.normal(size=5)), rng.uniform(1.0, 2.0, 5)
    mu /= mu.sum()
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh),
        wl.data.Samples(x, y, weights=mu),
        wl.losses.logistic(),
        penalty=wl.penalties.l2(0.3),
        mobility=wl.mobilities.Diagonal(output=2.0, weight=0.5, bias=1.5),
    )
    rows, h, dt = rng.normal(size=(3, 4)), 1e-9, 0.3
    xi, batch = schedules.piecewise([0.5], [1.0, 3.0]), schedules.piecewise([0.5], [2, 5])
    dynamics = wl.SGDDiffusion(dt, batch=batch, size=h, schedule=xi)

    def one(rows: Any, x: Any, y: Any) -> Any:
        f = jnp.mean(rows[:, 0] * jnp.tanh(rows[:, 1:3] @ x + rows[:, 3]))
        return 3.0 * jnp.logaddexp(0.0, -y * f)

    g = np.asarray(jax.vmap(lambda x, y: jax.grad(one)(jnp.asarray(rows), x, y))(x, y)).reshape(5, -1)
    p = np.tile([2.0, 0.5, 0.5, 1.5], 3)
    r = np.einsum("q,qa,qb->ab", mu, g, g) - np.outer(mu @ g, mu @ g)
    first = dynamics.init(problem, wl.Particles(rows), t1=1.0, key=KEY)
    for k, factor in ((0, dt / 2.0), (round(0.75 / h), 9.0 * dt / 5.0)):
        state = eqx.tree_at(lambda s: s.k, first, jnp.asarray(k, first.k.dtype))

        def end(normal: Any, state: Any = state) -> Any:
            return dynamics.measure(problem, dynamics.step(problem, state, (normal, None)), 0.0).positions.ravel()

        moved = np.asarray(jax.jit(jax.vmap(end))(jnp.concatenate([jnp.zeros((1, 5)), jnp.eye(5)])))
        jacobian = (moved[1:] - moved[0]) / np.sqrt(h)
        # sqrt h of the second, and rounding / sqrt h of the first.
        np.testing.assert_allclose(jacobian.T @ jacobian, factor * p[:, None] * r * p, atol=2e-4 * factor)


def test_heat_is_that_of_sgd() -> None:
    free = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), _DATA, lambda f, y: 0.0 * f)
    noisy = wl.SGDDiffusion(0.1, temperature=0.3, size=0.05, schedule=2.0)
    state = noisy.init(free, _START, t1=1.0, key=KEY)
    noise = noisy.noise(free, state, jnp.asarray(3))
    moved = eqx.filter_jit(noisy.step)(free, state, noise).y
    for name, z in state.y.items():
        np.testing.assert_allclose(moved[name] - z, np.sqrt(2 * 0.05 * 2.0 * 0.3) * noise[1][name], atol=1e-12)


def test_frozen_blocks_stay() -> None:
    run = wl.evolve(_LINEAR, _START, wl.SGDDiffusion(0.1, trainable="output"), t1=0.5, key=KEY)
    assert len(run) > 1
    np.testing.assert_array_equal(run.positions[-1, :, 1], _SLOPES)
    assert np.all(run.positions[-1, :, 0] != run.positions[0, :, 0])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"step": 0.0}, "SGDDiffusion(step=...): must be a finite number above 0; got 0.0"),
        ({"step": 0.1, "batch": 0}, "SGDDiffusion(batch=...): must be a whole number of at least 1"),
        ({"step": 0.1, "batch": 1.5}, "SGDDiffusion(batch=...): must be a whole number of at least 1"),
        ({"step": 0.1, "size": -1.0}, "SGDDiffusion(size=...): must be a finite number above 0"),
        ({"step": 0.1, "weak_order": 3}, "SGDDiffusion(weak_order=...): must be a whole number from 1 to 2"),
    ],
)
def test_numbers_that_are_none(arguments: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        wl.SGDDiffusion(**arguments)


def test_problems_that_have_no_such_noise() -> None:
    fresh = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.GaussianClasses(1.5, 0.5, dim=1))
    assert "freeze" in str(wl.SGDDiffusion(0.1).accepts(fresh, _START))
    second, kinked = wl.SGDDiffusion(0.1, weak_order=2), wl.units.Neuron(wl.activations.relu, bias=False)
    assert second.accepts(_LINEAR, _START) is None
    assert "kinked" in str(second.accepts(wl.Problem(kinked, _DATA), _START))
    falls = wl.SGDDiffusion(0.1, weak_order=2, schedule=schedules.power(0.5), temperature=0.1)
    assert "temperature's noise is not small and the schedule" in str(falls.accepts(_LINEAR, _START))
    with pytest.raises(ValueError, match="give key="):
        wl.evolve(_LINEAR, _START, wl.SGDDiffusion(0.1), t1=0.5)


def test_what_it_advises() -> None:
    assert wl.SGDDiffusion(0.1, size=1e-3).advice(_LINEAR, _START) == "try SGDDiffusion(size=0.00025)"
    # An eighth of the limit of explicit descent, 2 / max_q M(x_q, x_q), where a quarter of the step is above it.
    slopes = np.array([[1.0], [-2.0]]) * (1.0 - _TABLE**2) * _X[:, 0]
    stiffness = np.max(np.asarray(_START.weights) @ (_TABLE**2 + slopes**2))
    assert wl.SGDDiffusion(0.1, size=50.0).advice(_LINEAR, _START) == f"try SGDDiffusion(size={0.25 / stiffness:.2g})"
