"""Verdicts, records and tables of claims."""

import dataclasses
import json
import math

import jax.numpy as jnp
import numpy as np
import pytest


def checked(id, paper="paper"):
    import tiny_paper

    from widelimit.papers import Bench, Scale

    return getattr(tiny_paper, paper).claim(id).check(Bench(Scale.QUICK))


def test_verdicts():
    from widelimit.papers import Verdict

    good, slip, lost = checked("end"), checked("slip"), checked("lost")
    assert (good.verdict, slip.verdict, lost.verdict) == (
        Verdict.REPRODUCED,
        Verdict.CORRECTED,
        Verdict.NOT_REPRODUCED,
    )
    assert good.as_expected
    assert slip.as_expected
    assert lost.as_expected
    assert good.computed == math.sin(1.0)
    surprise = checked("surprise", "bad_paper")
    assert surprise.verdict is Verdict.NOT_REPRODUCED
    assert not surprise.as_expected


def test_a_claim_that_fails_to_compute_is_news_even_where_it_was_not_expected_to_hold():
    from widelimit.papers import Verdict

    broken = checked("broken", "bad_paper")
    assert broken.verdict is Verdict.NOT_REPRODUCED
    assert broken.why == "not computed: the moon is not full"
    assert not broken.as_expected
    assert not dataclasses.replace(broken, expected=Verdict.NOT_REPRODUCED).as_expected


@pytest.mark.parametrize(("deviation", "holds"), [(0.005, True), (0.0050001, False)])
def test_the_tolerance(deviation, holds):
    import tiny_paper

    from widelimit.papers import Bench, Finding, Scale, Verdict

    claim = dataclasses.replace(tiny_paper.paper.claim("end"), compute=lambda bench: Finding(1.0, deviation))
    assert (claim.check(Bench(Scale.QUICK)).verdict is Verdict.REPRODUCED) is holds


@pytest.mark.parametrize(
    ("computed", "deviation", "words"),
    [
        (1.0, math.nan, "deviation is nan"),
        (1.0, math.inf, "deviation is inf"),
        ({"a": [0.0, math.nan]}, 0.0, "NaN among"),
    ],
)
def test_no_verdict_follows_from_what_is_not_finite(computed, deviation, words):
    import tiny_paper

    from widelimit.papers import Bench, Finding, Scale

    # 0.0 >= nan is False and so is 0.0 < nan: a verdict would depend on how the comparison is written.
    claim = dataclasses.replace(tiny_paper.paper.claim("end"), compute=lambda bench: Finding(computed, deviation))
    row = claim.check(Bench(Scale.QUICK))
    assert row.why.startswith("not computed: ")
    assert words in row.why
    assert not row.as_expected
    assert Finding({"never": math.inf}, 0.0).deviation == 0.0


@pytest.mark.parametrize("name", ["mei2018", "yarotsky2018", "williams2019", "rotskoff2018", "teacherstudent2020"])
def test_no_claim_takes_a_nan_for_agreement(name):
    """Every claim asks a piece, and with a NaN in it nothing is reproduced."""
    from widelimit.papers import Bench, Scale, named

    class Broken(Bench):
        def piece(self, compute, **settings):
            return super().piece(lambda: {"risk": [0.0, math.nan]})

    for claim in named(name).claims:
        row = claim.check(Broken(Scale.QUICK))
        assert row.why == "not computed: <lambda>: 'risk' has a NaN.", (claim.id, row)
        assert not row.as_expected


def test_a_nan_that_a_claim_makes_is_no_agreement():
    import tiny_paper

    from widelimit.papers import Bench, Finding, Scale

    def lost(bench):
        ratio = np.zeros(2) / np.zeros(2)
        return Finding({"ratio": 1.0}, max(0.0, float(ratio[0])))

    row = dataclasses.replace(tiny_paper.paper.claim("end"), compute=lost).check(Bench(Scale.QUICK))
    assert row.why.startswith("not computed: invalid value")
    assert not row.as_expected


def test_what_must_hold_besides():
    import tiny_paper

    from widelimit.papers import Bench, Finding, Scale, Verdict

    needs = {"the moon is full": np.bool_(False), "the sun shines": True}
    claim = dataclasses.replace(
        tiny_paper.paper.claim("end"), compute=lambda bench: Finding(1.0, 0.0, "It is night.", needs)
    )
    row = claim.check(Bench(Scale.QUICK))
    assert row.verdict is Verdict.NOT_REPRODUCED
    assert row.why == "not so: the moon is full; It is night."
    assert Finding(1.0, 0.0, needs={"the sun shines": True}).lacks == ""


def test_a_claim_is_told_by_its_function():
    from widelimit.papers import Cost, Finding, Scale, Verdict, claim

    @claim("(14)", tolerance=0.5, cost=Cost(2.0), digits=3)
    def r_star(bench):
        """The best
        sphere.
        Printed: a sphere.
        Compared: one number: its print.
        No more.
        Misprint: (14) lacks a sign."""
        return Finding(1.0, 0.1)

    @claim("(15)", tolerance=0.0, cost=Cost(1.0), printed=0.25, expected=Verdict.NOT_REPRODUCED)
    def plain(bench):
        r"""A statement.

        Compared: nothing."""
        return Finding(1.0, 0.1)

    assert (r_star.id, r_star.statement, r_star.where) == ("r-star", "The best sphere.", "(14)")
    assert (r_star.reason, r_star.misprint) == ("one number: its print. No more", "(14) lacks a sign")
    assert (r_star.expected, r_star.printed, r_star.digits) == (Verdict.CORRECTED, "a sphere", 3)
    assert (plain.printed, plain.misprint, plain.expected) == (0.25, "", Verdict.NOT_REPRODUCED)
    assert plain.cost.at(Scale.PAPER) == plain.cost.at(Scale.QUICK) == 1.0
    for doc in (None, "A statement.", "A statement.\nReason: none.", "Compared: x."):

        def without(bench):
            return Finding(1.0, 0.0)

        without.__doc__ = doc
        with pytest.raises(ValueError, match="claim without: the docstring must be"):
            claim("(1)", tolerance=0.0, cost=Cost(1.0))(without)


def test_a_figure_is_told_by_the_function_that_draws_it():
    from widelimit.papers import Cost, figure

    @figure(lambda bench: {"y": [1.0]}, caption=lambda data: "c", alt=lambda data: "a", size=(3.0, 2.0), cost=Cost(1.0))
    def fig7(sheet, data):
        """What is
        seen."""
        sheet.add_subplot().plot(data["y"])

    assert (fig7.name, fig7.title, fig7.caption({}), fig7.alt({})) == ("fig7", "What is seen", "c", "a")
    assert fig7.draw({"y": [1.0, 2.0]}).startswith(b"\x89PNG")


def test_gathered():
    import tiny_paper

    from widelimit.papers import Verdict
    from widelimit.papers._kit import gathered

    assert gathered(type(tiny_paper.paper), tiny_paper) == (tiny_paper.paper, tiny_paper.bad_paper)
    assert gathered(Verdict, tiny_paper) == ()


@pytest.mark.parametrize(("id", "paper"), [("end", "paper"), ("lost", "paper"), ("broken", "bad_paper")])
def test_records_go_through_json(id, paper):
    from widelimit.papers import Checked

    row = checked(id, paper)
    text = json.dumps(row.record(), allow_nan=False)
    assert Checked.from_record(json.loads(text)) == row


@pytest.mark.parametrize("record", [{}, {"id": "end"}, {"verdict": "fine"}])
def test_a_damaged_record_is_refused(record):
    from widelimit.papers import Checked

    with pytest.raises(ValueError, match="not the record of a claim"):
        Checked.from_record(record)
    with pytest.raises(ValueError, match="not the record of a claim"):
        Checked.from_record({**checked("end").record(), **record, "more": 1})


def test_plain_values():
    from widelimit.papers import Bench, Finding, Scale
    from widelimit.papers._kit._claims import plain

    values = {"a": np.float64(0.5), 3: jnp.arange(2), "b": [np.bool_(True), None], "c": -math.inf}
    assert plain(values) == {"a": 0.5, "3": [0, 1], "b": [True, None], "c": "-inf"}
    assert Finding(1.0, 0.0).why == ""
    assert Bench(Scale.PAPER).pick(quick=1, paper=2) == 2


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.123456789, 4, "0.1235"),
        (12, 2, "12"),
        (None, 6, "-"),
        (True, 6, "yes"),
        ([0.25, "inf"], 3, "0.25, inf"),
        ({"low": 1.0, "high": {"x": 2.5}}, 3, "low: 1\nhigh: x: 2.5"),
    ],
)
def test_shown(value, digits, text):
    from widelimit.papers import shown

    assert shown(value, digits) == text


def test_tally():
    from widelimit.papers import tally

    rows = [checked("end"), checked("slip"), checked("lost")]
    assert tally(rows) == ("3 claims: 1 reproduced, 1 reproduced after correcting a misprint, 1 not reproduced")
    assert tally([*rows, checked("surprise", "bad_paper")]).endswith("2 not reproduced; not as expected: surprise")
    assert tally([]) == "no claims"


def test_refusals():
    import tiny_paper

    from widelimit.papers import Paper, Verdict, named

    claim = tiny_paper.paper.claim("end")
    with pytest.raises(ValueError, match="misprint is told exactly where"):
        dataclasses.replace(claim, misprint="a sign")
    with pytest.raises(ValueError, match="misprint is told exactly where"):
        dataclasses.replace(claim, expected=Verdict.CORRECTED)
    for tolerance in (-1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="tolerance"):
            dataclasses.replace(claim, tolerance=tolerance)
    with pytest.raises(ValueError, match="'end' is there twice"):
        Paper("tiny", "", (), (claim, claim))
    with pytest.raises(
        ValueError, match=r"claim: 'ende' is not known; allowed are end, slip, lost\. Did you mean 'end'"
    ):
        tiny_paper.paper.claim("ende")
    with pytest.raises(ValueError, match="paper: 'mei2019' is not known"):
        named("mei2019")


def test_every_paper_has_its_key_and_a_full_list():
    from widelimit.papers import Verdict, named, names

    for name in names():
        paper = named(name)
        assert paper.name == name
        assert paper.claims
        for claim in paper.claims:
            assert claim.id == claim.id.lower()
            assert " " not in claim.id
            assert claim.statement.endswith(".")
            assert claim.reason
            assert claim.expected is not Verdict.NOT_REPRODUCED or claim.misprint == ""
