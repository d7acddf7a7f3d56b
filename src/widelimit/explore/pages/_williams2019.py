"""williams2019, Figs. 5 and 9: from the kernel to the adaptive regime, and where neurons stick."""

import numpy as np

from .._axes import Axis, axis
from .._items import Arrows, Crosses, Curve, Dots, Growing, Item, Moving
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel


def _function(arrays: Arrays) -> Panel:
    """f of limit and network, the samples, and the network's knots on its function."""
    x, f, knots = arrays["places"], arrays["network"], arrays["knots"]
    on = np.stack([np.interp(row, x, values) for row, values in zip(knots, f, strict=True)])
    items = (
        Moving(x, arrays["limit"], "limit", "limit"),
        Moving(x, f, "network", "network"),
        Dots(knots, on, "network", "its knots", radius=3.5, open=True),
        Crosses(arrays["x"], arrays["y"], "target", "samples"),
    )
    return Panel("Function", Axis("input x", -1.2, 1.2), Axis("f(x)", -2.0, 2.0), items)


def _plane(arrays: Arrays, *more: Item) -> Panel:
    """Neurons in the plane (u, v) = |r| (cos, sin) of their angle, and the lines of the samples."""
    u, v, positive = arrays["u"], arrays["v"], arrays["sign"] > 0.0
    reach = float(arrays["reach"])
    ends = np.array([-2.0, 2.0]) * reach
    lines = [Curve(ends, -ends * x, "faint", "lines of samples" if k == 0 else None) for k, x in enumerate(arrays["x"])]
    dots = (
        Dots(u[:, positive], v[:, positive], "network", "neurons, r > 0"),
        Dots(u[:, ~positive], v[:, ~positive], "other", "r < 0"),
    )
    sides = Axis("u, slope of the neuron", -reach, reach), Axis("v, its offset", -reach, reach)
    return Panel("Neurons", sides[0], sides[1], (*lines, *more, *dots))


def _risk(arrays: Arrays) -> Panel:
    t = arrays["t"]
    least = max(float(np.min(arrays["limit risk"])), 1e-4 * float(arrays["limit risk"][0]))
    sides = (
        Axis("time t", 0.0, float(t[-1])),
        axis("risk R", arrays["limit risk"], arrays["risk"], log=True, least=0.5 * least),
    )
    curves = (Growing(t, arrays["limit risk"], "limit", "limit"), Growing(t, arrays["risk"], "network", "network"))
    return Panel("Risk", sides[0], sides[1], curves)


def _compute5(values: Values, level: int) -> Arrays:
    from ..systems import _univariate

    arrays = _univariate.compute("finite", values, level)
    del arrays["all rows"]
    return arrays


def _caption(arrays: Arrays) -> str:
    ends, count = arrays["ends"], len(arrays["ends"])
    spread = (
        f", {np.mean(ends):.2g} ± {2.0 * np.std(ends, ddof=1) / count**0.5:.1g} over {count} draws" if count > 1 else ""
    )
    return (
        f"The neurons of the network turned by {arrays['turned']:.2g} radians (median); of its knots between the "
        f"outermost samples {arrays['share'][-1]:.0%} lie within {arrays['near']:g} of a sample, "
        f"{arrays['share'][0]:.0%} at the start. At the end its risk is {arrays['risk'][-1]:.2g}{spread} (two standard "
        f"errors), that of the limit {arrays['limit risk'][-1]:.2g}, by {arrays['particles']} particles."
    )


def _alt5(arrays: Arrays) -> str:
    return (
        "Three panels. A function through ten crosses, of the limit and of the network, with rings at its knots; the "
        f"neurons as dots in a plane with ten lines through 0; the risk over time, which falls from "
        f"{arrays['risk'][0]:.2g} to {arrays['risk'][-1]:.2g} for the network."
    )


_SIZES = (1.0, 2.0, 5.0, 10.0, 20.0)
_SIZE = Slider("size", "size of r at the start", _SIZES, 10.0, "r is drawn from N(0, size²), angles are uniform.")
_WAVES = Slider("waves", "periods of the sine", even(0.5, 2.5, 9), 1.5, "Between x = -1 and 1, seen at ten samples.")
_WIDTH = Slider("width", "N, neurons", (5.0, 10.0, 20.0, 40.0, 60.0, 80.0, 100.0), 60.0, "The limit is N = ∞.")

fig5 = Page(
    name="williams2019/fig5",
    title="From the kernel to the adaptive regime",
    question="When does training move the knots of a ReLU network, and when are they left where they were?",
    text=r"""
A neuron $c\,(a x + b)_+$ is $r\,(\cos\vartheta\,x + \sin\vartheta)_+$ with $r = c\,|(a, b)|$; training keeps
$\delta = c^2 - a^2 - b^2$. Far below 0 the angles rest: training is a kernel method, and the function a smooth spline.
Far above 0 the angles move: knots gather at samples, and the function gets corners.

Move $\delta$ from -100 to 100 and look at the rings and at the angle by which neurons turned. Then take few neurons
at both ends.
""",
    sliders=(
        Slider(
            "delta",
            "δ = c² - a² - b² of every neuron",
            (-100.0, -50.0, -20.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 50.0, 100.0),
            0.0,
            "How strong output weights are beside input weights at the start; training does not change it.",
        ),
        _SIZE,
        _WAVES,
        _WIDTH,
    ),
    compute=_compute5,
    draw=lambda arrays: (_function(arrays), _plane(arrays), _risk(arrays)),
    caption=_caption,
    alt=_alt5,
)


def _compute9(values: Values, level: int) -> Arrays:
    from ..systems import _rays

    return _rays.compute(values, level)


def _draw9(arrays: Arrays) -> tuple[Panel, ...]:
    reach = float(arrays["reach"])
    rays = [
        Curve(
            np.array([0.0, 2.0 * reach * u]),
            np.array([0.0, 2.0 * reach * v]),
            "target",
            "attractors" if k == 0 else None,
        )
        for k, (u, v) in enumerate(arrays["rays"])
    ]
    field = Arrows(arrays["points"], arrays["field"], "faint", "velocity at r > 0")
    return _function(arrays), _plane(arrays, field, *rays), _risk(arrays)


def _caption9(arrays: Arrays) -> str:
    return (
        f"{_caption(arrays)} At the end {int(arrays['attractors'])} of {int(arrays['every'])} rays (a sample, a "
        "side, a sign of r) attract; those of r > 0 are drawn."
    )


def _alt9(arrays: Arrays) -> str:
    return (
        f"{_alt5(arrays)} In the plane short arrows show where a neuron with r > 0 is driven, and "
        f"{len(arrays['rays'])} rays that attract it stand out."
    )


fig9 = Page(
    name="williams2019/fig9",
    title="Where neurons stick",
    question="Why do knots gather at the samples?",
    text=r"""
At $\delta = +\infty$ a neuron moves in the plane $(u, v) = |r| (\cos\vartheta, \sin\vartheta)$ along
$-\nabla \tilde L$, whose sign is that of $r$. It jumps at the line $u x_j + v = 0$ of each sample $x_j$: on one side of
the line the neuron sees the sample, on the other it does not. Where both sides lead to the line, it attracts: the
neuron stays on it, and its knot on the sample, until the residuals have changed.

Let the neurons move, and look where they meet the lines; then take fewer neurons.
""",
    sliders=(_SIZE, _WAVES, _WIDTH),
    compute=_compute9,
    draw=_draw9,
    caption=_caption9,
    alt=_alt9,
)
