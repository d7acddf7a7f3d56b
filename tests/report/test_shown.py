"""Objects that show themselves: what is drawn is what they hold, and the cards of a notebook say it."""

import dataclasses
import itertools
import json
import re
import shutil
import subprocess
import warnings
from html import escape
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from PIL import Image

import widelimit as wl
from widelimit.analysis import Fluctuations, Minimum, OptimalityGap, Prediction, Spectrum
from widelimit.measure import Block
from widelimit.report.shown import _movie

from .conftest import make_run


@pytest.fixture(autouse=True)
def _closed():
    matplotlib.use("agg")
    yield
    pyplot.close("all")


def particles(positions, weights=None, names=()):
    return wl.Particles(np.asarray(positions, float), weights, blocks=tuple(Block(name, ()) for name in names))


def minimum(**changes):
    measure = particles([[1.5], [np.inf]], [0.75, 0.25], ["radius"])
    best = Minimum(measure, 0.1, 0.1, 1e-13, True, True, 3, 0.25, None, "Within 1e-13 <of> the infimum.")
    return dataclasses.replace(best, **changes)


def gap(**changes):
    found = OptimalityGap(0.2, 1.5, 0.1, None, False, "Within 0.2.", 0.5, 0.3, 0.4, None, True, "Between 0.3 and 0.4.")
    return dataclasses.replace(found, **changes)


def prediction():
    t = np.linspace(0.0, 2.0, 5)
    return Prediction(
        t, np.exp(-t), 1.1 * np.exp(-t), 0.01 + 0 * t, 0.9 * np.exp(-t), 1.3 * np.exp(-t), t > -1, 0.9, 50, None, None,
        2, 100, 10, 0, "a law",
    )  # fmt: skip


def fluctuations(error):
    t = np.linspace(0.0, 2.0, 5)
    return Fluctuations(t, np.exp(-t), 2 + t, 0.1 * t, 1 + t, error + 0 * t, 0 * t, 0 * t, "All.", None)


def spectrum():
    # Without the theory that it comes from: no picture asks it.
    found = object.__new__(Spectrum)
    facts = {"eigenvalues": np.array([2.0, 0.5, 1e-3]), "resolved": 2, "speed": 1.0, "floor": 0.25}
    for name, value in {**facts, "amplitudes": 0.5 * np.ones(3), "coefficients": np.ones(3)}.items():
        object.__setattr__(found, name, value)
    return found


def problem(**parts):
    x = np.linspace(-1.0, 1.0, 8)
    return wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, x**2), **parts)


SHOWN = {
    "run": (
        make_run,
        ["success at t = 8", "64 particles in 5 dimensions", "output, weight[3], bias", "falls from 1.01"],
    ),
    "problem": (problem, ["Neuron(tanh, bias=True, output_weight=True)", "Samples, 8 points, 1 input", "squared"]),
    "measure": (lambda: particles([[1.0, 2.0]], [3.0], "ab"), ["1 particle in 2 dimensions", "a, b", "3.0"]),
    "density": (
        lambda: wl.GridDensity(wl.Grid([np.linspace(0, 1, 5)]), np.full(4, 0.25)),
        ["4 cells in 1 dimension", "1.0"],
    ),
    "minimum": (minimum, ["0.100000", "(a theorem)", "0.250", "Within 1e-13 <of> the infimum."]),
    "gap": (gap, ["(an estimate)", "0.3000 and 0.4000", "1.500", "Within 0.2. Between 0.3 and 0.4."]),
    "prediction": (prediction, ["50", "0.122 to 0.176 (90%)", "At t = 2 a network of width 50"]),
    "fluctuations": (lambda: fluctuations(0.1), ["3.00 ± 0.10", "5 times to t = 2.00"]),
    "spectrum": (spectrum, ["3, 2 of them resolved", "2.00, 0.500, 0.00100", "1.75", "0.250"]),
}


class Texts(HTMLParser):
    """The texts of a page and its pictures; fails on a tag that is not closed."""

    def __init__(self, html):
        super().__init__()
        self.texts, self.images, self.open = [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.images += [dict(attrs)["src"]] if tag == "img" else []
        self.open += [] if tag == "img" else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data.replace("\N{NO-BREAK SPACE}", " ").replace("\u202f", " "))


@pytest.mark.parametrize("name", SHOWN)
def test_a_card_says_what_the_object_holds(name):
    make, facts = SHOWN[name]
    shown = make()
    page = Texts(shown._repr_html_())
    for fact in facts:
        assert any(fact in text for text in page.texts), (fact, page.texts)
    assert len(page.images) == 1
    axes = shown.plot()
    assert axes.get_xlabel()
    assert axes.get_ylabel() or axes.get_yticklabels()
    assert len(repr(shown)) < 400
    assert "\n" not in repr(shown)


def test_the_risk_is_drawn_over_time():
    run = make_run()
    _, axes = pyplot.subplots()
    assert wl.report.plot(run, axes) is axes
    line = axes.lines[0]
    np.testing.assert_array_equal(line.get_xdata(), run.times)
    np.testing.assert_array_equal(line.get_ydata(), run.risk)
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_yscale()) == ("time t (mean-field time)", "risk R", "log")


def test_a_penalty_is_drawn_as_the_objective_and_an_error_as_a_band():
    run = make_run(extra={"penalty": np.full(33, 0.5), "risk_error": np.full(33, 0.25)})
    axes = run.plot()
    np.testing.assert_array_equal(axes.lines[1].get_ydata(), run.risk + 0.5)
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((run.risk.min() - 0.25, run.risk.max() + 0.25))


def test_neurons_are_two_numbers_each_at_the_start_and_at_the_end():
    run = make_run()
    axes = wl.report.neurons(run)
    before, after = (np.asarray(part.get_offsets()) for part in axes.collections)
    for points, at in ((before, 0), (after, -1)):
        rows = run.positions[at]
        np.testing.assert_array_equal(points[:, 0], rows[:, 0])
        np.testing.assert_allclose(points[:, 1], np.linalg.norm(rows[:, 1:4], axis=1), rtol=1e-15)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("output", "|weight|")


def test_the_palette_is_what_is_drawn_with():
    run = make_run()
    assert run.plot().lines[0].get_color() == wl.report.palette.limit
    before, after = wl.report.neurons(run).collections
    for part, tint in ((before, wl.report.palette.start), (after, wl.report.palette.networks[0])):
        assert matplotlib.colors.to_hex(part.get_facecolor()[0]).upper() == tint


def test_areas_are_masses_and_negative_masses_are_marked():
    axes = particles([[0.0, 0.0], [1.0, 0.0], [2.0, 1.0]], [1.0, 3.0, -2.0]).plot()
    positive, negative = axes.collections
    sizes = positive.get_sizes()
    assert sizes[1] == pytest.approx(3 * sizes[0])
    assert negative.get_sizes()[0] == pytest.approx(2 * sizes[0])
    assert np.asarray(negative.get_offsets()).tolist() == [[2.0, 1.0]]


def test_an_atom_at_infinity_stands_at_the_edge_with_its_mass():
    axes = minimum().plot()
    finite = next(line for line in axes.lines if line.get_marker() == "o")
    assert (finite.get_xdata().tolist(), finite.get_ydata().tolist()) == ([1.5], [0.75])
    far = next(line for line in axes.lines if line.get_marker() == ">")
    assert far.get_ydata().tolist() == [0.25]
    assert 1.5 < far.get_xdata()[0] < axes.get_xlim()[1]
    assert "mass 0.250" in far.get_label()


def test_a_density_in_the_plane_is_mass_by_area_up_to_infinite_cells():
    grid = wl.Grid([[0.0, 1.0, np.inf], [0.0, 2.0]], [[0.5, 1.5], [1.0]])
    axes = wl.GridDensity(grid, [[0.25], [0.75]]).plot()
    assert axes.collections[0].get_array().ravel().tolist() == pytest.approx([0.125, 0.375])


def test_an_eigenvalue_that_is_not_resolved_is_hollow():
    full, hollow = spectrum().plot().lines
    assert (full.get_xdata().tolist(), full.get_ydata().tolist()) == ([1, 2], [2.0, 0.5])
    assert (hollow.get_xdata().tolist(), hollow.get_markerfacecolor()) == ([3], "none")


def test_the_band_of_two_standard_errors():
    axes = fluctuations(0.1).plot()
    heights = axes.collections[0].get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((0.8, 3.2))
    assert not fluctuations(0.0).plot().collections


def test_classes_are_counted_by_weight():
    x = np.random.default_rng(0).normal(size=(4, 2))
    data = wl.data.Samples(x, np.array([1.0, 1.0, -1.0, 1.0]), weights=[1.0, 1.0, 2.0, 4.0])
    axes = wl.Problem(wl.units.Neuron(wl.activations.tanh), data).plot()
    assert [bar.get_height() for bar in axes.patches] == pytest.approx([0.25, 0.75])


def test_what_has_no_picture_is_refused():
    with pytest.raises(ValueError, match="no picture of a float; there are of: Fluctuations, GridDensity"):
        wl.report.plot(1.0)
    with pytest.raises(ValueError, match="this OptimalityGap has nothing to draw"):
        gap(lower=-np.inf).plot()
    with pytest.raises(ValueError, match="expected a trajectory or a measure, got float"):
        wl.report.neurons(1.0)
    with pytest.raises(ValueError, match="Particles has masses or positions that are not numbers"):
        particles([[0.0], [1.0]], [0.5, np.nan]).plot()
    with pytest.raises(ValueError, match="that are not numbers"):
        wl.report.neurons(particles([[0.0, np.nan], [1.0, 1.0]]))
    # The facts are shown all the same.
    assert not Texts(gap(lower=-np.inf)._repr_html_()).images


def test_parts_at_their_defaults_go_unsaid():
    assert "penalty" not in repr(problem())
    said = repr(problem(penalty=wl.penalties.l2(0.5), mobility=wl.mobilities.Diagonal(output=2.0)))
    assert "mobility: Diagonal(output=2)" in said
    assert "penalty:" in said


@pytest.fixture(scope="module")
def short():
    return make_run(16, points=5)


def test_a_film_has_a_frame_a_save_point_and_plays_for_so_long(short, tmp_path):
    path = short.animate(tmp_path / "new" / "flow.gif", seconds=2.0)
    assert path.path == tmp_path / "new" / "flow.gif"
    assert "data:image/gif;base64," in path._repr_html_()
    with Image.open(path) as film:
        assert film.n_frames == 5
        assert film.info["loop"] == 0
        pauses = []
        for index in range(5):
            film.seek(index)
            pauses.append(film.info["duration"])
    assert pauses == [400, 400, 400, 400, 1500]
    # The dot on the risk and the neurons move: no two frames are the same, and the axes stay.
    with Image.open(path) as film:
        frames = [np.asarray((film.seek(index), film.convert("RGB"))[1]) for index in range(5)]
    assert all(np.any(a != b) for a, b in itertools.pairwise(frames))


def test_a_page_holds_its_frames_and_their_times(short, tmp_path):
    film = short.animate(tmp_path / "flow.html")
    html = film.path.read_text()
    assert html.count("data:image/png;base64,") == 5 + 1
    assert 'max="4"' in html
    for t in short.times:
        assert f"{t:.3g}" in html
    assert not re.search(r"(src|href)=\"http|url\(", html)
    # In a notebook the whole page is in a frame.
    assert escape(html) in film._repr_html_()
    film.path.unlink()
    assert film._repr_html_() is None


def test_an_mp4_is_what_every_player_plays(short, tmp_path):
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        warnings.warn("ffmpeg is not installed: no film was made", stacklevel=1)
        pytest.skip("ffmpeg is not installed")
    film = short.animate(tmp_path / "flow.mp4", seconds=2.0)
    asked = ["-show_entries", "stream=codec_name,pix_fmt,width,height,nb_frames,duration", "-of", "json"]
    said = subprocess.run(["ffprobe", "-v", "error", *asked, film], capture_output=True, text=True, check=True).stdout
    (stream,) = json.loads(said)["streams"]
    assert (stream["codec_name"], stream["pix_fmt"]) == ("h264", "yuv420p")
    assert stream["width"] % 2 == stream["height"] % 2 == 0
    # Five pictures, ten times each: 25 a second.
    assert (int(stream["nb_frames"]), float(stream["duration"])) == (50, pytest.approx(2.0))
    assert "data:video/mp4;base64," in film._repr_html_()


def test_frames_are_spread_so_that_neurons_go_equally_far():
    """Neurons that come to rest early: nine tenths of the way of the film are theirs, the rest goes by time."""
    run = make_run(8, points=401)
    gone = 1.0 - np.exp(-3.0 * run.times)
    run = dataclasses.replace(run, positions=run.positions[:1] + gone[:, None, None])
    chosen = _movie.save_points(run, 10)
    assert (chosen[0], chosen[-1], len(chosen)) == (0, 400, 10)
    share = np.diff(gone[chosen]) / gone[-1]
    # Nine steps of the film; each is off by no more than the save points are apart.
    assert share.max() < 1.0 / (9 * 0.9) + 2 * np.diff(gone).max()
    assert _movie.save_points(run, 500) == list(range(401))


def test_films_that_cannot_be_made(short, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"must end in .gif, .mp4, .html, got 'flow.avi'"):
        short.animate(tmp_path / "flow.avi")
    monkeypatch.setattr(_movie.shutil, "which", lambda _: None)
    with pytest.raises(ValueError, match=r".mp4 needs the program ffmpeg, .* install it"):
        short.animate(tmp_path / "flow.mp4")
    with pytest.raises(ValueError, match="one save point, so nothing moves"):
        make_run(4, points=1).animate(tmp_path / "flow.gif")
    with pytest.raises(ValueError, match=r"frames=...\).*at least 2|frames"):
        short.animate(tmp_path / "flow.gif", frames=1)
    with pytest.raises(ValueError, match="cannot write"):
        short.animate("/proc/nowhere/flow.gif", frames=2)
    assert list(tmp_path.iterdir()) == []
