"""Where the neurons go: distributions at a few times, who pairs with whom, which inputs they look at."""

import numpy as np

from widelimit.measure import Block
from widelimit.trajectory import Trajectory

from ._neurons import Density, Inputs, Marginal, Pair, draw_ages, draw_inputs, draw_pair, inputs, marginal, pair, top_of
from ._spread import blocks_of, few_times, label_of, spread_of
from .canvas import to_png
from .pages import Picture, Section
from .words import beside, clock, listed, moment, number

# Pictures of more blocks than this would drown the rest of the page.
MOST_BLOCKS = 6


def neuron_section(trajectory: Trajectory, columns: tuple[str, ...]) -> Section:
    """One picture a block, then the pair and the inputs where there are such."""
    blocks = blocks_of(trajectory)
    index = few_times(trajectory)
    pictures = [_marginal_picture(ages(trajectory, block, index)) for block in blocks[:MOST_BLOCKS]]
    both, seen = pair(trajectory), inputs(trajectory, columns)
    if both is not None:
        pictures.append(_pair_picture(both))
    if seen is not None:
        pictures.append(_inputs_picture(seen))
    times = ", ".join(clock(float(trajectory.times[i])) for i in index)
    thirds = ": the start, the end, and where they have gone one and two thirds of their way"
    how = thirds if len(index) == 4 else ""
    sentences = [f"The {trajectory.size} neurons of the limit at t = {times}{how}."]
    if len(blocks) > MOST_BLOCKS:
        sentences.append(f"The first {MOST_BLOCKS} of {len(blocks)} parameters are shown.")
    return Section("neurons", "Neurons", tuple(sentences), tuple(pictures))


def ages(trajectory: Trajectory, block: Block, index: list[int]) -> Marginal:
    """One block at a few save points."""
    parts = [spread_of(trajectory, block, i, f"{moment(float(trajectory.times[i]))}") for i in index]
    return marginal(block.name, label_of(block), parts)


def frame_notes(data: Marginal) -> str:
    """What the frame leaves out."""
    said = ""
    if data.outside > 1e-3:
        said += f" Up to {number(100 * data.outside, 2)} % of the mass lies outside the frame."
    if any(row.heights is not None and row.heights.max() > top_of(data) for row in data.rows):
        said += " The highest peak is cut."
    return said


def _marginal_picture(data: Marginal) -> Picture:
    first, last = data.rows[0], data.rows[-1]
    grows = "grows" if last.deviation > first.deviation else "shrinks"
    move = abs(last.mean - first.mean)
    # A mean that moves by less than a twentieth of the spread is where it was.
    mean = (
        f"its mean goes from {beside(first.mean, first.deviation)} to {beside(last.mean, last.deviation)}"
        if move > 0.05 * max(first.deviation, last.deviation)
        else f"its mean stays near {beside(last.mean, max(first.deviation, last.deviation))}"
    )
    caption = (
        f"From start to end the spread (standard deviation) of {data.label} over the neurons {grows} from "
        f"{_spread(first)} to {_spread(last)}, and {mean}.{frame_notes(data)}"
    )
    if (first.deviation, first.mean) == (last.deviation, last.mean):
        # Frozen: the level of a residual network, a base of a linearised one.
        caption = (
            f"{data.label} does not change: its mean over the neurons is {beside(first.mean, first.deviation)}, its "
            f"standard deviation {_spread(first)}.{frame_notes(data)}"
        )
    alt = f"Histograms of {data.label} over the neurons, one a time: " + "; ".join(map(density_words, data.rows)) + "."
    png = to_png(lambda figure: draw_ages(figure, data), height=2.4 + 1.2 * (len(data.rows) > 2))
    return Picture(f"neurons_{data.name}", png, caption, alt)


def density_words(row: Density) -> str:
    """`t = 0, nine tenths between -1.6 and 1.7`: what is to be seen of a histogram."""
    if row.heights is None:
        return f"{row.label}, all at {number(row.mean)}"
    return f"{row.label}, nine tenths between {number(row.middle[0], 2)} and {number(row.middle[1], 2)}"


def _pair_picture(data: Pair) -> Picture:
    (top0, rest0), (top1, rest1) = data.heavy
    first, second = data.labels
    size = first if first.startswith("|") else f"|{first}|"
    who, others = f"the tenth of the neurons with the largest {size}", "the others"
    if data.still:
        most, least = float(np.max(data.start[:, 0])), float(np.min(data.start[:, 0]))
        who, others = f"what has {first} {most:.4g}", f"what has {first} {least:.4g}"
    caption = (
        f"At the end {who} has {second} {number(top1)} on average, {others} {number(rest1)} (at the start "
        f"{number(top0)} and {number(rest0)})."
    )
    if len(data.start) < data.total:
        caption += f" {len(data.start)} of {data.total} neurons are drawn."
    spans = [
        " and ".join(
            f"{name} {number(np.min(v), 2)} to {number(np.max(v), 2)}"
            for name, v in zip(data.labels, points.T, strict=True)
        )
        for points in (data.start, data.end)
    ]
    alt = f"Two scatters of {second} against {data.labels[0]}, a dot a neuron. Start: {spans[0]}. End: {spans[1]}."
    return Picture("neurons_pair", to_png(lambda figure: draw_pair(figure, data)), caption, alt)


def _inputs_picture(data: Inputs) -> Picture:
    verb = "grows" if data.end[0] > data.start[0] else "shrinks"
    caption = (
        f"Of the {data.total} inputs {data.names[0]} changes most: its root mean square {data.block} {verb} "
        f"from {number(data.start[0])} to {number(data.end[0])}"
    )
    shown = len(data.names) < data.total
    caption += f" (the {len(data.names)} inputs that change most are shown)." if shown else "."
    lines = [f"{n} from {number(a)} to {number(b)}" for n, a, b in zip(data.names, data.start, data.end, strict=True)]
    alt = (
        f"A line an input, from its root mean square {data.block} at the start to that at the end: {listed(lines[:4])}."
    )
    height = 1.4 + 0.32 * len(data.names)
    return Picture("neurons_inputs", to_png(lambda f: draw_inputs(f, data), height=height), caption, alt)


def _spread(row: Density) -> str:
    """An atom has none, whatever the rounding says."""
    return "0" if row.heights is None else number(row.deviation)
