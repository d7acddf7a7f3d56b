"""Padding, scaling and the start, by themselves."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from widelimit.measure import Block
from widelimit.sklearn import _padding, _standard, _start


@pytest.mark.parametrize(
    ("size", "known"),
    [
        (_padding.padded_rows, {1: 128, 128: 128, 129: 512, 512: 512, 513: 640, 1797: 2048, 2049: 2560}),
        (_padding.padded_columns, {1: 8, 8: 8, 9: 10, 10: 10, 11: 12, 17: 20, 33: 40, 64: 64}),
    ],
)
def test_padded_sizes_are_few(size, known):
    assert {n: size(n) for n in known} == known
    sizes = np.array([size(n) for n in range(1, 10_000)])
    n = np.arange(1, 10_000)
    assert np.all(sizes >= n)
    assert np.all(np.diff(sizes) >= 0)
    assert np.all(sizes[n > 512] <= 1.25 * n[n > 512])
    assert len(set(sizes)) <= 45
    assert all(size(m) == m for m in set(sizes.tolist()))


def test_columns_with_weights_are_standardised_as_by_scikit_learn():
    # The squares of the last two overflow and vanish.
    x = np.random.default_rng(0).normal(size=(20, 6)) * [1.0, 1e-3, 0.0, 0.0, 1e200, 1e-200]
    x += [0.0, 9.0, 0.1, 0.0, -1e201, 0.0]
    weights = np.random.default_rng(1).integers(0, 3, size=20) / 1.0
    # In a row without weight: neither seen, nor a reason why a column is not constant.
    x[weights == 0] *= 3.0
    fitted = _standard.Standard.fit(x, weights / weights.sum())
    scaler = StandardScaler().fit(x[:, :4], sample_weight=weights)
    np.testing.assert_allclose(fitted.mean[:4], scaler.mean_, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(fitted.std[:4], scaler.scale_, rtol=1e-9)
    np.testing.assert_allclose(np.average(fitted(x)[:, 4:] ** 2, axis=0, weights=weights), 1.0, rtol=1e-12)
    np.testing.assert_allclose(fitted.back(fitted(x)), x, rtol=1e-12)
    assert list(fitted.std[2:4]) == [1.0, 1.0]


def test_the_start_has_its_law():
    blocks = (Block("output", (2,)), Block("weight", (4,)), Block("bias", ()))
    random = np.random.RandomState(0)
    rows = _start.start_positions(random, blocks, 20_000, 0.5, mirrored=False)
    assert rows.shape == (20_000, 7)
    # A deviation of 20,000 normal numbers is known to 0.5 %.
    np.testing.assert_allclose(rows.std(axis=0), [0.5, 0.5, *[0.25] * 4, 0.5], rtol=0.03)
    np.testing.assert_allclose(rows.mean(axis=0), 0.0, atol=0.02)


@pytest.mark.parametrize("count", [1, 6, 7])
def test_mirrored_neurons_cancel(count):
    blocks = (Block("output", ()), Block("weight", (3,)), Block("bias", ()))
    rows = _start.start_positions(np.random.RandomState(0), blocks, count, 1.0, mirrored=True)
    assert rows.shape == (count, 5)
    # Neither odd nor even.
    values = rows[:, 0] * np.exp(rows[:, 1:4] @ [0.3, -1.0, 0.5] + rows[:, 4])
    assert abs(values.sum()) < 1e-14
    assert (rows[:, 0] != 0).sum() == count - count % 2
