"""The linear theories of yarotsky2018: their tools against independent computations, and that every claim can fail."""

import math
from typing import Any

import numpy as np
import paper_claims
import pytest

MODULES = ("_eigenfunctions", "_small_charges", "_minimum")
QUICK = (
    "zeta-ten-digits",
    "zeta-printed",
    "xi-asymptotics",
    "eigenfunctions-stable",
    "eigenfunctions-bulk",
    "kernel-closed-form",
    "no-secular-term",
    "mu-ten-digits",
    "minimum-eigenvectors",
    "shared-spectrum",
)

PAPER = paper_claims.Folder("yarotsky2018", MODULES)
module, claims, holds, is_refused = PAPER.module, PAPER.claims, PAPER.holds, PAPER.is_refused

test_claims = PAPER.checks(QUICK)


def sines(*, speed=1.0, error: Any = 0.0, moves=0.0):
    """`trained` as the linear theory would have it, at most 12 knots; faster, off by error(A, j), with moving knots."""
    from widelimit.theory import yarotsky2018 as theory

    runs = module("runs._splines")

    def compute(amplitude, waves, knots, end):
        t = np.concatenate([[0.0], runs.times_to(end)])
        h = (np.arange(12) + 0.5) / 12
        coefficients = theory.sine_coefficient(np.arange(200), waves, amplitude)
        off = error(amplitude, waves) if callable(error) else error
        risk = runs.expansion(amplitude, waves, t * speed) * (1.0 + off * t / end)
        c = -theory.shift(h, t, coefficients[:11]) * (1.0 + amplitude**2 * t[:, None])
        s = theory.shift(h, t, coefficients[:11])
        return {"t": t, "risk": risk, "c": c, "h": h + moves * amplitude**2 * t[:, None], "s": s}

    return compute


def near(ratio):
    """A run whose loss is ratio(t) times the series (37)."""
    from widelimit.theory import yarotsky2018 as theory

    runs = module("runs._splines")

    def compute(knots, end, eps=None, lower=0.0, upper=1.0):
        t = np.concatenate([[0.0], runs.times_to(end)])
        k = np.arange(10000)
        if eps is None:
            eps, coefficients = 0.0, theory.box_coefficient(k, lower, upper)
        else:
            coefficients = theory.cosine_coefficient(k, eps)
        return {"t": t, "risk": theory.linearised_loss(t, coefficients) * ratio(t, eps)}

    return compute


def test_the_paper_has_them_all():
    from widelimit.papers import named

    paper = named("yarotsky2018")
    assert set(claims()) <= {claim.id for claim in paper.claims}
    assert {"fig3", "fig4", "fig5"} <= {figure.name for figure in paper.figures}


class TestTools:
    def test_targets(self):
        import jax
        import jax.numpy as jnp

        from widelimit.theory import yarotsky2018 as theory

        runs, x = module("runs._splines"), np.linspace(0.0, 1.0, 7)
        for k in (0, 3):
            mode = runs.Mode(jnp.asarray(2.0), jnp.asarray(float(theory.xi(k))), jnp.asarray(1.0 - 2.0 * (k % 2)))
            np.testing.assert_allclose(jax.vmap(mode)(jnp.asarray(x)), 2.0 * theory.image(k, x), atol=1e-13)
        wave = runs.Wave(jnp.asarray(0.5), jnp.asarray(3.0))
        np.testing.assert_allclose(jax.vmap(wave)(jnp.asarray(x)), 0.5 * np.sin(3.0 * np.pi * x), atol=1e-15)

    def test_knots_of_a_cosine(self):
        h = module("runs._splines").cosine_knots(0.3, 200)
        u = (np.arange(200) + 0.5) / 200
        np.testing.assert_allclose(h + 0.3 * np.sin(2 * np.pi * h) / (2 * np.pi), u, atol=1e-14)
        assert np.all(np.diff(h) > 0)

    def test_times(self):
        runs = module("runs._splines")
        t = np.concatenate([[0.0], runs.times_to(1e3)])
        assert {10.0, 100.0, 1000.0} <= set(np.round(t, 9))
        halved = module("claims._small_charges")._halved
        assert halved({"t": t, "risk": 3.0 * np.exp(-0.01 * t)}) == pytest.approx(100.0 * math.log(2.0), rel=1e-12)
        with pytest.raises(ValueError, match="never down to"):
            halved({"t": t, "risk": np.ones_like(t)})
        assert list(runs.marked(t, (10.0, 105.0))) == [t.searchsorted(10.0 - 1e-9), t.searchsorted(100.0 - 1e-9)]
        for j in (1, 4):
            found = runs.fall_time(j, 0.3)
            # INT sin^2/2 = 1/4; 4000 terms.
            assert runs.expansion(1.0, j, np.array([found]))[0] == pytest.approx(0.075, rel=1e-9)

    def test_the_printed_form_and_least_squares(self):
        from widelimit.theory import yarotsky2018 as theory

        h = np.linspace(0.0, 1.0, 11)
        printed = module("claims._eigenfunctions").printed_form(2, h)
        np.testing.assert_allclose(printed, theory.eigenfunction(2, h), atol=1e-11)
        small = module("claims._small_charges")
        x, w = small.gauss(0.0, 0.4, 1.0)
        assert w @ x**5 == pytest.approx(1.0 / 6.0, rel=1e-13, abs=0.0)
        assert small._least_squares([np.sin(2 * np.pi * x), x], x, w) == pytest.approx(0.0, abs=1e-28)
        assert small._least_squares([np.cos(2 * np.pi * x)], x, w) == pytest.approx(0.25, rel=1e-12)


class TestFigures:
    def test_fig4(self, bench):
        figure = module("figures._fig4").fig4
        data = figure.compute(bench)
        np.testing.assert_allclose(data["s"], data["found"], atol=1e-11)
        assert "with 0, 1, 2, 3, 4 sign changes" in figure.alt(data)
        assert figure.draw(data).startswith(b"\x89PNG")

    def test_fig5_says_what_is_off(self):
        figure = module("figures._fig5").fig5
        data = figure.compute(paper_claims.canned({"trained": sines(error=0.5)}))
        assert "t = 1000: 0.1% and 5.0%" in figure.caption(data)
        assert "t = 10000: 1.0% and 50.0%" in figure.caption(data)
        assert figure.draw(data).startswith(b"\x89PNG")

    def test_fig3_says_from_when_the_theory_is_off(self):
        figure = module("figures._fig3").fig3
        even = near(lambda t, eps: np.where(t > 5.0, 0.5, 1.0))
        pieces = {"trained": sines(error=0.5, moves=1e-4), "trained_knots": even, "trained_cosine": even}
        data = figure.compute(paper_claims.canned(pieces))
        assert "between 0.50 and 1.00, a comparison in shape" in figure.caption(data)
        # Off by 50 % t/end: 10 % at a fifth of the end, and the next save.
        assert module("figures._fig3").left_at(data["waves"][1]) == pytest.approx(6.0e3, rel=0.2)
        assert "t = 6.5e+03, 6.5e+03" in figure.caption(data)
        assert figure.draw(data).startswith(b"\x89PNG")


class TestFailing:
    """Each claim on numbers that contradict it."""

    def test_spectrum(self, bench):
        data = module("figures._fig4").spectrum_of(bench)
        ids = ("zeta-ten-digits", "zeta-printed", "xi-asymptotics", "eigenfunctions-stable", "eigenfunctions-bulk")
        assert all(holds(id, dual_functions=data) for id in ids)
        off = data | {"zeta": data["zeta"] * (1.0 + 1e-3)}
        assert not any(holds(id, dual_functions=off) for id in ids[:3])
        assert not holds("zeta-ten-digits", dual_functions=data | {"zeta": data["zeta"] * (1.0 + 1e-11)})
        bent = data | {"s": data["s"] + 0.05 * np.sin(7.0 * data["h"])}
        assert not any(holds(id, dual_functions=bent) for id in ids[3:])
        # A formula that held up to the ends would be no misprint.
        root = data["zeta"][:, None] ** -0.25
        fine = data | {"s": math.sqrt(2.0) * np.cos(root * data["h"] + math.pi / 4.0)}
        assert not holds("eigenfunctions-bulk", dual_functions=fine)
        kernel = {"direct": np.eye(2), "formula": np.eye(2), "library": np.eye(2)}
        assert holds("kernel-closed-form", _kernel_gaps=kernel)
        for name in ("formula", "library"):
            assert not holds("kernel-closed-form", _kernel_gaps=kernel | {name: np.eye(2) + 1e-12})

    def test_small_amplitudes(self):
        assert holds("loss-26", trained=sines())
        assert not holds("loss-26", trained=sines(error=0.02))
        quadratic = sines(error=lambda a, j: -((1e3 * a) ** 2) * 0.01 * j)
        assert holds("loss-26-amplitude", trained=quadratic)
        assert not holds("loss-26-amplitude", trained=sines(error=lambda a, j: 10.0 * a * j))
        assert is_refused("loss-26-amplitude", trained=sines())
        assert holds("fig3b-value", trained=sines(error=0.09))
        assert not holds("fig3b-value", trained=sines(error=-0.4))

    def test_slow_down(self):
        assert holds("fig3b-slow-down", trained=sines())

        def alike(amplitude, waves, knots, end):
            return sines()(amplitude, 2, knots, end)

        assert not holds("fig3b-slow-down", trained=alike)
        assert is_refused("fig3b-slow-down", trained=sines(speed=1e-9))

        def modes(power):
            from widelimit.theory import yarotsky2018 as theory

            def compute(amplitude, k, knots, end):
                t = np.concatenate([[0.0], module("runs._splines").times_to(end)])
                return {"t": t, "risk": np.exp(-2.0 * t * float(theory.xi(k)) ** -power)}

            return compute

        assert holds("slow-down", trained_mode=modes(4.0))
        assert not holds("slow-down", trained_mode=modes(3.95))

    def test_the_shift(self):
        assert holds("shift-along-c", trained=sines(moves=1.0), linear=sines())

        def first_order(amplitude, waves, knots, end):
            run = sines()(amplitude, waves, knots, end)
            return run | {"h": run["h"] + 0.01 * amplitude * run["t"][:, None]}

        assert not holds("shift-along-c", trained=first_order, linear=sines())
        none = {"null": 9, "share": 1e-15}
        assert holds("no-secular-term", _null_space=none)
        assert not holds("no-secular-term", _null_space=none | {"share": 0.1})
        assert not holds("no-secular-term", _null_space=none | {"null": 0})
        good = sines(moves=1.0)
        assert holds("fig5-agreement", trained=good)
        assert not holds("fig5-agreement", trained=sines(error=0.5))
        assert not holds("fig5-agreement", trained=lambda **run: (lambda d: d | {"c": -d["c"]})(good(**run)))

    def test_where_it_ends(self):
        small = module("claims._small_charges")
        x, w = small.gauss(0.0, 0.3, 0.7, 1.0)
        few = small._least_squares([np.maximum(x - h, 0.0) for h in (0.0, 0.3, 0.7)], x, w)
        data = {"half": 0.125, "few": few, "flow": few}
        assert holds("loss-floor", _floors=data)
        for name, value in (("half", 0.1251), ("few", 1.0001 * few), ("flow", 0.99 * few)):
            assert not holds("loss-floor", _floors=data | {name: value})

        def left(times):
            return lambda amplitude, **_: {"left": np.asarray(times[amplitude])}

        assert holds("small-charge-leaving", _leaving=left({1e-4: math.inf, 1e-3: 5e3, 1e-2: 600.0}))
        assert not holds("small-charge-leaving", _leaving=left({1e-4: 8e3, 1e-3: 5e3, 1e-2: 600.0}))
        assert not holds("small-charge-leaving", _leaving=left({1e-4: math.inf, 1e-3: 500.0, 1e-2: 600.0}))

    def test_minimum(self, bench):
        found = bench.piece(module("claims._minimum")._modes, count=10, places=101)
        assert not holds("mu-ten-digits", _modes=found | {"lambda": found["lambda"] * (1 + 1e-10)})
        images = bench.piece(module("claims._minimum")._images, count=10)
        assert holds("minimum-eigenvectors", _modes=found, _images=images)
        assert not holds("minimum-eigenvectors", _modes=found | {"s": -found["s"]}, _images=images)
        for name in images:
            assert not holds("minimum-eigenvectors", _modes=found, _images=images | {name: 1.001 * images[name]}), name
        four = {"R": {"closed": [2.0, 1.0], "M of h": [2.0, 1.0]}, "K~": {"closed": [2.0, 1.0], "M of c": [2.0, 1.0]}}
        assert holds("shared-spectrum", _matrices=four)
        for operator, tangent in (("R", "M of h"), ("K~", "M of c")):
            for values in ([2.0, 1.0 + 1e-8], [2.0]):
                bad = four | {operator: {"closed": [2.0, 1.0], tangent: values}}
                assert not holds("shared-spectrum", _matrices=bad), (operator, values)

    def test_near_the_minimum(self):
        first = near(lambda t, eps: 1.0 + 0.1 * eps * np.minimum(t, 1.0))
        assert holds("loss-37-small", trained_cosine=first)
        second = near(lambda t, eps: 1.0 + eps**2 * np.minimum(t, 1.0))
        assert not holds("loss-37-small", trained_cosine=second)
        apart = near(lambda t, eps: 1.0 + 0.1 * eps)
        assert not holds("loss-37-small", trained_cosine=apart)
        assert holds("fig3c-agreement", trained_knots=near(lambda t, eps: 1.0 + 0.5 * np.sin(t)))
        assert not holds("fig3c-agreement", trained_knots=near(lambda t, eps: 1.0 + 20.0 * np.minimum(t, 1.0)))
        sizes = np.array([0.04, 0.02, 0.01, 0.005])
        assert holds("loss-18-general", _near_teacher={"error": sizes, "fall": [0.1]})
        assert not holds("loss-18-general", _near_teacher={"error": sizes**0.5, "fall": [0.1]})
        assert not holds("loss-18-general", _near_teacher={"error": sizes, "fall": [0.9]})
        lazy = {"gap": [0.4, 0.1, 0.025], "left": [0.5, math.inf, math.inf], "change": [1, 1, 1], "fall": [0.5] * 3}
        assert holds("lazy-limit", _lazy=lazy)
        assert not holds("lazy-limit", _lazy=lazy | {"gap": [0.4, 0.3, 0.2]})
        assert not holds("lazy-limit", _lazy=lazy | {"left": [math.inf] * 3})

    def test_the_generator(self):
        same = {"K p, R q": 0.3, "K R p, q": 0.3, "flux": 0.3, "mass": [0.0, 0.0]}
        assert holds("symmetric-generator", _pairings=same)
        for bad in ({"K p, R q": 0.31}, {"K R p, q": 0.31}, {"flux": -0.3}, {"mass": [0.0, 1e-3]}):
            assert not holds("symmetric-generator", _pairings=same | bad), bad
        quantiles = ((np.arange(100) + 0.5) / 100) ** (1.0 / 3.0)
        settled = {"h": quantiles, "loss": [1.0, 1e-6]}
        assert holds("unique-minimiser", _settled=settled)
        assert not holds("unique-minimiser", _settled=settled | {"h": (np.arange(100) + 0.5) / 100})
        assert not holds("unique-minimiser", _settled=settled | {"loss": [1.0, 0.5]})
        loss = [0.0019541667, 0.0119791667, 0.0134741667]
        whole = {"loss": loss, "eigenvalues": [*np.ones(12), *np.zeros(8)]}
        assert holds("completeness", _expanded=whole)
        assert not holds("completeness", _expanded=whole | {"loss": [0.002, *loss[1:]]})
        assert not holds("completeness", _expanded=whole | {"eigenvalues": np.ones(20)})

    def test_a_rough_target(self):
        right = [0.030016, 0.011891, 0.0038359, 0.0012131]
        assert holds("any-target", _rough={"risk": right})
        assert not holds("any-target", _rough={"risk": [*right[:3], 0.002]})
        assert not holds("any-target", _rough={"risk": [0.030016] * 4})
