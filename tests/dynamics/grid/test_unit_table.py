"""The map between masses and predictions, against the problem's own."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.dynamics.grid import _unit_table
from widelimit.dynamics.grid._unit_table import Charged, Recomputed, Stored
from widelimit.measure import GridDensity, grids

_X = np.linspace(-2.0, 2.0, 80)


def _smooth(theta: Any, x: Any) -> Any:
    return jnp.tanh(0.7 * theta.a * x[0] + 0.1)


def _rough(theta: Any, x: Any) -> Any:
    return jnp.abs(theta.a - x[0])


def _charged(theta: Any, x: Any) -> Any:
    return theta.c * jnp.tanh(theta.a * x[0] + 0.2)


def _vector(theta: Any, x: Any) -> Any:
    return jnp.stack([theta.a * x[0], jnp.sin(theta.a + x[0])])


def unit_table(problem: wl.Problem, grid: wl.Grid) -> Any:
    return _unit_table.unit_table(problem, grid, "test")


_LINE = grids.uniform(-1.5, 2.0, 200)
_PLANE = grids.product(grids.uniform(-2.0, 3.0, 15), grids.uniform(-1.0, 1.0, 40))


def _problem(unit: Any, columns: list[str], y: Any = None, **options: Any) -> wl.Problem:
    linear = "c" if columns[0] == "c" or columns[-1] == "c" else None
    unit = wl.units.Function(unit, columns=columns, linear=linear)
    return wl.Problem(unit, wl.data.Samples(_X, np.sin(_X) if y is None else y), **options)


CASES = {
    "compressed": (_problem(_smooth, ["a"]), _LINE, Stored),
    "dense": (_problem(_rough, ["a"]), _LINE, Stored),
    "charge first": (_problem(_charged, ["c", "a"]), _PLANE, Charged),
    "charge last": (_problem(_charged, ["a", "c"]), _PLANE, Charged),
    "two outputs": (_problem(_vector, ["a"], np.stack([_X, _X**2], 1)), _LINE, Stored),
    "small budget": (_problem(_rough, ["a"], budget=1000), _LINE, Recomputed),
    "charges, small budget": (_problem(_charged, ["c", "a"], budget=300), _PLANE, Charged),
}


@pytest.mark.first(1)
@pytest.mark.parametrize("name", list(CASES))
def test_mixes_like_the_problem(name: str) -> None:
    problem, grid, kind = CASES[name]
    table = unit_table(problem, grid)
    assert isinstance(table, kind)
    rng = np.random.default_rng(0)
    masses = rng.random(grid.shape)
    masses /= masses.sum()
    nodes = problem.data.nodes
    assert nodes is not None
    expected = problem.predict(GridDensity(grid, masses), nodes.x)
    # The sum of 600 terms of one size, each right to 1e-14.
    np.testing.assert_allclose(table.mix(problem, jnp.asarray(masses)), expected, rtol=0, atol=2e-14)
    slopes = jnp.asarray(rng.normal(size=nodes.y.shape))
    pulled = table.pull(problem, slopes)
    assert pulled.shape == grid.shape
    back = float(jnp.sum(slopes * table.mix(problem, jnp.asarray(masses))))
    # Transposes of each other: the potential is the gradient of the energy, whatever was compressed.
    assert float(jnp.sum(masses * pulled)) == pytest.approx(back, abs=1e-13)
    potential = problem.potential(GridDensity(grid, masses))
    at = jnp.asarray(nodes.weights.reshape(-1, *[1] * (nodes.y.ndim - 1)) * (expected - nodes.y))
    np.testing.assert_allclose(
        table.pull(problem, at), potential(grid.points).reshape(grid.shape), rtol=1e-12, atol=1e-13
    )


def test_a_smooth_unit_is_compressed_and_a_rough_one_is_not() -> None:
    smooth, rough = (unit_table(*CASES[name][:2]) for name in ("compressed", "dense"))
    assert isinstance(smooth, Stored)
    assert isinstance(rough, Stored)
    assert smooth.left.shape[0] < 40
    assert rough.right is None
    assert rough.left.shape == (80, 200)


def test_rows_a_sample_does_not_show_are_found() -> None:
    # One cell in 200 sees a wave that no other has.
    def odd(theta: Any, x: Any) -> Any:
        return jnp.tanh(theta.a * x[0]) + jnp.where(jnp.abs(theta.a - 1.2) < 0.01, jnp.sin(40.0 * x[0]), 0.0)

    problem = _problem(odd, ["a"])
    table = unit_table(problem, _LINE)
    assert isinstance(table, Stored)
    assert table.right is not None
    nodes = problem.data.nodes
    assert nodes is not None
    cell = int(jnp.argmin(jnp.abs(_LINE.centres[0] - 1.2)))
    masses = jnp.zeros(200).at[cell].set(1.0)
    expected = problem.predict(GridDensity(_LINE, masses), nodes.x)
    assert float(jnp.max(jnp.abs(expected - jnp.tanh(_LINE.centres[0][cell] * nodes.x[:, 0])))) > 0.9
    np.testing.assert_allclose(table.mix(problem, masses), expected, atol=1e-13)


def test_sizes_are_the_largest_entries() -> None:
    problem, grid, _ = CASES["charge first"]
    sizes = unit_table(problem, grid).sizes()
    c, a = np.meshgrid(*(np.asarray(middle) for middle in grid.centres), indexing="ij")
    np.testing.assert_allclose(sizes, np.abs(c[..., None] * np.tanh(a[..., None] * _X + 0.2)).max(axis=-1))


def test_a_unit_that_is_not_finite_is_named() -> None:
    problem = _problem(lambda theta, x: 1.0 / (theta.a - theta.a * (theta.a < 0)) + x[0], ["a"])
    with pytest.raises(ValueError, match=r"not finite at the cell centre \[-[01]\."):
        unit_table(problem, _LINE)
