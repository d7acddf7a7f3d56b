"""Arrays of a user: copied, in the machine's own numbers, nothing of them lost in silence."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.measure import Block, GridDensity, grids
from widelimit.numerics import own_array, random_key, real_number, require_x64, whole_number


def aligned(values):
    """A copy at an address that JAX can read in place."""
    values = np.asarray(values, float)
    room = np.empty(values.size + 16)
    start = (-room.ctypes.data % 64) // 8
    out = room[start : start + values.size].reshape(values.shape)
    out[...] = values
    return out


ROWS, SQUARE = np.linspace(0.1, 2.0, 40).reshape(20, 2), np.array([[2.0, 0.5], [0.5, 1.0]])
UNIFORM = np.full(20, 1 / 20)
MADE = {
    "samples": (lambda x, y, w: wl.data.Samples(x, y, w), ROWS, ROWS[:, 0], UNIFORM),
    "one input": (lambda x, y: wl.data.Samples(x, y), ROWS[:, 0], ROWS[:, 1]),
    "classes": (lambda p, m: wl.data.GaussianClasses(p, 1.0, mean_plus=m), SQUARE, ROWS[0]),
    "particles": (lambda x, w: wl.Particles(x, w), ROWS, UNIFORM),
    "density": (lambda m: GridDensity(grids.uniform(0.0, 1.0, 20), m), UNIFORM),
    "grid": (lambda e, c: grids.Grid((e,), (c,)), np.arange(5.0), np.arange(4.0) + 0.5),
    "atom": (lambda p: wl.laws.Atom(p), ROWS[0]),
    "normal": (lambda m, s: wl.laws.Normal(m, s, dim=2), ROWS[0], ROWS[1]),
    "uniform": (lambda a, b: wl.laws.Uniform(a, b, dim=2), ROWS[0], ROWS[1]),
    "gaussian": (lambda m, c: wl.laws.Gaussian(m, c), ROWS[0], SQUARE),
    "empirical": (lambda x, w: wl.laws.Empirical(x, w), ROWS, UNIFORM),
    "mixture": (lambda w: wl.laws.Mixture([wl.laws.Atom(0.0)] * 20, w), UNIFORM),
}


@pytest.mark.parametrize("name", MADE)
def test_a_buffer_that_is_used_again_changes_nothing(name):
    make, *given = MADE[name]
    buffers = [aligned(values) for values in given]
    made = make(*buffers)
    before = [np.array(leaf) for leaf in jax.tree.leaves(made)]
    for buffer in buffers:
        buffer[...] = np.nan
    for one, other in zip(before, jax.tree.leaves(made), strict=True):
        np.testing.assert_array_equal(one, other)


def test_all_numbers_of_numpy_are_taken():
    for kind in (">f8", ">f4", ">i2", np.longdouble, np.float16, np.uint8, bool):
        given = np.array([[0, 1], [1, 1]]).astype(kind)
        samples, rho = wl.data.Samples(given, given[0]), wl.Particles(given)
        np.testing.assert_array_equal(samples.x, [[0, 1], [1, 1]])
        np.testing.assert_array_equal(rho.positions, [[0, 1], [1, 1]])
    assert own_array(np.array([1.5], np.longdouble), "x").dtype == np.float64


def test_what_is_no_array_of_numbers_is_said():
    masked = np.ma.masked_array(ROWS, ROWS > 1.9)
    for given in (masked, list(masked), tuple(masked)):
        with pytest.raises(ValueError, match=r"Samples\(x=...\): 3 entries are masked; fill them"):
            wl.data.Samples(given, ROWS[:, 0])
    assert wl.data.Samples(np.ma.masked_array(ROWS), ROWS[:, 0]).x.shape == (20, 2)
    for make in (wl.Particles, wl.laws.Empirical, lambda x: GridDensity(grids.uniform(0.0, 1.0, 2), x)):
        with pytest.raises(ValueError, match="entries are masked"):
            make(masked)
        with pytest.raises(ValueError, match="expected real numbers"):
            make(np.array([["a", "b"]]))
        with pytest.raises(ValueError, match="expected real numbers, got complex128"):
            make(np.array([[1j, 2.0]]))
    with pytest.raises(ValueError, match="rows of different lengths"):
        wl.Particles([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("kind", [int, np.int8, np.uint64, np.array, jnp.int32, jnp.asarray])
def test_scalars_of_numpy_and_jax_are_numbers(kind):
    assert whole_number(kind(3), "n", least=1) == 3
    assert real_number(kind(3), "x", above=0.0) == 3.0
    key = jax.random.key(0)
    assert len(wl.laws.Normal(0.0, 1.0).sample(kind(3), key=key)) == 3
    assert wl.data.GaussianClasses(1.0, 2.0, dim=2).freeze(kind(3), key=key).x.shape == (3, 2)


def test_what_is_no_number_or_key_is_said():
    for bad in (True, np.bool_(True), 1.5, "3", None, np.array([3]), 1j):
        with pytest.raises(ValueError, match="whole number"):
            whole_number(bad, "n", least=1)
    for bad in (True, "3", None, np.array([3.0]), 1j, np.nan):
        with pytest.raises(ValueError, match="finite number"):
            real_number(bad, "x")
    with pytest.raises(ValueError, match="finite number"):
        jax.jit(lambda x: real_number(x, "x"))(1.0)
    for bad in (3, None, np.zeros(2, np.uint32), jax.random.split(jax.random.key(0))):
        with pytest.raises(ValueError, match="one key such as"):
            random_key(bad, "key")


def test_float64_switched_off_is_refused():
    unit, data = wl.units.Neuron(wl.activations.tanh), wl.data.Samples(ROWS, ROWS[:, 0])
    problem, rho = wl.Problem(unit, data), wl.Particles(np.ones((2, 4)))
    energy = wl.integrals.Pairwise(V=lambda a: a.z**2, U=lambda a, b: a.z * b.z, blocks=(Block("z", ()),))
    alone = wl.Problem(integrals=energy)
    entries = {
        "Problem": lambda: wl.Problem(unit, data),
        "Problem.integrals": lambda: problem.risk(rho),
        "problem.data": lambda: problem.data,
        "evolve": lambda: wl.evolve(problem, rho, wl.GradientFlow(), t1=1.0),
        "rollout": lambda: wl.rollout(problem, rho, wl.GradientFlow(), steps=1),
        "minimise": lambda: wl.minimise(problem, key=jax.random.key(0)),
        "tangent_kernel": lambda: wl.kernels.tangent_kernel(problem, rho, ROWS),
        "spectrum": lambda: wl.analysis.spectrum(problem, rho),
        "wasserstein2": lambda: wl.measure.wasserstein2(rho, rho),
    }
    jax.config.update("jax_enable_x64", False)
    try:
        for who, entry in entries.items():
            with pytest.raises(ValueError, match=rf"^{who}: JAX computes in float32.*jax.config.update"):
                entry()
        with pytest.raises(ValueError, match="JAX computes in float32"):
            alone.risk(wl.Particles(np.ones((2, 1), np.float32)))
        with pytest.raises(ValueError, match="JAX computes in float32"):
            require_x64("here")
    finally:
        jax.config.update("jax_enable_x64", True)
    assert float(problem.risk(rho)) > 0.0
