"""Quadrature on a sphere, for tests: what closed forms there are checked against."""

import numpy as np
from scipy.special import roots_gegenbauer


def sphere_rule(d, n):
    """Nodes [Q, d] on the sphere of radius sqrt(d) and weights that sum to 1, exact for polynomials of degree 2n - 1.

    x = (u, sqrt(1 - u^2) x') with u by Gauss's rule for (1 - u^2)^((d-3)/2) and x' on the next smaller sphere.
    """
    x, w = _unit_rule(d, n)
    return d**0.5 * x, w / w.sum()


def _unit_rule(d, n):
    if d == 2:
        angle = np.pi * (np.arange(2 * n) + 0.5) / n
        return np.stack([np.cos(angle), np.sin(angle)], axis=1), np.full(2 * n, 0.5 / n)
    u, v = roots_gegenbauer(n, (d - 2) / 2)
    inner, weights = _unit_rule(d - 1, n)
    rows = [np.concatenate([np.full((len(inner), 1), c), (1 - c**2) ** 0.5 * inner], axis=1) for c in u]
    return np.concatenate(rows), np.concatenate([mass * weights for mass in v])
