"""Axes, items and pictures."""

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from widelimit.explore import Axis, Band, Crosses, Curve, Dots, Frame, Growing, Moving, Panel, axis, picture, svg

_NS = "{http://www.w3.org/2000/svg}"
_T = np.linspace(0.0, 1.0, 5)


def panel(**changed):
    items = (
        Band(_T, _T - 0.1, _T + 0.1, "limit", "band"),
        Curve(_T, _T**2, "target", "target", dashed=True),
        Moving(_T, np.outer(_T, _T), "limit", "limit"),
        Growing(_T[:4], 1.0 - _T[:4], "network", "network"),
        Dots(np.outer(_T, [0.2, 0.4]), np.outer(_T, [1.0, 0.5]), "network", "neurons"),
        Crosses([0.5], [0.5], "other", "sample < & >"),
    )
    parts = {"title": "A < B", "x": Axis("time t", 0.0, 1.0), "y": Axis("risk", 0.0, 1.0), "items": items}
    return Panel(**(parts | changed))


def parsed(*panels, **options):
    return ElementTree.fromstring(svg(panels, options.pop("frame", Frame(2, 5)), **options))


def places(root, look):
    return [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{_NS}circle") if c.get("class") == look]


def test_a_picture_is_svg_with_its_names_and_the_dots_of_its_moment():
    root = parsed(panel())
    said = "".join(text.text or "" for text in root.iter(f"{_NS}text"))
    for word in ("A < B", "time t", "risk", "network", "sample < & >"):
        assert word in said
    # Legend, the end of the curve that grows, two neurons: at half of their way.
    at = places(root, "dot network")[-2:]
    assert at[1][0] - at[0][0] == pytest.approx(0.1 * (500 - 62 - 12), abs=0.2)
    assert at[0][1] < at[1][1]
    assert not list(root.iter(f"{_NS}animate"))


def test_what_grows_is_shown_up_to_the_moment_and_no_further_than_it_came():
    def width(index):
        clips = {c.get("id"): c for c in parsed(panel(), frame=Frame(index, 5)).iter(f"{_NS}clipPath")}
        return float(clips["p0-3"][0].get("width"))

    inside = 500 - 62 - 12
    assert [width(k) for k in (0, 2, 4)] == pytest.approx([0.0, 0.5 * inside, 0.75 * inside], abs=0.1)


def test_playing_goes_through_all_moments():
    root = parsed(panel(), frame=Frame(4, 5, True))
    moved = {a.get("attributeName"): len(a.get("values").split(";")) for a in root.iter(f"{_NS}animate")}
    assert moved.keys() == {"cx", "cy", "d", "width"}
    dots = [c for c in root.iter(f"{_NS}circle") if c.get("class") == "dot network" and len(c)]
    values = dots[-1][0].get("values").split(";")
    assert len(values) == 5
    still = places(parsed(panel(), frame=Frame(4, 5)), "dot network")
    assert float(values[-1]) == still[-1][0]


def test_the_narrow_picture_stacks_its_panels():
    wide, narrow = (parsed(panel(), panel(), narrow=side).get("viewBox").split() for side in (False, True))
    assert float(wide[2]) > float(wide[3])
    assert float(narrow[2]) == 360 < float(narrow[3])


def test_a_picture_in_a_page_has_its_words():
    said = picture([panel()], Frame(0, 5), 'dots "rise" & fall')
    assert 'alt="dots &quot;rise&quot; &amp; fall"' in said
    assert said.count("data:image/svg+xml;base64,") == 2


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match=r"Curve\.y is not finite"):
        panel(items=(Curve(_T, np.where(_T < 0.6, _T, np.nan), "limit"),))


@pytest.mark.parametrize(
    ("low", "high", "log", "why"),
    [(1.0, 1.0, False, "increase"), (0.0, 1.0, True, "above 0"), (0.0, np.inf, False, "finite")],
)
def test_axes_that_are_none(low, high, log, why):
    with pytest.raises(ValueError, match=why):
        Axis("x", low, high, log)


def test_axes_have_a_few_round_ticks_and_hold_their_values():
    values = np.array([0.013, 7.4])
    for log in (False, True):
        found = axis("x", values, log=log)
        share, ticks = found.share(values), found.ticks()
        assert np.all((share > 0.0) & (share < 1.0))
        assert 2 <= len(ticks) <= 8
        assert all(found.low <= tick <= found.high for tick in ticks)
    assert axis("x", [2.0, 2.0]).low < 2.0
    assert np.ravel(Axis("x", 1.0, 100.0, True).share([10.0])) == pytest.approx([0.5])
    assert Axis("x", 1.0, 3.0).share(2.0) == pytest.approx(0.5)


def test_a_name_that_is_too_long_is_written_smaller():
    def size(title):
        root = parsed(panel(title=title), narrow=True)
        return next(text.get("font-size") for text in root.iter(f"{_NS}text") if text.text == title)

    assert size("short") is None
    assert float(size("a name that no telephone has room for, " * 2)) < 13.0
