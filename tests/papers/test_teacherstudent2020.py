"""teacherstudent2020: that its claims hold, that they can fail, and the tools they stand on."""

import functools
import itertools
from typing import Any

import numpy as np
import paper_claims
import pytest

MODULES = (
    "_activations",
    "_ensemble",
    "_expansions",
    "_mean_field",
    "_quartic",
    "_relu",
    "_residual",
    "_speed",
    "_walls",
    "_weights",
)
FIGURES = (
    "activations",
    "directions",
    "expansion_errors",
    "residual_risk",
    "resting_points",
    "speeds",
    "wall_mass",
    "width_rate",
)
QUICK = (
    "binomial-weights",
    "functional-derivative",
    "loss-pairing",
    "relu-null-space",
    "softplus-activation",
    "wide-network",
)

PAPER = paper_claims.Folder("teacherstudent2020", MODULES)
module, holds = PAPER.module, PAPER.holds

test_claims = PAPER.checks(QUICK)
test_the_paper_has_them_all = PAPER.is_whole(FIGURES)
test_figures = PAPER.draws(("activations", "directions", "speeds", "wall_mass", "width_rate"))


def tanh_data(seed=0):
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=(9, 2)), "y": rng.normal(size=9), "mu": np.full(9, 1.0 / 9.0)}


def fields(width, weighted, velocity=0.0, slopes=0.0, psi=0.0, risk=1.0, pairing=0.0):
    """A network, and what the library would say of it."""
    from widelimit.theory import teacherstudent2020 as theory

    data = tanh_data()
    rows = np.random.default_rng(1).normal(size=(width, 2 + weighted))
    flow = theory.tanh_flow(rows[:, -2:], rows[:, 0] if weighted else np.ones(width), **data)
    exact = np.column_stack([flow.w, flow.theta]) if weighted else flow.theta
    return data | {
        "rows": rows,
        "risk": risk * flow.risk,
        "psi": flow.potential + psi,
        "velocity": exact + velocity,
        "slopes": -exact[:3] + slopes,
        "teacher psi": np.array([np.mean(flow.potential) - 2.0 * flow.risk + pairing]),
        "teacher masses": np.ones(1),
    }


def descended(data, start, times, lag=0.0):
    """(2) by the classical method of order 4."""
    from widelimit.theory import teacherstudent2020 as theory

    def flow(rows):
        return theory.tanh_flow(rows, np.ones(len(rows)), **data)

    rows, saved = start, [start]
    for before, after in itertools.pairwise(times):
        count = max(1, round((after - before) / 0.05))
        h = (1.0 + lag) * (after - before) / count
        for _ in range(count):
            a = flow(rows).theta
            b = flow(rows + 0.5 * h * a).theta
            c = flow(rows + 0.5 * h * b).theta
            rows = rows + h * (a + 2.0 * b + 2.0 * c + flow(rows + h * c).theta) / 6.0
        saved.append(rows)
    return {"rows": np.stack(saved), "risk": np.array([flow(one).risk for one in saved]), "times": times}


def drawn(widths, seeds, times, power=-0.5, seed=0):
    z = np.random.default_rng(seed).normal(size=(len(widths), seeds, len(times), 3))
    rows = np.tile(np.linspace(-1.0, 1.0, max(widths)), (len(widths), 1))
    values = 0.5 + np.array(widths, float)[:, None, None, None] ** power * z
    return {"tests": values, "rows": rows, "weights": np.full(rows.shape, 1.0 / max(widths))}


def limit(order, times, off=0.0):
    rows, weights = np.linspace(-1.0, 1.0, 10)[:, None], np.full(10, 0.1)
    return {"tests": np.full((len(times), 3), 0.5 + (off if order == 16 else 0.0)), "rows": rows, "weights": weights}


def near(activation, atoms, masses, off, end, slow=1.0, late=1.0, exact: Any = True, **_):
    from widelimit.theory import teacherstudent2020 as theory

    t, alpha = np.linspace(0.0, end, 13), np.array(masses)
    if activation == "relu":
        rates = 0.5 * alpha
        errors = np.exp(-np.outer(t, rates))
    else:
        matrix = theory.tanh_matrix(atoms, alpha, module("runs._speeds").NODES)
        rates = np.sort(np.linalg.eigvals(matrix).real)[::-1]
        errors = theory.linear_errors(slow * matrix, off, t)
    tenth = np.log(10.0) / rates[:2] * np.array([1.0, slow])
    return {
        "times": t,
        "errors": errors,
        "to tenth": tenth,
        "to hundredth": 2.0 * tenth,
        "late": late * (rates if activation == "relu" else rates[[-1, -1]]),
        "rates": slow * rates,
        "exact": exact,
    }


def from_random(activation, masses, seeds, loss: Any = 1e-3, light: Any = 9.0, near: Any = None, **_):
    return {
        "masses": np.tile(masses if near is None else near, (seeds, 1)),
        "elsewhere": np.full(seeds, 1.0 - np.sum(masses)),
        "to tenth": np.tile([3.0, light], (seeds, 1)),
        "risk": np.tile([1.0, loss], (seeds, 1)),
    }


@functools.cache
def in_a_box(centre):
    """Paths of 50 particles in [-1, 1], and the nodes x, y, mu."""
    from widelimit.theory import teacherstudent2020 as theory

    z, mu = np.polynomial.hermite_e.hermegauss(16)
    x, mu = 3.0 * z, mu / np.sum(mu)
    start, y = (np.arange(50) + 0.5) / 25.0 - 1.0, np.tanh(centre * x)
    return theory.box_flow(start, x, y, mu, 1.0, module("runs._walls").TIMES, 0.02), x, y, mu


def particles(centre, pull: Any = 0.0, at_end: Any = None, **wrong):
    exact, x, y, mu = in_a_box(centre)
    times = np.arange(165.0)
    rest = np.full((4, 50), min(centre, 1.0) if at_end is None else at_end)
    loss = float(mu @ (np.tanh(rest[-1, 0] * x) - y) ** 2 / (mu @ y**2))
    paths = np.concatenate([np.clip(exact - pull, -1.0, 1.0), rest])
    said = {
        "times": times,
        "paths": paths,
        "wall": np.mean(np.abs(paths) >= 1.0 - 1e-12, axis=1),
        "risk": np.exp(-0.01 * times),
        "psi": -np.linspace(-1.0, 1.0, 201),
        "loss": loss,
        "rests": True,
        "zero": centre < 1.0,
        "inside": centre < 1.0,
        "failed": np.array(["mass 1 sits on a wall", "the teacher lies outside Theta"]),
    }
    return {"x": x[:, None], "y": y, "mu": mu} | said | wrong


def equation(centre, cells, off=3.0, mass=1.0):
    on = np.mean(np.abs(in_a_box(centre)[0]) >= 1.0 - 1e-12, axis=1) + off / cells
    return {"wall": on, "mass": np.full(161, mass)}


def canned_tilts(activation, kind):
    """A function that shows odd differences and hides even ones."""
    return {"loss": 1e-2 if kind.startswith("odd") else 1e-30}


def spectra(d):
    from widelimit.theory import teacherstudent2020 as theory

    values = np.array([theory.relu_eigenvalue(k, d) for k in range(17)])
    values[3::2] = 0.0
    return {"values": values}


def two_waves(rows, angles):
    angle = np.linspace(-np.pi, np.pi, angles)
    return {"angle": angle, "f": np.stack([np.cos(angle), np.cos(angle)])}


@pytest.mark.first(3)
@pytest.mark.parametrize("name", ["activations", "directions", "speeds", "wall_mass", "width_rate"])
def test_a_figure_is_drawn_from_its_arrays(name):
    from widelimit.papers import named

    given = (near, from_random, particles, equation, drawn, limit)
    pieces = {one.__name__: one for one in given}
    pieces |= {"tilted": canned_tilts, "spectrum": spectra, "reversed_pair": two_waves}
    figure = named("teacherstudent2020").figure(name)
    data = figure.compute(paper_claims.canned(pieces))
    assert figure.draw(data).startswith(b"\x89PNG")
    assert len(figure.caption(data)) > 200
    assert figure.caption(data) not in figure.alt(data)


class TestTools:
    def test_exponents_and_their_errors(self):
        rate = module("runs._networks").rate
        rng = np.random.default_rng(0)
        n = (16, 64, 256)
        slopes, errors = rate(n, rng.normal(size=(3, 60, 400)) ** 2 / np.array(n)[:, None, None])
        assert np.mean(slopes) == pytest.approx(-0.5, abs=0.01)
        assert np.std(slopes) == pytest.approx(np.mean(errors), rel=0.1)

    def test_test_functions(self):
        networks = module("runs._networks")
        np.testing.assert_allclose(networks.tests(np.zeros((4, 2))), np.tile([1.0, 1.0, 0.5], (4, 1)))
        assert len(networks.TESTS) == 3

    @pytest.mark.slow
    def test_rows_without_weight_do_not_count(self):
        networks = module("runs._networks")
        found = networks.drawn((3, 8), 2, [0.0, 0.5])["tests"]
        assert found.shape == (2, 2, 2, 3)
        rows = networks.laws.Uniform(-2.0, 2.0, dim=2).sample(8, key=networks.jax.random.key(1)).positions
        np.testing.assert_allclose(found[0, 1, 0], np.mean(networks.tests(np.asarray(rows[:3])), axis=0))


class TestFailing:
    """Claims on numbers that contradict them."""

    def test_equations(self):
        for id in ("particle-flow", "functional-derivative", "loss-pairing", "weighted-flow", "weighted-pairing"):
            assert holds(id, fields=fields), id
        for id in ("particle-flow", "weighted-flow"):
            for wrong in ({"velocity": 1e-9}, {"slopes": 1e-6}):
                assert not holds(id, fields=lambda wrong=wrong, **s: fields(**s, **wrong))
        for id in ("functional-derivative", "weighted-pairing"):
            for wrong in ({"psi": 1e-9}, {"risk": 1.0 + 1e-9}):
                assert not holds(id, fields=lambda wrong=wrong, **s: fields(**s, **wrong))
        for id in ("loss-pairing", "weighted-pairing"):
            assert not holds(id, fields=lambda **s: fields(**s, pairing=1e-9))

    def test_flows(self):
        data, start = tanh_data(), np.random.default_rng(2).normal(size=(12, 2))

        def followed(width, end, saves, lag=0.0):
            return data | descended(data, start, np.linspace(0.0, end, saves + 1), lag)

        for id in ("descent-time", "dissipation"):
            assert holds(id, followed=followed)
            assert not holds(id, followed=lambda **s: followed(**s, lag=0.02))

    def test_law_of_large_numbers(self):
        assert holds("law-of-large-numbers", drawn=drawn, limit=limit)
        assert not holds("law-of-large-numbers", drawn=lambda **s: drawn(**s, power=-0.2), limit=limit)
        assert not holds("law-of-large-numbers", drawn=lambda **s: drawn(**s, power=-0.8), limit=limit)
        assert not holds("law-of-large-numbers", drawn=drawn, limit=lambda **s: limit(**s, off=0.01))

    def test_sides(self):
        def two_sides(masses, shares, end, rates=None, least=0.1):
            t, limits = np.linspace(0.0, end, 9), 2.0 * np.array(masses)
            start = 3.0 * np.array(shares)
            rates = 0.5 * np.array(shares) if rates is None else np.array(rates)
            sides = limits + (start - limits) * np.exp(-np.outer(t, rates))
            return {"times": t, "sides": sides, "limits": limits, "least": least}

        for id, wrong in (("scale-analysis", (0.25, 0.25)), ("own-masses", (0.4, 0.1))):
            assert holds(id, two_sides=two_sides)
            assert not holds(id, two_sides=lambda wrong=wrong, **s: two_sides(**s, rates=wrong))
        assert not holds("own-masses", two_sides=lambda **s: two_sides(**s, least=0.0))

    def test_speeds(self):
        for id, others in (
            ("decoupled-speed", ({"slow": 1.02}, {"late": 1.02}, {"exact": False})),
            ("coupled-speed", ({"slow": 1.02}, {"late": 1.1})),
        ):
            assert holds(id, near=near)
            for wrong in others:
                assert not holds(id, near=lambda wrong=wrong, **s: near(**s, **wrong)), (id, wrong)

    def test_random_starts(self):
        for id in ("random-start-masses", "random-start-order"):
            assert holds(id, from_random=from_random)
        for wrong in ({"loss": 0.1}, {"near": (0.5, 0.5)}):
            assert not holds("random-start-masses", from_random=lambda wrong=wrong, **s: from_random(**s, **wrong))
        for light in (2.0, 3.0):
            assert not holds("random-start-order", from_random=lambda light=light, **s: from_random(**s, light=light))

    def test_walls(self):
        assert holds("no-flux", particles=particles, equation=equation)
        assert not holds("no-flux", particles=lambda **s: particles(**s, pull=0.05), equation=equation)
        for wrong in ({"off": 10.0}, {"mass": 0.999}):
            assert not holds("no-flux", particles=particles, equation=lambda wrong=wrong, **s: equation(**s, **wrong))
        flat = {"wall": np.full(161, 0.14), "mass": np.ones(161)}
        assert not holds("no-flux", particles=particles, equation=lambda **_: flat)
        for id, others in (
            ("teacher-inside", ({"loss": 1e-3}, {"risk": np.linspace(0.0, 1.0, 165)})),
            (
                "teacher-outside",
                (
                    {"loss": 0.1},
                    {"rests": False},
                    {"zero": True},
                    {"inside": True},
                    {"failed": np.array(["outside Theta"])},
                    {"at_end": 0.99},
                    {"psi": np.linspace(-1.0, 1.0, 201)},
                ),
            ),
        ):
            assert holds(id, particles=particles)
            for wrong in others:
                assert not holds(id, particles=lambda wrong=wrong, **s: particles(**s, **wrong)), (id, wrong)

    def test_a_ball(self):
        x = np.random.default_rng(4).normal(size=(40, 2))
        mu = np.full(40, 1.0 / 40.0)

        def in_ball(centre, end, turned: Any = 0.0, **wrong):
            y = np.tanh(x @ centre)
            angle = np.linspace(0.0, np.pi, 200_001)
            circle = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            losses = np.concatenate([(np.tanh(part @ x.T) - y) ** 2 @ mu for part in np.array_split(circle, 40)])
            at = angle[np.argmin(losses)] + turned
            return {
                "x": x,
                "y": y,
                "mu": mu,
                "rows": np.tile([np.cos(at), np.sin(at)], (5, 1)),
                "wall": 1.0,
                "loss": np.min(losses) / (mu @ y**2),
                "rests": True,
                "zero": False,
                "inside": False,
                "psi": np.full(5, -0.1),
                "elsewhere": np.array([-0.09, 0.1]),
            } | wrong

        assert holds("teacher-outside-ball", in_ball=in_ball)
        for wrong in (
            {"turned": 0.01},
            {"wall": 0.9},
            {"loss": 0.5},
            {"rests": False},
            {"zero": True},
            {"inside": True},
            {"elsewhere": np.array([-0.11])},
        ):
            assert not holds("teacher-outside-ball", in_ball=lambda wrong=wrong, **s: in_ball(**s, **wrong)), wrong

    def test_neutral_directions(self):
        def neutral(activation, atoms, count: Any = 2, order=2.0, size=1e-7, other=1e-3, turned=0.0):
            own = atoms * np.array([1.0, -1.0, -1.0][: atoms.shape[1]])
            own /= np.linalg.norm(own, axis=1, keepdims=True)
            directions = np.stack([np.array([own[0], 0.0 * own[0]]), np.array([0.0 * own[1], own[1]])])[:count]
            moved = [[size, size * 0.5**order]] * count + [[other, 0.5 * other]]
            return {"atoms": atoms, "directions": directions + turned, "moved": moved}

        assert holds("neutral-directions", neutral=neutral)
        for wrong in ({"count": 1}, {"order": 1.0}, {"size": 1e-4}, {"other": 1e-9}, {"turned": 1e-3}):
            assert not holds("neutral-directions", neutral=lambda wrong=wrong, **s: neutral(**s, **wrong)), wrong
