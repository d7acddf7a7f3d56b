"""yarotsky2018, Fig. 2: small clouds of free knots around a stationary atom."""

import numpy as np

from .._axes import Axis, axis
from .._items import Crosses, Curve, Dots, Growing
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel

# Where all weights are at h >= 1 the prediction is 0: the loss is INT x^4/2.
_ALL_LOST = 0.1


def _compute(values: Values, level: int) -> Arrays:
    from ..systems import _clouds

    return _clouds.compute(values, level)


def _draw(arrays: Arrays) -> tuple[Panel, ...]:
    atom, net, limit, t = arrays["atom"][:, 0], arrays["network"], arrays["limit"], arrays["t"]
    every = np.concatenate([part.reshape(-1, 2) for part in (net, limit, atom)])
    star = arrays["rest"]
    inside = abs(star[0] - np.median(every[:, 0])) < 1.5
    neurons = Panel(
        "Neurons c (x - h)+",
        axis("charge c", every[:, 0], [star[0]] if inside else []),
        Axis("knot h", min(-0.15, float(every[:, 1].min()) - 0.05), 1.15),
        (
            Curve(atom[:, 0], atom[:, 1], "limit", "one atom", dashed=True),
            Dots(limit[..., 0], limit[..., 1], "limit", "limit", 2.2),
            Dots(net[..., 0], net[..., 1], "network", f"network, {net.shape[1]} neurons"),
            Crosses([star[0]], [star[1]], "target", "resting atom"),
        ),
    )
    risks = [arrays[f"{name} risk"] for name in ("limit", "network", "atom")]
    seen = [(t[1 : len(risk)], risk[1:]) for risk in risks]
    items = (
        Growing(seen[2][0], seen[2][1], "limit", "one atom", dashed=True),
        Growing(seen[0][0], seen[0][1], "limit", "limit"),
        Growing(seen[1][0], seen[1][1], "network", "network"),
    )
    span = axis("loss L", *risks, log=True)
    return neurons, Panel("Loss", Axis("time t", float(t[1]), float(t[-1]), log=True), span, items)


def _caption(arrays: Arrays) -> str:
    net, k = arrays["network"], len(arrays["network"]) - 1
    c, h = net[-1].T
    rest = " All of them are beyond h = 1, where a neuron is 0 on all inputs." if np.all(h >= 1.0) else ""
    lost = f"; the prediction 0 has the loss {_ALL_LOST:g}" if np.all(h >= 1.0) else ""
    limit, atom = (arrays[f"{name} risk"] for name in ("limit", "atom"))
    return (
        f"At t = {arrays['t'][k]:.3g} the knots of the network lie between {np.min(h):.2f} and {np.max(h):.2f}, its "
        f"charges between {np.min(c):.2f} and {np.max(c):.2f}.{rest} Its loss is {arrays['network risk'][-1]:.2g}, "
        f"that of the limit {limit[-1]:.2g} (t = {arrays['t'][len(limit) - 1]:.3g}, {arrays['limit'].shape[1]} "
        f"particles), that of one atom {atom[-1]:.2g}{lost}."
    )


def _alt(arrays: Arrays) -> str:
    h = arrays["network"][..., 1]
    return (
        "Left: dots in the plane of charge and knot, a blue cloud on a black one; their knots spread from a width of "
        f"{np.ptp(h[0]):.2f} to {np.ptp(h[-1]):.2f}. Right: the loss over time on logarithmic axes, from "
        f"{arrays['network risk'][0]:.2g} to {arrays['network risk'][-1]:.2g} for the network."
    )


fig2 = Page(
    name="yarotsky2018/fig2",
    title="A cloud that holds together, and one that breaks up",
    question="All neurons start nearly alike: do they learn to differ?",
    text=r"""
Neurons $c\,(x - h)_+$ learn $f(x) = x^2$ on $[0, 1]$ by the gradient flow of $L = \frac12 \int (\hat f - f)^2 dx$. All
start in a small cloud around one place $(c_0, h_0)$. A single atom goes to a resting point, marked by a cross; whether
a cloud of width $\sigma$ follows it depends on the second derivative $H_{hh} = c f(h)$ there.

From $(1, 0)$ the cloud reaches the atom's resting point and fans out: the neurons become different, and the loss falls
on. From $(-1, 0.2)$ all leave the interval together, and nothing is learned.
""",
    sliders=(
        Slider("charge", "c₀, charge at the start", even(-1.0, 2.0, 13), 1.0, "Output weights of all neurons, nearly."),
        Slider("knot", "h₀, knot at the start", even(0.0, 0.8, 17), 0.0, "The place from which the neurons act."),
        Slider(
            "sigma", "size of the cloud", (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2), 0.01,
            "The standard deviation of c and h at the start.",
        ),
        Slider("width", "N, neurons", (2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 40.0), 40.0, "The limit is N = ∞."),
    ),
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
)  # fmt: skip
