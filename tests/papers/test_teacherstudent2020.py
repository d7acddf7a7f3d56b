"""teacherstudent2020: that its claims hold, that they can fail, and the tools they stand on."""

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
    "expansion_errors",
    "residual_risk",
    "resting_points",
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


def shown(loss=1e-2, least=0.1):
    """What is asked of a student whose difference from the teacher the function shows, or not."""
    return {"loss": loss, "unrest": loss, "least": least}


def eight_points(rank, *charges):
    return {"rank": rank, "charges": np.array(charges, float).reshape(-1, 8), "singular": np.ones(8)}


EVEN, ODD = [[0, 0, 1, -1, -1, 1, 0, 0]], [[0, 0, 1, -1, 1, -1, 0, 0]]


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


class TestTools:
    @pytest.mark.parametrize("kind", ["odd", "odd without first moment", "even", "even without second moment"])
    def test_tilts(self, kind):
        from widelimit.theory import teacherstudent2020 as theory

        theta = (np.arange(40) + 0.5) / 10.0 - 2.0
        weights = np.exp(-((theta - 0.5) ** 2))
        q = theory.tilt(theta, weights, kind)
        np.testing.assert_allclose(q, (1.0 if "even" in kind else -1.0) * q[::-1], atol=1e-15)
        moments = [abs(q @ theta**p) for p in range(3)]
        assert moments[0] < 1e-13
        assert (moments[1] < 1e-13) == (kind != "odd")
        assert (moments[2] < 1e-13) == (kind != "even")
        assert np.min(weights + q) > 0.0
        assert np.max(np.abs(q / np.minimum(weights, weights[::-1]))) == pytest.approx(0.8)

    @pytest.mark.parametrize("d", [2, 3])
    def test_the_sphere_sums_polynomials_and_holds_antipodes(self, d):
        rows, w = module("runs._students").sphere(d, 10)
        np.testing.assert_allclose(np.sum(rows**2, axis=1), 1.0)
        np.testing.assert_allclose(rows.T @ (w[:, None] * rows), np.eye(d) / d, atol=1e-14)
        # E u_1^2 u_2^2 = 1/(d (d + 2)).
        assert np.sum(w * rows[:, 0] ** 2 * rows[:, -1] ** 2) == pytest.approx(1.0 / (d * (d + 2)))
        assert max(np.min(np.linalg.norm(rows + row, axis=1)) for row in rows) < 1e-12

    def test_exponents_and_their_errors(self):
        rate = module("claims._mean_field").rate
        rng = np.random.default_rng(0)
        n = (16, 64, 256)
        slopes, errors = rate(n, rng.normal(size=(3, 60, 400)) ** 2 / np.array(n)[:, None, None])
        assert np.mean(slopes) == pytest.approx(-0.5, abs=0.01)
        assert np.std(slopes) == pytest.approx(np.mean(errors), rel=0.1)

    def test_test_functions(self):
        networks = module("runs._networks")
        np.testing.assert_allclose(networks.tests(np.zeros((4, 2))), np.tile([1.0, 1.0, 0.5], (4, 1)))
        assert len(networks.TESTS) == 3

    def test_rows_without_weight_do_not_count(self):
        networks = module("runs._networks")
        found = networks.drawn((3, 8), 2, [0.0, 0.5])["tests"]
        assert found.shape == (2, 2, 2, 3)
        rows = networks.laws.Uniform(-2.0, 2.0, dim=2).sample(8, key=networks.jax.random.key(1)).positions
        np.testing.assert_allclose(found[0, 1, 0], np.mean(networks.tests(np.asarray(rows[:3])), axis=0))

    def test_mass_on_walls(self):
        walls = module("runs._walls")
        paths = np.array([[-1.0, 0.0, 0.3, 0.9], [-1.0, 0.0, 1.0, 1.0]])
        np.testing.assert_allclose(walls.on_wall({"paths": paths}), [0.25, 0.75])

    def test_a_tilt_that_the_function_shows_is_seen(self):
        found = module("runs._students").tilted("tanh", "odd")
        assert found["loss"] > 0.1
        assert found["unrest"] > 0.1
        assert 0.0 < found["least"] < 1.0


class TestFailing:
    """Claims on numbers that contradict them."""

    def test_null_space(self):
        from widelimit.theory import teacherstudent2020 as theory

        def spectrum(d, **more):
            values = np.array([theory.relu_eigenvalue(k, d) for k in range(17)])
            for k, value in more.items():
                values[int(k[1:])] += value
            return {"values": values}

        assert holds("relu-null-space", spectrum=spectrum)
        assert not holds("relu-null-space", spectrum=lambda d: spectrum(d, k3=1e-12))
        assert not holds("relu-null-space", spectrum=lambda d: spectrum(d, k4=1e-7))

    @pytest.mark.parametrize(
        ("id", "activation", "exception", "rank", "charges"),
        [
            ("even-activation", "gaussian", "quadratic", 4, ODD),
            ("odd-activation", "tanh", "identity", 4, EVEN),
            ("sigmoid-activation", "sigmoid", "", 5, EVEN),
            ("softplus-activation", "softplus", "", 5, [[0, 0, 0.4, -1, 1, -0.4, 0, 0]]),
        ],
    )
    def test_activations(self, id, activation, exception, rank, charges):
        even = id == "even-activation"
        softplus = id == "softplus-activation"

        def tilted(activation, kind, swapped=(), least=0.1):
            hidden = kind.startswith("odd") if even else kind.startswith("even")
            if activation == exception:
                hidden = hidden or "without" in kind
            if softplus:
                hidden = kind == "odd without first moment"
            return shown(1e-30 if hidden != ((activation, kind) in swapped) else 1e-2, least)

        def invisible(activation, rows, wrong=0, rest=charges):
            return eight_points(1 + wrong) if activation == exception else eight_points(rank + wrong, *rest)

        assert holds(id, tilted=tilted, invisible=invisible)
        swaps = [(activation, "odd"), (activation, "even")]
        if exception:
            swaps += [(exception, "even without second moment" if even else "odd without first moment")]
        for swap in swaps:
            assert not holds(id, tilted=lambda swap=swap, **s: tilted(**s, swapped=(swap,)), invisible=invisible)
        assert not holds(id, tilted=lambda **s: tilted(**s, least=-0.1), invisible=invisible)
        assert not holds(id, tilted=tilted, invisible=lambda **s: invisible(**s, wrong=1))
        wrong = EVEN if even or softplus else ODD
        assert not holds(id, tilted=tilted, invisible=lambda **s: invisible(**s, rest=wrong))

    def test_one_input(self):
        # One side's INT |theta|: 1.8 - 1.8 = 0.
        charges = [0, 0, 0, 0, 0, 1.8, -1, 0]
        assert holds("relu-one-input", invisible=lambda **_: eight_points(2, charges))
        assert not holds("relu-one-input", invisible=lambda **_: eight_points(3, charges))
        assert not holds("relu-one-input", invisible=lambda **_: eight_points(2, [0, 0, 1, 0, 0, 1, -1, 0]))

    @pytest.mark.parametrize("id", ["reversed-directions", "weighted-relu"])
    def test_same_functions(self, id):
        def exchanged(first, second, weighted, apart=1e-16, fixed=1e-9, free=1.0):
            f = np.ones(5)
            return {"f": np.stack([f, f + apart]), "fixed": [0.0, fixed], "free": [0.0, free]}

        assert holds(id, exchanged=exchanged)
        for wrong in ({"apart": 1e-11}, {"fixed": 1e-6}, {"free": 0.01}):
            assert not holds(id, exchanged=lambda wrong=wrong, **s: exchanged(**s, **wrong))

    def test_positive_students(self):
        from widelimit.theory import teacherstudent2020 as theory

        def harmonic(d, k, count, size, odd=1e-30, factor=1.0, least=0.3, unrest=1e-30):
            if k in (3, 5, 7):
                return {"loss": odd, "unrest": unrest, "least": least}
            ratio = theory.relu_eigenvalue(k, d) / theory.relu_eigenvalue(0, d)
            return shown(factor * size**2 * ratio**2 / (2 if d == 2 else 2 * k + 1), least)

        assert holds("relu-positive-students", harmonic=harmonic)
        for wrong in ({"odd": 1e-20}, {"factor": 1.05}, {"least": -0.1}, {"unrest": 1e-20}):
            assert not holds("relu-positive-students", harmonic=lambda wrong=wrong, **s: harmonic(**s, **wrong))

    def test_atoms(self):
        def invisible(activation, rows, inputs, **ranks):
            return {"rank": ranks.get(f"n{len(rows)}", {63: 63, 64: 34}[len(rows)])}

        assert holds("relu-atoms", invisible=invisible)
        assert not holds("relu-atoms", invisible=lambda **s: invisible(**s, n63=34))
        assert not holds("relu-atoms", invisible=lambda **s: invisible(**s, n64=64))

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

        def followed(width, times, lag=0.0):
            return data | descended(data, start, times, lag)

        for id in ("descent-time", "dissipation"):
            assert holds(id, followed=followed)
            assert not holds(id, followed=lambda **s: followed(**s, lag=0.02))

    def test_law_of_large_numbers(self):
        def drawn(widths, seeds, times, power=-0.5, seed=0):
            z = np.random.default_rng(seed).normal(size=(len(widths), seeds, len(times), 3))
            return {"tests": 0.5 + np.array(widths, float)[:, None, None, None] ** power * z}

        def limit(order, times, off=0.0):
            return {"tests": np.full((len(times), 3), 0.5 + (off if order == 16 else 0.0))}

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
        from widelimit.theory import teacherstudent2020 as theory

        speed = module("claims._speed")

        def near(activation, atoms, masses, off, end, slow=1.0, late=1.0, exact: Any = True, **_):
            t, alpha = np.linspace(0.0, end, 30), np.array(masses)
            if activation == "relu":
                rates = 0.5 * alpha
                errors = np.exp(-np.outer(t, rates))
            else:
                matrix = theory.tanh_matrix(atoms, alpha, speed.NODES)
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

        for id, others in (
            ("decoupled-speed", ({"slow": 1.02}, {"late": 1.02}, {"exact": False})),
            ("coupled-speed", ({"slow": 1.02}, {"late": 1.1})),
        ):
            assert holds(id, near=near)
            for wrong in others:
                assert not holds(id, near=lambda wrong=wrong, **s: near(**s, **wrong)), (id, wrong)

    def test_random_starts(self):
        def from_random(activation, masses, seeds, loss: Any = 1e-3, light: Any = 9.0, near: Any = None, **_):
            return {
                "masses": np.tile(masses if near is None else near, (seeds, 1)),
                "elsewhere": np.zeros(seeds),
                "to tenth": np.tile([3.0, light], (seeds, 1)),
                "risk": np.tile([1.0, loss], (seeds, 1)),
            }

        for id in ("random-start-masses", "random-start-order"):
            assert holds(id, from_random=from_random)
        for wrong in ({"loss": 0.1}, {"near": (0.5, 0.5)}):
            assert not holds("random-start-masses", from_random=lambda wrong=wrong, **s: from_random(**s, **wrong))
        for light in (2.0, 3.0):
            assert not holds("random-start-order", from_random=lambda light=light, **s: from_random(**s, light=light))

    def test_walls(self):
        from widelimit.theory import teacherstudent2020 as theory

        z, mu = np.polynomial.hermite_e.hermegauss(16)
        x, mu = 3.0 * z, mu / np.sum(mu)
        start = (np.arange(50) + 0.5) / 25.0 - 1.0
        last = {}

        def particles(centre, times, pull: Any = 0.0, at_end: Any = None, **wrong):
            y = np.tanh(centre * x)
            if centre not in last:
                last[centre] = theory.box_flow(start, x, y, mu, 1.0, times[:-4], 0.02)
            rest = np.full((4, len(start)), min(centre, 1.0) if at_end is None else at_end)
            loss = float(mu @ (np.tanh(rest[-1, 0] * x) - y) ** 2 / (mu @ y**2))
            said = {
                "times": times,
                "paths": np.concatenate([np.clip(last[centre] - pull, -1.0, 1.0), rest]),
                "risk": np.exp(-0.01 * times),
                "psi": -np.linspace(-1.0, 1.0, 201),
                "loss": loss,
                "rests": True,
                "zero": centre < 1.0,
                "inside": centre < 1.0,
                "failed": np.array(["mass 1 sits on a wall", "the teacher lies outside Theta"]),
            }
            return {"x": x, "y": y, "mu": mu} | said | wrong

        def equation(centre, times, cells, off=3.0, mass=1.0):
            on = np.mean(np.abs(last[centre]) >= 1.0 - 1e-12, axis=1) + off / cells
            return {"last": np.stack([0.0 * on, on], axis=1), "mass": np.full(len(times), mass), "risk": times}

        assert holds("no-flux", particles=particles, equation=equation)
        assert not holds("no-flux", particles=lambda **s: particles(**s, pull=0.05), equation=equation)
        for wrong in ({"off": 10.0}, {"mass": 0.999}):
            assert not holds("no-flux", particles=particles, equation=lambda wrong=wrong, **s: equation(**s, **wrong))
        flat = {"last": np.full((161, 2), 0.07), "mass": np.ones(161)}
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
