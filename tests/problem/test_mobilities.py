"""Mobilities: P g, the constant diagonal, what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from widelimit import mobilities
from widelimit.measure import Block, split

BLOCKS = (Block("output", ()), Block("weight", (2,)), Block("bias", ()))
THETA = split(BLOCKS, jnp.asarray([1.0, 2.0, 3.0, 4.0]))
GRADIENT = split(BLOCKS, jnp.asarray([0.5, -1.0, 2.0, 3.0]))


def test_identity():
    assert mobilities.Identity()(THETA, GRADIENT) is GRADIENT
    assert mobilities.Identity().scales(THETA) == (1.0, 1.0, 1.0)


def test_diagonal():
    mobility = mobilities.Diagonal(bias=0.0, output=10.0)
    moved = mobility(THETA, GRADIENT)
    assert (float(moved.output), float(moved.bias)) == (5.0, 0.0)
    np.testing.assert_array_equal(moved.weight, GRADIENT.weight)
    assert mobility.scales(THETA) == (10.0, 1.0, 0.0)
    assert mobility.scales(THETA)._fields == THETA._fields
    mobility.check(BLOCKS)


def test_scales_are_the_diagonal_of_the_map():
    for mobility in (mobilities.Identity(), mobilities.Diagonal(weight=3.0, bias=0.5)):
        scaled = [s * g for s, g in zip(mobility.scales(THETA), GRADIENT, strict=True)]
        for got, expected in zip(mobility(THETA, GRADIENT), scaled, strict=True):
            np.testing.assert_array_equal(got, expected)


def test_a_function_of_your_own():
    mobility = mobilities.Function(lambda th, g: g._replace(weight=th.output**2 * g.weight))
    np.testing.assert_array_equal(mobility(THETA, GRADIENT).weight, GRADIENT.weight)
    assert mobility.scales(THETA) is None


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_diagonal_refuses_the_number(bad):
    with pytest.raises(ValueError, match="weight"):
        mobilities.Diagonal(weight=bad)


def test_diagonal_refuses_a_block_that_is_not_there():
    with pytest.raises(ValueError, match=r"outputs.*output, weight, bias"):
        mobilities.Diagonal(outputs=1.0).check(BLOCKS)
