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


@pytest.mark.parametrize(("deviation", "holds"), [(0.005, True), (0.0050001, False), (math.nan, False)])
def test_the_tolerance(deviation, holds):
    import tiny_paper

    from widelimit.papers import Bench, Finding, Scale, Verdict

    claim = dataclasses.replace(tiny_paper.paper.claim("end"), compute=lambda bench: Finding(1.0, deviation))
    assert (claim.check(Bench(Scale.QUICK)).verdict is Verdict.REPRODUCED) is holds


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
