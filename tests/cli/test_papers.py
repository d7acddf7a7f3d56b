"""`widelimit reproduce` and `widelimit claims`, with a paper of two figures and three claims."""

import json

import pytest

from .conftest import call, refused


@pytest.fixture(autouse=True)
def papers(monkeypatch):
    """The tiny paper and its bad sister in place of the real ones; the module of both."""
    import tiny_paper

    from widelimit.papers._kit import _paper

    monkeypatch.setattr(_paper, "HOMES", {"tiny": "tiny_paper"})
    tiny_paper.CALLS.clear()
    tiny_paper.STOP_AT.clear()
    return tiny_paper


@pytest.fixture
def bad(monkeypatch, papers):
    """The bad paper alone."""
    monkeypatch.setattr(papers, "paper", papers.bad_paper)
    monkeypatch.setattr("widelimit.papers._kit._paper.HOMES", {"bad": "tiny_paper"})


def test_reproduce_a_paper(tmp_path):
    result = call("reproduce", "tiny", "--out", tmp_path)
    assert result.code == 0, result.err
    page = tmp_path / "tiny" / "quick" / "index.html"
    assert result.out.splitlines()[-1] == str(page)
    assert page.exists()
    assert "3 claims: 1 reproduced, 1 reproduced after correcting a misprint, 1 not reproduced" in result.out
    assert "tiny: figures fig1, fig2; 3 claims; all of it about 10 s" in result.err
    assert "tiny/fig2: Waves of fig2" in result.err


def test_reproduce_all_papers(tmp_path):
    result = call("reproduce", "--out", tmp_path, "--scale", "paper")
    assert result.code == 0, result.err
    assert result.out.splitlines()[-1] == str(tmp_path / "tiny" / "paper" / "index.html")
    assert "all of it about 8 min" in result.err


def test_the_list_says_what_a_figure_takes():
    result = call("reproduce", "tiny", "--list")
    assert result.code == 0, result.err
    assert "tiny/fig1: Waves of fig1 (about 5 s, paper scale 3 min)" in result.out.splitlines()


def test_durations_are_told_in_the_unit_that_leaves_two_of_it():
    from widelimit.papers import duration

    told = {0.4: "0 s", 2.0: "2 s", 119.0: "119 s", 120.0: "2 min", 3600.0: "60 min", 7200.0: "2 h", 150_000.0: "42 h"}
    assert {seconds: duration(seconds) for seconds in told} == told


def test_reproduce_one_figure(tmp_path, papers):
    result = call("reproduce", "tiny/fig2", "--out", tmp_path)
    assert result.code == 0, result.err
    assert result.out.strip() == str(tmp_path / "tiny" / "quick" / "index.html")
    assert {path.suffix for path in (tmp_path / "tiny" / "quick").glob("fig2.*")} == {".png", ".npz", ".json"}
    assert not (tmp_path / "tiny" / "quick" / "fig1.png").exists()


def test_ctrl_c_leaves_what_is_finished(tmp_path, papers):
    papers.STOP_AT.append(2.0)
    result = call("reproduce", "tiny", "--out", tmp_path)
    assert result.code == 130
    assert f"the same `widelimit reproduce` goes on from what is finished in {tmp_path}" in result.err
    papers.STOP_AT.clear()
    assert call("reproduce", "tiny", "--out", tmp_path).code == 0
    assert papers.CALLS == [("sine", 1.0, 5), ("sine", 2.0, 5)]


@pytest.mark.usefixtures("bad")
def test_what_is_not_as_expected_gives_exit_code_1(tmp_path):
    result = call("reproduce", "bad", "--out", tmp_path)
    assert result.code == 1
    lines = result.err.splitlines()[-3:]
    assert lines[0] == "widelimit: bad/dark: the moon is not full"
    assert lines[1] == "widelimit: bad, surprise: not reproduced (The print is of another function.)"
    assert lines[2] == "widelimit: bad, broken: not reproduced (not computed: the moon is not full)"
    assert (tmp_path / "bad" / "quick" / "light.png").exists()
    assert call("claims", "bad").code == 1
    assert call("claims", "bad", "--only", "end").code == 0


def test_claims(papers):
    result = call("claims", "tiny")
    assert result.code == 0, result.err
    for said in ("The end <claim>.", "0.841471", "misprint: a sign", "here: 1.25", "there: inf", "1 not reproduced"):
        assert said in result.out
    assert "The print is of another function." in " ".join(result.out.split())
    assert call("claims").out == result.out


def test_claims_as_json():
    found = json.loads(call("claims", "--json").out)
    assert found["scale"] == "quick"
    rows = {row["id"]: row for row in found["papers"]["tiny"]}
    assert list(rows) == ["end", "slip", "lost"]
    assert rows["end"]["verdict"] == "reproduced"
    assert rows["end"]["tolerance"] == 0.005
    assert rows["lost"]["computed"] == {"here": 1.25, "there": "inf"}
    assert rows["lost"]["as_expected"] is True


def test_one_claim_is_shown_in_full():
    result = call("claims", "tiny", "--only", "slip", "--scale", "paper")
    assert result.code == 0, result.err
    for said in ("misprint", "a sign", "two digits", "Lemma 9", "paper,"):
        assert said in result.out
    assert "lost" not in result.out


def test_claims_share_pieces_with_figures(tmp_path, papers):
    call("reproduce", "tiny/fig1", "--out", tmp_path)
    papers.CALLS.clear()
    assert call("claims", "tiny", "--out", tmp_path).code == 0
    assert papers.CALLS == []
    assert (tmp_path / "tiny" / "quick" / "claims.json").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("reproduce", "tinny"), "paper: 'tinny' is not known; allowed are tiny. Did you mean 'tiny'?"),
        (("reproduce", "tiny/fig3"), "tiny: figure: 'fig3' is not known; allowed are fig1, fig2."),
        (("reproduce", "tiny/"), "tiny: figure: '' is not known; allowed are fig1, fig2."),
        (("reproduce", "tiny", "--scale", "large"), "--scale: 'large' is not known; allowed are quick, paper."),
        (("claims", "other"), "paper: 'other' is not known; allowed are tiny."),
        (("claims", "tiny", "--only", "ends"), "tiny: claim: 'ends' is not known; allowed are end, slip, lost."),
        (("claims", "tiny", "--scale", "Quick"), "--scale: 'Quick' is not known"),
    ],
)
def test_bad_input(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused(*arguments).startswith(f"widelimit: {words}")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    for command in ("reproduce", "claims"):
        said = refused(command, "tiny", "--out", tmp_path / "file")
        assert said.startswith(f"widelimit: --out {tmp_path / 'file'}: cannot be written")


def test_a_folder_where_another_process_works(tmp_path):
    from widelimit.runs.folder import locked

    (tmp_path / "tiny").mkdir()
    with locked(tmp_path / "tiny"):
        result = call("reproduce", "tiny", "--out", tmp_path)
    assert result.code == 2
    assert "another widelimit process" in result.err
