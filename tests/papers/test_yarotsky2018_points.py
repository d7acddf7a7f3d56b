"""Single atoms, clouds and stationary laws of yarotsky2018: that every claim can fail, and the tools they stand on."""

import math

import numpy as np
import paper_claims
import pytest

MODULES = ("_equation", "_one_input", "_stationary", "_single_atoms", "_clouds")
QUICK = ("right-of-interval", "support")
ATOM = np.array([(4.0 + 6.0**0.5) / 5.0, (6.0**0.5 - 1.0) / 5.0])
RATE = ATOM[0] * ATOM[1] ** 2

PAPER = paper_claims.Folder("yarotsky2018", MODULES)
module, claims, holds = PAPER.module, PAPER.claims, PAPER.holds

test_claims = PAPER.checks(QUICK)
test_figures = PAPER.draws(("fig1", "fig2"), words=100)


def test_the_paper_has_them_all():
    from widelimit.papers import named

    paper = named("yarotsky2018")
    assert set(claims()) <= {claim.id for claim in paper.claims}
    assert {"fig1", "fig2"} <= {figure.name for figure in paper.figures}


def small_paths():
    """Five atoms: two to the star, two to h = 1, one at rest at h = 1.2."""
    first = np.array([[1.0, 0.0], [2.0, 0.5], [-1.0, 0.2], [-0.9, 0.5], [0.4, 1.2]])
    last = np.array([ATOM, ATOM, [-0.7, 1.0], [-0.8, 1.0], [0.4, 1.2]])
    paths = np.stack([first, 0.5 * (first + last), last], axis=1)
    return {"t": np.array([0.0, 1.0, 3000.0]), "paths": paths, "loss": np.array([7e-4, 7e-4, 0.1, 0.1, 0.1])}


def straight(**_):
    """A border c = h - 1."""
    line = np.linspace(0.0, -1.5, 50)
    return {"c": line, "h": 1.0 + line}


def test_fig1_is_drawn_from_its_arrays():
    figure = module("figures._fig1").fig1
    data = small_paths() | {"border": straight(), "charges": [-2.0, 2.5], "knots": [-0.5, 1.2]}
    assert figure.draw(data).startswith(b"\x89PNG")
    assert "2 of 5 starts end at (c_*, h_*)" in figure.caption(data)
    assert "1 of them start there" in figure.caption(data)


def clouds(narrow=1e-4, c_width=0.012, loss=1e-7, span=1.0, passes=True):
    """A stable and an unstable cloud as the piece gives them."""

    def compute(center, sigma, width, **_):
        even = (np.arange(width) + 0.5) / width - 0.5
        start = np.array(center) + sigma * np.stack([even, even[::-1]], axis=1)
        if center[0] < 0.0:
            last = np.stack([-0.8 + c_width * even, 1.0 + 0.01 * narrow * even], axis=1)
            middle, end, final, alone = start, [-0.8, 1.0], 0.1, 0.1
        else:
            last = np.stack([np.full(width, 2.0 / span), span * (even + 0.5)], axis=1)
            middle, end, final, alone = start - np.array(center) + (ATOM if passes else 5.0), ATOM, loss, 7e-4
        return {
            "t": np.array([0.0, 10.0, 1e4]),
            "rows": np.stack([start, middle, last]),
            "loss": np.array([0.3, 0.1, final]),
            "atom": {"rows": np.array([center, end, end]), "loss": np.array([0.3, alone, alone])},
        }

    return compute


def test_fig2_is_drawn_from_its_arrays():
    figure = module("figures._fig2").fig2
    data = figure.compute(paper_claims.canned({"cloud": clouds()}))
    assert figure.draw(data).startswith(b"\x89PNG")
    assert "the loss is 1.0e-07" in figure.caption(data)


def test_the_border_against_its_own_expansion_and_a_run():
    fig1, square = module("figures._fig1"), module("runs._square")
    line = fig1.border(0.5)
    assert np.all(np.diff(line["c"]) < 0.0)
    assert np.all(np.diff(line["h"]) < 0.0)
    near = (line["h"] > 0.99) & (line["h"] < 0.999)
    np.testing.assert_allclose(line["c"][near] / (line["h"][near] - 1.0), 0.5**0.5, rtol=1e-2)
    # Half a percent to either side of it ends elsewhere.
    c = float(np.interp(0.3, line["h"][::-1], line["c"][::-1]))
    ends = [square.flow([[factor * c, 0.3]], [0.0, 3000.0]).positions[-1, 0] for factor in (0.995, 1.005)]
    np.testing.assert_allclose(ends[0], ATOM, atol=1e-6)
    assert ends[1][0] < 0.0
    assert ends[1][1] == pytest.approx(1.0, abs=1e-6)


def test_tools():
    from widelimit.papers._kit import _shares as tools

    x = np.array([1.0, 2.0, 5.0])
    assert tools.log_slope(x, 3.0 * x**-0.7) == pytest.approx(-0.7, abs=1e-12)
    assert tools.share_allowed((0.5, 1.0), (np.array([0.02, 0.01]), 0.01)) == 2.0
    assert tools.share_needed([0.5, 2.0], 1.0) == 2.0
    assert tools.share_needed(0.0, 1.0) == 1e6
    assert math.isnan(tools.share_needed(math.nan, 1.0))
    with pytest.raises(ValueError, match="NaN"):
        tools.share_allowed((0.0, 1.0), (math.nan, 1.0), (0.5, 1.0))


def test_square_slopes_by_quadrature():
    from scipy.integrate import quad

    c, h = np.array([1.3, -2.0, 0.7]), np.array([-0.4, 0.3, 1.1])
    found = module("claims._equation")._square_slopes(c, h)
    for a, b, value in zip(c, h, found, strict=True):
        expected = quad(lambda x, a=a, b=b: ((x - b) ** 2 + a**2) * (x > b), 0.0, 1.0, points=[max(b, 0.0)])[0]
        assert value == pytest.approx(expected, abs=1e-9)


class TestFailing:
    """Each claim on numbers that contradict it."""

    def test_equation(self):
        good = {"log_det": -1.5, "terms": [0.5, 1.0], "off": 1e-9}
        assert holds("continuity", volumes=good)
        assert not holds("continuity", volumes=good | {"terms": [0.5, 0.0]})
        assert not holds("continuity", volumes=good | {"log_det": 1.5})
        assert not holds("continuity", volumes=good | {"off": 1e-3})

        def two(power, size=1.0):
            def compute(width, **_):
                t = np.linspace(0.0, 1.0, 5)
                return {"t": t, "first": np.ones(5), "second": size * np.full(5, float(width) ** power)}

            return compute

        assert holds("dropped-term", terms=two(-1.0))
        assert not holds("dropped-term", terms=two(-0.5, 0.1))
        assert not holds("dropped-term", terms=two(-1.0, 20.0))

    def test_density(self):
        logs = np.linspace(-3.0, 0.0, 200)
        gain = np.linspace(0.0, 0.5, 200)
        good = {
            "start": logs,
            "end": logs + gain,
            "exponent": gain,
            "spaced": np.exp(logs + gain)[1:-1],
            "mass": 0.9999,
        }
        assert holds("density", carried=good)
        assert not holds("density", carried=good | {"exponent": -gain})
        assert not holds("density", carried=good | {"spaced": np.exp(logs)[1:-1]})
        assert not holds("density", carried=good | {"mass": 0.99})
        still = {"end": logs, "exponent": 0.0 * gain, "spaced": np.exp(logs)[1:-1]}
        assert not holds("density", carried=good | still)

    def test_loss(self):
        good = {"loss": [1.0, 0.5, 0.1], "defect": 1e-10, "slopes": [-1.0, -0.1, -0.01], "sums": [-1.0, -0.1, -0.01]}
        assert holds("dissipation", fall=good)
        assert holds("loss-falls", fall=good)
        assert not holds("dissipation", fall=good | {"defect": 1e-3})
        assert not holds("dissipation", fall=good | {"sums": [-2.0, -0.2, -0.02]})
        assert not holds("loss-falls", fall=good | {"loss": [1.0, 0.1, 0.100001]})
        # Were the print right, the loss would not fall, and there would be nothing to correct.
        assert not holds("loss-falls", fall=good | {"loss": [1.0, 1.0, 1.0]})

    def test_one_input(self):
        t = np.linspace(0.0, 6.0, 13)
        gap = 1.7
        good = {
            "t": t,
            "mean": -0.4,
            "shift": np.repeat(-gap * np.expm1(-t)[:, None], 3, axis=1),
            "loss": 0.5 * gap**2 * np.exp(-2.0 * t),
        }
        assert holds("one-input", moved=good)
        assert not holds("one-input", moved=good | {"shift": 1.001 * good["shift"]})
        assert not holds("one-input", moved=good | {"loss": 0.5 * gap**2 * np.exp(-t)})
        gaps = np.array([0.01, 0.02, 0.04])
        none, first, second = 0 * gaps, 2 * gaps, gaps**2
        errors = {
            "solves": none,
            "corrected": second,
            "printed": first,
            "closed": none,
            "limit": second,
            "rate": 1 + none,
        }
        assert holds("one-input-linear", footnote=errors)
        assert not holds("one-input-linear", footnote=errors | {"corrected": first, "printed": second})
        for name in ("solves", "closed", "rate"):
            assert not holds("one-input-linear", footnote=errors | {name: errors[name] + 1e-3}), name
        assert not holds("one-input-linear", footnote=errors | {"limit": first})

    def test_families(self):
        good = self.families()
        for case, rows in good.items():
            id = f"stationary-{case.replace(' ', '-')}"
            assert holds(id, families=good)
            for name in rows[1]:
                bad = rows[1] | {name: np.array(rows[1][name]) + 1e-6}
                assert not holds(id, families=good | {case: [rows[0], bad]}), name
        away = {"violation": np.outer([1e-3, 1e-2], np.ones(4))}
        assert holds("proposition-1", families=good, shifted=away)
        assert not holds("proposition-1", families=self.families(1e-6), shifted=away)
        assert not holds("proposition-1", families=good, shifted={"violation": 1e-4 * away["violation"]})
        assert not holds("proposition-1", families=good, shifted={"violation": np.sqrt(away["violation"])})

    @staticmethod
    def families(residual=1e-15):
        """The closed forms of NOTATION for M = 1 and 2, both cases, written out."""

        def family(knots, masses, left, step, loss):
            errors, rest = np.full(len(knots), step**2 / 6), [1e-15, residual, residual, residual]
            return {"knots": knots, "masses": masses, "left": left, "errors": errors, "loss": loss, "rest": rest}

        root, cases = 6.0**0.5, {"case 1": [], "case 2": []}
        for count in (1, 2):
            step = 1.0 / (count + 1.0 / root)
            knots = step * (np.arange(count) + 1.0 / root)
            masses = np.r_[step * (1.0 + root / 3.0), np.full(count - 1, 2.0 * step)]
            loss = count * step**5 / 360 + knots[0] ** 5 / 10
            cases["case 1"].append(family(knots, masses, (0.0, 0.0), step, loss))
            step = 1.0 / (count + 1)
            knots, masses = step * np.arange(1, count + 1), np.full(count, 2.0 * step)
            cases["case 2"].append(family(knots, masses, (step, step**2 / 6), step, step**4 / 360))
        return cases

    def test_support(self):
        places = np.array([(0.0, 1.0), (0.0, 0.7), (0.2, 1.0), (0.3, 0.6), (-0.5, 1.0), (0.0, 1.5)])
        violation = np.full((6, 7), 0.1)
        violation[0, 3] = violation[5, 5] = 1e-16
        assert holds("support", supports={"places": places, "violation": violation})
        other = violation.copy()
        other[2, 3] = 1e-9
        assert not holds("support", supports={"places": places, "violation": other})
        assert not holds("support", supports={"places": places, "violation": np.full((6, 7), 0.1)})

    def test_totality(self):
        def ends(many, one, total=True, residual=1e-9):
            def compute(width, **_):
                wide = width > 1
                return {
                    "loss": np.asarray(many if wide else one),
                    "residual": np.asarray(residual),
                    "rank": np.asarray(5 if wide else 1),
                    "total": np.asarray(wide and total),
                }

            return compute

        assert holds("proposition-2", finite=ends(1e-18, 1e-2))
        assert not holds("proposition-2", finite=ends(1e-3, 1e-2))
        assert not holds("proposition-2", finite=ends(1e-18, 1e-9))
        assert not holds("proposition-2", finite=ends(1e-18, 1e-2, total=False))
        assert not holds("proposition-2", finite=ends(1e-18, 1e-2, residual=1e-3))

    def test_minimum(self):
        right = {"holds": [True] * 4, "loss": np.full(4, 1e-32)}
        good = {
            "right": right,
            "sums": np.full(4, 1e-9),
            "printed": {"holds": [True, False], "loss": [1e-32, 0.1]},
            "broken": {"holds": [False, False], "loss": [1e-3, 1e-3]},
        }
        assert holds("global-minimum", minima=good)
        assert not holds("global-minimum", minima=good | {"right": right | {"holds": [True, True, False, True]}})
        assert not holds("global-minimum", minima=good | {"right": right | {"loss": np.full(4, 1e-6)}})
        assert not holds("global-minimum", minima=good | {"sums": np.full(4, 1e-2)})
        assert not holds("global-minimum", minima=good | {"broken": {"holds": [True, False], "loss": [1e-3, 1e-3]}})
        assert not holds("global-minimum", minima=good | {"broken": {"holds": [False, False], "loss": [1e-3, 1e-9]}})
        # Were (33) right as printed, charges would not matter.
        assert not holds("global-minimum", minima=good | {"printed": {"holds": [True, True], "loss": [1e-32, 1e-32]}})

    def test_atoms(self):
        good = {
            "atoms": [ATOM],
            "solved": ATOM,
            "residual": np.full(3, 1e-15),
            "violation": np.zeros(12),
            "moved": 0.0,
            "speed": 0.0,
            "all": True,
        }
        assert holds("single-atom", rest=good)
        assert not holds("single-atom", rest=good | {"atoms": [[ATOM[0], 0.29]]})
        assert not holds("single-atom", rest=good | {"atoms": [ATOM, [1.0, 0.6]]})
        assert not holds("single-atom", rest=good | {"solved": ATOM + 1e-9})
        assert not holds("single-atom", rest=good | {"residual": np.full(3, 1e-9)})
        assert not holds("single-atom", rest=good | {"all": False})
        assert holds("right-of-interval", rest=good)
        for name in ("moved", "speed"):
            assert not holds("right-of-interval", rest=good | {name: 1e-12})

    def test_ends(self):
        good = small_paths()
        assert holds("fig1-two-ends", atoms=good)
        lost = good["paths"].copy()
        lost[1, -1] = [1.0, 0.5]
        assert not holds("fig1-two-ends", atoms=good | {"paths": lost})
        assert not holds("fig1-two-ends", atoms={name: v[:2] if name != "t" else v for name, v in good.items()})

        def between(h, **_):
            return {"low": np.asarray(h - 1.0 - 1e-6), "high": np.asarray(h - 1.0 + 1e-6)}

        def elsewhere(h, **_):
            return {"low": np.asarray(h - 1.01), "high": np.asarray(h - 1.01)}

        sides = good["paths"].copy()
        sides[2, 0] = [-0.9, 0.0]
        assert holds("fig1-border", atoms=good, border=straight, bisected=between)
        assert not holds("fig1-border", atoms=good, border=straight, bisected=elsewhere)
        sides[2, 0] = [-0.5, 0.2]
        assert not holds("fig1-border", atoms=good | {"paths": sides}, border=straight, bisected=between)

    def test_right_end(self):
        def rates(factor, moved=0.0):
            return lambda charge, **_: {"rates": factor * charge * np.ones(3), "moved": np.asarray(moved)}

        assert holds("negative-charge", edge=rates(1.0))
        assert not holds("negative-charge", edge=rates(2.0))
        assert not holds("negative-charge", edge=rates(-1.0))
        assert not holds("negative-charge", edge=rates(1.0, moved=0.1))

    def test_clouds(self):
        assert holds("fig2-stable", cloud=clouds())
        assert not holds("fig2-stable", cloud=clouds(narrow=1e4))
        assert not holds("fig2-stable", cloud=clouds(c_width=0.5))
        assert holds("fig2-unstable", cloud=clouds())
        assert not holds("fig2-unstable", cloud=clouds(loss=1e-4))
        assert not holds("fig2-unstable", cloud=clouds(span=0.5))
        assert not holds("fig2-unstable", cloud=clouds(passes=False))

    def test_growth(self):
        def made(rate, order=1.0, c=1.0):
            def compute(sigmas, end, **_):
                t = np.linspace(0.0, end, 21)
                law = np.stack([np.ones(21), np.exp(2.0 * RATE * t)], axis=1)
                own = np.stack([np.linspace(1.0, c, 21), np.exp(2.0 * rate * t)], axis=1)
                s = np.array(sigmas)[:, None, None]
                bend = 1.0 + (t / end)[:, None] * 100.0**order * s**order * np.array([0.0, 1.0])
                return {"times": t, "cloud": s**2 * own * bend, "closure": s**2 * law}

            return compute

        assert holds("cloud-growth", spread=made(RATE))
        assert not holds("cloud-growth", spread=made(0.5 * RATE))
        assert not holds("cloud-growth", spread=made(RATE, c=1.1))
        assert holds("closure-order", spread=made(RATE))
        assert not holds("closure-order", spread=made(RATE, order=2.0))

    def test_moving(self):
        grown = np.eye(2) * np.linspace(1.0, 2.0, 21)[:, None, None]
        mean = np.zeros((21, 2))
        one = {"mean": mean, "covariance": grown}
        good = {"cloud": one, "closure": one, "atom": mean}
        assert holds("closure-moving", narrow=good)
        assert not holds("closure-moving", narrow=good | {"cloud": one | {"covariance": 1.01 * grown}})
        assert not holds("closure-moving", narrow=good | {"cloud": one | {"mean": mean + 1e-5}})
        assert not holds("closure-moving", narrow=good | {"atom": mean + 1e-5})
        still = one | {"covariance": np.tile(np.eye(2), (21, 1, 1))}
        assert not holds("closure-moving", narrow=good | {"cloud": still, "closure": still})

    def test_hessian(self):
        block = np.array([[0.0, 0.0], [0.0, RATE]])
        good = {"library": block, "differences": block + 1e-7, "expansive": 1, "coupling": 0.0}
        assert holds("hessian-block", hessian=good)
        assert not holds("hessian-block", hessian=good | {"library": block + 1e-6})
        assert not holds("hessian-block", hessian=good | {"library": -block})
        assert not holds("hessian-block", hessian=good | {"differences": block + 1e-3})
        assert not holds("hessian-block", hessian=good | {"expansive": 0})

    def test_law_of_weights(self):
        exact = np.array([1.0, 0.5, 0.2, 2.0, 0.3])

        def draws(power, shift=0.0):
            def compute(width, runs, **_):
                sign = np.where(np.arange(runs) % 2 == 0, 1.0, -1.0)[:, None]
                return {"runs": exact + shift + sign * width**-power, "equation": exact}

            return compute

        assert holds("law-of-weights", drawn=draws(0.5))
        assert not holds("law-of-weights", drawn=draws(0.2))
        assert not holds("law-of-weights", drawn=draws(0.5, shift=0.2))

    def test_formal_gradient(self):
        lengths = np.array([2.0, 4.0, 6.0, 8.0])
        good = {"rates": 2.0 * lengths**3 / 3.0, "times": [0.1, 1e-6, 1e-12, 1e-20]}
        assert holds("formal-gradient", formal=good)
        assert not holds("formal-gradient", formal=good | {"rates": np.ones(4)})
        assert not holds("formal-gradient", formal=good | {"times": [0.1, 0.1, 0.1, 0.1]})

    def test_convex_targets(self):
        good = {"all": [True] * 2, "rest": [0.0] * 2, "regression": [0.0] * 2, "errors": [0.0] * 2}
        good |= {"above": [1.0, 1.2], "uneven": [0.0, 0.1]}
        assert holds("convex-targets", convex=good)
        for name in ("rest", "regression", "errors"):
            assert not holds("convex-targets", convex=good | {name: [0.0, 1e-9]}), name
        for bad in ({"above": [0.9, 1.2]}, {"all": [True, False]}, {"uneven": [0.0, 0.0]}):
            assert not holds("convex-targets", convex=good | bad), bad

    def test_neutral_atoms(self):
        families = {"case 1": [{"knots": np.arange(1, n + 1) / (n + 1)} for n in range(1, 6)]}
        good = {"violation": [0.0] * 3 + [1e-3] * 4, "inner": [0.0] * 3 + [1e-4] * 4, "zero": [0.1] * 7}
        assert holds("neutral-atoms", families=families, neutral=good)
        for bad in ({"violation": [1e-3] * 7}, {"violation": [0.0] * 7}, {"inner": [1e-4] * 7}, {"zero": [0.0] * 7}):
            assert not holds("neutral-atoms", families=families, neutral=good | bad), bad
