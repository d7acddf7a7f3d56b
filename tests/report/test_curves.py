"""The data of the pictures over time and against width."""

import dataclasses

import numpy as np
import pytest


def test_the_risk_picture_holds_the_limit_and_a_group_a_width(summary):
    from widelimit.report._curves import risk_curves

    curves = risk_curves(summary())
    assert curves.reference.label == "limit, 256 particles"
    np.testing.assert_allclose(curves.reference.error, 1e-3)
    assert [(group.label, len(group.curves)) for group in curves.groups] == [("width 10", 2), ("width 40", 2)]
    assert curves.log
    np.testing.assert_allclose(curves.groups[0].mean.values - curves.reference.values, 0.15, rtol=1e-12)


def test_differences_are_exact_on_shared_times_and_accurate_between(summary, run):
    from widelimit.report._curves import Curve, differences, minus, observed, risk_curves

    gap = differences(risk_curves(summary())).groups[1].mean
    np.testing.assert_allclose(gap.values, 0.0375, rtol=1e-12)
    # Other times: the cubic through 33 points is off by less than a thousandth of the risk's range.
    other = observed(run(10, floor=0.02, points=50, t1=5.0), "risk", "b")
    off = minus(other, observed(run(), "risk", "a"))
    assert off.until == 5.0
    np.testing.assert_allclose(off.values, 0.01, atol=1e-3)
    # A run that outlasts the reference is compared until the reference's very end.
    late = minus(observed(run(t1=9.0), "risk", "a"), Curve("flat", np.array([0.0, 2.0]), np.zeros(2)))
    assert late.until == 2.0
    assert late.last == pytest.approx(0.01 + np.exp(-2.0), abs=2e-3)


def test_a_run_that_stopped_does_not_cut_its_width_short(summary):
    from widelimit.report._curves import risk_curves

    whole = summary()
    stopped = cut(whole.networks[1].trajectory, 5)
    networks = (whole.networks[0], dataclasses.replace(whole.networks[1], trajectory=stopped))
    group = risk_curves(dataclasses.replace(whole, networks=networks)).groups[0]
    assert len(group.longest) == 1
    np.testing.assert_array_equal(group.mean.values, whole.networks[0].trajectory.risk)


def cut(trajectory, count):
    """The first `count` save points, as a run that diverged leaves them."""
    from widelimit import Outcome

    return dataclasses.replace(
        trajectory,
        times=trajectory.times[:count],
        positions=trajectory.positions[:count],
        observables={name: values[:count] for name, values in trajectory.observables.items()},
        outcome=Outcome.DIVERGED,
        message="SGD: diverged; try a step below 0.05.",
    )


def test_against_width_finds_the_slope(summary):
    from widelimit.report._curves import risk_curves
    from widelimit.report._width import against_width

    data = summary()
    widths = against_width(risk_curves(data))
    np.testing.assert_allclose(widths.average.mean, [0.15, 0.0375], rtol=1e-9)
    np.testing.assert_allclose(widths.end.seeds[0], [0.1, 0.2], rtol=1e-9)
    assert widths.slope == pytest.approx(-1.0, abs=1e-9)
    assert widths.average.limit_error == pytest.approx(1e-3)
    one = dataclasses.replace(data, networks=data.networks[:2])
    assert against_width(risk_curves(one)) is None


def test_a_logarithmic_axis_needs_positive_values_over_a_decade():
    from widelimit.report._curves import over_a_decade

    assert over_a_decade([np.array([1.0, 0.05])])
    assert not over_a_decade([np.array([1.0, 0.2])])
    assert not over_a_decade([np.array([1.0, 0.0])])
    assert not over_a_decade([np.array([1.0, -0.05])])


@pytest.mark.parametrize("end", [20.0, 1.0, 0.37, 1e-6, 12345.0])
def test_the_ticks_of_early_time_increase_up_to_the_end(end):
    from widelimit.report._curves import early_ticks

    ticks = np.array(early_ticks(end))
    assert ticks[0] == 0.0
    assert ticks[-1] == pytest.approx(end, rel=1e-3)
    assert len(ticks) >= 4
    assert np.all(np.diff(ticks) > 0)


def test_legends_stand_outside_the_axes(summary):
    """There they cover no curve."""
    from matplotlib.figure import Figure

    from widelimit.report._curves import draw_curves, risk_curves
    from widelimit.report._width import against_width, draw_width

    curves = risk_curves(summary())
    for draw, data, count in ((draw_curves, curves, 1), (draw_width, against_width(curves), 2)):
        figure = Figure(layout="constrained")
        draw(figure, data)
        assert len(figure.axes) == count
        assert all(axes.get_legend() is None for axes in figure.axes)
        (legend,) = figure.legends
        names = [text.get_text() for text in legend.get_texts()]
        assert len(names) == len(set(names)) >= 4
