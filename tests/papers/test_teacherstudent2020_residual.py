"""teacherstudent2020, section 3: that the claims on residual networks can fail, and what they stand on."""

import math
from typing import Any

import numpy as np
import paper_claims
import pytest

PAPER = paper_claims.Folder("teacherstudent2020", ("_ensemble", "_expansions", "_quartic", "_residual"))
module, holds, is_refused = PAPER.module, PAPER.holds, PAPER.is_refused

test_figures = PAPER.draws(("expansion_errors", "residual_risk", "resting_points"))
RNG = np.random.default_rng(0)


def descent(order=1.0, gradient=0.0, sgd=0.0, level=0.0):
    theta = np.ones((3, 2, 2, 2))
    hand = [theta + 2.0 + 0.1 * (0.2 * 0.5**k) ** order for k in range(4)]
    levels = np.repeat(np.arange(3.0), 2)
    return {
        "by hand": hand,
        "flow": theta + 2.0,
        "sgd": hand[0] + sgd,
        "start": theta,
        "gradient": theta,
        "gradient by hand": theta + gradient,
        "levels": [levels, levels + level],
    }


def points(kinds, by, theta, loss, lowest=-0.5, level=0.0):
    n = len(kinds)
    return {
        "by": by,
        "kind": kinds,
        "loss": np.full(n, loss),
        "gradient": np.ones(n),
        "moved": np.ones(n),
        "group": np.where(np.array(kinds) == "slow", -1, 0),
        "falling": np.ones(n),
        "lowest": np.full(n, lowest),
        "theta": theta,
        "levels": np.tile(np.repeat(np.arange(3.0), 3), (n, 1)) + level,
        "levels at the start": np.repeat(np.arange(3.0), 3),
        "teacher": np.arange(9.0).reshape(3, 3),
        "at the start": [1.0],
    }


class TestFailing:
    """Claims on numbers that contradict them."""

    @pytest.mark.parametrize("name", ["wide-descent", "ensemble-descent"])
    def test_descent(self, name):
        assert holds(name, descended=lambda **_: descent())
        for wrong in ({"order": 2.0}, {"gradient": 1e-11}, {"sgd": 1e-11}):
            assert not holds(name, descended=lambda wrong=wrong, **_: descent(**wrong))

    def test_depth_marginal(self):
        rest = points(["slow"] * 3, ["flow", "dissipation", "flow, dissipation"], np.zeros((3, 9)), 1.0)
        assert holds("depth-marginal", descended=lambda **_: descent(), search=rest)
        assert not holds("depth-marginal", descended=lambda **_: descent(level=1e-15), search=rest)

    @pytest.mark.parametrize(
        ("name", "piece", "sizes"),
        [("width-limit", "trained_wide", (4, 16, 64)), ("ensemble-limit", "trained_branches", (4, 16, 64))],
    )
    def test_limits_in_width(self, name, piece, sizes):
        def runs(power, learns=True):
            draws = RNG.normal(size=(400, 3, 2))
            risk = np.tile([1.0, 0.5 if learns else 1.0], (400, 1))
            return {str(n): {"f": n**power * draws, "risk": risk, "start": draws} for n in sizes}

        assert holds(name, **{piece: runs(-0.5)})
        assert not holds(name, **{piece: runs(-0.35)})
        assert not holds(name, **{piece: runs(-0.5, learns=False)})

    def test_limits_in_depth(self):
        def deep(power):
            def runs(depth, **_):
                f = np.full((1, 3, 2), 10.0 + depth**power)
                return {"f": f, "start": f - 10.0, "risk": np.ones((1, 2))}

            return runs

        assert holds("depth-limit", trained_deep=deep(-1.0))
        assert not holds("depth-limit", trained_deep=deep(-0.5))

    def test_vanilla(self):
        def runs(power, risk):
            def of(depth, widths, **_):
                draws = RNG.normal(size=(400, 3, 2))
                value = 1.0 if len(widths) > 1 else risk
                scale = depth**power if len(widths) == 1 else 0.1
                one = {"f": scale * draws, "risk": value + 0.01 * draws[:, 0], "start": draws}
                return {str(w): one for w in widths}

            return of

        assert holds("vanilla-limit", trained_wide=runs(-0.5, 1.0))
        assert not holds("vanilla-limit", trained_wide=runs(-0.25, 1.0))
        assert not holds("vanilla-limit", trained_wide=runs(-0.5, 1.5))

    def test_theorems(self):
        branch = {"one": np.ones(3), "by hand": np.ones(3), "risk": [0.5], "pairing": [1.0]}
        assert holds("ensemble-theorem", in_the_ensemble=branch)
        assert not holds("ensemble-theorem", in_the_ensemble=branch | {"pairing": [1.0 + 1e-11]})
        assert not holds("ensemble-theorem", in_the_ensemble=branch | {"one": np.ones(3) + 1e-12})
        first = {"risk": [0.5, 1.0], "pairing": [1.0, 2.0], "psi": [2.0, 2.0], "moved across levels": 0.5}
        assert holds("first-order-theorem", first_order=first)
        for wrong in ({"psi": [2.0, 2.0 + 1e-12]}, {"moved across levels": 0.5 + 1e-12}, {"pairing": [1.0, 2.1]}):
            assert not holds("first-order-theorem", first_order=first | wrong)

    def test_branches_and_networks(self):
        assert holds("branches-needed", spread_of_branches={"ratio": [1.0, 4.0, 16.0]})
        assert not holds("branches-needed", spread_of_branches={"ratio": [1.0, 0.9, 0.8]})
        one = np.ones(4)
        network = {"library": one, "mixed": one, "across": one + 1.0, "by hand": one}
        assert holds("wide-network", means_over_levels=network)
        assert not holds("wide-network", means_over_levels=network | {"mixed": one + 1e-12})
        assert not holds("wide-network", means_over_levels=network | {"across": one})

    def test_quartic(self):
        s = np.linspace(0.0, 4.0, 9)
        assert holds("quartic-loss", along_a_segment={"risk": (s**2 - 1.0) ** 2})
        assert not holds("quartic-loss", along_a_segment={"risk": s**5})
        assert not holds("quartic-loss", along_a_segment={"risk": s**3})

    def test_saddle(self):
        kinds, by = ["zero loss", "stationary, loss > 0"], ["flow", "dissipation"]
        theta = np.full((2, 6), -1.5)

        def found(kinds=kinds, by=by, theta=theta, loss=9.0 / 32.0, lowest=-0.5):
            return points(kinds, by, theta, loss, lowest)

        assert holds("quartic-saddle", linear_search=found())
        wrongs: tuple[dict[str, Any], ...] = (
            {"theta": theta + 1e-5},
            {"loss": 0.28},
            {"lowest": 0.5},
            {"kinds": kinds[::-1]},
            {"kinds": ["zero loss"] * 2},
            {"kinds": kinds[1:] * 2},
        )
        for wrong in wrongs:
            assert not holds("quartic-saddle", linear_search=found(**wrong))

    def test_many_runs(self):
        kinds, by = ["slow", "zero loss"], ["flow", "dissipation"]
        teacher = np.arange(9.0)
        assert holds("many-runs", search=points(kinds, by, np.tile(teacher, (2, 1)), 0.0))
        assert not holds("many-runs", search=points(kinds, by, np.tile(teacher + 0.5, (2, 1)), 0.0))
        assert not holds("many-runs", search=points(["slow"] * 2, by, np.tile(teacher, (2, 1)), 0.0))

    def test_series(self):
        one = np.ones((12, 2))
        pair = np.stack([one, 2.0 * one])
        terms = {
            "finite": pair,
            "deep": pair + np.stack([0.0 * one, 0.5 * one]),
            "by hand": pair,
            "teacher by hand": 0.0 * pair,
            "E_2": 9.0,
            "one level": one,
        }
        assert holds("second-order-terms", second_terms=terms)
        for wrong in ({"E_2": 9.1}, {"deep": pair}, {"finite": pair + 1e-12}):
            assert not holds("second-order-terms", second_terms=terms | wrong)
        binomials = np.array([math.comb(6, k) / 6.0**k for k in range(7)])
        assert holds("binomial-weights", one_atom_terms={"terms": binomials})
        assert not holds("binomial-weights", one_atom_terms={"terms": 1.0 / np.cumprod([1, 1, 2, 3, 4, 5, 6])})

    def test_orders(self):
        radii = module("runs._series").RADII

        def found(added=0.0, whole=0.0, gap=0.0):
            tails = {
                name: np.stack([radii ** (power(k) + added) for k in (1, 2, 3)], axis=1)
                for name, power in (
                    ("X", lambda k: k + 1),
                    ("fixed", lambda k: k + 1),
                    ("taught", lambda k: k + 2),
                    ("zero", lambda k: 2 * k + 2),
                )
            }
            sums = {"sum": np.ones(2), "network": np.ones(2) + whole}
            return tails | sums | {"E - E_2": tails["fixed"][1, 1] * (1.0 + gap)}

        assert holds("expansion-orders", against_radius=found())
        for wrong in ({"added": 0.2}, {"whole": 1e-9}, {"gap": 1e-9}):
            assert not holds("expansion-orders", against_radius=found(**wrong))

    def test_factorials_and_radii(self):
        from widelimit.theory import teacherstudent2020 as theory

        sizes = np.abs(module("claims._expansions").taylor(1.2, 0.7, 20)[1:])

        def near(theta, x, order, off=0.0, **_):
            return {"terms": [x * theta**k / math.factorial(k) * (1.0 + off) for k in range(order + 1)]}

        def radius(theta, x, depth, continuous, by=1.0, **_):
            exact = (theory.one_atom_radius if continuous else theory.two_level_radius)(theta, x)
            return {"pole": by * exact, "branch": by * exact, "sizes": sizes}

        assert holds("factorial-terms", one_atom_terms=near, fitted_radius=radius)
        assert not holds("factorial-terms", one_atom_terms=lambda **m: near(off=0.1, **m), fitted_radius=radius)
        falling = {"sizes": [1.0 / math.factorial(k) for k in range(1, 21)]}
        assert not holds("factorial-terms", one_atom_terms=near, fitted_radius=falling)
        assert holds("convergence-radius", fitted_radius=radius)
        assert not holds("convergence-radius", fitted_radius=lambda **m: radius(by=1.2, **m))


def test_loops_of_the_theory():
    """The backward loops against differences, and the closed form against its equation."""
    from widelimit.theory import teacherstudent2020 as theory

    theta, x, y = RNG.normal(size=(3, 2, 2, 2)), RNG.normal(size=(4, 2)), RNG.normal(size=(4, 2))
    for network, gradient in (
        (lambda t: theory.wide_states(t, x)[-1], theory.wide_gradient),
        (lambda t: theory.ensemble(t, x), theory.ensemble_gradient),
    ):
        step = 1e-5 * RNG.normal(size=theta.shape)
        fall = [0.5 * np.mean(np.sum((network(theta + side * step) - y) ** 2, axis=1)) for side in (1.0, -1.0)]
        assert np.sum(gradient(theta, x, y) * step) == pytest.approx(0.5 * (fall[0] - fall[1]), rel=1e-7)
    h = 1e-5
    slope = (theory.one_atom(1.2, 0.7, h) - theory.one_atom(1.2, 0.7, -h)) / (2.0 * h)
    assert slope == pytest.approx(np.tanh(1.2 * 0.7), rel=1e-9)
    s = theory.one_atom_radius(1.2, 0.7)
    near = [abs(theory.one_atom(1.2, 0.7, f * s * np.exp(1j * angle))) for f in (0.9, 0.999) for angle in (1.0, 1.5)]
    assert np.all(np.isfinite(near))
    root = (np.log(1.0 / np.sinh(1.2 * 0.7)) + 0.5j * np.pi) / 1.2
    assert abs(root) == pytest.approx(s)
    assert np.exp(1.2 * root) * np.sinh(1.2 * 0.7) == pytest.approx(1j)
    pole = (0.5j * np.pi / 1.2 - 0.7) * 2.0 / np.tanh(1.2 * 0.7)
    assert abs(pole) == pytest.approx(theory.two_level_radius(1.2, 0.7))
