"""Legendre polynomials on panels against adaptive quadrature."""

import itertools

import numpy as np
import pytest
import scipy.integrate

from widelimit.kernels._panels import Panels

PANELS = Panels(np.array([-0.5, 0.1, 0.4, 1.5]), 6)
# Left of A, at edges, inside panels, at B, right of it.
KNOTS = np.array([-1.3, -0.5, -0.2, 0.1, 0.37, 0.9, 1.4999, 1.5, 2.0])


def _integral(function, lower: float) -> float:
    cuts = [c for c in PANELS.edges if c > lower]
    ends = [max(lower, PANELS.edges[0]), *[c for c in cuts if c > max(lower, PANELS.edges[0])]]
    parts = [scipy.integrate.quad(function, a, b, epsabs=1e-13)[0] for a, b in itertools.pairwise(ends)]
    return sum(parts) / 2.0


def _basis(x: float) -> np.ndarray:
    return PANELS.combine(np.eye(PANELS.size), np.array([x]))[0]


@pytest.mark.parametrize("h", KNOTS)
def test_ramps_and_steps(h: float) -> None:
    for column in (0, 1, 5, 8, 13, 14, 20):
        step = _integral(lambda x, k=column: _basis(x)[k], h)
        ramp = _integral(lambda x, k=column: _basis(x)[k] * (x - h), h)
        # Values are of order one: the quadrature's own error.
        assert PANELS.step(np.array([h]))[0, column] == pytest.approx(step, abs=1e-12)
        assert PANELS.ramp(np.array([h]))[0, column] == pytest.approx(ramp, abs=1e-12)


def test_orthonormal_and_exact_for_a_kinked_function() -> None:
    none = np.zeros(0)
    for k in (0, 3, 9, 20):
        found, left = PANELS.project(lambda x, k=k: PANELS.combine(np.eye(PANELS.size)[:, k : k + 1], x)[:, 0], none)
        np.testing.assert_allclose(found, np.eye(PANELS.size)[k], atol=1e-13)
        assert left < 1e-26
    # A ramp with its knot inside a panel: its coefficients are `ramp`, its square norm is theirs and what is left.
    found, left = PANELS.project(lambda x: np.maximum(x - 0.7, 0.0), np.array([0.7]))
    np.testing.assert_allclose(found, PANELS.ramp(np.array([0.7]))[0], atol=1e-14)
    assert left + found @ found == pytest.approx(0.8**3 / 3 / 2, rel=1e-13, abs=0.0)
    assert left > 1e-5


def test_the_quadrature_resolves_a_high_degree_on_pieces_between_many_kinks() -> None:
    panels = Panels(np.array([0.0, 1.0]), 128)
    kinks = np.sort(np.random.default_rng(0).uniform(size=40)) ** 2
    found, left = panels.project(lambda x: panels.combine(np.eye(129)[:, 127:128], x)[:, 0], kinks)
    np.testing.assert_allclose(found, np.eye(129)[127], atol=1e-12)
    assert left < 1e-24
