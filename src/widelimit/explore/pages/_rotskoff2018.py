"""rotskoff2018, Section 2: networks of N neurons scatter around the limit in a band that closes as N grows."""

import functools
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, units
from widelimit.problem.data import Samples

from .._axes import Axis, axis
from .._history import equal_weights, history
from .._items import Band, Crosses, Curve, Dots, Growing, Moving
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel

WIDTHS = (4, 8, 16, 32, 64, 128)
END, _MOMENTS, _STEP = 10.0, 17, 0.1
_INPUTS, _DRAWS = 24, (4, 24)
# That carry the fluctuations, and the limit itself.
_PARTICLES = ((32, 64), (128, 1024))
X = np.linspace(-1.0, 1.0, _INPUTS)


def target_of(waves: float, height: float) -> Float[np.ndarray, " Q"]:
    """A sine at the inputs."""
    return height * np.sin(waves * np.pi * (X + 1.0) + 0.6)


def problem_of(y: Float[np.ndarray, " Q"]) -> Problem:
    """c tanh(a x + b) on these targets."""
    return Problem(units.Neuron(activations.tanh), Samples(X[:, None], y))


def law_of(size: float) -> laws.Product:
    """Of (c, a, b): c of variance 1, a and b of `size`."""
    return laws.product(output=laws.Normal(0.0, 1.0), weight=laws.Normal(0.0, size, dim=1), bias=laws.Normal(0.0, size))


@functools.cache
def _template() -> Problem:
    return problem_of(target_of(1.0, 1.0))


@functools.cache
def _draws(count: int) -> Float[np.ndarray, "s N 3"]:
    return np.random.default_rng(7).normal(size=(count, WIDTHS[-1], 3))


@eqx.filter_jit
def trained(problem: Problem, y: Any, rows: Any, weights: Any, times: Any) -> tuple[Array, Array]:
    """Risks [S, T] and predictions [S, T, Q] of S starts [S, N, 3] with their weights [S, N]."""
    own = eqx.tree_at(lambda p: p.data.y, problem, y)
    flow = GradientFlow(integrators.RungeKutta4(_STEP))

    def one(start: Array, w: Array) -> tuple[Array, Array]:
        run = history(flow, own, Particles(start, w, blocks=own.blocks), times, most=2000)

        def seen(at: Array) -> tuple[Array, Array]:
            rho = Particles(at, w, blocks=own.blocks)
            return own.risk(rho), own.predict(rho, X[:, None])

        return jax.vmap(seen)(run.positions)

    return jax.vmap(one)(rows, weights)


def _compute(values: Values, level: int) -> Arrays:
    """The limit with its central limit theorem, and networks: at the width of the slider, and then at all."""
    t = END * np.linspace(0.0, 1.0, _MOMENTS) ** 2
    width, most = int(values["width"]), WIDTHS[-1]
    y = target_of(values["waves"], values["height"])
    problem = problem_of(y)
    few, many = _PARTICLES[min(level, 1)]
    law = law_of(values["size"])
    # Slow to import, and the other pages need none of it.
    from widelimit import analysis

    clt = analysis.fluctuations(problem, law.quantise(few), t1=END, save_at=t, progress=False)
    variance = np.diagonal(clt.covariance(X), axis1=1, axis2=2)
    draws = _draws(_DRAWS[min(level, 1)]) * np.array([1.0, values["size"], values["size"]])

    def networks(count: int) -> list[np.ndarray]:
        w = np.broadcast_to(np.asarray(equal_weights(count, most)), draws.shape[:2])
        return [np.asarray(part) for part in trained(_template(), y, draws, w, t)]

    def limit(count: int) -> list[np.ndarray]:
        start = law.quantise(count)
        rows, w = np.asarray(start.positions)[None], np.asarray(start.weights)[None]
        return [np.asarray(part)[0] for part in trained(_template(), y, rows, w, t)]

    risk, f = networks(width)
    (lone, middle), (half, _) = limit(many), limit(many // 2)
    found = {
        "t": t,
        "y": y,
        "limit": middle,
        "half": 2.0 * np.sqrt(variance / width),
        "limit risk": lone,
        "limit error": np.abs(lone - half),
        "expected": lone + clt.excess_risk / width,
        "variance": clt.prediction_variance,
        "networks": f,
        "risk": np.mean(risk, axis=0),
        "error": np.std(risk, axis=0, ddof=1) / len(risk) ** 0.5,
        "width": float(width),
        "particles": many,
    }
    sizes = WIDTHS if level else (width,)
    squares = [np.mean((networks(n)[1][:, -1] - middle[-1]) ** 2, axis=1) for n in sizes]
    found["sizes"] = np.array(sizes, float)
    found["scatter"] = np.array([np.mean(row) for row in squares])
    found["scatter error"] = np.array([np.std(row, ddof=1) / len(row) ** 0.5 for row in squares])
    return found


def _draw(arrays: Arrays) -> tuple[Panel, ...]:
    t, middle, half, width = arrays["t"], arrays["limit"], arrays["half"], int(arrays["width"])
    reach = 1.15 * float(np.max(np.abs(middle) + half))
    some = arrays["networks"][:6]
    function = Panel(
        "Function",
        Axis("input x", -1.0, 1.0),
        Axis("f(x)", -reach, reach),
        (
            Band(X, middle - half, middle + half, "limit", f"limit ± 2 sd at N = {width}"),
            *(Moving(X, f, "network", f"networks of {width}" if k == 0 else None) for k, f in enumerate(some)),
            Moving(X, middle, "limit", "limit"),
            Crosses(X, arrays["y"], "target", "samples"),
        ),
    )
    curves = [arrays[name] for name in ("limit risk", "expected", "risk")]
    bars = 2.0 * arrays["error"]
    risk = Panel(
        "Risk",
        Axis("time t", 0.0, END),
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
    bar, count = 2.0 * arrays["scatter error"][k], len(arrays["networks"])
    return (
        f"At t = {END:g} the central limit theorem foresees a mean square of {arrays['variance'][-1]:.2g}/N around the "
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
        Slider("width", "N, neurons", tuple(float(n) for n in WIDTHS), 16.0, "Of the networks; the limit is N = ∞."),
        Slider("size", "size of a and b at the start", even(0.5, 4.0, 8), 2.0, "Their standard deviation; c has 1."),
        Slider("waves", "periods of the target", even(0.5, 2.0, 7), 1.0, "Between x = -1 and 1, at 24 inputs."),
        Slider("height", "height of the target", even(0.25, 1.5, 6), 1.0, "The amplitude of the sine."),
    ),
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
)
