"""williams2019: that its claims hold, that they can fail, and the tools they stand on."""

import math

import numpy as np
import paper_claims
import pytest

MODULES = ("_dynamics", "_kernels", "_parameters", "_regimes", "_variation")
FIGURES = tuple(f"fig{k}" for k in range(1, 10))
QUICK = ("canonical-map", "canonical-inverse", "velocity-field", "potential-factor", "jump-at-rays", "radial-kernel")

PAPER = paper_claims.Folder("williams2019", MODULES)
module, holds = PAPER.module, PAPER.holds

test_claims = PAPER.checks(QUICK)
test_the_paper_has_them_all = PAPER.is_whole(FIGURES)
test_figures = PAPER.draws(FIGURES)


def trained(*, share=(0.1, 0.1), turned=0.0, change=0.5, delta=-20.0, gap=0.0, before=0.0):
    """A network of 20 neurons, as the pieces of runs._training give it."""
    x = np.array([-0.5, 0.0, 0.5])
    rows = np.stack([np.resize([1.0, -2.0, 3.0], 20), np.linspace(0.1, 6.1, 20)], axis=1)
    places = np.linspace(-1.0, 1.0, 5)
    return {
        "x": x,
        "y": x,
        "start": rows,
        "end": rows,
        "paths": np.stack([rows, 1.5 * rows]),
        "places": places,
        "f": places + gap,
        "before": places + before,
        "risk": np.array([1.0, 0.1]),
        "share": np.array(share),
        "largest share": max(share),
        "sticking": 1,
        "dead": 0,
        "kernel change": change,
        "verdict": "intermediate",
        "turned": turned,
        "step": 0.1,
        "steps": 100,
        "median delta": delta,
    }


def field():
    """What the piece of Fig. 9 gives: one attractor at x = 0 for r > 0, a > 0, with three knots."""
    kinds = np.full((3, 2, 2), "crossing", dtype="<U9")
    kinds[1, 0, 0], kinds[1, 1, 0] = "attractor", "repulsor"
    knots = np.zeros((3, 2, 2), int)
    knots[1, 0, 0] = 3
    u, v = (part.ravel() for part in np.meshgrid(*2 * [np.linspace(-1.0, 1.0, 4)]))
    names = ("x", "y", "end", "places", "f", "risk", "sticking", "share")
    one = trained()
    more = {"u": u, "v": v, "field": np.stack([u, v], axis=1), "kinds": kinds, "knots": knots, "reach": 3.0}
    return {name: one[name] for name in names} | more


def local(radial=1.0, across=0.0):
    """Neurons at angles of 0.5 and 1.5: r grows by `radial`, the angle by `across` of it."""
    first = np.array([[1.0, 0.5], [1.0, 1.5], [-1.0, 0.5], [-1.0, 1.5]])
    return {"t": np.array([0.0, 1.0]), "paths": np.stack([first, first + radial * np.array([1.0, across])])}


def slices():
    x, ones = np.linspace(-1.0, 1.0, 9), np.ones(9)
    errors = {"error features": 0.01 * ones, "error inner": 0.01 * ones}
    return {"x": x, "features": ones, "inner": ones, "sampled features": ones, "sampled inner": ones} | errors


def fitted(width, seed, time):
    x = np.linspace(-1.0, 1.0, 11)
    return {"x": x, "f": x + width**-0.5, "least": x, "limit": x, "natural": 0.1}


@pytest.mark.first(5)
@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_is_drawn_from_its_arrays(name):
    from widelimit.papers import named

    pieces = {
        "network": lambda **_: trained(),
        "scaled_network": lambda **_: trained(),
        "field": lambda **_: field(),
        "local": lambda delta: local() | {"delta": delta},
        "slices": lambda **_: slices(),
        "features_fit": fitted,
    }
    figure = named("williams2019").figure(name)
    data = figure.compute(paper_claims.canned(pieces))
    assert figure.draw(data).startswith(b"\x89PNG")
    assert len(figure.caption(data)) > 200
    assert figure.caption(data) not in figure.alt(data)


@pytest.mark.slow
@pytest.mark.parametrize(("delta", "wave"), [(10.0, "square"), (0.0, "sine"), (math.inf, "square")])
def test_the_step_is_short_enough(monkeypatch, delta, wave):
    training, found = module("runs._training"), []
    for factor in (1, 4):
        monkeypatch.setattr(training, "STEP", 0.1 / factor)
        found.append(training.network(wave, 10, delta, 10.0, 300, 0, 5000 * factor))
    coarse, fine = found
    np.testing.assert_allclose(coarse["f"], fine["f"], atol=0.05)
    assert coarse["share"][1] == pytest.approx(fine["share"][1], abs=0.05)
    assert coarse["kernel change"] == pytest.approx(fine["kernel change"], rel=0.05)


class TestTools:
    def test_waves(self):
        networks = module("runs._networks")
        for wave in (networks.square_wave, networks.sine_wave):
            x, y = wave(10)
            np.testing.assert_allclose(x, np.linspace(-0.9, 0.9, 10), atol=1e-15)
            # No symmetry that would hide a slip of a sign.
            assert min(np.max(np.abs(y - y[::-1])), np.max(np.abs(y + y[::-1]))) > 0.5
        assert set(networks.square_wave(10)[1]) == {-1.0, 1.0}

    def test_share_near(self):
        networks = module("runs._networks")
        x = np.array([-0.5, 0.5])
        # On a sample, near one, between, outside, and a neuron that is gone.
        places, r = np.array([0.5, -0.495, 0.1, 3.0, 0.5]), np.array([1.0, -1.0, 1.0, 1.0, 0.0])
        rows = np.stack([r, np.arctan(-places)], axis=1)
        np.testing.assert_allclose(networks.knots(rows), places, atol=1e-14)
        assert networks.share_near(rows, x, 0.01) == pytest.approx(2.0 / 3.0)
        assert networks.share_near(rows, x, 1e-6) == pytest.approx(1.0 / 3.0)

    def test_speed(self):
        networks = module("runs._networks")
        assert networks.speed(math.inf, 3.0) == networks.speed(-math.inf, 3.0) == 1.0
        assert networks.speed(8.0, 3.0) == pytest.approx(10.0)

    def test_lower_bound(self):
        """No measure is below it, and at the minimum it is met: one sample, one neuron along it."""
        bound = module("claims._variation").lower_bound
        x, y, strength = np.array([0.75]), np.array([2.0]), 0.5
        # f = |x~| r at the sample, |x~| = 1.25: rho = -strength/1.25.
        rho = np.array([-0.4])
        objective = 0.5 * 0.4**2 + strength * (2.0 - 0.4) / 1.25
        assert bound(x, y, rho, strength) == pytest.approx(objective, rel=1e-12)
        assert bound(x, y, np.array([-0.1]), strength) < objective

    def test_expected_kinds(self):
        """Two neighbours that pull against a third: by hand."""
        expected = module("claims._dynamics")._expected(np.array([-1.0, 0.0, 1.0]), np.array([-0.1, 1.0, -0.5]))
        # At x = 0: A = -0.5 for a > 0 and -0.1 for a < 0; B = 1.
        assert expected[1].tolist() == [["attractor", "attractor"], ["repulsor", "repulsor"]]
        assert expected[2, 0, 0] == expected[0, 0, 1] == "outermost"


class TestFailing:
    """Each claim on numbers that contradict it."""

    def test_parameters(self):
        good = {"apart": [4e-5, 2e-5, 1e-5], "moved": 1.0}
        assert holds("alpha-scaling", scaled_runs=good)
        assert not holds("alpha-scaling", scaled_runs=good | {"apart": [1e-5, 1e-5, 1e-5]})
        assert not holds("alpha-scaling", scaled_runs=good | {"apart": [4e-2, 2e-2, 1e-2]})
        assert not holds("alpha-scaling", scaled_runs=good | {"moved": 0.01})
        good = {"drift": [8e-3, 4e-3, 2e-3, 1e-3], "moved": 0.5}
        assert holds("invariants", drifts=good)
        assert not holds("invariants", drifts=good | {"drift": [0.2, 0.2, 0.2, 0.2]})
        assert not holds("invariants", drifts=good | {"moved": 0.0})

    def test_limits(self):
        def runs(power, flat=1.0, turned=0.0):
            def compute(deltas, width, **_):
                still, moved = np.zeros((width, 2)), np.tile([1.0, turned], (width, 1))
                rows = [moved + abs(delta) ** power for delta in deltas]
                return {"start": still, "rows": rows, "infinite": moved, "flat": moved + flat}

            return compute

        assert holds("adaptive-limit", limits=runs(-1.0))
        assert not holds("adaptive-limit", limits=runs(-0.3))
        assert not holds("adaptive-limit", limits=runs(-1.0, flat=0.0))
        assert holds("kernel-limit", limits=runs(-1.0))
        assert not holds("kernel-limit", limits=runs(-1.0, turned=0.1))

        def motions(radial, angular):
            return lambda widths, **_: {"radial": np.array(widths) ** radial, "angular": np.array(widths) ** angular}

        assert holds("lazy-scale", motions=motions(-0.5, -0.5))
        assert not holds("lazy-scale", motions=motions(-0.5, -1.0))

    def test_function_space(self):
        rates = np.array([1.0, -2.0])
        names = ("run, places", "kernel, places", "run, samples", "kernel, samples", "samples")
        first = dict.fromkeys(names, rates) | {"sliding": 0}
        later = first | {"sliding": 3, "kernel, samples": 0.9 * rates}

        def pieces(*rows):
            return {"times": [0.0, 0.3], "rows": list(rows)}

        assert holds("tangent-kernel", function_space=pieces(first, later))
        assert not holds("tangent-kernel", function_space=pieces(first | {"sliding": 1}, later))
        assert not holds("tangent-kernel", function_space=pieces(first, later | {"samples": 0.99 * rates}))
        assert not holds("tangent-kernel", function_space=pieces(first, later | {"kernel, samples": rates}))

    def test_norms(self):
        good = {"samples": 2.0, "library": 2.0, "quadrature": 2.0, "printed": 3.0}
        for id, piece in (("theorem-5", "curvature"), ("corollary-6", "tangent_price")):
            assert holds(id, **{piece: good})
            assert not holds(id, **{piece: good | {"printed": 2.0}})
            assert not holds(id, **{piece: good | {"library": 2.001}})
            assert not holds(id, **{piece: good | {"quadrature": 2.001}})

    def test_splines(self):
        one = {"pieces": np.array([[-1.0, 1.0]]), "inside": 0.0, "outside": 0.1}
        none = {"pieces": np.empty((0, 2)), "inside": 0.4, "outside": 0.4}
        good = {"a": one, "b": one, "c": none}
        assert holds("cubic-splines", cubics=good)
        assert not holds("cubic-splines", cubics=good | {"b": one | {"inside": 1e-3}})
        assert not holds("cubic-splines", cubics=good | {"c": none | {"inside": 1e-9}})
        assert not holds("cubic-splines", cubics=good | {"b": one | {"pieces": np.array([[-2.0, 2.0]])}})
        assert holds("natural-spline", natural=lambda halves: {"distance": 1.0 / np.array(halves)})
        assert not holds("natural-spline", natural=lambda halves: {"distance": np.array(halves) ** -2.0})

    def test_sampled_kernels(self):
        x, ones = np.linspace(-1.0, 1.0, 3), np.ones(3)
        good = {"x": x, "features": ones, "inner": ones, "sampled features": ones, "sampled inner": ones}
        good |= {"error features": 0.01 * ones, "error inner": 0.01 * ones}
        assert holds("tangent-slices", slices=good)
        assert not holds("tangent-slices", slices=good | {"sampled inner": 1.06 * ones})
        assert not holds("tangent-slices", slices=good | {"error features": 0.01 * (x > -1.0)})

        def fits(power, gap=0.0):
            def compute(width, seed, time):
                off = float(width) ** power if math.isinf(time) else 0.0
                return {
                    "f": ones + off,
                    "least": ones + off + gap,
                    "limit": ones * (1.0 if math.isinf(time) else 0.5) + 0.0,
                }

            return compute

        assert holds("width-convergence", features_fit=fits(-0.5))
        assert not holds("width-convergence", features_fit=fits(-1.0))
        assert holds("minimum-norm", features_fit=fits(-0.5))
        assert not holds("minimum-norm", features_fit=fits(-0.5, gap=1e-3))
        assert not holds("early-stopping", features_fit=fits(-0.5))

    def test_variation(self):
        rows, free = np.array([[1.0, 0.3], [-2.0, 1.0]]), np.array([[0.5, 1.0], [-1.0, 2.0]])
        moved = {"rows": rows, "free": free, "rate": free - [[0.5, 0.0], [-0.5, 0.0]]}
        assert holds("variation-velocity", variation_motion=moved)
        assert not holds("variation-velocity", variation_motion=moved | {"rate": free})
        good = {"penalty": math.sqrt(2.0), "knots": [1.0, 1.0], "slopes": [0.0, 0.5, 1.0]}
        assert holds("curvature-penalty", variation=good)
        assert not holds("curvature-penalty", variation=good | {"penalty": 1.0})
        assert not holds("curvature-penalty", variation=good | {"knots": [1.0, 1.1]})
        # One sample of 2 at x = 0.75, lambda = 0.05.
        r = (2.0 - 0.05 / 1.25) / 1.25
        best = {
            "x": [0.75],
            "y": [2.0],
            "rows": [[r, math.atan2(1.0, 0.75)]],
            "objective": 0.5 * 0.04**2 + 0.05 * r,
            "gap": 1e-12,
            "certified": True,
        }
        assert holds("variation-minimum", minimum=best)
        assert not holds("variation-minimum", minimum=best | {"certified": False})
        assert not holds("variation-minimum", minimum=best | {"objective": best["objective"] + 1e-6})
        assert not holds("variation-minimum", minimum=best | {"rows": [[r + 1e-3, math.atan2(1.0, 0.75)]]})

    def test_regimes(self):
        def nets(shares, turns):
            deltas = module("claims._regimes")._DELTAS
            return {
                "network": lambda delta, **_: trained(
                    share=(0.1, shares[deltas.index(delta)]), turned=turns[deltas.index(delta)]
                )
            }

        shares, turns = [0.1, 0.2, 0.3, 0.4, 0.5, 0.5], [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]
        assert holds("delta-interpolates", **nets(shares, turns))
        assert not holds("delta-interpolates", **nets([0.11, *shares[1:]], turns))
        assert not holds("delta-interpolates", **nets([*shares[:-1], 0.15], turns))
        assert not holds("delta-interpolates", **nets(shares, [*turns[:-1], 0.4]))

        def limits(kernel, adaptive):
            return lambda delta, **_: trained(share=(0.1, adaptive if delta > 10.0 else kernel))

        assert holds("clusters-at-samples", network=limits(0.1, 0.3))
        assert not holds("clusters-at-samples", network=limits(0.1, 0.15))
        assert not holds("clusters-at-samples", network=limits(0.12, 0.3))

        def pair(first, second):
            return lambda delta, **_: first if delta < 0.0 else second

        kernel, adaptive = trained(), trained(share=(0.1, 0.3), gap=0.2)
        assert holds("scaling-the-start", network=pair(kernel, adaptive))
        assert not holds("scaling-the-start", network=pair(kernel, adaptive | {"before": kernel["before"] + 1e-6}))
        assert not holds("scaling-the-start", network=pair(kernel, adaptive | {"f": kernel["f"]}))
        assert not holds("scaling-the-start", network=pair(kernel, adaptive | {"share": kernel["share"]}))

        def widths(power, size=20.0):
            def compute(width, **_):
                return trained(change=2.0 * (width / 20.0) ** power, delta=-size * width)

            return compute

        assert holds("width-effect", scaled_network=widths(-1.5))
        assert not holds("width-effect", scaled_network=widths(-0.5))
        assert not holds("width-effect", scaled_network=lambda width, **_: trained(change=40.0 / width**1.5))

    def test_sticking(self):
        assert holds("where-neurons-stick", field=field())
        astray = field()
        astray["knots"][1, 1, 0] = 1
        assert not holds("where-neurons-stick", field=astray)
        astray["knots"][:] = 0
        astray["knots"][0, 0, 0] = 1
        assert not holds("where-neurons-stick", field=astray)

    def test_local(self):
        up = local(radial=0.0) | {"paths": _straight()}
        middle = local(across=0.2)

        def pieces(kernel, between, adaptive):
            return lambda delta: {-30.0: kernel, 0.0: between, 30.0: adaptive}[delta]

        assert holds("local-trajectories", local=pieces(local(), middle, up))
        assert not holds("local-trajectories", local=pieces(middle, middle, up))
        assert not holds("local-trajectories", local=pieces(local(), local(), up))
        assert not holds("local-trajectories", local=pieces(local(), middle, local()))


def _straight():
    """The neurons of `local`, those with r > 0 moved upwards by 1."""
    first = local()["paths"][0]
    u, v = first[:, 0] * np.cos(first[:, 1]), first[:, 0] * np.sin(first[:, 1]) + 1.0
    return np.stack([first, np.stack([np.sign(first[:, 0]) * np.hypot(u, v), np.arctan2(v, u)], axis=1)])
