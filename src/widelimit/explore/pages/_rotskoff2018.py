"""rotskoff2018, Section 2: networks of N neurons scatter around the limit in a band that closes as N grows."""

import numpy as np

from .._axes import Axis, axis
from .._items import Band, Crosses, Curve, Dots, Growing, Moving
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel


def _compute(values: Values, level: int) -> Arrays:
    from ..systems import _band

    return _band.compute(values, level)


def _draw(arrays: Arrays) -> tuple[Panel, ...]:
    t, x, width = arrays["t"], arrays["x"], int(arrays["width"])
    middle, half = arrays["limit"], arrays["half"]
    reach = 1.15 * max(float(np.max(np.abs(middle) + half)), float(np.max(np.abs(arrays["y"]))))
    some = arrays["networks"][:6]
    function = Panel(
        "Function",
        Axis("input x", -1.0, 1.0),
        Axis("f(x)", -reach, reach),
        (
            Band(x, middle - half, middle + half, "limit", f"limit ± 2 sd at N = {width}"),
            *(Moving(x, f, "network", f"networks of {width}" if k == 0 else None) for k, f in enumerate(some)),
            Moving(x, middle, "limit", "limit"),
            Crosses(x, arrays["y"], "target", "samples"),
        ),
    )
    curves = [arrays[name] for name in ("limit risk", "expected", "risk")]
    bars = 2.0 * arrays["error"]
    risk = Panel(
        "Risk",
        Axis("time t", 0.0, float(t[-1])),
        axis("risk R", [0.0], *curves),
        (
            Band(t, arrays["risk"] - bars, arrays["risk"] + bars, "network"),
            Growing(t, curves[0], "limit", "limit"),
            Growing(t, curves[1], "limit", f"foreseen at N = {width}", dashed=True),
            Growing(t, curves[2], "network", "mean of networks"),
        ),
    )
    n, line = arrays["sizes"], np.array([3.0, 180.0])
    foreseen = arrays["variance"][-1] / line
    scatter = arrays["scatter"]
    bars = [
        Curve([a, a], [max(b - 2.0 * e, 0.2 * b), b + 2.0 * e], "network")
        for a, b, e in zip(n, scatter, arrays["scatter error"], strict=True)
    ]
    width_panel = Panel(
        "Scatter around the limit at the end",
        Axis("width N", 3.0, 180.0, log=True),
        axis("mean of |f_N - f|²", foreseen, scatter, log=True),
        (
            Curve(line, foreseen, "limit", "foreseen, C/N"),
            *bars,
            Dots(n[None], scatter[None], "network", "networks", 4.5),
        ),
    )
    return function, risk, width_panel


def _caption(arrays: Arrays) -> str:
    k = int(np.argmin(np.abs(arrays["sizes"] - arrays["width"])))
    bar, count, end = 2.0 * arrays["scatter error"][k], len(arrays["networks"]), arrays["t"][-1]
    return (
        f"At t = {end:g} the central limit theorem foresees a mean square of {arrays['variance'][-1]:.2g}/N around the "
        f"limit: {arrays['variance'][-1] / arrays['width']:.2g} at N = {int(arrays['width'])}. {count} networks have "
        f"{arrays['scatter'][k]:.2g} ± {bar:.1g}. Their mean risk is {arrays['risk'][-1]:.3g} ± "
        f"{2.0 * arrays['error'][-1]:.1g}, foreseen {arrays['expected'][-1]:.3g}, that of the limit "
        f"{arrays['limit risk'][-1]:.3g} ± {arrays['limit error'][-1]:.1g} ({arrays['particles']} particles against "
        "half of them). Bars: two standard errors."
    )


def _alt(arrays: Arrays) -> str:
    return (
        f"Three panels. Blue curves of {len(arrays['networks'][:6])} networks in a grey band around the curve of "
        "the limit; the risk over time of the limit and, above it, of the networks; the mean square of their distance "
        f"against N on logarithmic axes, along a line that falls as 1/N, {arrays['scatter'][0]:.2g} at "
        f"N = {arrays['sizes'][0]:g}."
    )


_WIDTHS = (4.0, 8.0, 16.0, 32.0, 64.0, 128.0)

band = Page(
    name="rotskoff2018/band",
    title="The band closes as N grows",
    question="How far is a network of N neurons from the limit?",
    text=r"""
Networks of $N$ neurons $c \tanh(a x + b)$, drawn independently and trained by the gradient flow, scatter around the
limit: $f_N = f + N^{-1/2} f^{(1)} + O(1/N)$, with a Gaussian $f^{(1)}$ whose covariance follows an equation of its own
along training. So the band of two standard deviations is foreseen without one network, and so is what it adds to the
risk, $E R(f_N) = R(f) + C_t/N$.

Double $N$: the mean square of the distance halves. Let it move: the scatter shrinks along training where the data
determine the function. At $N = 4$ the next order, $1/N^2$, is seen.
""",
    sliders=(
        Slider(
            "width", "N, neurons", (4.0, 8.0, 16.0, 32.0, 64.0, 128.0), 16.0, "Of the networks; the limit is N = ∞."
        ),
        Slider("size", "size of a and b at the start", even(0.5, 4.0, 8), 2.0, "Their standard deviation; c has 1."),
        Slider("waves", "periods of the target", even(0.5, 2.0, 7), 1.0, "Between x = -1 and 1, at 24 inputs."),
        Slider("height", "height of the target", even(0.25, 1.5, 6), 1.0, "The amplitude of the sine."),
    ),
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
)
