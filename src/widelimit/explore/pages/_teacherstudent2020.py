"""teacherstudent2020, section 3: the levels of a wide residual network."""

import numpy as np

from .._axes import Axis, axis
from .._items import Crosses, Dots, Growing, Moving
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel


def _compute(values: Values, level: int) -> Arrays:
    from ..systems import _levels

    return _levels.compute(values, level)


def _draw(arrays: Arrays) -> tuple[Panel, ...]:
    """Each sample's way through the levels, and its target."""
    net, limit, t, y = arrays["network"], arrays["limit"], arrays["t"], arrays["y"]
    reach = 1.08 * max(float(np.max(np.abs(part))) for part in (net, limit, y))
    ways = []
    for k in range(len(y)):
        label = "limit" if k == 0 else None
        ways.append(Moving(limit[:, :, k, 0], limit[:, :, k, 1], "limit", label, dashed=True))
    for k in range(len(y)):
        label = f"network, {arrays['width']} a level" if k == 0 else None
        ways.append(Moving(net[:, :, k, 0], net[:, :, k, 1], "network", label))
    flat = net.reshape(len(net), -1, 2)
    dots = Dots(flat[..., 0], flat[..., 1], "network", "its levels", 2.5)
    through = Panel(
        "Twelve inputs on their way through the levels",
        Axis("X₁", -reach, reach),
        Axis("X₂", -reach, reach),
        (*ways, dots, Crosses(y[:, 0], y[:, 1], "target", "targets")),
    )
    sides = Axis("time t", 0.0, float(t[-1])), axis("risk R", [0.0], arrays["limit risk"], arrays["risk"])
    curves = (
        Growing(t, arrays["limit risk"], "limit", "limit", dashed=True),
        Growing(t[: len(net)], arrays["risk"], "network", "network"),
    )
    return through, Panel("Risk", sides[0], sides[1], curves)


def _caption(arrays: Arrays) -> str:
    ends, end = arrays["ends"], arrays["t"][-1]
    bar = 2.0 * np.std(ends, ddof=1) / len(ends) ** 0.5 if len(ends) > 1 else 0.0
    over = f" ({np.mean(ends):.3f} ± {bar:.1g} over {len(ends)} draws, two standard errors)" if len(ends) > 1 else ""
    return (
        f"{arrays['network'].shape[1] - 1} levels of {arrays['width']} particles each: at t = {end:g} the network has "
        f"the risk {arrays['risk'][-1]:.3f}{over}, the limit, by {arrays['particles']} a level, "
        f"{arrays['limit risk'][-1]:.3f}."
    )


def _alt(arrays: Arrays) -> str:
    return (
        "Left: twelve broken lines, one an input, that lead over the levels towards green crosses, of the network and, "
        f"dashed, of the limit. Right: the risk over time, from {arrays['risk'][0]:.2f} to "
        f"{arrays['risk'][-1]:.3f} for the network."
    )


levels = Page(
    name="teacherstudent2020/levels",
    title="The levels of a wide residual network",
    question="What do the levels of a residual network do to its inputs, and what does width change?",
    text=r"""
A residual network moves its input level by level, $X^{l+1} = X^l + \int_{\text{level } l} \tanh(\theta X^l)\,d\rho$,
all levels together of mass 1; the last state is the prediction. Each line is one input on its way to its target, each
dot a level. Training moves all matrices $\theta$ at once, along the gradient flow.

With more levels each of them does less, and the ways become smooth curves. With more particles on a level networks of
independent starts become alike: their risks come together as $1/N$.
""",
    sliders=(
        Slider("depth", "L, levels", even(1.0, 8.0, 8), 4.0, "One after the other."),
        Slider("width", "N, particles a level", (1.0, 2.0, 4.0, 8.0, 16.0), 4.0, "The limit is N = ∞."),
        Slider("spread", "spread of the start", even(0.1, 1.5, 15), 0.7, "Entries of θ: their standard deviation."),
        Slider(
            "step", "step of the network's training", (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0), 0.2,
            "Of a Runge-Kutta method of order 4, in units of t: what is too long shows.",
        ),
    ),
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
)  # fmt: skip
