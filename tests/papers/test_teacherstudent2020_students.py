"""teacherstudent2020, Examples 1 to 3: that the claims on what a function fixes can fail, and their tools."""

from typing import Any

import numpy as np
import paper_claims
import pytest

PAPER = paper_claims.Folder("teacherstudent2020", ("_activations", "_relu"))
module, holds = PAPER.module, PAPER.holds


def shown(loss=1e-2, least=0.1):
    """What is asked of a student whose difference from the teacher the function shows, or not."""
    return {"loss": loss, "unrest": loss, "least": least}


def eight_points(rank, *charges):
    return {"rank": rank, "charges": np.array(charges, float).reshape(-1, 8), "singular": np.ones(8)}


EVEN, ODD = [[0, 0, 1, -1, -1, 1, 0, 0]], [[0, 0, 1, -1, 1, -1, 0, 0]]


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

    def test_trained_students(self):
        def trained(d, nodes, count, end, low=1e-3, error=0.01, free=0.5, most: Any = 3):
            names = ["the first moment INT theta", "m(u), degree 0", "m(u), degree 2"][: min(d + 1, most)]
            names += ["m(u), degree 4"]
            return {
                "fixed names": names,
                "fixed": [low] * (len(names) - 1) + [0.3],
                "error": error,
                "free": [0.0, free],
            }

        assert holds("trained-students", trained=trained)
        for wrong in ({"low": 0.05}, {"error": 0.05}, {"free": 0.1}, {"most": 2}):
            assert not holds("trained-students", trained=lambda wrong=wrong, **s: trained(**s, **wrong)), wrong
