"""The batches themselves, row by row: what a pass holds, in which order, with which weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.dynamics.sampling import multinomial_noise

ROWS = 7
DATA = wl.data.Samples(np.arange(float(ROWS)), 10.0 * np.arange(ROWS))
WEIGHTED = wl.data.Samples(np.arange(3.0), np.arange(3.0), [0.5, 0.25, 0.25])
KEY = jax.random.key(2)


def batches(sampling, steps, size, data=DATA):
    """The rows of every step and their weights; rows without weight are left out."""
    order, found = sampling.start(data, KEY), []
    for k in range(steps):
        drawn = sampling.draw(data, KEY, k, size)
        nodes, order = sampling.pick(data, KEY, jnp.asarray(k), size, drawn, order)
        kept = np.asarray(nodes.weights) > 0
        np.testing.assert_array_equal(nodes.y, 10.0 * nodes.x[:, 0] if data is DATA else nodes.x[:, 0])
        found.append((np.asarray(nodes.x)[kept, 0].astype(int).tolist(), np.asarray(nodes.weights)[kept]))
    return found


@pytest.mark.parametrize("size", [1, 3, 7, 9])
def test_a_pass_of_epochs_has_every_row_once(size):
    per_pass = -(-ROWS // size)
    found = batches(wl.sampling.Epochs(), 2 * per_pass, size)
    first, second = found[:per_pass], found[per_pass:]
    for one in (first, second):
        assert sorted(row for rows, _ in one for row in rows) == list(range(ROWS))
        assert [len(rows) for rows, _ in one[:-1]] == [size] * (per_pass - 1)
        for rows, weights in one:
            np.testing.assert_allclose(weights, 1.0 / len(rows), rtol=1e-15)
    assert [rows for rows, _ in first] != [rows for rows, _ in second]
    assert first[0][0] != list(range(min(size, ROWS))) or size == 1


def test_epochs_that_drop_the_last_batch_leave_it_out():
    found = batches(wl.sampling.Epochs(drop_last=True), 4, 3)
    assert [len(rows) for rows, _ in found] == [3] * 4
    for one in (found[:2], found[2:]):
        assert len({row for rows, _ in one for row in rows}) == 6
    # A set smaller than a batch is one batch.
    assert sorted(batches(wl.sampling.Epochs(drop_last=True), 1, 9)[0][0]) == list(range(ROWS))


def test_given_orders_come_in_turn_and_again():
    passes = [[6, 5, 4, 3], [0, 1, 2, 2]]
    found = [rows for rows, _ in batches(wl.sampling.Ordered(passes), 6, 3)]
    assert found == [[6, 5, 4], [3], [0, 1, 2], [2], [6, 5, 4], [3]]
    assert [rows for rows, _ in batches(wl.sampling.Ordered(), 3, 4)] == [[0, 1, 2, 3], [4, 5, 6], [0, 1, 2, 3]]


def test_weights_of_rows_stay_beside_those_of_the_batch():
    """A batch's weight of a row is n mu_q / size: unbiased over a pass."""
    found = batches(wl.sampling.Ordered(), 2, 2, WEIGHTED)
    np.testing.assert_allclose(found[0][1], [0.75, 0.375], rtol=1e-15)
    np.testing.assert_allclose(found[1][1], [0.75], rtol=1e-15)


def test_fresh_batches_differ_and_count_alike():
    found = batches(wl.sampling.Fresh(), 3, 50)
    for rows, weights in found:
        np.testing.assert_array_equal(weights, 0.02)
        assert len(set(rows)) > 1
    assert found[0][0] != found[1][0] != found[2][0]


def test_the_noise_of_a_draw_has_its_covariance():
    """The map of the normals is linear: its matrix times its transpose is diag mu - mu mu^T."""
    mu = jnp.array([0.5, 0.3, 0.2])
    matrix = np.stack([multinomial_noise(mu, column) for column in jnp.eye(3)], axis=1)
    np.testing.assert_allclose(matrix @ matrix.T, np.diag(mu) - np.outer(mu, mu), atol=1e-15)
    np.testing.assert_allclose(matrix.sum(axis=0), 0.0, atol=1e-15)


@pytest.mark.parametrize(
    ("sampling", "whole", "cut"),
    [
        (wl.sampling.Fresh(), 0.5, 0.5),
        (wl.sampling.Epochs(), 1.0, 0.5),
        (wl.sampling.Ordered(), 1.0, None),
        (wl.sampling.Ordered([0, 1]), None, None),
        (wl.sampling.Full(), 1.0, 1.0),
    ],
    ids=["fresh", "epochs", "ordered", "given", "full"],
)
def test_the_order_of_passes_that_come_out_even(sampling, whole, cut):
    assert sampling.order(DATA, 7) == whole
    assert sampling.order(DATA, 3) == cut


def test_orders_that_name_no_row_are_refused():
    with pytest.raises(ValueError, match=r"rows 0 to 6, got 7"):
        wl.sampling.Ordered([0, 7]).check(DATA)
    wl.sampling.Ordered([0, 6]).check(DATA)
    for rows in ([], [-1, 0], [0.5], np.zeros((1, 1, 1), int)):
        with pytest.raises(ValueError, match=r"expected whole numbers from 0, \[n\] or \[E, n\]"):
            wl.sampling.Ordered(rows)
