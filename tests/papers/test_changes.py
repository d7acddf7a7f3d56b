"""Figures with other parameters than the paper's: what may be set, what is said, and that nothing collides."""

import contextlib
import inspect
import math

import numpy as np
import pytest


@pytest.fixture
def tiny():
    import tiny_paper

    tiny_paper.CALLS.clear()
    return tiny_paper


def changeable(tiny):
    """A figure of one sine whose frequency and number of points may be set."""
    import dataclasses

    from widelimit.papers import Cost, Figure, Paper, Parameter

    def compute(bench):
        points, frequency = bench.value("points", 5), bench.value("frequency", 1.0)
        one = bench.piece(tiny.sine, frequency=frequency, points=points)
        return {"t": one["t"], "one": one["y"]}

    parameters = (Parameter("frequency", 1.0, "of the wave", 0.0, 10.0, open=True), Parameter("points", 5, "seen", 2))
    words = {"title": "A wave", "caption": lambda data: "The paper's words.", "alt": lambda data: "A wave."}
    drawn = {"on": tiny._on, "size": (3.0, 2.0), "cost": Cost(0.1)}
    figure = Figure(name="fig1", compute=compute, parameters=parameters, **words, **drawn)
    still = dataclasses.replace(figure, name="fig2", parameters=())
    return Paper("tiny2020", "A tiny paper.", (figure, still), ())


def test_a_changed_figure_stands_beside_the_papers(tiny, tmp_path):
    from widelimit.papers import reproduce

    paper, silent = changeable(tiny), lambda text: None
    first = reproduce(paper, tmp_path, figure="fig1", tell=silent)
    own = {path.name: path.read_bytes() for path in first.page.parent.iterdir()}
    settings = {"frequency": 2.0, "points": 5}
    other = reproduce(paper, tmp_path, figure="fig1", settings=settings, formats=["svg", "pdf"], tell=silent)
    # Pieces of other settings are others; what is the paper's own is not told as changed.
    assert tiny.CALLS == [("sine", 1.0, 5), ("sine", 2.0, 5)]
    assert other.page.name == "fig1,frequency=2.html"
    place = other.page.parent
    assert all((place / name).read_bytes() == content for name, content in own.items())
    np.testing.assert_array_equal(np.load(place / "fig1,frequency=2.npz")["one"], np.sin(2.0 * np.linspace(0, 1, 5)))
    assert (place / "fig1,frequency=2.svg").read_bytes().startswith(b"<?xml")
    assert (place / "fig1,frequency=2.pdf").read_bytes().startswith(b"%PDF")
    text = other.page.read_text()
    assert "Changed: frequency = 2 (the paper's figure: 1)" in text.replace("&#39;", "'")
    assert "The paper's words." not in text.replace("&#39;", "'")
    assert "claims-" not in text


def test_the_papers_own_values_give_the_papers_figure(tiny, tmp_path):
    from widelimit.papers import reproduce

    done = reproduce(changeable(tiny), tmp_path, figure="fig1", settings={"points": 5}, tell=lambda text: None)
    assert done.page.name == "index.html"


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("fig1", {"freqency": 2.0}, "parameter: 'freqency' is not known; allowed are frequency, points. Did you mean"),
        ("fig1", {"frequency": 10.0}, "frequency: must be between 0 and 10, ends excluded, got 10."),
        ("fig1", {"frequency": True}, "frequency: expected a number, got True."),
        ("fig1", {"frequency": "fast"}, "frequency: expected a number, got 'fast'."),
        ("fig1", {"frequency": math.nan}, "frequency: expected a number, got nan."),
        ("fig1", {"points": 2.5}, "points: expected a whole number, got 2.5."),
        ("fig1", {"points": 1}, "points: must be at least 2, got 1."),
        ("fig2", {"points": 3}, "has no parameter that can be set."),
        (None, {"points": 3}, "parameters are those of one figure"),
    ],
)
def test_what_cannot_be_set(tiny, tmp_path, name, given, expected):
    from widelimit.papers import reproduce

    with pytest.raises(ValueError, match="tiny2020") as error:
        reproduce(changeable(tiny), tmp_path, figure=name, settings=given)
    assert expected in str(error.value)
    assert tiny.CALLS == []


def test_pictures_of_every_format_are_the_same_every_day(tiny):
    figure = changeable(tiny).figures[0]
    data = {"t": np.linspace(0, 1, 5), "one": np.zeros(5)}
    for kind in ("png", "svg", "pdf"):
        assert figure.draw(data, kind) == figure.draw(data, kind)


def rows_of_numbers():
    """A row of whole numbers that is another at the quick scale, and one of numbers that may be infinite."""
    from widelimit.papers import Parameter

    widths = Parameter("widths", (16, 64, 256), "neurons", 2, 1000, quick=(16, 64), counts=(2, 4))
    return widths, Parameter("deltas", (-1.0, 0.0), "the metric", -9.0, 9.0, infinite=True)


def test_a_row_of_numbers(tiny):
    from widelimit.papers import Scale
    from widelimit.papers._kit._changes import changed_caption, checked, said

    rows = rows_of_numbers()
    assert [row.words for row in rows] == [
        "widths = [16, 64] (quick) or [16, 64, 256] (paper) "
        "(neurons; 2 to 4 whole numbers that grow, each between 2 and 1000)",
        "deltas = [-1, 0] (the metric; 2 numbers that grow, each between -9 and 9, or infinite)",
    ]
    given = {"widths": [16, 64, 256], "deltas": [-math.inf, 3]}
    quick, paper = (checked(rows, given, "fig1", scale) for scale in (Scale.QUICK, Scale.PAPER))
    # What is the paper's own depends on the scale.
    assert quick == {"widths": (16, 64, 256), "deltas": (-math.inf, 3.0)}
    assert paper == {"deltas": (-math.inf, 3.0)}
    assert said(quick) == "widths=16+64+256,deltas=-inf+3"
    assert "widths = [16, 64, 256] (the paper's figure: [16, 64])" in changed_caption(rows, quick, Scale.QUICK)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("widths", 16, "widths: expected 2 to 4 whole numbers that grow, as in [16, 64, 256], got 16."),
        ("widths", [64, 16], "widths: expected 2 to 4 whole numbers that grow, got [64, 16]."),
        ("widths", [16, 16], "widths: expected 2 to 4 whole numbers that grow, got [16, 16]."),
        ("widths", [16], "widths: expected 2 to 4 whole numbers that grow, got [16]."),
        ("widths", [2, 3, 4, 5, 6], "widths: expected 2 to 4 whole numbers that grow, got [2, 3, 4, 5, 6]."),
        ("widths", [16, 64.5], "widths: expected a whole number, got 64.5."),
        ("widths", [1, 64], "widths: must be between 2 and 1000, got 1."),
        ("widths", [16, math.inf], "widths: expected a whole number, got inf."),
        ("deltas", [0, math.nan], "deltas: expected a number, got nan."),
        ("deltas", [0.0, 10.0], "deltas: must be between -9 and 9, or infinite, got 10."),
        ("deltas", [-1.0, 0.0, 1.0], "deltas: expected 2 numbers that grow, got [-1, 0, 1]."),
    ],
)
def test_rows_that_cannot_be_set(tiny, name, value, expected):
    row = next(row for row in rows_of_numbers() if row.name == name)
    with pytest.raises(ValueError, match="paper/fig1: ") as error:
        row.checked(value, "paper/fig1")
    assert expected in str(error.value)


def papers_figures():
    from widelimit.papers import named, names

    return [(f"{paper.name}/{figure.name}", figure) for paper in map(named, names()) for figure in paper.figures]


class _Blank(dict):
    """Stands for every result of a piece, so that the next one is asked for: numbers, or results by a size."""

    def __missing__(self, key):
        return _Blank() if key.isdecimal() else np.ones((3, 3, 3))


def asked_for(figure, changes, scale):
    """Functions and settings of all pieces that a figure asks for, none of them computed."""
    from widelimit.papers import Bench

    seen = []

    def piece(self, compute, **settings):
        given = inspect.signature(compute).bind(**settings)
        given.apply_defaults()
        seen.append((compute.__name__, sorted(given.arguments.items())))
        return _Blank()

    # What is made of the results is none of this test's business.
    with contextlib.suppress(ValueError, IndexError, KeyError, TypeError, AttributeError):
        figure.compute(type("Spy", (Bench,), {"piece": piece})(scale, changes=changes))
    return repr(seen)


def another(parameter, usual):
    """A value that may be set and is not the usual one."""
    values = [usual[1:], usual[:-1]] if isinstance(usual, tuple) else []
    shift = 1 if isinstance(usual, (int, tuple)) else 0.01 * (abs(usual) or 1.0)
    if isinstance(usual, tuple):
        values += [(*usual[:-1], 0.999 * usual[-1]), (*usual[:-1], usual[-1] + 1)]
    else:
        values += [usual + shift, usual - shift]
    for value in values:
        try:
            return parameter.checked(value, "")
        except ValueError:
            continue
    raise AssertionError(parameter.name)


@pytest.mark.parametrize("name", [name for name, _ in papers_figures()])
def test_what_is_listed_changes_what_is_computed(name):
    """Of every figure at both scales; or it says why nothing may be set."""
    from widelimit.papers import Scale

    figure = dict(papers_figures())[name]
    assert bool(figure.parameters) != bool(figure.fixed), "either parameters, or a sentence why there are none"
    assert not figure.fixed or figure.fixed.endswith(".")
    for scale in Scale:
        own = asked_for(figure, {}, scale)
        for parameter in figure.parameters:
            usual = parameter.at(scale)
            assert parameter.checked(usual, name) == usual
            assert asked_for(figure, {parameter.name: usual}, scale) == own, f"{parameter.name} is not {usual}"
            assert asked_for(figure, {parameter.name: another(parameter, usual)}, scale) != own, parameter.name


@pytest.mark.parametrize("name", [name for name, _ in papers_figures()])
def test_what_is_out_of_bounds_is_refused_with_the_figures_name(name):
    from widelimit.papers import Scale

    figure = dict(papers_figures())[name]
    for parameter in figure.parameters:
        usual = parameter.usual
        assert math.isfinite(parameter.least) or math.isfinite(parameter.most)
        for bound, side in ((parameter.least, -1), (parameter.most, 1)):
            if math.isinf(bound):
                continue
            beyond = bound if parameter.open else bound + side
            value = [beyond, *usual[1:]] if isinstance(usual, tuple) else beyond
            with pytest.raises(ValueError, match=f"^{name}: {parameter.name}: must be"):
                figure.checked({parameter.name: value}, name, Scale.QUICK)
    with pytest.raises(ValueError, match=f"^{name}: "):
        figure.checked({"nothing": 1}, name, Scale.QUICK)
