"""teacherstudent2020's closed forms against other routes."""

import math

import numpy as np
import pytest

from widelimit.theory import teacherstudent2020 as theory


class TestSphere:
    @pytest.mark.parametrize("degree", [0, 1, 2, 3, 4, 6])
    def test_eigenvalues_on_the_circle(self, degree):
        # INT_0^(2 pi) (cos(s - r))_+ cos(k s) ds at r = 0, elementary.
        exact = {0: 2.0, 1: 0.5 * math.pi, 3: 0.0}.get(degree, 2.0 * math.cos(0.5 * math.pi * degree) / (1 - degree**2))
        assert theory.relu_eigenvalue(degree, 2) == pytest.approx(exact, abs=1e-13)

    def test_trace_in_three_dimensions(self):
        # INT INT sigma(u . v)^2 = SUM (2 k + 1) lambda_k^2 = (4 pi)^2/6, the mean of (t_+)^2 being 1/6.
        k = np.arange(0, 200)
        values = np.array([theory.relu_eigenvalue(int(one), 3) for one in k])
        total = float(np.sum((2 * k + 1) * values**2))
        assert total == pytest.approx((4.0 * math.pi) ** 2 / 6.0, rel=1e-6)
