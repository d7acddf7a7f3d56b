"""Particles at walls against motions in closed form: they hit a wall, slide along it or rest on it, and leave."""

import jax.numpy as jnp
import numpy as np
import pytest

import widelimit as wl
from widelimit import domains

ENERGY = wl.losses.Loss(lambda f, y: f)
WAY = np.array([0.6, 0.8])
SLOPE = wl.Problem(
    wl.units.Function(lambda theta, x: -jnp.dot(theta.z, x), columns={"z": (2,)}),
    wl.data.Samples(WAY[None], np.zeros(1)),
    ENERGY,
    domain=domains.Ball(2.0, [1.0, -1.0]),
)


def sliding(start, t):
    """z' = WAY in the ball |z| <= 2: straight to the wall, then tan(a/2) falls as exp(-t/2), a the angle from WAY."""
    along = start @ WAY
    hit = -along + np.sqrt(along**2 - start @ start + 4.0)
    if t <= hit:
        return start + t * WAY, hit
    end, turn = start + hit * WAY, np.arctan2(WAY[1], WAY[0])
    angle = np.arctan2(end[1], end[0]) - turn
    angle = turn + 2.0 * np.arctan(np.tan(angle / 2.0) * np.exp(-(t - hit) / 2.0))
    return 2.0 * np.array([np.cos(angle), np.sin(angle)]), hit


def slid(starts, integrator, save_at=None):
    centre = np.array([1.0, -1.0])
    run = wl.evolve(SLOPE, wl.Particles(starts + centre), wl.GradientFlow(integrator), t1=3.0, save_at=save_at)
    return run, [np.asarray(run[i].positions) - centre for i in range(len(run))]


STARTS = np.array([[0.1, 0.0], [1.5, -0.5], [-1.9, 0.1], [2.0, 0.0], [-0.5, -1.5]])


def test_particles_slide_along_a_ball():
    save = np.linspace(0.0, 3.0, 10)
    run, places = slid(STARTS, wl.integrators.Tsit5(1e-9, 1e-11), save[1:-1])
    exact = [[sliding(start, t) for start in STARTS] for t in save]
    hits = np.array([hit for _, hit in exact[0]])
    for t, found, wanted, mass in zip(save, places, exact, run.wall_mass, strict=True):
        np.testing.assert_allclose(found, [place for place, _ in wanted], atol=1e-8)
        there = hits <= t
        # On the wall, not just beside it, at the times that are saved within a step as well.
        np.testing.assert_allclose(np.linalg.norm(found[there], axis=1), 2.0, rtol=1e-14)
        assert mass == pytest.approx(np.mean(there))
    # The energy is linear, so what is dissipated is known where the particles are.
    np.testing.assert_allclose(run.dissipated, run.risk[0] - run.risk, atol=1e-8)
    # Along the wall the flow is smooth: no step is lost there. Some forty go to each hit.
    assert run.steps < 400


def test_the_order_along_a_ball():
    """The method's own: a stage inside, where nothing would be projected, makes it 1."""
    errors = []
    for step in (0.5, 0.25, 0.125):
        _, places = slid(STARTS[3:4], wl.integrators.RungeKutta4(step))
        errors.append(np.abs(places[-1][0] - sliding(STARTS[3], 3.0)[0]).max())
    assert np.log2(errors[0] / errors[2]) / 2.0 == pytest.approx(4.0, abs=0.3)


def test_gradient_descent_is_put_back_on_the_ball():
    errors = []
    for step in (0.02, 0.01):
        descent = wl.SGD(step, sampling=wl.sampling.Full())
        run = wl.evolve(SLOPE, wl.Particles(STARTS + np.array([1.0, -1.0])), descent, t1=3.0)
        found = np.asarray(run.final.positions) - np.array([1.0, -1.0])
        # The fifth particle is on its way until t = 3.44.
        assert float(run.wall_mass[-1]) == pytest.approx(0.8)
        errors.append(np.abs(found - [sliding(start, 3.0)[0] for start in STARTS]).max())
    assert errors[1] < 0.01
    assert errors[0] / errors[1] == pytest.approx(2.0, abs=0.4)


# V = (2 - z_1) s. From z = 0, s = 1.8: z_1' = s, s' = z_1 - 2, so that z_1 = 2 - 2 cosh t + 1.8 sinh t, until z_1 = 1.
# On the wall s' = -1, and as soon as s < 0 the particle leaves: z_1 = 2 - cosh(t - t_leave).
HIT = float(np.log((1.0 - np.sqrt(1.0 - 0.76)) / 0.2))
LEAVE = HIT + 1.8 * float(np.cosh(HIT)) - 2.0 * float(np.sinh(HIT))


def drive(theta, x):
    return (2.0 - theta.z[0]) * theta.s


@pytest.mark.first(1)
@pytest.mark.parametrize("wall", [domains.Box(-1.0, 1.0), domains.Ball(1.0)], ids=["box", "ball"])
@pytest.mark.parametrize("integrator", [wl.integrators.Tsit5(1e-9, 1e-11), wl.integrators.RungeKutta4(1e-3)])
def test_a_wall_is_hit_held_and_left(wall, integrator):
    unit = wl.units.Function(drive, columns={"z": (2,), "s": ()})
    problem = wl.Problem(unit, wl.data.Samples(np.ones((1, 1)), np.zeros(1)), ENERGY, domain=domains.product(z=wall))
    assert 0.5 < HIT < LEAVE < 2.0
    save = [0.5 * HIT, 0.5 * (HIT + LEAVE), LEAVE + 0.3]
    run = wl.evolve(problem, wl.Particles([[0.0, 0.0, 1.8]]), wl.GradientFlow(integrator), t1=LEAVE + 0.6, save_at=save)
    t, end = save[0], 0.6
    wanted = [
        [0.0, 1.8],
        [2.0 - 2.0 * np.cosh(t) + 1.8 * np.sinh(t), 1.8 * np.cosh(t) - 2.0 * np.sinh(t)],
        [1.0, LEAVE - save[1]],
        [2.0 - np.cosh(0.3), -np.sinh(0.3)],
        [2.0 - np.cosh(end), -np.sinh(end)],
    ]
    found = np.stack([np.asarray(run[i].positions)[0] for i in range(5)])
    # A fixed step of h has the wall wrong by up to h v for up to a step: s by h.
    np.testing.assert_allclose(found[:, [0, 2]], wanted, atol=1e-8 if integrator.fixed is None else 2e-3)
    np.testing.assert_array_equal(found[:, 1], 0.0)
    assert found[2, 0] == pytest.approx(1.0, abs=1e-15)
    np.testing.assert_array_equal(run.wall_mass, [0.0, 0.0, 1.0, 0.0, 0.0])


def test_a_charged_unit_in_a_ball_descends_by_proximal_steps():
    """A penalty on the charges, a ball for the weights: the objective falls by what is dissipated, nothing leaves."""
    x = np.random.default_rng(0).normal(size=(6, 2))
    problem = wl.Problem(
        wl.units.Neuron(wl.activations.tanh, bias=False),
        wl.data.Samples(x, 3.0 * np.tanh(2.0 * x @ WAY)),
        penalty=wl.penalties.total_variation(0.01, "output"),
        domain=domains.product(weight=domains.Ball(0.7)),
    )
    start = wl.laws.Uniform(-0.4, 0.4, dim=3).quantise(8)
    flow = wl.GradientFlow(wl.integrators.ProximalHeun(1e-6, 1e-8))
    run = wl.evolve(problem, start, flow, t1=20.0, save_at=[5.0, 10.0])
    lengths = np.linalg.norm(np.asarray(run.final.positions[:, 1:]), axis=1)
    assert np.all(lengths <= 0.7 + 1e-14)
    assert run.wall_mass[-1] == 1.0
    objective = run.risk + run.penalty
    np.testing.assert_allclose(run.dissipated, objective[0] - objective, rtol=1e-4)
