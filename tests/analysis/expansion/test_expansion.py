"""The two ways to expand grad psi and f, tables of the unit and automatic differentiation, are one."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis.expansion import _autodiff, _expansion, _tables
from widelimit.analysis.expansion._jets import Directions, Jet
from widelimit.analysis.expansion._start import setting_of

RNG = np.random.default_rng(8)
UNIT = wl.units.Neuron(wl.activations.tanh)


@pytest.mark.first(1)
@pytest.mark.parametrize(("shape", "noisy"), [((2, 3), True), ((4, 1), False)], ids=["sums, batches", "draws"])
def test_tables_and_automatic_differentiation(shape, noisy):
    data = wl.data.Samples(RNG.normal(size=(5, 2)), np.sign(RNG.normal(size=(5, 2))), RNG.dirichlet(np.ones(5)))
    start = wl.Particles(RNG.normal(size=(4, 5)), RNG.dirichlet(np.ones(4)))
    parts = dict(unit=UNIT, data=data, loss=wl.losses.logistic(), scale=wl.scales.Power(1.0, 0.7))
    # Budgets that cut the data into pieces, the last one filled up.
    (setting, rows), (cut, _) = (setting_of(wl.Problem(**parts, budget=size), start, "test") for size in (2500, 300))
    normal = [jnp.asarray(RNG.normal(size=size)) for size in ((*shape, 4), shape, (*shape, 4, 5), (shape[0], 4, 5))]
    directions, jet = Directions(normal[0], normal[1]), Jet(rows, normal[2], normal[3])
    relative = jnp.asarray(RNG.normal(size=(5, *shape) if noisy else (5, 0, 0)))
    assert 1 < _tables.piece_of(setting, directions) < 5
    assert 1 < _autodiff.piece_of(cut, directions) < 5

    @eqx.filter_jit
    def both(setting, cut, directions, jet, relative, x):
        table = _tables.outputs(setting, directions, jet, _tables.make(setting, jet.value, x))
        return (table, _tables.gradient(setting, directions, jet, relative)), (
            _autodiff.outputs(cut, directions, jet, x),
            _autodiff.gradient(cut, directions, jet, relative),
        )

    tabled, differentiated = both(setting, cut, directions, jet, relative, data.x)
    for one, other in zip(jax.tree.leaves(tabled), jax.tree.leaves(differentiated), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)


def test_a_unit_of_many_parameters_needs_no_tables():
    """40 inputs: tables of second derivatives would have 1681 numbers a pair. f falls as the flow of it, by hand at 0.

    At the start the variance is that of the unit over the atoms, at each sample.
    """
    unit = wl.units.Neuron(wl.activations.tanh, bias=False)
    x, rows, p = RNG.normal(size=(6, 40)), RNG.normal(size=(3, 41)) / 5.0, np.array([0.5, 0.3, 0.2])
    problem = wl.Problem(unit, wl.data.Samples(x, RNG.normal(size=6)))
    setting, _ = setting_of(problem, wl.Particles(rows, p), "test")
    assert not _expansion._tabled(setting)
    found = wl.analysis.fluctuations(problem, wl.Particles(rows, p), t1=1e-3, save_at=[0.0, 1e-3])
    phi = rows[:, :1] * np.tanh(rows[:, 1:] @ x.T)
    variance = np.mean(p @ phi**2 - (p @ phi) ** 2)
    assert found.prediction_variance[0] == pytest.approx(variance, rel=1e-12)
    assert found.excess_risk[0] == pytest.approx(0.5 * variance, rel=1e-12)
    assert found.prediction_variance[1] == pytest.approx(variance, rel=1e-2)
    assert found.prediction_variance[1] != found.prediction_variance[0]
