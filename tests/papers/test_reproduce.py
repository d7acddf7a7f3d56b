"""Pieces, folders and pages: what is kept, found again, and told."""

import json

import numpy as np
import pytest


@pytest.fixture
def tiny():
    """The tiny paper's module with its list of calls emptied."""
    import tiny_paper

    tiny_paper.CALLS.clear()
    tiny_paper.STOP_AT.clear()
    yield tiny_paper
    tiny_paper.STOP_AT.clear()


def bench(pieces=None, told=None):
    from widelimit.papers import Bench, Scale

    return Bench(Scale.QUICK, pieces, (told if told is not None else []).append)


def test_a_piece_is_computed_once(tiny, tmp_path):
    told = []
    desk = bench(tmp_path, told)
    first = desk.piece(tiny.sine, frequency=2.0, points=5)
    assert desk.piece(tiny.sine, points=5, frequency=2.0).keys() == first.keys()
    again = bench(tmp_path).piece(tiny.sine, frequency=2.0, points=5)
    np.testing.assert_array_equal(again["y"], first["y"])
    assert tiny.CALLS == [("sine", 2.0, 5)]
    assert told == ["  sine: frequency 2.0, points 5"]
    bench(tmp_path).piece(tiny.sine, frequency=2.0, points=6)
    assert tiny.CALLS[1:] == [("sine", 2.0, 6)]


def test_pieces_without_a_folder_live_as_long_as_the_bench(tiny):
    desk = bench()
    desk.piece(tiny.sine, frequency=1.0, points=3)["y"] = None
    assert desk.piece(tiny.sine, frequency=1.0, points=3)["y"] is not None
    bench().piece(tiny.sine, frequency=1.0, points=3)
    assert len(tiny.CALLS) == 2


def test_a_piece_is_computed_again_when_something_it_uses_changes(tiny, tmp_path, monkeypatch):
    from widelimit.trajectory import _fingerprint

    desk = bench(tmp_path)
    for _ in range(2):
        desk.piece(_risen, points=3)
    assert len(list(tmp_path.glob("risen-*.npz"))) == 1
    monkeypatch.setitem(globals(), "_rise", lambda points: np.full(points, 2.0))
    assert desk.piece(_risen, points=3)["y"].tolist() == [2.0, 2.0, 2.0]
    monkeypatch.setattr(_fingerprint, "library", lambda: "another version")
    desk.piece(_risen, points=3)
    assert len(list(tmp_path.glob("risen-*.npz"))) == 3


def _rise(points):
    return np.ones(points)


def _risen(points):
    return {"y": _rise(points)}


def test_a_damaged_piece_is_computed_again(tiny, tmp_path):
    first = bench(tmp_path).piece(tiny.sine, frequency=1.0, points=4)
    (path,) = tmp_path.glob("*.npz")
    whole = path.read_bytes()
    for damage in (whole[: len(whole) // 2], b"", whole[:40] + b"\0" * 20 + whole[60:]):
        path.write_bytes(damage)
        again = bench(tmp_path).piece(tiny.sine, frequency=1.0, points=4)
        np.testing.assert_array_equal(again["y"], first["y"])
        assert path.read_bytes() == whole
    assert len(tiny.CALLS) == 4


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"a": np.array([None])}, "piece: 'a' is no array"),
        ({"a": {"b": object()}}, "piece: 'a': 'b' is no array"),
        ({"a": [{"b": 1.0}, {"b": [None]}]}, r"piece: 'a'\[1\]: 'b' is no array"),
        ({"a": [{"b": 1.0}, 2.0, None]}, r"piece: 'a'\[2\] is no array"),
        ({"a": [{}]}, r"piece: 'a'\[0\]: has no arrays"),
        ({"a": [1.0, np.nan]}, "piece: 'a' has a NaN"),
        ({"a/b": 1.0}, "'a/b' is no name"),
        ({"[0]": 1.0}, "is no name"),
        ({"": 1.0}, "'' is no name"),
    ],
)
def test_what_a_piece_may_be(values, words):
    from widelimit.papers._kit._data import as_data

    with pytest.raises(ValueError, match=words):
        as_data(values, "piece")


def test_settings_count_by_their_values(tiny, tmp_path):
    desk = bench(tmp_path)
    for last in (1.0, 1.0, 2.0):
        desk.piece(_scaled, values=np.array([0.0, last]))
    assert len(list(tmp_path.glob("scaled-*.npz"))) == 2
    with open(tmp_path / "file", "w") as file, pytest.raises(ValueError, match=r"values is .*cannot be seen"):
        desk.piece(_scaled, values=file)


def _scaled(values):
    return {"y": 2.0 * values}


def test_nested_data_survive_the_file(tmp_path):
    from widelimit.papers._kit._data import as_data, read_arrays, write_arrays

    rows = [{"r": np.arange(k), "name": f"row {k}"} for k in range(12)]
    data = {
        "file": 3,
        "x.y": np.eye(2),
        "rows": rows,
        "none": [],
        "deep": {"pair": ({"far": np.inf}, {"M of h": [[1]]})},
    }
    write_arrays(tmp_path / "new" / "a.npz", data)
    found = read_arrays(tmp_path / "new" / "a.npz")
    assert found is not None
    assert_same(found, as_data(data, "data"))
    assert list(found) == list(data)
    assert [int(row["r"].size) for row in found["rows"]] == list(range(12))
    assert str(found["rows"][11]["name"]) == "row 11"
    assert float(found["deep"]["pair"][1]["M of h"][0, 0]) == 1.0
    assert read_arrays(tmp_path / "none.npz") is None


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert list(a) == list(b)
        for name in a:
            assert_same(a[name], b[name])
    elif isinstance(a, list):
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    else:
        np.testing.assert_array_equal(a, b)
        assert a.dtype == b.dtype


def test_what_a_caller_does_to_a_piece_stays_with_the_caller(tiny):
    desk = bench()
    desk.piece(tiny.nested, points=3)["rows"][0]["x"] = None
    assert desk.piece(tiny.nested, points=3)["rows"][0]["x"].shape == (3,)


def test_columns():
    from widelimit.papers._kit import columns

    found = columns([{"a": 1.0, "b": [1, 2]}, {"a": 2.0, "b": [3, 4]}])
    np.testing.assert_array_equal(found["a"], [1.0, 2.0])
    np.testing.assert_array_equal(found["b"], [[1, 2], [3, 4]])


def run(paper, out, **more):
    from widelimit.papers import reproduce

    told = []
    return reproduce(paper, out, tell=told.append, **more), told


def test_what_is_left_on_disk(tiny, tmp_path):
    done, told = run(tiny.paper, tmp_path)
    assert done.ok
    place = tmp_path / "tiny" / "quick"
    assert done.page == place / "index.html"
    inside = {path.name for path in place.iterdir()}
    kinds = {f"{name}.{kind}" for name in ("fig1", "fig2") for kind in ("png", "npz", "json")}
    assert inside == kinds | {"claims.json", "index.html"}
    with np.load(place / "fig1.npz") as file:
        np.testing.assert_array_equal(file["one"], np.sin(file["t"]))
    assert json.loads((place / "fig1.json").read_text())["caption"] == "It ends at 0.84."
    assert [row["id"] for row in json.loads((place / "claims.json").read_text())["claims"]] == ["end", "slip", "lost"]
    # Both figures and two claims share two curves.
    assert tiny.CALLS == [("sine", 1.0, 5), ("sine", 2.0, 5)]
    assert told[0] == "tiny/fig1: Waves of fig1, about 5 s"
    assert told[-3:] == ["claim 1/3 end", "claim 2/3 slip", "claim 3/3 lost"]


def test_the_page(tiny, tmp_path):
    done, _ = run(tiny.paper, tmp_path)
    text = done.page.read_text()
    assert text.count("data:image/png;base64,") == 2
    for said in (
        *("A. Author: On waves. 1999.", "Fig. 2 of tiny: Waves of fig2", "It ends at 0.84.", "misprint: a sign"),
        *('<a href="fig1.npz">', '<a href="fig2.json">'),
    ):
        assert said in text
    assert "The end &lt;claim&gt;. (Lemma 9)" in text
    assert "Known not to be reproduced, with the reason in the table: lost." in text
    assert "Not drawn yet" not in text


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("INT U(theta, theta) d rho_*", "∫ U(θ, θ) d \u03c1<sub>*</sub>"),
        ("xi_k^-4 <= R_lambda + 2 (1/N)^(1/2)", "ξ<sub>k</sub><sup>-4</sup> ≤ R<sub>λ</sub> + 2 (1/N)<sup>1/2</sup>"),
        ("delta_theta -> mu, eps^2 < 1", "δ<sub>θ</sub> → μ, ε<sup>2</sup> &lt; 1"),
        ("(1 - M)^3/3 + c (x - h)_+", "(1 - M)<sup>3</sup>/3 + c (x - h)<sub>+</sub>"),
        ("by analysis.stationary_atoms of laws.Chi", "by analysis.stationary_atoms of laws.Chi"),
        ("a <b> beside psi(∞; r_*)", "a &lt;b&gt; beside ψ(∞; r<sub>*</sub>)"),
    ],
)
def test_mathematics_is_set_as_mathematics(text, html):
    from widelimit.papers._kit._mathematics import mathematics

    assert str(mathematics(text)) == html


def test_redrawing_is_free_and_the_scales_stay_apart(tiny, tmp_path):
    from widelimit.papers import Scale

    run(tiny.paper, tmp_path)
    tiny.CALLS.clear()
    run(tiny.paper, tmp_path)
    assert tiny.CALLS == []
    done, told = run(tiny.paper, tmp_path, scale=Scale.PAPER)
    assert tiny.CALLS == [("sine", 1.0, 9), ("sine", 2.0, 9)]
    assert done.page == tmp_path / "tiny" / "paper" / "index.html"
    assert told[0] == "tiny/fig1: Waves of fig1, about 3 min"
    assert (tmp_path / "tiny" / "quick" / "index.html").exists()


def test_one_figure(tiny, tmp_path):
    done, _ = run(tiny.paper, tmp_path, figure="fig2")
    assert done.checked == ()
    assert not (done.page.parent / "claims.json").exists()
    assert "Not drawn yet at this scale: fig1." in done.page.read_text()
    with pytest.raises(ValueError, match="tiny: figure: 'fig3' is not known; allowed are fig1, fig2"):
        run(tiny.paper, tmp_path, figure="fig3")


def test_a_stopped_run_goes_on(tiny, tmp_path):
    tiny.STOP_AT.append(2.0)
    with pytest.raises(KeyboardInterrupt):
        run(tiny.paper, tmp_path)
    assert tiny.CALLS == [("sine", 1.0, 5)]
    tiny.STOP_AT.clear()
    done, _ = run(tiny.paper, tmp_path)
    assert done.ok
    assert tiny.CALLS == [("sine", 1.0, 5), ("sine", 2.0, 5)]


def test_a_figure_that_fails_does_not_stop_the_others(tiny, tmp_path):
    done, told = run(tiny.bad_paper, tmp_path)
    assert not done.ok
    assert done.failed == {"dark": "the moon is not full"}
    assert "bad/dark: failed: the moon is not full" in told
    text = done.page.read_text()
    assert "Waves of light" in text
    # Only a numbered figure is called one.
    assert "Fig. light" not in text
    assert "Not drawn yet at this scale: dark." in text
    assert "surprise: not reproduced, expected reproduced. The print is of another function." in text


def test_claims_checked_earlier_stay(tiny, tmp_path):
    from widelimit.papers import Results, Scale, check_claims

    results = Results(tmp_path / "tiny", Scale.QUICK)
    check_claims(tiny.paper.claims[:2], bench(), keep=results)
    check_claims(tiny.paper.claims[1:], bench(), keep=results)
    assert [row.id for row in results.claims()] == ["end", "slip", "lost"]
    (results.place / "claims.json").write_text("{")
    assert results.claims() == []
