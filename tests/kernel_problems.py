"""Problems on a few samples for the tests of tangent kernels: a number, a vector, a mobility that is a matrix."""

from typing import Any

import jax.numpy as jnp
import numpy as np

import widelimit as wl

RNG = np.random.default_rng(3)
X, Y = RNG.normal(size=(7, 2)), RNG.normal(size=(7, 3))


def _tilted(theta: Any, g: Any) -> Any:
    return g._replace(weight=2.0 * g.weight + jnp.sum(g.weight), output=(1.0 + theta.bias**2) * g.output)


PROBLEMS = {
    "number": wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(X, Y[:, 0])),
    "vector": wl.Problem(
        wl.units.Neuron(wl.activations.erf, bias=False),
        wl.data.Samples(X, Y),
        mobility=wl.mobilities.Diagonal(output=0.3, weight=2.0),
        budget=40,
    ),
    "matrix": wl.Problem(
        wl.units.Neuron(wl.activations.tanh), wl.data.Samples(X, Y[:, 0]), mobility=wl.mobilities.Function(_tilted)
    ),
}
