"""teacherstudent2020's closed forms against other routes."""

import math

import numpy as np
import pytest

from widelimit.theory import teacherstudent2020 as theory


class TestSphere:
    @pytest.mark.parametrize(
        ("degree", "exact"),
        [(0, 2.0), (1, 0.5 * math.pi), (2, 2.0 / 3.0), (3, 0.0), (4, -2.0 / 15.0), (6, 2.0 / 35.0), (9, 0.0)],
    )
    def test_eigenvalues_on_the_circle(self, degree, exact):
        # INT cos(s) cos(k s) ds over |s| < pi/2, elementary: 2 cos(k pi/2)/(1 - k^2).
        assert theory.relu_eigenvalue(degree, 2) == pytest.approx(exact, abs=1e-13)

    def test_trace_in_three_dimensions(self):
        # INT INT sigma(u . v)^2 = SUM (2 k + 1) lambda_k^2 = (4 pi)^2/6, the mean of (t_+)^2 being 1/6.
        k = np.arange(0, 60)
        values = np.array([theory.relu_eigenvalue(int(one), 3) for one in k])
        total = float(np.sum((2 * k + 1) * values**2))
        assert total == pytest.approx((4.0 * math.pi) ** 2 / 6.0, rel=1e-5)


class TestSpeed:
    def test_matrix_of_tanh_by_sampling(self):
        rng = np.random.default_rng(0)
        atoms, masses = np.array([[0.6, 0.2], [-0.3, 0.5]]), np.array([0.7, 0.3])
        x = rng.normal(size=(200_000, 2))
        gradients = (1.0 / np.cosh(x @ atoms.T) ** 2)[:, :, None] * x[:, None]
        flat = gradients.reshape(len(x), 4)
        sampled = flat.T @ flat / len(x) * np.repeat(masses, 2)
        np.testing.assert_allclose(theory.tanh_matrix(atoms, masses, 60), sampled, atol=0.01)

    def test_linear_errors(self):
        times = np.array([0.0, 1.0, 3.0])
        found = theory.linear_errors(np.diag([1.0, 2.0]), np.array([[3.0], [4.0]]), times)
        np.testing.assert_allclose(found, np.stack([3.0 * np.exp(-times), 4.0 * np.exp(-2.0 * times)], axis=1))


class TestTwoLayer:
    def test_flow_is_the_gradient_of_the_risk(self):
        rng = np.random.default_rng(3)
        theta, w, x, y, mu = (rng.normal(size=s) for s in ((4, 2), 4, (7, 2), 7, 7))
        mu = mu**2
        found = theory.tanh_flow(theta, w, x, y, mu)
        h = 1e-6
        for i, k in ((0, 0), (2, 1)):
            bump = np.zeros_like(theta)
            bump[i, k] = h
            up, down = (theory.tanh_flow(theta + side * bump, w, x, y, mu).risk for side in (1.0, -1.0))
            assert found.theta[i, k] == pytest.approx(-4.0 * (up - down) / (2.0 * h), rel=1e-6)
        bump = np.array([0.0, h, 0.0, 0.0])
        up, down = (theory.tanh_flow(theta, w + side * bump, x, y, mu).risk for side in (1.0, -1.0))
        assert found.w[1] == pytest.approx(-4.0 * (up - down) / (2.0 * h), rel=1e-6)
        np.testing.assert_allclose(found.potential, -w * found.w)

    def test_a_wall_stops_what_leads_out_and_nothing_else(self):
        # y = tanh(5 x): everything is driven up; y = -tanh(5 x): down.
        x, mu, times = np.array([-1.0, 1.0]), np.array([0.5, 0.5]), np.array([0.0, 1.0, 50.0])
        start = np.array([-0.5, 0.9])
        up = theory.box_flow(start, x, np.tanh(5.0 * x), mu, 1.0, times, 0.01)
        np.testing.assert_allclose(up[0], start)
        np.testing.assert_allclose(up[-1], 1.0)
        assert up[1, 1] == 1.0 > up[1, 0]
        down = theory.box_flow(up[-1], x, -np.tanh(5.0 * x), mu, 1.0, times, 0.01)
        np.testing.assert_allclose(down[-1], -1.0)

    def test_more_saves_change_no_path(self):
        x, mu, start = np.array([-1.0, 1.0]), np.array([0.5, 0.5]), np.array([-0.5, 0.3])
        once = theory.box_flow(start, x, np.tanh(2.0 * x), mu, 1.0, np.array([0.0, 1.0]), 0.01)
        often = theory.box_flow(start, x, np.tanh(2.0 * x), mu, 1.0, np.array([0.0, 0.25, 0.5, 1.0]), 0.01)
        np.testing.assert_allclose(often[-1], once[-1], atol=1e-12)
        # Half a step is one of Euler's: theta + 0.01 times the velocity.
        first = theory.box_flow(start, x, np.tanh(2.0 * x), mu, 1.0, np.array([0.0, 0.01]), 0.02)
        moved = theory.tanh_flow(start[:, None], np.ones(2), x[:, None], np.tanh(2.0 * x), mu).theta[:, 0]
        np.testing.assert_allclose(first[-1], start + 0.01 * moved, atol=1e-15)
