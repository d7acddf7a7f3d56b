"""The measured studies of mei2018: their tools against independent computations, and that every claim can fail."""

import math
from typing import Any

import jax
import numpy as np
import paper_claims
import pytest

MODULES = (
    "_fig1",
    "_fig2",
    "_fig3",
    "_fig4",
    "_limit",
    "_noise",
    "_noisy_sgd",
    "_optimum",
    "_stability",
    "_theorems",
    "_width",
)
QUICK = ("atom-fixed-point", "risk-from-potentials")

PAPER = paper_claims.Folder("mei2018", MODULES)
module, claims, holds, is_refused = PAPER.module, PAPER.claims, PAPER.holds, PAPER.is_refused

test_claims = PAPER.checks(QUICK)


def test_the_paper_has_them_all():
    from widelimit.papers import named

    known = {claim.id for claim in named("mei2018").claims}
    assert set(claims()) <= known


def test_many_seeds_are_the_runs_of_evolve():
    import widelimit as wl
    from widelimit.papers._kit._runs import seeds

    examples = module("runs._examples")
    problem, law, dynamics = examples.neurons(0.05), wl.laws.Normal(-1.0, 0.5), wl.SGD(0.01, temperature=0.1)
    starts = [law.sample(7, key=jax.random.key(j)) for j in range(3)]
    rows, risks = seeds(problem, starts, dynamics, t1=0.2, saves=4, first=50)
    assert rows.shape == (3, 5, 7, 1)
    run = wl.evolve(problem, starts[2], dynamics, t1=0.2, save_at=[0.05, 0.1, 0.15], key=jax.random.key(52))
    # Vectorised sums may round differently.
    np.testing.assert_allclose(rows[2], run.positions, rtol=1e-13, atol=1e-14)
    assert not np.allclose(rows[0, -1], rows[1, -1])
    risk = float(problem.risk(wl.Particles(rows[2, 3])))
    np.testing.assert_allclose(risks[2, 3], risk, rtol=1e-13)


def test_potentials_of_the_examples_are_those_of_the_library():
    import widelimit as wl

    examples = module("runs._examples")
    theta = np.array([-3.0, 0.2, 1.7])
    masses = np.array([0.2, 0.5, 0.3])
    problem = examples.neurons(0.3)
    rho = wl.Particles(theta[:, None], masses)
    constant, v, u = examples.gauss_tables(theta)
    np.testing.assert_allclose(float(problem.risk(rho)), constant + 2 * masses @ v + masses @ u @ masses, rtol=1e-13)
    psi = problem.potential(rho)
    twice = 2.0 * module("claims._noise")._big_psi(theta, masses, 0.3)
    np.testing.assert_allclose(np.asarray(psi(theta[:, None])), twice, rtol=1e-12)
    slope, mixed = examples.gauss_slopes(theta)
    gradient = np.asarray(examples.neurons(0.0).potential(rho).gradient(theta[:, None]))[:, 0]
    np.testing.assert_allclose(gradient, 2.0 * (slope + mixed @ masses), rtol=1e-12)


def test_narrow_bumps_can_be_matched():
    """The target is the mean of all bumps: by many equally spaced ones it is met to the midpoint rule's error."""
    import widelimit as wl

    problem = module("runs._examples").narrow_bumps()
    assert float(problem.risk(wl.Particles((np.arange(400)[:, None] + 0.5) / 400))) < 1e-9
    assert float(problem.risk(wl.Particles(np.full((400, 1), 0.5)))) > 1e-3


def test_half_free_energy_against_the_library():
    import widelimit as wl
    from widelimit import analysis

    examples, noise = module("runs._examples"), module("claims._noise")
    grid = wl.measure.grids.uniform(-3.0, 3.0, 60)
    theta = np.asarray(grid.points[:, 0])
    masses = np.exp(-(theta**2))
    density = wl.GridDensity(grid, masses / masses.sum())
    whole = float(analysis.free_energy(examples.neurons(0.2), density, 0.4))
    np.testing.assert_allclose(whole, 2.0 * noise.half_free_energy(theta, masses / masses.sum(), 0.2, 5.0), rtol=1e-13)


def test_tools():
    from widelimit.papers._kit import _shares as tools

    x = np.array([1.0, 2.0, 5.0])
    assert tools.log_slope(x, 3.0 * x**-0.7) == pytest.approx(-0.7, abs=1e-12)
    assert tools.share_allowed((0.5, 1.0), (0.02, 0.01)) == 2.0
    for nan in (math.nan, [0.0, math.nan]):
        for compare in (
            tools.largest,
            tools.outside,
            lambda x: tools.apart(x, 0.0),
            lambda x: tools.share_allowed((x, 1.0)),
        ):
            with pytest.raises(ValueError, match="NaN"):
                compare(nan)
    assert tools.largest(0.1, np.array([0.3, 0.2])) == 0.3
    assert tools.apart([1.0, 2.0], [1.5, 2.25]) == 0.5
    assert tools.apart_relative([1.0, 2.0], [2.0, 2.5]) == 0.5
    assert tools.outside([0.4, 0.6], 0.5, 1.0) == pytest.approx(0.1)
    assert tools.outside([0.6, 1.25], 0.5, 1.0) == pytest.approx(0.25)
    assert tools.outside(0.7, 0.5, 1.0) == tools.outside(0.7, low=0.5) == tools.outside(0.7, high=0.7) == 0.0
    np.testing.assert_allclose(tools.in_errors(np.array([[1.0], [2.0], [3.0]]), [5.0]), 3.0 * 3.0**0.5)
    assert tools.table("t", [0.5, math.inf], {"a": [1, 2]}) == {"a, t = 0.5": 1, "a, t = ∞": 2}
    times, risk = np.array([0.0, 1.0, 2.0]), np.array([1.0, 0.5, 0.1])
    assert tools.crossing(times, risk, 0.3) == pytest.approx(1.5)
    assert tools.crossing(times, risk, 2.0) == 0.0
    with pytest.raises(ValueError, match=r"never down to 0\.01: at t = 2 still 0\.1"):
        tools.crossing(times, risk, 0.01)


def test_infinite_risk_by_another_quadrature():
    from scipy import integrate, stats

    from widelimit.theory import mei2018 as theory

    model = theory.Isotropic(0.8, math.inf)
    law: Any = stats.chi(40, scale=0.8 / 40**0.5)

    def mean(function):
        return integrate.quad(lambda r: law.pdf(r) * float(function(r)), 0.2, 1.6, epsabs=1e-10)[0]

    means = [mean(lambda r, tau=tau: model.sigma.q(tau * r)) for tau in model.tau]
    expected = 1.0 + 2.0 * mean(model.v) + 0.5 * sum(m**2 for m in means)
    # 400 midpoints: second order, a little less in the tails.
    found = module("claims._theorems")._good(0.8, 0.8)
    assert (float(found["risk"]), found["closed"]) == pytest.approx((expected, expected), abs=1e-4)


class TestFailing:
    """Each claim on numbers that contradict it."""

    def test_noise(self):
        good = {"corrected": 0.9 + 0.01 * np.arange(8), "printed": 0.45 + 0.01 * np.arange(8), "gibbs": 0.935}
        assert holds("noise-scale", _spreads=good)
        assert not holds("noise-scale", _spreads=good | {"gibbs": 1.0})
        assert not holds("noise-scale", _spreads=good | {"printed": good["corrected"]})
        assert holds("free-energy-decrease", _falls={"fall": np.ones(4), "spent": np.ones(4)})
        assert not holds("free-energy-decrease", _falls={"fall": np.ones(4), "spent": 0.5 * np.ones(4)})
        assert is_refused("free-energy-decrease", _falls={"fall": np.ones(4), "spent": [1.0, 1.0, 1.0, math.nan]})
        exact = {"above": [1.0, 2.0], "bound": [1.5, 2.1], "spare": [0.5, 0.1]}
        assert holds("free-energy-certificate", _certificates=exact)
        assert not holds("free-energy-certificate", _certificates=exact | {"bound": [0.9, 2.1]})
        assert not holds("free-energy-certificate", _certificates=exact | {"spare": [0.5, 0.2]})

    def test_fixed_point_of_the_noise(self):
        data = {
            "image": 1e-13,
            "rest": 1e-12,
            "times": [0.0, 20.0, 200.0],
            "energy": 1.0,
            "runs": {"distances": [[0.5, 0.1, 1e-9]] * 3, "energy": [1.0 + 1e-12, 1.0, 1.0]},
        }
        far = data | {"runs": data["runs"] | {"distances": [[0.5, 0.1, 1e-3]] * 3}}
        for id in ("gibbs-fixed-point", "diffusion-converges"):
            assert holds(id, _fixed_points=data)
            assert not holds(id, _fixed_points=far)
        assert not holds("gibbs-fixed-point", _fixed_points=data | {"image": 1e-3})
        assert not holds("gibbs-fixed-point", _fixed_points=data | {"rest": 1e-3})
        assert not holds("diffusion-converges", _fixed_points=data | {"energy": 1.1})

    def test_temperature(self):
        def gaps(power):
            return lambda temperatures, dim, **_: {"gap": dim * 0.5 * np.array(temperatures) ** power}

        flat = {"risk": [0.041, 0.0405, 0.0404]}
        assert holds("temperature-gap", _gaps=gaps(1.0), _printed_gaps=flat)
        assert not holds("temperature-gap", _gaps=gaps(0.5), _printed_gaps=flat)
        # Were the print right, R would fall with T, and there would be no misprint to correct.
        assert not holds("temperature-gap", _gaps=gaps(1.0), _printed_gaps={"risk": [0.01, 0.001, 0.0001]})

    def test_noisy_runs(self):
        rows = 0.5 + 0.01 * np.arange(16)[:, None] + np.zeros((16, 20))
        limit = np.mean(rows, axis=0)
        data = {"sgd": {"risk": rows, "sine": rows}, "limit": {"risk": limit, "sine": limit}}
        assert holds("noisy-sgd-limit", _with_noise=data)
        assert not holds("noisy-sgd-limit", _with_noise=data | {"limit": {"risk": limit, "sine": limit + 0.06}})
        data = {"least": 0.04, "first": np.full((4, 3), 80.0), "worst": np.full(4, 0.02), "noiseless": 0.11}
        assert holds("noisy-sgd-optimum", _escape=data)
        assert not holds("noisy-sgd-optimum", _escape=data | {"worst": [0.02, 0.02, 0.07, 0.02]})
        assert not holds("noisy-sgd-optimum", _escape=data | {"first": np.full((4, 3), math.inf)})
        assert not holds("noisy-sgd-optimum", _escape=data | {"noiseless": 0.02})
        slower = np.array([[40.0], [80.0], [120.0], [149.0]])
        assert not holds("noisy-sgd-optimum", _escape=data | {"first": slower})

    def test_stability(self):
        rates = {"measured": [3.0, 0.3], "formula": [3.0, 0.3], "library": [3.0, 0.3]}
        plane = {name: [1.0] * 4 for name in rates}
        assert holds("atom-rates", _sphere_rates=rates, _plane_rates=plane)
        assert not holds("atom-rates", _sphere_rates=rates | {"measured": [3.0, 0.15]}, _plane_rates=plane)
        assert not holds("atom-rates", _sphere_rates=rates | {"library": [3.0, 0.15]}, _plane_rates=plane)
        times = np.array([0.0, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e4, 1e5])
        power = {"times": times, "moment": 0.04 * (1.0 + times) ** -0.3}
        assert holds("atom-contraction", _second_moments=power)
        assert not holds("atom-contraction", _second_moments={"times": times, "moment": 0.04 * np.ones(11)})
        exponential = {"times": times, "moment": 0.04 * np.exp(-0.3 * np.minimum(times, 1e3))}
        assert holds("atom-contraction", _second_moments=exponential)
        atom = {"velocity": [1.0], "force": [0.5], "fixed": 0.7, "force_there": 0.0, "moved": 0.0}
        assert holds("atom-fixed-point", _single_atoms=atom)
        assert not holds("atom-fixed-point", _single_atoms=atom | {"velocity": [0.5]})
        assert not holds("atom-fixed-point", _single_atoms=atom | {"moved": 1e-3})
        falls = {"risk": [[2.0, 1.0, 0.5]] * 3, "moves": [[1.0, 1.0]], "fixed": [0.0, 0.0]}
        assert holds("risk-falls", _descents=falls)
        assert not holds("risk-falls", _descents=falls | {"risk": [[2.0, 1.0, 1.1]] * 3})
        assert not holds("risk-falls", _descents=falls | {"moves": [[1.0, 2.0]]})

    def test_plateau(self):
        times = np.concatenate([np.arange(0.0, 21.0, 2.0), [60.0, 120.0, 160.0, 200.0]])
        data = {
            "r": 2.0,
            "force": 0.0,
            "curvature": -0.02,
            "library": -0.04,
            "stable": False,
            "times": times,
            "variance": 1e-6 * np.exp(0.08 * times),
            "distance": np.linspace(1e-3, 1.0, len(times)),
            "risk": np.ones(len(times)),
        }
        assert holds("unstable-plateau", _plateau=data)
        assert not holds("unstable-plateau", _plateau=data | {"variance": 1e-6 * np.exp(0.04 * times)})
        assert not holds("unstable-plateau", _plateau=data | {"distance": np.full(len(times), 1e-3)})
        assert not holds("unstable-plateau", _plateau=data | {"stable": True})
        assert not holds("unstable-plateau", _plateau=data | {"force": 1e-3})

    def test_limit(self):
        times = 4.0 * np.arange(51) / 50
        limit = {"risk": np.exp(-times), "sine": np.cos(times)}

        def runs(power, shift=0.0):
            """32 runs whose distance from the limit is the width or the step to a power."""

            def compute(runs, width, step, **_):
                size = (width if width != 800 else 1.0 / step) ** -power
                sign = np.where(np.arange(runs) % 2 == 0, 1.0, -1.0)[:, None] * np.minimum(times, 1.0)
                return {
                    "risk": limit["risk"] + 0.1 * size * sign + shift,
                    "sine": limit["sine"] + 0.1 * size * sign,
                    "own": np.full(51, 0.01),
                }

            return compute

        names = {"limit-rate-width": "_random_starts", "limit-rate-step": "_even_starts"}
        for id, name in names.items():
            for power, fits in ((0.5, True), (1.0, True), (0.2, False), (1.5, False), (0.0, False)):
                assert holds(id, _limit=limit, **{name: runs(power)}) is fits, (id, power)
        assert holds("propagation-of-chaos", _limit=limit, _random_starts=runs(0.5))
        assert not holds("propagation-of-chaos", _limit=limit, _random_starts=runs(0.0))
        assert holds("steps-independent-of-width", _limit=limit, _random_starts=runs(1.0))
        assert not holds("steps-independent-of-width", _limit=limit, _random_starts=runs(1.0, shift=0.05))

    def test_width(self):
        two = {"direct": [1.0, 2.0], "potentials": [1.0, 2.0]}
        assert holds("risk-from-potentials", _two_ways=two)
        assert not holds("risk-from-potentials", _two_ways=two | {"direct": [1.0, 2.0 + 1e-8]})
        assert holds("width-bound", _least_risks={"least": [0.01, 0.01, 0.005, 0.0]})
        assert not holds("width-bound", _least_risks={"least": [0.01, 0.01, 0.03, 0.0]})
        lowest = {"atoms": [0.0], "weights": [1.0], "excess": [1e-14, 0.01], "objective": [0.09, 0.1]}
        assert holds("support-minimises-potential", _support=lowest)
        assert not holds("support-minimises-potential", _support=lowest | {"excess": [1e-6, 0.01]})
        assert not holds("support-minimises-potential", _support=lowest | {"excess": [1e-14, 1e-14]})
        mean = {"mean": np.ones(4), "error": np.full(4, 0.01), "formula": np.ones(4), "library": np.ones(4)}
        assert holds("independent-neurons", _independent=mean)
        assert not holds("independent-neurons", _independent=mean | {"formula": 1.1 * np.ones(4)})
        assert holds("variational-step", _movements={"distance": [0.08, 0.04, 0.02, 0.01]})
        assert not holds("variational-step", _movements={"distance": [0.08, 0.02, 0.005, 0.00125]})
        assert not holds("variational-step", _movements={"distance": [0.58, 0.54, 0.52, 0.51]})

        taus = np.array([0.1, 0.05, 0.025, 0.0125])
        good = {"distance": 0.2 * taus, "rise": -1e-3 * taus, "ratio": 1.0 + 0.2 * taus}
        assert holds("diffusion-is-a-gradient-flow", _noisy_steps=good)
        for bad in (
            {"distance": 0.5 + 0.2 * taus},
            {"rise": 1e-6 * np.array([0.0, 0.0, 0.0, 1.0])},
            {"ratio": 2.0 + 0.2 * taus},
        ):
            assert not holds("diffusion-is-a-gradient-flow", _noisy_steps=good | bad), bad

        def times(slow, fast):
            def compute(dims, barrier, **_):
                return {"times": (slow if barrier else fast)(np.array(dims, float))}

            return compute

        def even(d):
            return 20.0 + d

        assert holds("time-in-dimension", _times=times(lambda d: 20.0 * np.exp(0.6 * d), even))
        assert not holds("time-in-dimension", _times=times(lambda d: 20.0 * d**3, even))
        assert not holds("time-in-dimension", _times=times(lambda d: 20.0 + 0.0 * d, even))
        assert not holds("time-in-dimension", _times=times(lambda d: 20.0 * np.exp(0.6 * d), lambda d: np.exp(0.6 * d)))

    def test_gaussians(self):
        def training(rate, coarse=3.0, again=0.0):
            """A curve exp(-rate(d, N) t) over its infimum, as the piece gives it."""

            def compute(dim, width, step, t1, saves, seed):
                t = np.linspace(0.0, t1, saves + 1)
                if saves == 4:
                    return {"times": t, "risk": np.full(5, coarse)}
                back = again if dim == 160 and t1 > 2.0 else 0.0
                return {"times": t, "risk": 0.02 + 0.7 * np.exp(-rate(dim, width) * t) + back * (t == t[20])}

            return compute

        flow = {"times": [0.0, 4.0], "risk": [0.7, 0.01], "gap": 0.02}

        def infima(dims):
            return {"risk": np.full(len(dims), 0.02)}

        def good(delta, kappa, dim=40, sigma="ramp"):
            return {"risk": 0.7, "closed": 0.7}

        def exact(times, **_):
            return {"risk": 0.02 + 0.7 * np.exp(-6.2 * np.array([0.0, *times]))}

        of_spheres = {"minima": {"risk": [0.02]}, "_good": good, "limit": exact}
        cases = (
            ("steps-linear-in-dimension", {"_infima": infima} | of_spheres, "_isotropic"),
            ("anisotropic-near-optimum", {"_reduced_flow": flow} | of_spheres, "_anisotropic"),
        )
        for id, others, name in cases:
            assert holds(id, **others, **{name: training(lambda dim, width: 6.0)})
            assert not holds(id, **others, **{name: training(lambda dim, width: 30.0 / dim**0.5)})
        even = training(lambda dim, width: 6.0)
        linear = dict(_infima=infima, **of_spheres)
        assert not holds("steps-linear-in-dimension", **linear, _isotropic=training(lambda d, n: 6.0, coarse=0.02))
        # The risk comes back in the window of the largest d.
        assert not holds("steps-linear-in-dimension", **linear, _isotropic=training(lambda d, n: 6.0, again=0.3))
        assert not holds("anisotropic-near-optimum", **of_spheres, _reduced_flow=flow | {"gap": 0.3}, _anisotropic=even)
        # A level of its own end would be reached from any plateau.
        late = training(lambda dim, width: 6.0 * (dim < 40))
        assert is_refused("anisotropic-near-optimum", **of_spheres, _reduced_flow=flow, _anisotropic=late)
        assert holds("error-term", **of_spheres, _isotropic=even)
        assert not holds("error-term", **of_spheres, _isotropic=training(lambda dim, width: 0.3))
        assert not holds("error-term", **of_spheres, _isotropic=training(lambda dim, width: 6.0 + dim / 40.0))
        id = "steps-independent-of-width-gaussians"
        assert holds(id, _infima=infima, _isotropic=even)
        assert not holds(id, _infima=infima, _isotropic=training(lambda dim, width: 60.0 / width**0.4))

    def test_convexity_and_mass(self):
        good = {"below": [0.01, 0.3], "kernel": [0.01, 0.3]}
        assert holds("risk-convex", _chords=good)
        assert not holds("risk-convex", _chords={"below": [-0.01, 0.3], "kernel": [-0.01, 0.3]})
        assert not holds("risk-convex", _chords=good | {"kernel": [0.01, 0.31]})
        good = {"times": [0.0, 5.0], "mass": [[0.3, 0.3]] * 2, "ends": [[-2.0, 1.0], [-1.5, 1.6]]}
        assert holds("local-mass", _masses=good)
        assert not holds("local-mass", _masses=good | {"mass": [[0.3, 0.3], [0.3, 0.299]]})
        assert not holds("local-mass", _masses=good | {"ends": [[-2.0, 1.0]] * 2})

    def test_a_part_that_repels(self):
        times = np.arange(0.0, 501.0, 50.0)
        good = {"share": 0.4, "forces": [0.0, 0.0], "curvature": -0.0015, "library": -0.003, "stable": False}
        good |= {"times": times, "variance": 1e-8 * np.exp(0.006 * times)}
        assert holds("unstable-part", _partial=good)
        for bad in (
            {"variance": 1e-8 * np.exp(0.003 * times)},
            {"share": 1.0},
            {"stable": True},
            {"forces": [0.0, 1.0]},
        ):
            assert not holds("unstable-part", _partial=good | bad), bad

    def test_directions_and_dimensions(self):
        even = {"ratios": [[0.5, 1.0], [1.3, 1.2]], "shares": [0.5, 0.7]}
        assert holds("directions-stay-uniform", _directions=even)
        assert not holds("directions-stay-uniform", _directions=even | {"ratios": [[3.0, 1.0], [1.3, 1.2]]})
        assert not holds("directions-stay-uniform", _directions=even | {"shares": [0.5, 0.5]})
        good = {"end": 0.05, "start": 0.5, "least": 0.04, "gap": 1e-12}
        assert holds("other-activations", _monotone=good)
        for bad in ({"end": 0.2}, {"start": 1.1}, {"gap": 1e-3}):
            assert not holds("other-activations", _monotone=good | bad), bad

    def test_good_starts(self):
        def good(risk, closed):
            return {"_good": {"risk": risk, "closed": closed}, "_on_the_way": {"times": [0.0, 1.0], "risk": [2.0, 0.5]}}

        assert not holds("good-starts", **good(1.5, 1.5))
        assert holds("good-starts", **good(0.9, 0.9))
        assert not holds("good-starts", **good(0.9, 0.8))

    def test_fig3(self):
        t = np.geomspace(1e-2, 300.0, 50)
        risk = 1.0 / (1.0 + (t / 10.0) ** 4)
        line = {"t": np.append(0.0, t), "risk": np.append(1.0, risk), "means": np.ones((51, 3))}

        def net(off, tail=0.05):
            def compute(end, batch=1, **_):
                early = t <= end
                risk_off = np.append(1.0, np.maximum(risk[early], tail))
                means = 1.0 + off(batch) * np.ones((len(risk_off), 3))
                return {
                    "t": line["t"][: len(risk_off)],
                    "risk": risk_off,
                    "means": means,
                    "steps": 10,
                    "error": 0.0 * risk_off,
                }

            return {"limit": line, "network": compute}

        assert holds("fig3-printed-setting", **net(lambda batch: 0.1))
        assert not holds("fig3-printed-setting", **net(lambda batch: 0.6 if batch == 1 else 0.0))
        assert holds("fig3-inset", **net(lambda batch: 0.6 if batch == 1 else 0.0))
        assert not holds("fig3-inset", **net(lambda batch: 0.2))
        assert holds("fig3-sgd-small-risk", **net(lambda batch: 0.0))
        assert not holds("fig3-sgd-small-risk", **net(lambda batch: 0.0, tail=0.2))
