"""What counts as a number, a whole number and a key."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from widelimit.numerics import leaf, random_key, real_number, whole_number


@pytest.mark.parametrize("value", [0.5, 1, np.float32(0.5), np.array(0.5), jnp.asarray(0.5), np.int64(1)])
def test_numbers_of_every_kind(value):
    assert real_number(value, "x", above=0.0, below=2.0) == float(value)


@pytest.mark.parametrize("value", ["a", None, True, np.True_, float("nan"), float("inf"), [0.5], 0.0, 2.0, -1])
def test_what_is_no_number_in_the_range(value):
    with pytest.raises(ValueError, match=r"f\(x=...\): must be a finite number above 0 and below 2; got"):
        real_number(value, "f(x=...)", above=0.0, below=2.0)


def test_the_least_is_allowed():
    assert real_number(0, "x", least=0.0) == 0.0
    with pytest.raises(ValueError, match="at least 0"):
        real_number(-1e-300, "x", least=0.0)


@pytest.mark.parametrize("value", [2, np.int32(5), np.array(3), jnp.asarray(4)])
def test_whole_numbers(value):
    assert whole_number(value, "n", least=2, most=5) == int(value)


@pytest.mark.parametrize("value", ["a", None, True, np.True_, 2.0, 1, 6, np.array([2]), jnp.asarray(2.0)])
def test_what_is_no_whole_number_in_the_range(value):
    with pytest.raises(ValueError, match="n: must be a whole number from 2 to 5, got"):
        whole_number(value, "n", least=2, most=5)


def test_keys():
    for key in (jax.random.key(0), jax.random.PRNGKey(0)):
        assert random_key(key, "key") is key
    for wrong in (0, None, jnp.zeros(2), jnp.zeros(3, jnp.uint32)):
        with pytest.raises(ValueError, match="expected one key such as"):
            random_key(wrong, "key")


def test_the_most_is_allowed():
    assert real_number(0.5, "x", most=0.5) == 0.5
    with pytest.raises(ValueError, match="above 0 and at most"):
        real_number(np.nextafter(0.5, 1.0), "x", above=0.0, most=0.5)


def test_a_leaf_is_an_array_that_may_be_traced():
    assert leaf(2, "x", above=0.0).dtype == jnp.float64
    with pytest.raises(ValueError, match="x: must be a finite number above 0"):
        leaf(-2, "x", above=0.0)
    assert float(jax.grad(lambda v: leaf(v, "x", above=0.0) ** 2)(3.0)) == 6.0
