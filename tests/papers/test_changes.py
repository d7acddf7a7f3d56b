"""Figures with other parameters than the paper's: what may be set, what is said, and that nothing collides."""

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


def test_parameters_that_are_listed_are_the_ones_that_are_asked_for():
    """Every parameter of every figure changes a setting of some piece that is computed."""
    from widelimit.papers import Bench, Scale, named, names

    class Stop(Exception):
        pass

    asked = 0
    for paper in map(named, names()):
        for figure in paper.figures:
            for parameter in figure.parameters:
                assert parameter.checked(parameter.usual, figure.name) == parameter.usual
                value = parameter.usual * 2 if parameter.usual * 2 < parameter.most else parameter.usual / 2
                seen = []

                def piece(self, compute, seen=seen, **settings):
                    seen.append(settings)
                    raise Stop

                spy = type("Spy", (Bench,), {"piece": piece})
                for changes in ({}, {parameter.name: type(parameter.usual)(value)}):
                    with pytest.raises(Stop):
                        figure.compute(spy(Scale.QUICK, changes=changes))
                assert seen[0] != seen[1], (paper.name, figure.name, parameter.name)
                asked += 1
    assert asked >= 12
