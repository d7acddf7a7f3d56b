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


def others():
    """A method or a call of each kind of part, with what it takes."""
    ones, law = jnp.ones(4), wl.laws.Normal(0.0, 1.0, dim=2)
    data = wl.data.Samples(np.zeros((5, 2)), np.arange(5.0))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), data, penalty=wl.penalties.l2(0.1))
    theta, rho = split(problem.blocks, ones), wl.Particles(np.ones((3, 4)))
    return {
        "potential": (problem.potential, (rho,)),
        "retract": (problem.retract, (theta,)),
        "law": (law.log_density, (jnp.ones((3, 2)),)),
        "activation": (wl.activations.piecewise_linear([0.0, 1.0], [0.0, 1.0]), (0.3 * jnp.ones(()),)),
        "loss": (wl.losses.huber(0.2), (jnp.ones(()), 0.5 * jnp.ones(()))),
        "penalty": (problem.penalty, (theta,)),
        "mobility": (wl.mobilities.Diagonal(weight=0.2), (theta, theta)),
        "schedule": (wl.schedules.power(0.5), (2.0,)),
    }


KINDS = ("potential", "retract", "law", "activation", "loss", "penalty", "mobility", "schedule")


@pytest.mark.parametrize("name", KINDS)
def test_parts_and_their_methods_go_into_jit(name):
    call, arguments = others()[name]
    found, expected = jax.tree.leaves(jax.jit(call)(*arguments)), jax.tree.leaves(call(*arguments))
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_a_traced_number_is_the_same_as_itself_only():
    def inside(width):
        unit, other = bump(width), bump(2.0 * width)
        assert unit == unit
        assert unit != other
        assert hash(unit) == hash(other)
        return width

    jax.jit(inside)(0.1)
