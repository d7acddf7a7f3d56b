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
