"""Energy balance and stationarity against cases solved by hand."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl


def smooth_problem(**more):
    x = np.random.default_rng(0).normal(size=(30, 3))
    return wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])), **more)


START = wl.Particles(np.random.default_rng(1).normal(size=(40, 5)))


@pytest.mark.slow
def test_a_flow_balances_its_energy_to_its_tolerance():
    loose, tight = (
        wl.analysis.dissipation(
            wl.evolve(smooth_problem(), START, wl.GradientFlow(wl.integrators.Tsit5(rtol, rtol / 100)), t1=5.0)
        ).defect
        for rtol in (1e-4, 1e-8)
    )
    assert tight < 1e-7
    assert tight < loose < 1e-3


def test_a_wrong_velocity_shows_in_the_balance():
    """An energy that is off by a tenth is a defect of a tenth."""
    run = wl.evolve(smooth_problem(), START, wl.GradientFlow(), t1=2.0)
    spoiled = run.observables | {"dissipated": 1.1 * run.dissipated}
    import dataclasses

    assert wl.analysis.dissipation(dataclasses.replace(run, observables=spoiled)).defect == pytest.approx(0.1, rel=0.01)


@pytest.mark.first(1)
@pytest.mark.parametrize(
    "more",
    [
        {"penalty": wl.penalties.l2(0.01)},
        {"mobility": wl.mobilities.Diagonal(output=3.0, weight=0.5)},
        {"domain": wl.domains.product(output=wl.domains.Box(-0.5, 0.5))},
    ],
)
def test_balance_with_penalty_mobility_and_walls(more):
    problem = smooth_problem(**more)
    inside = wl.Particles(START.positions.at[:, 0].multiply(0.1))
    defect = wl.analysis.dissipation(wl.evolve(problem, inside, wl.GradientFlow(), t1=5.0)).defect
    # A wall is met inside a step: first order there.
    assert defect < (1e-3 if "domain" in more else 1e-5)


def test_balance_with_proximal_steps():
    problem = smooth_problem(penalty=wl.penalties.total_variation(0.05, "output"))
    run = wl.evolve(problem, START, wl.GradientFlow(wl.integrators.ProximalHeun(1e-5, 1e-7)), t1=5.0)
    assert bool(jnp.any(run.final.positions[:, 0] == 0.0))
    assert wl.analysis.dissipation(run).defect < 1e-3


def test_small_steps_of_descent_balance_by_the_trapezoidal_sum():
    run = wl.evolve(
        smooth_problem(),
        START,
        wl.SGD(step=1e-3, sampling=wl.sampling.Full()),
        t1=2.0,
        save_at=np.linspace(0, 2, 201),
    )
    check = wl.analysis.dissipation(run)
    assert "trapezoidal" in check.method
    # Euler's O(step) = 1e-3 and the trapezoid's O(spacing^2).
    assert check.defect < 5e-3


def test_dissipation_needs_observations():
    run = wl.evolve(
        smooth_problem(),
        START,
        wl.SGD(step=0.1),
        t1=1.0,
        key=jax.random.key(0),
        observe=[wl.observables.Risk()],
    )
    with pytest.raises(ValueError, match="Dissipation"):
        wl.analysis.dissipation(run)


def linear_problem(**more):
    """f = mean of theta, y = 1, one point: psi = (f - 1) theta."""
    unit = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"])
    return wl.Problem(unit, wl.data.Samples([1.0], [1.0]), **more)


def test_stationarity_by_hand():
    found = wl.analysis.stationarity(linear_problem(), wl.Particles([[3.0], [0.0]]))
    # f = 1.5, grad psi = 0.5 for both.
    np.testing.assert_allclose(found.norms, 0.5)
    assert found.rms == pytest.approx(0.5)
    assert wl.analysis.stationarity(linear_problem(), wl.Particles([[2.0], [0.0]])).largest == 0.0


def test_stationarity_at_a_wall_counts_what_can_move():
    problem = linear_problem(domain=wl.domains.Box(0.0, 0.5))
    # f = 0.25: both want to grow by 0.75; the one at the upper wall cannot.
    found = wl.analysis.stationarity(problem, wl.Particles([[0.5], [0.0]]))
    np.testing.assert_allclose(found.norms, [0.0, 0.75])


def test_stationarity_of_a_charge_at_rest_under_total_variation():
    unit = wl.units.Function(lambda theta, x: theta.a * x[0], columns=["a"], linear="a")
    for strength, expected in ((2.0, 0.0), (0.25, 0.75)):
        problem = wl.Problem(unit, wl.data.Samples([1.0], [1.0]), penalty=wl.penalties.total_variation(strength, "a"))
        # At 0 the pull is 1: held by a threshold of 2, moved at 1 - 0.25 by one of a quarter.
        found = wl.analysis.stationarity(problem, wl.Particles([[0.0]]))
        np.testing.assert_allclose(found.norms, [expected], atol=1e-9)


def test_particles_without_weight_do_not_count_in_the_largest():
    found = wl.analysis.stationarity(linear_problem(), wl.Particles([[1.0], [5.0]], [1.0, 0.0]))
    assert found.largest == 0.0


def test_parts_from_some_of_many_data_points_have_the_size_of_those_from_all(monkeypatch):
    """Where particles times data are too many, sizes are estimated on every so-manieth point, of the same mass."""
    x = np.random.default_rng(2).normal(size=(400, 3))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])))
    whole = wl.analysis.stationarity(problem, START)
    monkeypatch.setattr(sys.modules["widelimit.analysis.run._stationarity"], "_MOST", 400 * 200 // 4)
    some = wl.analysis.stationarity(problem, START)
    np.testing.assert_array_equal(some.norms, whole.norms)
    # A hundred of four hundred draws: sizes to some percent. Without their mass they would be a quarter.
    np.testing.assert_allclose(some.conditions, whole.conditions, rtol=0.25)
    assert np.any(some.conditions != whole.conditions)
