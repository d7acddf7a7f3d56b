"""The same numbers on a GPU as on the processor, to the rounding of their sums."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import integrators


@pytest.mark.gpu
@pytest.mark.skipif(jax.devices()[0].platform != "gpu", reason="JAX sees no GPU")
@pytest.mark.parametrize(
    ("dynamics", "digits"),
    [
        (wl.GradientFlow(integrators.RungeKutta4(0.01)), 1e-12),
        (wl.SGD(0.01, batch=4, temperature=0.01), 1e-12),
        (wl.SGD(0.01, batch=4, dtype=jnp.float32), 1e-5),
    ],
    ids=["flow", "sgd", "sgd32"],
)
def test_the_numbers_are_those_of_the_processor(dynamics: Any, digits: float) -> None:
    rng = np.random.default_rng(0)
    x, rows = rng.normal(size=(20, 3)), rng.normal(size=(64, 5))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])))

    def end() -> np.ndarray:
        run = wl.evolve(problem, wl.Particles(rows), dynamics, t1=0.5, key=jax.random.key(0))
        return np.asarray(run.final.positions)

    there = end()
    with jax.default_device(jax.devices("cpu")[0]):
        here = end()
    np.testing.assert_allclose(there, here, rtol=0, atol=digits)
