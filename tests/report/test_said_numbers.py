"""The numbers in the sentences of a report, on runs made by formula; nothing is drawn."""

import dataclasses
import re
import sys
from typing import Any

import numpy as np
import pytest

from widelimit import report
from widelimit.report._risk_section import held_out_section, risk_section
from widelimit.report._run import _lead, limit_section
from widelimit.report.words import DASH, MINUS, number


@pytest.fixture(autouse=True)
def _nothing_drawn(monkeypatch: Any) -> None:
    monkeypatch.setattr(sys.modules["widelimit.report._risk_section"], "to_png", lambda *_, **__: b"")


def _observing(run: Any, **values: np.ndarray) -> Any:
    return dataclasses.replace(run, observables=run.observables | values)


def test_how_exact_the_limit_is(run: Any, summary: Any) -> None:
    """The risk moves by 0.01 at the start and by 0.02 at the end; its error falls from 0.003 to 0.001."""
    coarse, fine = run(64), run(128)
    fine = _observing(fine, risk=coarse.risk + 0.01 * (1.0 + fine.times / 8.0))
    section = limit_section(summary(limit=(coarse, fine), limit_error=np.linspace(3e-3, 1e-3, 33)))
    assert [row[:3] for row in section.tables[0].rows] == [("64", "0.01034", DASH), ("128", "0.03034", "0.0200")]
    assert "at most 0.00300 along the run and 0.00100 at its end" in section.sentences[0]


@pytest.mark.parametrize(
    ("rise", "words"),
    [
        (0.0, "; it is at its lowest there."),
        (
            0.01,
            "; it was lowest, 0.400, at t\u00a0=\u00a02, and the rise since, 0.00400, is within the limit's own error",
        ),
        (
            0.05,
            "; it was lowest, 0.400, at t\u00a0=\u00a02, and has risen by 5.0 % since: from there on training overfits",
        ),
    ],
)
def test_when_training_overfits(run: Any, summary: Any, rise: float, words: str) -> None:
    """Held-out risk 0.4 at its lowest, at the time 2, and a share `rise` above that at the end; known to 0.005."""
    limit = run(64)
    t = limit.times
    held = np.where(t <= 2.0, 0.4 + 0.1 * (2.0 - t), 0.4 * (1.0 + rise * (t - 2.0) / 6.0))
    made = summary(limit=(_observing(limit, held_out_risk=held),), held_out_error=np.full(33, 0.005))
    caption = held_out_section(made).pictures[0].caption
    assert words in caption
    last = 0.4 * (1.0 + rise)
    ratio = last / limit.risk[-1]
    assert f"held-out risk is {last:.3f}, {ratio:.0f} times its risk on the training data, 0.0103" in caption


def test_a_gap_between_held_out_and_training_is_said(run: Any, summary: Any) -> None:
    """Twice the training risk at the end, and never lower before: no word that all is well."""
    caption = held_out_section(summary(limit=(run(64),))).pictures[0].caption
    assert "is 0.0207, 2.0 times its risk on the training data, 0.0103; it is at its lowest there." in caption


def test_networks_against_width(summary: Any) -> None:
    """(1 + s) / N above the limit for the seeds s = 0, ..., 3: 2.5 / N on average, halved by doubling the width."""
    section = risk_section(summary(networks=_networks(10, 40)))
    captions = {picture.name: picture.caption for picture in section.pictures}
    # The four seeds' standard deviation is (5/3)^(1/2) / N: an error of 0.26 of the mean for each width.
    error = 0.5 * (5 / 3) ** 0.5 / 2.5 * 2**0.5 / np.log(4.0)
    assert f"Doubling the width divides the difference by 2.0 (slope {MINUS}1.00 ± {error:.2f})" in captions["width"]
    assert "So slow a fall" not in captions["width"]
    assert (
        "the networks are 0.250 ± 0.065 above it (4 seeds) at t\u00a0=\u00a00.00781 at width 10"
        in captions["difference"]
    )
    assert " ± 0.016 above it (4 seeds) at t\u00a0=\u00a00.00781 at width 40" in captions["difference"]
    # 0.0625 may be rounded either way.
    assert re.search(r"the network of width 40 is 0.06[23] ± 0.016 above the limit \(4 seeds\);", captions["risk"])
    alt = next(picture.alt for picture in section.pictures if picture.name == "width")
    assert "averaged over time: 0.250 at width 10, 0.0625 at width 40." in alt
    rows = {row[0]: row[2:5] for row in section.tables[0].rows}
    assert rows["width 10, 4 seeds"] == ("0.260 ± 0.065", "0.110 to 0.410", "0.250 ± 0.065")
    assert rows["width 40, 4 seeds"][1] == "0.0353 to 0.110"


def _networks(*widths: int, seeds: int = 4, dynamics: str = "SGD, step 0.1") -> tuple:
    from .conftest import make_run

    return tuple(
        report.NetworkRun(n, s, dynamics, make_run(n, floor=0.01 + (1 + s) / n)) for n in widths for s in range(seeds)
    )


def test_what_seeds_do_not_decide_is_no_finding(run: Any, summary: Any) -> None:
    """Two seeds at 0.1 and 0.2 above the limit: Student's 95 % reach 12.7 times their error, 0.05."""
    made = summary()
    captions = {picture.name: picture.caption for picture in risk_section(made).pictures}
    assert "is level with the limit as far as 2 seeds tell (0.038 ± 0.013 above)" in captions["risk"]
    lead = _lead(made)[1]
    assert lead.startswith("The networks end level with it as far as 2 seeds tell (0.150 ± 0.050 above) at width 10")
    one = summary(networks=_networks(10, 40, seeds=1))
    captions = {picture.name: picture.caption for picture in risk_section(one).pictures}
    assert "is 0.0250 above the limit (one seed decides nothing)" in captions["risk"]
    assert "With one seed a width no rate is decided" in captions["width"]


@pytest.mark.parametrize(
    ("dynamics", "words"),
    [
        (
            "SGD, step 0.1",
            "So slow a fall points to the step and the batch of the training, or to the limit's own error.",
        ),
        ("gradient flow", "So slow a fall points to the limit's own error."),
    ],
)
def test_a_slow_fall_is_put_down_to_what_there_is(run: Any, summary: Any, dynamics: str, words: str) -> None:
    limit = run(64)
    networks = tuple(
        report.NetworkRun(n, s, dynamics, _observing(limit, risk=limit.risk + (0.1 + 0.001 * s) * n**-0.25))
        for n in (10, 40, 160)
        for s in range(3)
    )
    captions = {p.name: p.caption for p in risk_section(summary(limit=(limit,), networks=networks)).pictures}
    assert captions["width"].split(". ")[1].startswith(words.rstrip("."))


def test_a_network_below_the_limit_on_average_is_marked_so(run: Any, summary: Any) -> None:
    from widelimit.report._curves import risk_curves
    from widelimit.report._width import against_width

    limit = run(64)
    networks = tuple(
        report.NetworkRun(n, s, "SGD", _observing(limit, risk=limit.risk + sign * 0.1 / n))
        for n in (10, 40)
        for s, sign in enumerate((1, -1))
    )
    data = against_width(risk_curves(summary(limit=(limit,), networks=networks)))
    assert data is not None
    for distances in (data.average, data.end):
        np.testing.assert_allclose(distances.seeds, [[0.01, -0.01], [0.0025, -0.0025]], rtol=1e-9)
    np.testing.assert_allclose(data.average.mean, [0.01, 0.0025], rtol=1e-9)


@pytest.mark.parametrize(
    ("off", "error", "words"),
    [
        (
            2e-6,
            None,
            "limit and pde end lowest, at 0.0103: APART, and their errors are not known.",
        ),
        (
            2e-6,
            1e-5,
            "limit and pde end lowest, at 0.0103: APART, no more than their errors, 2.00",
        ),
        (
            2e-3,
            1e-5,
            "The lowest risk at the end is that of limit, 0.0103: 0.00200 below pde, more than their errors, 2.00",
        ),
        (2e-3, None, "The lowest risk at the end is that of limit, 0.0103: 0.00200 below pde."),
    ],
)
def test_which_run_ends_lowest(run: Any, off: float, error: float | None, words: str) -> None:
    from widelimit.report._compare import _lowest
    from widelimit.report._curves import Curve

    known = None if error is None else np.full(33, error)
    limit = run(64)
    curves = [Curve("limit", limit.times, limit.risk, known), Curve("pde", limit.times, limit.risk + off, known)]
    assert _lowest(curves).startswith(words.replace("APART", f"{number(off)} apart"))


@pytest.mark.parametrize(
    ("off", "words"),
    [
        (2e-3, "The lowest risk at t\u00a0=\u00a08 is that of limit, 0.0103: 0.00200 below net"),
        (0.0, "limit and net are lowest at t\u00a0=\u00a08, with 0.0103: 0 apart"),
    ],
)
def test_runs_of_other_lengths_are_compared_where_the_first_ends(run: Any, off: float, words: str) -> None:
    """The network goes on to t = 10 and falls below the limit's end on the way."""
    from widelimit.report._compare import _lowest
    from widelimit.report._curves import Curve

    limit, error = run(64), np.full(33, 1e-5)
    longer = np.append(limit.times, 10.0), np.append(limit.risk + off, 0.001)
    curves = [Curve("limit", limit.times, limit.risk, error), Curve("net", *longer, np.full(34, 1e-5))]
    assert _lowest(curves).startswith(words)


def test_where_a_network_is_farthest_from_the_limit(run: Any, summary: Any) -> None:
    """0.1 above it, but 0.2 at the time 2."""
    limit = run(64)
    off = np.where(limit.times == 2.0, 0.2, 0.1)
    network = report.NetworkRun(10, 0, "SGD, step 0.1", _observing(limit, risk=limit.risk + off))
    section = risk_section(summary(limit=(limit,), networks=(network,)))
    caption = next(picture.caption for picture in section.pictures if picture.name == "difference")
    assert "the networks are 0.200 above it (one seed decides nothing) at t\u00a0=\u00a02 at width 10" in caption


def test_what_ends_a_step_late_is_compared_at_the_end_of_the_limit(run: Any, summary: Any) -> None:
    """Risk 0.31 + 0.1 (8 - t) until t = 10: at the limit's end, 8, it is 0.3 above the limit's 0.01."""
    t = np.linspace(0.0, 10.0, 6)
    late = dataclasses.replace(run(10, points=6, t1=10.0), times=t, observables={"risk": 0.31 + 0.1 * (8.0 - t)})
    made = summary(networks=(report.NetworkRun(10, 0, "SGD", late),), held_out=False)
    row = risk_section(made).tables[0].rows[-1]
    assert row == ("width 10, 1 seed", "8", "0.310", DASH, "0.300")
