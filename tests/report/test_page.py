"""The page as a whole: complete in itself, safe, and there for every shape of a run."""

import dataclasses
import html.parser
import pathlib
import re

import numpy as np
import pytest

PNG = b"\x89PNG"


class Reader(html.parser.HTMLParser):
    """Collects what a browser would load, the texts, and whether the tags close."""

    VOID = ("meta", "img", "br")

    def __init__(self, text):
        super().__init__()
        self.links, self.alts, self.texts, self.open, self.tags = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for key, value in attrs if key in ("src", "href", "srcset", "data", "action")]
        self.alts += [value for key, value in attrs if key == "alt"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def check(page):
    """What holds for every page; returns its reader."""
    reader = Reader(page.html)
    assert reader.open == []
    assert all(link.startswith(("data:image/png;base64,", "#")) for link in reader.links)
    assert "@import" not in page.html
    assert "url(" not in page.html
    assert "script" not in reader.tags
    assert reader.tags.count("img") == len(page.figures) == len(reader.alts) == reader.tags.count("figcaption")
    assert all(reader.alts)
    # What is to be seen, and not what to read from it.
    assert not {alt for alt in reader.alts if alt in reader.text}
    assert page.html.count('<div class="scroll" tabindex="0" role="region" aria-label="') == reader.tags.count("table")
    targets = re.findall(r'id="([^"]+)"', page.html)
    assert len(targets) == len(set(targets))
    assert {link[1:] for link in reader.links if link.startswith("#")} <= set(targets)
    assert all(png.startswith(PNG) for png in page.figures.values())
    assert not re.search(r"\b(nan|inf|None)\b", reader.text)
    assert not re.search(r"\bnan\b", " ".join(reader.alts))
    return reader


def test_the_whole_report(summary, tmp_path):
    from widelimit import report

    page = report.run_report(summary())
    reader = check(page)
    assert set(page.figures) == {
        "risk", "difference", "width", "held_out", "neurons_output", "neurons_weight", "neurons_bias",
        "neurons_pair", "neurons_inputs",
    }  # fmt: skip
    assert "width 40 is level with the limit as far as 2 seeds tell (0.038 ± 0.013 above)" in reader.text
    assert "the limit's own error there is 0.00100" in reader.text
    assert "slope \N{MINUS SIGN}1.00 ± 0.34" in reader.text
    assert reader.text.count("No network does better by more than 0.02.") == 1
    assert "One column is constant." in reader.text
    assert '<a class="term" href="#term-optimality-gap">optimality gap</a>' in page.html
    assert '<dt id="term-optimality-gap">' in page.html
    assert "prefers-color-scheme: dark" in page.html
    path = page.save(tmp_path / "new" / "report.html")
    assert path.read_text(encoding="utf-8") == page.html
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_without_networks_held_out_data_or_columns(summary):
    from widelimit import report

    data = summary()
    page = report.run_report(
        dataclasses.replace(
            data,
            networks=(),
            held_out=False,
            columns=(),
            notes=(),
            limit=data.limit[-1:],
            limit_converged=False,
        )
    )
    reader = check(page)
    assert not {"difference", "width", "held_out", "neurons_inputs"} & set(page.figures)
    assert "not as exact as was asked" in reader.text


def test_the_function_beside_the_data(summary):
    """The limit is 0.1 above the data at x = 0, and on it at x = 1 and 2."""
    from widelimit import report
    from widelimit.report._function_section import function_section

    x = np.array([0.0, 1.0, 2.0])
    functions = {"limit": np.array([0.1, 1.0, 2.0]), "width 4, seed 0": np.array([0.0, -1.0, 0.5])}
    fit = report.Fit(("dose", "effect"), x, functions, x, x)
    picture = function_section(fit).pictures[0]
    assert "The limit misses the data by 0.0577 (root mean square), most at dose = 0, by 0.100." in picture.caption
    assert "limit between 0.100 and 2.00 and width 4, seed 0 between \N{MINUS SIGN}1.00 and 0.500" in picture.alt
    page = report.run_report(summary(networks=(), held_out=False, columns=("dose",), fit=fit))
    assert set(check(page).links) >= {"#function"}


def test_a_picture_is_as_wide_as_its_text_asks(summary):
    from widelimit.report.canvas import DPI
    from widelimit.report.pages import Picture

    png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + (2 * DPI).to_bytes(4, "big") + (3 * DPI).to_bytes(4, "big")
    picture = Picture("a", png, "", "")
    assert picture.size == (2 * DPI, 3 * DPI)
    assert picture.rem == 2 * 6.6


def test_a_wide_picture_scrolls_and_is_reached_by_keyboard():
    from widelimit.report.canvas import to_png
    from widelimit.report.pages import Picture, Section, make_page

    pictures = tuple(Picture(name, to_png(lambda _: None, *size), "c", "a") for name, size in SIZES.items())
    page = make_page("t", [], [], [Section("s", "S", pictures=pictures)])
    assert page.html.count('tabindex="0"') == 1
    assert '<figure class="scroll" tabindex="0" role="region" aria-label="Picture wide">' in page.html


def test_a_long_legend_stays_on_the_sheet():
    from widelimit.report.canvas import add_legend, to_png

    label = "some folder's name width 64, SGD, step 0.01, sampling full, mean of 3 ± standard error"
    kept = []

    def draw(figure):
        axes = figure.add_subplot()
        axes.plot([0, 1], label=label)
        add_legend(axes)
        kept.append(figure)

    to_png(draw)
    (legend,) = kept[0].legends
    box, sheet = legend.get_window_extent(), kept[0].bbox
    assert sheet.x0 <= box.x0 < box.x1 <= sheet.x1
    assert " ".join(legend.get_texts()[0].get_text().split()) == label


SIZES = {"plain": (5.6, 1.0), "wide": (10.0, 1.0)}


def test_one_network_that_stopped_at_once(summary):
    from widelimit import Outcome, report

    data = summary()
    whole = data.networks[0].trajectory
    first = dataclasses.replace(
        whole,
        times=whole.times[:1],
        positions=whole.positions[:1],
        observables={name: values[:1] for name, values in whole.observables.items()},
        outcome=Outcome.DIVERGED,
        message="SGD: diverged; try a step below 0.05.",
    )
    networks = (dataclasses.replace(data.networks[0], trajectory=first),)
    reader = check(report.run_report(dataclasses.replace(data, networks=networks)))
    assert "width 10, seed 0: SGD: diverged; try a step below 0.05." in reader.text
    assert "The networks end" not in reader.text


def test_checks_that_do_not_apply(summary):
    from widelimit import report

    data = summary()
    checks = dataclasses.replace(
        data.checks, gap=float("inf"), gap_budget=None, largest_correlation=None, dissipation_defect=None
    )
    reader = check(report.run_report(dataclasses.replace(data, checks=checks, networks=())))
    assert "budget of the gap" not in reader.text


def test_a_bracket_leads_where_it_informs(summary):
    from widelimit.report._run import _lead, check_section

    data = summary()
    words = "The infimum is between 0.001 and 0.002."
    checks = dataclasses.replace(data.checks, gap_lower=0.001, gap_upper=0.002, gap_bracket=words, gap_informs=True)
    assert _lead(dataclasses.replace(data, checks=checks))[0] == words
    silent = dataclasses.replace(data, checks=dataclasses.replace(checks, gap_informs=False))
    assert _lead(silent)[0].startswith("In the limit of infinite width the risk falls")
    assert not any(words in said or "No network does better" in said for said in _lead(silent))
    rows = {row[0]: row[1:] for row in check_section(checks).tables[0].rows}
    assert rows["infimum, from below"] == ("0.00100", words)
    assert rows["infimum, from above"][0] == "0.00200"


def test_names_are_text_and_nothing_else(summary):
    from widelimit import report

    evil = "<script>alert(1)</script> $x_1$ \"'&"
    data = summary(
        title=evil,
        problem={evil: evil},
        columns=(evil, "_b", "$"),
        notes=(evil,),
        limit_note=evil,
        provenance={evil: {evil: evil}},
    )
    page = report.run_report(data)
    reader = check(page)
    assert reader.text.count("<script>alert(1)</script>") >= 6


def test_compare_takes_whatever_runs_there_are(run, tmp_path):
    from widelimit import report
    from widelimit.measure import Block

    limit = run(128)
    noisy = run(16, points=9, t1=3.0, extra={"risk_error": np.full(9, 0.01)})
    other = dataclasses.replace(
        run(32, t1=20.0), blocks=(Block("weight", ()), Block("x", (4,))), weights=np.full((33, 32), 1 / 32)
    )
    nameless = dataclasses.replace(run(8), blocks=())
    page = report.compare(limit=limit, _noisy=noisy, other=other, nameless=nameless)
    reader = check(page)
    assert {"risk", "difference", "neurons_output", "neurons_x", "neurons_parameter 1"} <= set(page.figures)
    assert re.search(r"Measured from limit ?, _noisy is .* it at t = 3, other is .* it at t = 8", reader.text)
    assert check(report.compare(only=limit)).text.count("Comparison of only") == 2


def test_compare_is_exact_about_the_difference(run):
    from widelimit.report._compare import ends, risks
    from widelimit.report._curves import Group, differences, observed

    curves = [observed(run(8), "risk", "a"), observed(run(9, floor=0.03), "risk", "b")]
    groups = [Group(curve.label, (curve,)) for curve in curves]
    np.testing.assert_allclose(differences(risks(groups)).groups[0].curves[0].values, 0.02, rtol=1e-12)
    found = ends({"a": (run(8),), "b": (run(9),)})
    assert [(m.label, [row.label for row in m.rows]) for m in found] == [
        ("output", ["a", "b"]),
        ("|weight|", ["a", "b"]),
        ("bias", ["a", "b"]),
    ]


def test_runs_of_a_group_are_compared_by_their_mean(run):
    """Three risks that differ by a constant: the mean, and their deviation over the root of three."""
    from widelimit import report
    from widelimit.report._compare import _together, risks
    from widelimit.report._curves import Group, observed
    from widelimit.report._spread import spread_of

    limit, floors = run(64), (0.02, 0.03, 0.07)
    seeds = [run(8, floor=floor) for floor in floors]
    page = report.compare(small=seeds, limit=limit)
    text = check(page).text
    # The same floors a second time: a mean over seeds is known to their deviation over the root of their number.
    groups = [
        Group("small", tuple(observed(one, "risk", "s") for one in seeds)),
        Group("limit", (observed(limit, "risk", "l"),)),
    ]
    curve = risks(groups).reference
    np.testing.assert_allclose(curve.values - seeds[0].risk, np.mean(floors) - floors[0], atol=1e-12)
    np.testing.assert_allclose(curve.error, np.std(floors, ddof=1) / 3**0.5, rtol=1e-9)
    assert "The mean risk of 3 runs of small falls from" in text
    assert "The risk of limit falls from" in text
    assert "Measured from small" in text
    # All neurons of a group, each run with the same share.
    rows = _together([spread_of(one, one.blocks[0], -1, "small") for one in seeds])
    assert len(rows.values) == 24
    assert rows.weights.sum() == pytest.approx(1.0)
    expected = np.mean([one[-1].weights @ one[-1].positions[:, 0] for one in seeds])
    assert rows.weights @ rows.values == pytest.approx(expected)


def test_what_is_no_group(run):
    from widelimit import report

    with pytest.raises(ValueError, match=r"compare\(b=\.\.\.\): expected a Trajectory, or a list of some, got"):
        report.compare(a=run(8), b=[])


def test_bad_input_is_named(summary, run, tmp_path):
    from widelimit import report

    with pytest.raises(ValueError, match="at least one trajectory"):
        report.compare()
    with pytest.raises(ValueError, match=r"compare\(a=\.\.\.\): needs 'risk'.* observed penalty"):
        report.compare(a=dataclasses.replace(run(), observables={"penalty": np.zeros(33)}))
    for far in (np.nan, np.inf, 1e200):
        with pytest.raises(ValueError, match=r"compare\(a=\.\.\.\): 'risk' must be finite"):
            report.compare(a=dataclasses.replace(run(), observables={"risk": np.full(33, far)}))
        with pytest.raises(ValueError, match=r"compare\(a=\.\.\.\): 'positions' must be finite"):
            report.compare(a=dataclasses.replace(run(), positions=np.full((33, 64, 5), far)))
    with pytest.raises(ValueError, match="one number a save time"):
        summary(limit_error=np.zeros(3))
    with pytest.raises(ValueError, match="not negative"):
        summary(limit_error=np.full(33, np.nan))
    with pytest.raises(ValueError, match="at least one trajectory"):
        summary(limit=())
    bare = dataclasses.replace(run(), observables={"risk": run().risk})
    with pytest.raises(ValueError, match="held_out_risk"):
        summary(limit=(bare,))
    (tmp_path / "file").write_text("")
    page = report.compare(a=run(8, points=3))
    with pytest.raises(ValueError, match=r"Page\.save\(path=\.\.\.\): 's3://bucket/a.html' must be a path"):
        page.save("s3://bucket/a.html")
    for place in (tmp_path / "file" / "report.html", tmp_path):
        with pytest.raises(ValueError, match="cannot write"):
            page.save(place)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_the_caller_keeps_their_style(summary):
    import matplotlib

    from widelimit import report

    with matplotlib.rc_context({"font.size": 3.0, "axes.facecolor": "black"}):
        page = report.compare(a=summary().best)
        assert matplotlib.rcParams["font.size"] == 3.0
    assert page.figures == report.compare(a=summary().best).figures


def test_every_term_of_a_report_is_in_the_glossary():
    """A page stands alone and explains its terms itself; the documentation knows the same words."""
    from widelimit.report._terms import TERMS

    text = (pathlib.Path(__file__).parents[2] / "docs" / "glossary.md").read_text()
    known = {
        word.strip().lower() for heading in re.findall(r"^\*\*(.+?)\.\*\*", text, re.M) for word in heading.split(",")
    }
    missing = [term for term in TERMS if not {term, term.removesuffix("s")} & known]
    assert missing == []
