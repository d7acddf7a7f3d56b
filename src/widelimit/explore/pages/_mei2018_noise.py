"""mei2018, Theorems 3 and 5 with noise: a temperature smears the neurons, and frees them where they are trapped."""

import numpy as np

from .._axes import Axis, axis
from .._items import Curve, Growing, Moving
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel

_BIN = 0.25


def _compute(values: Values, level: int) -> Arrays:
    from ..systems import _bumps

    return _bumps.compute(values, level)


def _histogram(neurons: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray]:
    """The outline of each moment's histogram: places [n], densities [T, n]."""
    edges = np.arange(-reach, reach + 0.5 * _BIN, _BIN)
    rows = np.stack([np.histogram(row, edges)[0] / (len(row) * _BIN) for row in neurons])
    return np.repeat(edges, 2)[1:-1], np.repeat(rows, 2, axis=1)


def _draw(arrays: Arrays) -> tuple[Panel, ...]:
    t, x, net = arrays["t"], arrays["x"], arrays["neurons"]
    reach = 4.0
    steps = _histogram(net, reach)
    neurons = Panel(
        "Neurons: where their bumps stand",
        Axis("θ, centre of a neuron's bump", -reach, reach),
        Axis("density of neurons", 0.0, 1.05 * max(float(np.max(arrays["density"])), 1.0)),
        (
            Moving(steps[0], steps[1], "network", f"network, {net.shape[1]} neurons"),
            Moving(arrays["places"], arrays["density"], "limit", "limit"),
        ),
    )
    function = Panel(
        "Function",
        Axis("input x", float(x[0]), float(x[-1])),
        Axis("f(x)", -0.05, 1.05),
        (
            Curve(x, arrays["y"], "target", "target"),
            Moving(x, arrays["network"], "network", "network"),
            Moving(x, arrays["limit"], "limit", "limit"),
        ),
    )
    risk = Panel(
        "Risk",
        Axis("time t = step x number of steps", 0.0, float(t[-1])),
        axis("risk R", [0.0], arrays["limit risk"], arrays["risk"]),
        (Growing(t, arrays["limit risk"], "limit", "limit"), Growing(t, arrays["risk"], "network", "network")),
    )
    return neurons, function, risk


def _caption(arrays: Arrays) -> str:
    density, places, ends = arrays["density"][-1], arrays["places"], arrays["ends"]
    mass = density / np.sum(density)
    spread = np.sqrt(np.sum(mass * places**2) - np.sum(mass * places) ** 2)
    count, end = len(ends), arrays["t"][-1]
    bar = 2.0 * np.std(ends, ddof=1) / count**0.5 if count > 1 else 0.0
    over = f", {np.mean(ends):.3g} ± {bar:.1g} over {count} draws (two standard errors)" if count > 1 else ""
    return (
        f"At T = {arrays['temperature']:g}, when t = {end:g}, {np.sum(mass[places > 0.0]):.0%} of the limit's neurons "
        f"are right of 0, and their standard deviation is {spread:.2f}. The limit has the risk "
        f"{arrays['limit risk'][-1]:.3g}, by {len(places)} cells, the network of {arrays['neurons'].shape[1]} neurons "
        f"{arrays['risk'][-1]:.3g}{over}."
    )


def _alt(arrays: Arrays) -> str:
    risk, neurons = arrays["limit risk"], arrays["neurons"]
    return (
        "Three panels. The density of the neurons, a smooth line for the limit and the steps of a histogram for the "
        f"network, whose middle goes from {np.median(neurons[0]):.1f} to {np.median(neurons[-1]):.1f}; the functions "
        f"beside the target, a bump at 1.5; the risk over time, from {risk[0]:.2g} to {risk[-1]:.2g} for the limit."
    )


noise = Page(
    name="mei2018/noise",
    title="A temperature smears the neurons, and frees them",
    question="What does noise on the weights cost, and when does it help?",
    text=r"""
Each neuron is a bump $e^{-2(x - \theta)^2}$; their mean must become a bump of height 0.8 at 1.5. Noisy SGD adds to
every step a Gaussian of variance $2 \varepsilon T$, and a ridge $\lambda \theta^2$ keeps neurons from wandering off.
As $N \to \infty$ their density follows (12) of the paper with $T = 2/\beta$, $\partial_t \rho =
\partial_\theta(\rho\, \partial_\theta \psi(\theta; \rho)) + T\, \partial_\theta^2 \rho$, along which the free energy
$R + \lambda \int \theta^2 d\rho + T \int \rho \log \rho$ falls.

On the left the target is hardly felt, and cold neurons come late. Raise $T$: they find it sooner, but do not gather at
it any more, and the risk at the end rises again. The best temperature lies between.
""",
    sliders=(
        Slider(
            "temperature", "T, temperature", (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2), 0.02,
            "Of the noise on each neuron: 2/β in the paper.",
        ),
        Slider("center", "centre of the start", even(-3.0, 2.0, 11), -2.5, "Neurons are drawn from N(centre, 0.3²)."),
        Slider(
            "ridge", "λ, ridge", (0.005, 0.01, 0.02, 0.05, 0.1), 0.02, "The penalty λθ², which draws neurons to 0."
        ),
        Slider("width", "N, neurons", (5.0, 10.0, 20.0, 50.0, 100.0, 200.0), 100.0, "The limit is N = ∞."),
        Slider(
            "step", "ε, step of SGD", (0.01, 0.02, 0.05, 0.1, 0.2, 0.5), 0.05,
            "Time is ε times the number of steps, each on 8 fresh samples.",
        ),
    ),
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
)  # fmt: skip
