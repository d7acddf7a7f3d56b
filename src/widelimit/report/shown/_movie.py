"""Neurons that move, beside the risk that falls: a GIF, a film, or a page with a slider."""

import base64
import contextlib
import io
import itertools
import math
import os
import pathlib
import shutil
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from widelimit.measure import Block
from widelimit.numerics import local_path, real_number, whole_number
from widelimit.trajectory import Film, Progress, Trajectory

from .._neurons import Marginal, marginal, top_of
from .._spread import blocks_of, label_of, spread_of, way_of
from ..canvas import STYLE, colour
from ..pages import framed, written
from ..words import moment
from ._neurons import draw_neurons, frame_of, numbers
from ._runs import draw_risk, risk_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_KINDS = (".gif", ".mp4", ".html")
# Frames a second of a film, at least.
_RATE = 24.0
# Pixels an inch: a film is looked at on a screen, and its frames are many.
_DPI = 100


def animate(trajectory: Trajectory, path: str | os.PathLike[str], *, frames: int = 60, seconds: float = 6.0) -> Film:
    """Draw the neurons as they move, beside the risk, into one file.

        wl.report.animate(trajectory, "flow.gif")      # the same as trajectory.animate("flow.gif")

    The start stays in grey behind. There is a frame a save point, at most `frames` of them, spread so that the neurons
    go equally far between two.

    - `path`: ends in `.gif`, `.mp4` (needs the program ffmpeg) or `.html` (a page with a slider, whole in itself).
    - `seconds`: how long it plays.

    **Returns** the film: its file is `path`; a notebook plays it, and `open` takes it for its path. **Raises**
    `ValueError` for another ending, a missing ffmpeg, a trajectory of one save point, a place that cannot be written.
    """
    target = local_path(path, "animate(path=...)")
    kind = target.suffix.lower()
    if kind not in _KINDS:
        raise ValueError(f"animate(path=...): must end in {', '.join(_KINDS)}, got {target.name!r}.")
    if kind == ".mp4" and shutil.which("ffmpeg") is None:
        raise ValueError(
            "animate(path=...): .mp4 needs the program ffmpeg, which is not on the PATH: install it (apt, brew, conda "
            "or winget install ffmpeg), or take .gif or .html, which need nothing."
        )
    most = whole_number(frames, "animate(frames=...)", least=2)
    rate = real_number(seconds, "animate(seconds=...)", above=0.0)
    if len(trajectory) < 2:
        raise ValueError("animate(trajectory=...): it has one save point, so nothing moves; evolve with save_at=...")
    when = save_points(trajectory, most)
    pause = rate / len(when)
    pictures = _rendered(trajectory, when)
    if kind == ".html":
        content = _page(pictures, [moment(float(trajectory.times[index])) for index in when], pause)
    else:
        content = _gif(pictures, len(when), pause) if kind == ".gif" else _mp4(pictures, pause)
    return Film(written(target, content, "animate(path=...)"))


def save_points(run: Trajectory, most: int) -> list[int]:
    """At most so many save points, the first and the last among them, between which neurons go equally far."""
    n = len(run)
    if n <= most:
        return list(range(n))
    way = way_of(run)
    # Where nothing moves any more, time goes on all the same: a tenth of the film is by time.
    marks = 0.9 * way / (way[-1] or 1.0) + 0.1 * np.asarray(run.times) / float(run.times[-1])
    wanted = np.linspace(0.0, float(marks[-1]), most)
    return sorted({0, n - 1, *(int(np.argmin(np.abs(marks - mark))) for mark in wanted)})


def _rendered(run: Trajectory, when: list[int]) -> Iterator[np.ndarray]:
    """The frames, [height, width, 4] each, one after the other."""
    import matplotlib.style
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    stage = _Stage(run, when)
    with Progress(float(len(when)), None, "frames") as progress:
        for count, index in enumerate(when):
            with matplotlib.style.context(["default", STYLE, {"figure.dpi": _DPI}]):
                if count == 0:
                    figure = Figure(figsize=(stage.panels * 4.6, 3.9), layout="constrained")
                    canvas = FigureCanvasAgg(figure)
                    stage.begin(figure)
                stage.draw(index)
                canvas.draw()
                # The layout of the first frame is that of all: finding it takes longer than drawing.
                figure.set_layout_engine("none")
                yield np.array(canvas.buffer_rgba())
            progress.update(count + 1.0, count + 1)


class _Stage:
    """The frames' common axes: what moves is seen to move against them."""

    def __init__(self, run: Trajectory, when: list[int]) -> None:
        self.run, self.risk = run, risk_of(run)
        self.panels = 1 if self.risk is None else 2
        self.blocks = blocks_of(run[0])
        looked_at = [when[i] for i in np.unique(np.linspace(0, len(when) - 1, 12).astype(int))]
        if len(self.blocks) == 1:
            found = self._densities(self.blocks[0], looked_at)
            self.frames, self.top = [(found.rows[0].edges[0], found.rows[0].edges[-1])], top_of(found)
        else:
            measures = [run[index] for index in looked_at]
            values = [numbers(measure, self.blocks) for measure in measures]
            weights = [np.asarray(measure.weights, float) for measure in measures]
            self.frames = [frame_of([(v[:, k], w) for v, w in zip(values, weights, strict=True)]) for k in (0, 1)]
            self.top = None

    def _densities(self, block: Block, when: list[int]) -> Marginal:
        return marginal(block.name, label_of(block), [spread_of(self.run, block, index, "") for index in when])

    def begin(self, figure: "Figure") -> None:
        """The panels, and what stays."""
        panels = figure.subplots(1, self.panels, squeeze=False)[0]
        self.axes = panels[0]
        if self.risk is not None:
            draw_risk(panels[1], self.run, self.risk)
            self.dot = panels[1].plot([], [], "o", color=colour(1), ms=9, zorder=5, clip_on=False)[0]

    def draw(self, index: int) -> None:
        """The neurons at a save point over those of the start, and how far the risk has come."""
        self.axes.clear()
        draw_neurons(self.axes, self.run, (0, index))
        self.axes.set_xlim(self.frames[0])
        self.axes.set_ylim((0.0, self.top) if self.top is not None else self.frames[1])
        self.axes.set_title(moment(float(self.run.times[index])), loc="left")
        legend = self.axes.get_legend()
        if legend is not None:
            legend.remove()
        if self.risk is not None:
            self.dot.set_data([self.risk.times[index]], [self.risk.values[index]])


def _gif(pictures: Iterator[np.ndarray], count: int, pause: float) -> bytes:
    """The frames one after the other, again and again; the last stays a while: where it ended is what one looks at."""
    from PIL import Image

    images = (Image.fromarray(picture[..., :3]) for picture in pictures)
    stream, pauses = io.BytesIO(), [round(1000 * pause)] * (count - 1) + [1500]
    options = {"save_all": True, "duration": pauses, "loop": 0, "optimize": False}
    next(images).save(stream, "GIF", append_images=images, **options)
    return stream.getvalue()


def _mp4(pictures: Iterator[np.ndarray], pause: float) -> bytes:
    """The frames as a film that every browser and player knows, each given to ffmpeg as it is drawn."""
    import subprocess

    first = next(pictures)
    height, width = first.shape[:2]
    # Players stumble over few frames a second: each is there a whole number of times.
    times = math.ceil(_RATE * pause)
    given = ["-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{width}x{height}", "-r", f"{times / pause:.6f}", "-i", "-"]
    # Even numbers of pixels, and colours that every player knows; what a browser reads first stands first.
    made = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p", "-movflags", "+faststart"]
    # ffmpeg writes a file of its own: an old one stays until the new one is whole.
    with tempfile.TemporaryDirectory() as folder, (pathlib.Path(folder) / "said").open("w+b") as said:
        path = pathlib.Path(folder) / "film.mp4"
        command = ["ffmpeg", "-y", "-loglevel", "error", *given, *made, str(path)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said) as process:
            assert process.stdin is not None
            # One that ends early says why below.
            with contextlib.suppress(BrokenPipeError):
                for picture in itertools.chain([first], pictures):
                    process.stdin.write(picture.tobytes() * times)
                process.stdin.close()
        if process.returncode:
            said.seek(0)
            words = said.read(300).decode(errors="replace")
            raise ValueError(f"animate(path=...): ffmpeg could not make the film: {words}")
        return path.read_bytes()


def _page(pictures: Iterator[np.ndarray], labels: list[str], pause: float) -> bytes:
    """A page with the frames in it, a slider and a button; the arrow keys move the slider as everywhere."""
    from importlib.resources import files

    import jinja2
    from PIL import Image

    sources, height, width = [], 0, 0
    for picture in pictures:
        height, width = picture.shape[:2]
        stream = io.BytesIO()
        Image.fromarray(picture[..., :3]).save(stream, "PNG", optimize=True)
        sources.append("data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii"))
    text = files("widelimit.report").joinpath("film.html.j2").read_text(encoding="utf-8")
    made = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
    return made.render(frames=sources, labels=labels, pause=1000 * pause, width=width, height=height).encode()


def player(film: Film) -> str | None:
    """HTML that plays a film, with the film in it; None where the file is gone."""
    try:
        content = film.path.read_bytes()
    except OSError:
        return None
    if film.path.suffix.lower() == ".html":
        return framed(content.decode(), height="30em")
    source = base64.b64encode(content).decode("ascii")
    if film.path.suffix.lower() == ".mp4":
        return (
            f'<video controls autoplay muted loop style="max-width:100%" src="data:video/mp4;base64,{source}"></video>'
        )
    return f'<img alt="the neurons as they move" style="max-width:100%" src="data:image/gif;base64,{source}">'
