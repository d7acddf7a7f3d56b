"""Modules with arrays where a hash is asked: `jax.jit`, static arguments, keys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.measure import split

WIDTHS = (0.1, 0.2, 0.1, 0.3)
POINT = jnp.array([0.4])


def bump(width):
    return wl.units.RadialBasis(width)


def teacher(width):
    """One bump of charge 1 at 1/2."""
    return wl.data.Teacher(bump(width), wl.Particles(np.array([[1.0, 0.5]])), inputs=1)


def value(module, x):
    return (
        module(x)
        if isinstance(module, wl.data.Teacher)
        else module(split(module.blocks(1, ()), jnp.array([1.0, 0.5])), x)
    )


@pytest.mark.parametrize("make", [bump, teacher])
def test_units_and_teachers_as_static_arguments_and_keys(make):
    modules = [make(width) for width in WIDTHS]
    expected = np.exp(-(0.1**2) / (2 * np.square(WIDTHS)))
    ask = jax.jit(lambda module, x: value(module, x), static_argnums=0)
    np.testing.assert_allclose([ask(module, POINT) for module in modules], expected, rtol=1e-12)
    # Inside another compiled function numbers cannot be compared by JAX.
    inside = jax.jit(lambda x: jnp.stack([ask(module, x) for module in modules]))
    np.testing.assert_allclose(inside(POINT), expected, rtol=1e-12)
    assert len(set(modules)) == 3
    assert modules[0] == modules[2] != modules[1]
    assert modules[0] != "bump"


def test_units_and_teachers_go_into_jit():
    unit = bump(0.2)
    theta = split(unit.blocks(1, ()), jnp.array([1.0, 0.5]))
    assert float(jax.jit(unit)(theta, POINT)) == pytest.approx(float(unit(theta, POINT)), rel=1e-12)
    assert float(jax.jit(teacher(0.2))(POINT)) == pytest.approx(float(teacher(0.2)(POINT)), rel=1e-12)


def test_a_traced_number_is_the_same_as_itself_only():
    def inside(width):
        unit, other = bump(width), bump(2.0 * width)
        assert unit == unit
        assert unit != other
        assert hash(unit) == hash(other)
        return width

    jax.jit(inside)(0.1)
