"""Schedules: their integrals, where they jump, and what is refused."""

from typing import Any

import numpy as np
import pytest
import scipy.integrate
from hypothesis import given, strategies as st

from widelimit import schedules

_positive = st.floats(1e-3, 10.0)


@given(st.floats(0.0, 0.95), _positive, _positive)
def test_power_integrates(exponent: float, scale: float, t: float) -> None:
    xi = schedules.power(exponent, scale)
    # s = t u^(1 / (1 - exponent)) removes the singularity at 0.
    p = 1.0 / (1.0 - exponent)
    expected = scipy.integrate.quad(lambda u: float(xi(t * u**p)) * t * p * u ** (p - 1.0), 1e-12, 1.0)[0]
    assert xi.integral(t) == pytest.approx(expected, rel=1e-6)
    assert xi.integral(0.0) == 0.0
    assert xi.singular == (exponent > 0)


@given(
    st.lists(st.tuples(st.floats(0.05, 2.0), st.floats(0.0, 5.0)), min_size=1, max_size=4),
    st.floats(0.0, 10.0),
)
def test_piecewise_integrates_and_jumps_at_its_times(parts: list[tuple[float, float]], t: float) -> None:
    times = np.cumsum([gap for gap, _ in parts])
    values = [1.0] + [value for _, value in parts]
    xi = schedules.piecewise(times.tolist(), values)
    edges = [0.0, *[s for s in times if s < t], t]
    expected = sum((b - a) * v for a, b, v in zip(edges, edges[1:], values, strict=False))
    assert xi.integral(t) == pytest.approx(expected, abs=1e-12)
    assert float(xi(0.0)) == 1.0
    for s, value in zip(times, values[1:], strict=True):
        assert float(xi(s)) == value
    assert xi.largest() == max(values)


@given(_positive, _positive)
def test_constant_and_function_integrate(value: float, t: float) -> None:
    assert schedules.constant(value).integral(t) == pytest.approx(value * t, rel=1e-14, abs=0.0)
    assert schedules.function(lambda s: value * s).integral(t) == pytest.approx(value * t**2 / 2, rel=1e-9)
    assert schedules.function(lambda s: value).integral(t) == pytest.approx(value * t, rel=1e-9)


def test_as_schedule() -> None:
    xi = schedules.power(0.25)
    assert schedules.as_schedule(xi, "here") is xi
    assert float(schedules.as_schedule(2, "here")(1.0)) == 2.0
    assert float(schedules.as_schedule(lambda t: 3.0 * t, "here")(1.0)) == 3.0


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: schedules.constant(-1.0), "constant"),
        (lambda: schedules.constant(float("nan")), "constant"),
        (lambda: schedules.power(1.0), "exponent"),
        (lambda: schedules.power(-0.1), "exponent"),
        (lambda: schedules.power(0.5, -1.0), "scale"),
        (lambda: schedules.piecewise([1.0], [1.0]), "times"),
        (lambda: schedules.piecewise([2.0, 1.0], [1.0, 1.0, 1.0]), "times"),
        (lambda: schedules.piecewise([0.0], [1.0, 1.0]), "times"),
        (lambda: schedules.piecewise([float("nan")], [1.0, 1.0]), "times"),
        (lambda: schedules.piecewise([1.0], [1.0, -1.0]), "values"),
        (lambda: schedules.as_schedule([1.0, 2.0], "SGD(schedule=...)"), "SGD"),
    ],
)
def test_bad_arguments(make: Any, name: str) -> None:
    with pytest.raises(ValueError, match=name):
        make()


def test_a_function_that_is_not_integrable_is_refused() -> None:
    with pytest.raises(ValueError, match="integral"):
        schedules.function(lambda t: np.inf if t < 0.5 else 1.0).integral(1.0)


def test_a_function_that_is_negative_is_refused() -> None:
    # Time does not run backwards.
    with pytest.raises(ValueError, match="negative"):
        schedules.function(lambda t: -1.0).integral(1.0)
