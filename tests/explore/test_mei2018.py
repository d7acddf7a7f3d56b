"""The page of two Gaussian classes against the library's own reduced problem and its limits."""

import jax.numpy as jnp
import numpy as np
import pytest

from widelimit import Particles, Quantiles, evolve, laws, observables, problems, units
from widelimit.explore import page_named
from widelimit.explore.systems import _two_classes as page


@pytest.mark.parametrize(("sigma", "dim"), [("ramp", 20), ("nonmonotone", 20), ("ramp", 320)])
def test_the_table_is_the_averaged_neuron(sigma, dim):
    unit = units.SphericalNeuron(page.SIGMAS[sigma][0], (float(dim),))
    tabled = page.Averaged(*(jnp.asarray(part) for part in page.table(sigma, dim)))
    problem = page._small()
    r = jnp.asarray([0.0, 0.05, 0.3, 0.9, 1.4, 3.0, 9.0])
    theta, _ = problem.unpack(Particles(r[:, None], blocks=problem.blocks))
    one = [tabled(type(theta)(value), jnp.asarray([0.8])) for value in r]
    exact = [unit.mean(jnp.asarray([0.8 * value]), jnp.zeros(())) for value in r]
    np.testing.assert_allclose(np.asarray(one), exact, atol=3e-6)


def test_the_risk_is_that_of_the_reduced_problem():
    delta, dim = 0.6, 30
    small = page.reduced(delta, page.table("ramp", dim), page.lengths(dim))
    exact = problems.isotropic_gaussians(delta, dim).reduced()
    rows = np.linspace(0.2, 4.0, 7)[:, None]
    ours, theirs = (float(p.risk(Particles(rows, blocks=p.blocks))) for p in (small, exact))
    assert ours == pytest.approx(theirs, rel=1e-5)


def test_networks_run_in_the_smallest_arrays_that_hold_them():
    sizes = [int(page._by_size(jnp.asarray(dim), jnp.asarray)) for dim in (10.0, 40.0, 80.0, 320.0)]
    assert sizes == [40, 40, 320, 320]
    assert page_named("mei2018/fig1").sliders[1].values[-1] == page.DIMS[-1]


@pytest.mark.slow
def test_the_limit_is_that_of_quantiles_and_the_network_is_near_it():
    """The flow of 128 middle quantiles; its own error is what their number leaves, of a few per cent late."""
    fig1 = page_named("mei2018/fig1")
    found = fig1.compute({**fig1.start, "width": 100.0, "step": 0.5}, 1)
    small = problems.isotropic_gaussians(0.8, 40).reduced()
    start = laws.Chi(40, 0.8 / 40**0.5)
    times = found["t"][[8, 16, 24, 32]]
    run = evolve(small, start, Quantiles(1e-6), t1=10.0, save_at=times, observe=(observables.Risk(),), progress=False)
    np.testing.assert_allclose(found["limit risk"][[8, 16, 24, 32]], run.risk[1:], rtol=0.03)
    assert found["reached"] == len(found["t"])
    # E R_N = R + O(1/N) with a factor of several.
    assert np.max(np.abs(found["risk"] - found["limit risk"])) < 0.15
