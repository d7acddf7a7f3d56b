"""mei2018, Figs. 1 and 4: two Gaussian classes; neurons that split, and a start that fails."""

import functools

import numpy as np

from .._axes import Axis, axis
from .._items import Dots, Growing, Moving
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel


def _compute(sigma: str, values: Values, level: int) -> Arrays:
    from ..systems import _two_classes

    return _two_classes.compute(sigma, 10.0, values, level)


def _draw(arrays: Arrays) -> tuple[Panel, ...]:
    """Lengths by their rank; risks."""
    t, limit, net = arrays["t"], arrays["limit"], arrays["network"]
    count, most = net.shape[1], arrays["limit risk"].max()
    share, levels = (np.broadcast_to((np.arange(n) + 0.5) / n, (1, n)) for n in (count, limit.shape[1]))
    # What a network of long steps throws far away is left out.
    top = 1.05 * max(float(np.max(limit)), min(float(np.max(net)), 2.0 * float(np.max(limit))))
    neurons = Panel(
        "Neurons: how long their weights are",
        Axis("|w|, length of a neuron's weight", 0.0, top),
        Axis("share of neurons shorter than that", 0.0, 1.0),
        (
            Moving(np.sort(limit, axis=1), np.repeat(levels, len(limit), axis=0), "limit", "limit"),
            Dots(net, np.repeat(share, len(net), axis=0), "network", f"network, {count} neurons"),
        ),
    )
    risk = Panel(
        "Risk",
        Axis("time t = step x number of steps", 0.0, float(t[-1])),
        axis("risk R", [0.0], arrays["limit risk"], np.minimum(arrays["risk"], 2.0 * most)),
        (
            Growing(t, arrays["limit risk"], "limit", "limit"),
            Growing(t[: arrays["reached"]], arrays["risk"], "network", "network"),
        ),
    )
    return neurons, risk


def _caption(arrays: Arrays) -> str:
    k, end = arrays["reached"] - 1, arrays["t"][-1]
    short = np.mean(arrays["limit"][-1] < 0.5)
    return (
        f"At t = {arrays['t'][k]:.3g} the network of {arrays['network'].shape[1]} neurons has the risk "
        f"{arrays['risk'][k]:.3f} ± {2.0 * arrays['error'][k]:.1g} (two standard errors of the samples it is measured "
        f"on), the limit {arrays['limit risk'][k]:.3f}. At t = {end:g} the limit has the risk "
        f"{arrays['limit risk'][-1]:.3f}, and {short:.0%} of its mass lies below |w| = 0.5. The limit is carried by "
        f"{arrays['limit'].shape[1]} particles."
    )


def _alt(arrays: Arrays) -> str:
    limit, risk = arrays["limit"], arrays["limit risk"]
    return (
        "Left: dots, one a neuron, beside the line of the limit, both by rank; the middle length goes from "
        f"{np.median(limit[0]):.2f} to {np.median(limit[-1]):.2f}. Right: the risk over time, from {risk[0]:.2f} to "
        f"{risk[-1]:.2f} for the limit."
    )


_STARTS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 2.0)


_DIMS = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0)


def _sliders(delta: float, start: float, step: float) -> tuple[Slider, ...]:
    classes = "The classes are normal with standard deviations 1 + Δ and 1 - Δ in every direction."
    drawn = "Weights are drawn from N(0, κ²/d), so that |w| is about κ."
    long = "Time is ε times the number of steps. Short steps follow the limit, and there are more of them."
    noise = "Fresh samples each time; they push a neuron about with a variance of ε/batch."
    return (
        Slider("delta", "Δ, how far the classes differ", even(0.1, 0.9, 17), delta, classes),
        Slider("dim", "d, number of inputs", _DIMS, 40.0, "Of the network, and of the limit as well."),
        Slider("start", "κ, size of the start", _STARTS, start, drawn),
        Slider("width", "N, neurons", (2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0), 50.0, "The limit is N = ∞."),
        Slider("step", "ε, step of SGD, in thousandths", (0.2, 0.5, 1.0, 2.0, 5.0, 10.0), step, long),
        Slider("batch", "batch, samples a step", (1.0, 2.0, 4.0, 8.0), 8.0, noise),
    )


fig1 = Page(
    name="mei2018/fig1",
    title="Neurons that move as a gas",
    question="What does training do to the lengths of the neurons, and does the equation foresee it?",
    text=r"""
Two classes, $y = \pm 1$ with $x \sim N(0, (1 \pm \Delta)^2 I_d)$; a network that is the mean of $N$ neurons
$\sigma(\langle w, x \rangle)$, $\sigma$ a ramp; SGD on $(f - y)^2$. As $N \to \infty$ the law $\rho_t$ of the lengths
$r = |w|$ follows (13) of the paper, $\partial_t \rho = \partial_r(\rho\, \partial_r \psi(r; \rho))$.

Look for three stages: the neurons move outwards together, stall, and split: some return to 0, the others go on. Then
take fewer neurons, or longer steps: the dots leave the line.
""",
    sliders=_sliders(0.8, 0.8, 1.0),
    compute=functools.partial(_compute, "ramp"),
    draw=_draw,
    caption=_caption,
    alt=_alt,
)

fig4 = Page(
    name="mei2018/fig4",
    title="One start ends well, another does not",
    question="Can gradient descent fail however wide the network is?",
    text=r"""
The same classes, with an activation that first falls and then rises. Neurons that all start short are drawn to
$r = 0$, where they stay: $\psi(r; \rho)$ has a cone there. The limit itself ends at a bad risk, so no width helps.
Longer starts end well.

Move $\kappa$ from 0.1 to 0.6 and look at the end of the risk; then take many neurons at $\kappa = 0.1$. Only the
noise of longer steps helps: from $\varepsilon = 10^{-3}$ on it lifts neurons over the barrier around $r = 0$.
""",
    sliders=_sliders(0.5, 0.1, 0.2),
    compute=functools.partial(_compute, "nonmonotone"),
    draw=_draw,
    caption=_caption,
    alt=_alt,
)
