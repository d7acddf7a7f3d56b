"""The tangent kernel against its definition, one pair and one particle at a time."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from kernel_problems import PROBLEMS, X

import widelimit as wl
from widelimit.kernels import tangent_kernel
from widelimit.measure import split

_RNG = np.random.default_rng(4)


def brute(problem: wl.Problem, measure: wl.Particles, x: np.ndarray, other: np.ndarray) -> np.ndarray:
    """[n, C, m, C] with every gradient taken on its own."""

    def slope(row: Any, point: Any) -> Any:
        return jax.jacrev(lambda z: jnp.ravel(problem.unit(split(problem.blocks, z), point)))(row)

    def moved(row: Any, g: Any) -> Any:
        pull = problem.mobility(split(problem.blocks, row), split(problem.blocks, g))
        return jnp.concatenate([jnp.ravel(part) for part in pull])

    def table(points: Any) -> Any:
        return jnp.stack([jnp.stack([slope(row, p) for p in jnp.asarray(points)]) for row in measure.positions])

    left, right = table(x), table(other)
    pairs = zip(measure.positions, right, strict=True)
    right = jnp.stack([jnp.stack([jnp.stack([moved(row, g) for g in gs]) for gs in t]) for row, t in pairs])
    return np.asarray(jnp.einsum("i,iqca,ipda->qcpd", measure.weights, left, right))


@pytest.mark.first(1)
@pytest.mark.parametrize("name", list(PROBLEMS))
def test_against_its_definition(name: str) -> None:
    problem = PROBLEMS[name]
    measure = wl.Particles(_RNG.normal(size=(3, problem.dim)), [0.5, 0.3, 0.2])
    other = _RNG.normal(size=(2, 2))
    found = tangent_kernel(problem, measure, X[:3], other)
    shape = problem.data.outputs
    assert found.shape == (3, *shape, 2, *shape)
    np.testing.assert_allclose(np.ravel(found), np.ravel(brute(problem, measure, X[:3], other)), rtol=1e-11, atol=1e-13)


@pytest.mark.first(1)
@pytest.mark.parametrize("moves", ["weight", "bias", ("output", "bias"), None])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_neuron_is_what_any_function_of_its_formula_is(activation: str, moves: Any) -> None:
    """Two products against a product a column."""
    sigma = getattr(wl.activations, activation)
    columns = {"output": (), "weight": (2,), "bias": ()}
    plain = wl.units.Function(lambda t, x: t.output * sigma(jnp.dot(t.weight, x) + t.bias), columns=columns)
    assert plain.profile is None
    scales = wl.mobilities.Diagonal(output=0.3, weight=2.0, bias=0.7)
    data, rows = wl.data.Samples(X, X[:, 0]), wl.Particles(_RNG.normal(size=(5, 4)), [0.5, 0.3, 0.2, -0.4, 0.4])
    kernels = [
        tangent_kernel(wl.Problem(unit, data, mobility=scales, budget=60), rows, X, X[:3], trainable=moves)
        for unit in (wl.units.Neuron(sigma), plain)
    ]
    np.testing.assert_allclose(kernels[0], kernels[1], rtol=1e-12, atol=1e-14)


def test_a_neuron_without_an_output_weight() -> None:
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False), wl.data.Samples(X, X[:, 0])
    )
    measure = wl.Particles(_RNG.normal(size=(3, 2)))
    np.testing.assert_allclose(
        tangent_kernel(problem, measure, X, X[:2]), brute(problem, measure, X, X[:2])[:, 0, :, 0], rtol=1e-12
    )


def test_only_the_output_weight_is_the_random_feature_kernel() -> None:
    problem = PROBLEMS["number"]
    rows = _RNG.normal(size=(4, 4))
    values = np.tanh(X @ rows[:, 1:3].T + rows[:, 3])
    found = tangent_kernel(problem, wl.Particles(rows), X, trainable="output")
    np.testing.assert_allclose(found, values @ values.T / 4, atol=1e-14)


def test_bad_input() -> None:
    problem = PROBLEMS["number"]
    rho = wl.Particles(np.zeros((1, 4)))
    with pytest.raises(ValueError, match=r"no block 'c'; it has output, weight, bias"):
        tangent_kernel(problem, rho, X, trainable=("c",))
    with pytest.raises(ValueError, match=r"expected \[n, 2\]"):
        tangent_kernel(problem, rho, np.zeros((3, 3)))
    with pytest.raises(ValueError, match="quantise"):
        tangent_kernel(problem, wl.laws.Normal(0.0, 1.0, dim=4), X)
    swap = wl.mobilities.Function(lambda t, g: g._replace(bias=g.bias + g.output, output=g.output + g.bias))
    coupled = wl.Problem(problem.unit, problem.data, mobility=swap)
    with pytest.raises(ValueError, match="couples blocks"):
        tangent_kernel(coupled, rho, X, trainable=("output", "weight"))
    rising = wl.mobilities.Function(lambda t, g: g._replace(bias=-g.bias))
    uphill = wl.Problem(problem.unit, problem.data, mobility=rising)
    with pytest.raises(ValueError, match="symmetric, non-negative"):
        tangent_kernel(uphill, rho, X)
