"""Second variations are how grad psi changes when particles move, for every way of computing the risk."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 2))
LABELS = wl.data.Samples(X, np.sign(np.stack([X[:, 0], X[:, 1] + 0.2], axis=1)), RNG.uniform(0.5, 1.0, size=8))
# The factor of the output scale is two: a wrong power of it would show.
SCALE = wl.scales.Power(1.0, 0.5)
INTERVAL = wl.data.Interval(lambda x: x**2)
BLOCK = (wl.measure.Block("z", (2,)),)
CASES = {
    "dense": wl.Problem(wl.units.Neuron(wl.activations.tanh), LABELS, wl.losses.logistic(), scale=SCALE, budget=50),
    "knots": wl.Problem(wl.units.FreeKnot(), INTERVAL, wl.losses.squared(0.7), scale=SCALE),
    "bare knots": wl.Problem(wl.units.FreeKnot(charge=False), INTERVAL, wl.losses.squared(0.7), scale=SCALE),
    "pairs": wl.Problem(
        integrals=wl.integrals.Pairwise(
            lambda a: jnp.sum(a.z**4), lambda a, b: jnp.sin(a.z[0] - 2.0 * b.z[1]), blocks=BLOCK, budget=30
        )
    ),
}


@pytest.mark.first(1)
@pytest.mark.parametrize("problem", CASES.values(), ids=CASES.keys())
def test_how_grad_psi_changes_when_particles_move(problem):
    rows = RNG.uniform(0.1, 0.9, size=(5, problem.dim))
    w, moved, h = jnp.asarray(RNG.dirichlet(np.ones(5))), RNG.normal(size=rows.shape), 1e-5

    def slope(rows):
        theta = wl.measure.split(problem.blocks, jnp.asarray(rows))
        return np.asarray(wl.measure.join(problem.blocks, problem.integrals.variation(theta, w).gradient))

    found = problem.integrals.curvature(wl.measure.split(problem.blocks, jnp.asarray(rows)), w)
    change = np.einsum("nab,nb->na", found.hessian, moved) + np.einsum("m,namb,mb->na", w, found.kernel, moved)
    numeric = (slope(rows + h * moved) - slope(rows - h * moved)) / (2.0 * h)
    np.testing.assert_allclose(change, numeric, rtol=1e-5, atol=1e-7)
    assert np.all(found.size > 0)


def test_a_network_without_a_unit_has_none():
    class Other(wl.networks.AbstractNetwork):
        def blocks(self, inputs, outputs):
            return (wl.measure.Block("a", ()),)

        def __call__(self, theta, w, x):
            return wl.networks.integrate(wl.units.Function(_number, columns=["a"]), theta, w, x)

    problem = wl.Problem(Other(), wl.data.Samples(X, X[:, 0]))
    theta, w = problem.unpack(wl.Particles(np.ones((3, 1))))
    with pytest.raises(ValueError, match="two-layer mean"):
        problem.integrals.hessian(theta, w)


def _number(theta, x):
    return theta.a * jax.numpy.sum(x)
