"""The numbers in the sentences of a report, on runs made by formula; nothing is drawn."""

import dataclasses
import sys
from typing import Any

import numpy as np
import pytest

from widelimit import report
from widelimit.report._risk_section import held_out_section, risk_section
from widelimit.report._run import limit_section
from widelimit.report._words import DASH, MINUS


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
        (0.0, ", and it ends at its lowest: no overfitting"),
        (0.01, ", and it ends 1.0% above its lowest: no overfitting"),
        (0.05, "; it was lowest, 0.400, at t\u00a0=\u00a02: training on overfits"),
    ],
)
def test_when_training_overfits(run: Any, summary: Any, rise: float, words: str) -> None:
    """Held-out risk 0.4 at its lowest, at the time 2, and a share `rise` above that at the end."""
    limit = run(64)
    t = limit.times
    held = np.where(t <= 2.0, 0.4 + 0.1 * (2.0 - t), 0.4 * (1.0 + rise * (t - 2.0) / 6.0))
    caption = held_out_section(summary(limit=(_observing(limit, held_out_risk=held),))).pictures[0].caption
    assert words in caption
    assert f"held-out risk is {0.4 * (1.0 + rise):.3f}, against 0.0103 on the training data" in caption


def test_networks_against_width(summary: Any) -> None:
    """(1 + s) / N above the limit for the seeds s = 0, 1: 1.5 / N on average, halved by doubling the width."""
    section = risk_section(summary())
    captions = {picture.name: picture.caption for picture in section.pictures}
    assert (
        f"Doubling the width divides the difference by 2.0 (averaged over time, slope {MINUS}1.0)" in captions["width"]
    )
    assert "So slow a fall" not in captions["width"]
    assert "the networks of width 10 are 0.150 above it" in captions["difference"]
    assert "those of width 40 0.0375 above it" in captions["difference"]
    assert "the network of width 40 is 0.0375 above the limit (mean of 2 seeds)" in captions["risk"]
    alt = next(picture.alt for picture in section.pictures if picture.name == "width")
    assert "averaged over time: 0.150 at width 10, 0.0375 at width 40." in alt
    rows = {row[0]: row[2:5] for row in section.tables[0].rows}
    assert rows["width 10, 2 seeds"] == ("0.160", "0.110 to 0.210", "0.150")
    assert rows["width 40, 2 seeds"] == ("0.0478", "0.0353 to 0.0603", "0.0375")


def test_where_a_network_is_farthest_from_the_limit(run: Any, summary: Any) -> None:
    """0.1 above it, but 0.2 at the time 2."""
    limit = run(64)
    off = np.where(limit.times == 2.0, 0.2, 0.1)
    network = report.NetworkRun(10, 0, "SGD, step 0.1", _observing(limit, risk=limit.risk + off))
    section = risk_section(summary(limit=(limit,), networks=(network,)))
    caption = next(picture.caption for picture in section.pictures if picture.name == "difference")
    assert "the networks of width 10 are 0.200 above it at t\u00a0=\u00a02 on average" in caption
