"""Searches for a maximum: what is proved is true, and what is found is there."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest

from widelimit.numerics import branch_and_bound, evaluate, maximise


def hill(u):
    """Largest at (0.3, -0.2): 1; slope at most 2."""
    return 1.0 - jnp.sqrt((u[0] - 0.3) ** 2 + (u[1] + 0.2) ** 2 + 1e-30) * 2.0


def waves(u):
    return jnp.sum(jnp.sin(3.0 * u) + 0.1 * u)


@pytest.mark.parametrize("dim", [1, 2, 3])
def test_the_bound_holds_and_is_tight(dim):
    lower, upper = -np.ones(dim), 2.0 * np.ones(dim)
    grid = np.linspace(-1.0, 2.0, 30_001)
    true = dim * float(np.max(np.sin(3.0 * grid) + 0.1 * grid))
    found = branch_and_bound(waves, 3.1 * dim**0.5, lower, upper, rtol=1e-4, most=300_000)
    # The grid misses the maximum by 3 (spacing)^2 / 2 at the most.
    assert found.best <= true + 2e-8 * dim
    assert found.upper >= true - 1e-12
    assert found.upper - true < (1e-3 if dim < 3 else 0.05) * true
    assert float(waves(jnp.asarray(found.point))) == pytest.approx(found.best)


def test_a_kink_is_bounded_too():
    found = branch_and_bound(hill, 2.0, -np.ones(2), np.ones(2))
    assert 1.0 - 1e-12 <= found.upper < 1.0 + 1e-6


def test_few_evaluations_still_bound():
    bounds = [branch_and_bound(waves, 3.1, -np.ones(1), np.ones(1), most=most).upper for most in (1, 8, 64, 4096)]
    assert all(a >= b for a, b in itertools.pairwise(bounds))
    assert bounds[-1] >= float(jnp.max(jnp.asarray([waves(jnp.asarray([u])) for u in np.linspace(-1, 1, 501)])))


def test_a_known_value_saves_work():
    cold = branch_and_bound(waves, 3.1, -np.ones(1), 2 * np.ones(1))
    warm = branch_and_bound(waves, 3.1, -np.ones(1), 2 * np.ones(1), known=cold.best)
    assert warm.evaluations <= cold.evaluations
    assert warm.upper == pytest.approx(cold.upper, rel=1e-8)


def test_the_best_of_many_searches():
    starts = jnp.asarray(np.linspace(-1.0, 2.0, 12)[:, None])
    found = maximise(waves, starts)
    # sin(3u) + u/10 has its maxima where cos(3u) = -1/30.
    tops = (np.arccos(-1 / 30) + 2 * np.pi * np.arange(-3, 9)) / 3
    values = np.sin(3 * tops) + 0.1 * tops
    assert np.min(np.abs(values - found.value)) < 1e-9
    assert found.value > np.max(values[(tops > -1) & (tops < 2)]) - 1e-9


def test_a_search_that_finds_nothing_better_keeps_its_start():
    found = maximise(lambda u: -jnp.sum(jnp.abs(u)), jnp.asarray([[0.0], [1.0]]))
    assert found.value == 0.0
    np.testing.assert_array_equal(found.point, [0.0])


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_batches_change_nothing(batch):
    points = np.random.default_rng(0).normal(size=(20, 2))
    np.testing.assert_allclose(evaluate(waves, points, batch), [float(waves(jnp.asarray(p))) for p in points])
