"""Fig. 1: a network with its knots, and its neurons in the uv plane with the activation regions."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, title
from ..runs._training import given, network, parameters, steps_of
from ._panels import function_panel, legend_of, neurons_panel, plane, reach_of

# Not printed: the samples, delta, the start and how long.
_COUNT, _DELTA, _SIZE, _WIDTH, _SEED = 5, 10.0, 10.0, 60, 3
PARAMETERS = (
    Parameter("delta", _DELTA, "of every neuron", -1e4, 1e4, infinite=True),
    *parameters(width=_WIDTH, size=_SIZE, samples=_COUNT, seed=_SEED),
)
_SHADES = ("#E8F1F8", "#FBEFE3", "#E6F4EC", "#F7EEF4", "#FFF8DF")


def _compute(bench: Bench) -> Data:
    usual = {"wave": "sine", "count": _COUNT, "size": _SIZE, "width": _WIDTH, "seed": _SEED}
    run = bench.piece(network, **usual | given(bench), delta=bench.value("delta", _DELTA), steps=steps_of(bench))
    return {name: run[name] for name in ("x", "y", "end", "places", "f", "share", "step", "steps")}


def _reach(data: Data) -> float:
    return reach_of(data["end"], 0.97)


def _regions(axes: Axes, x: np.ndarray, reach: float) -> None:
    """The 2s sectors between the rays, in light colours."""
    rays = np.sort(np.mod(np.concatenate([-np.arctan(x), np.pi - np.arctan(x)]), 2.0 * np.pi))
    for k, (low, high) in enumerate(zip(rays, np.append(rays[1:], rays[0] + 2.0 * np.pi), strict=True)):
        angle = np.linspace(low, high, 40)
        corners = 3.0 * reach * np.stack([np.cos(angle), np.sin(angle)])
        axes.fill(*np.concatenate([[[0.0], [0.0]], corners], axis=1), color=_SHADES[k % len(_SHADES)], lw=0, zorder=0)
    for place, words in ((0.88, "every sample active"), (-0.88, "no sample active")):
        axes.text(0.0, place * reach, words, ha="center", va="center", fontsize=10.5)


def _caption(data: Data) -> str:
    out = int(np.sum(np.max(np.abs(plane(data["end"])), axis=1) > _reach(data)))
    return (
        f"Left: {len(data['x'])} samples, the network of {len(data['end'])} neurons that fits them, and its knots. "
        f"Right: the same neurons at (u, v) = |r| (cos θ, sin θ). The {len(data['x'])} sample lines cut the plane into "
        f"{2 * len(data['x'])} activation regions (the paper's 2s - 1 leave out the one in which no sample is active). "
        f"({out} of the neurons are outside of the picture.) {data['share'][1]:.0%} of the knots between the samples "
        f"lie within 0.01 of a sample. Chosen here: the samples, δ = {_DELTA:g}, r ~ N(0, {_SIZE:g}²), "
        f"{int(data['steps'])} steps."
    )


def _alt(data: Data) -> str:
    return (
        f"Left: a line with corners through {len(data['x'])} crosses, circles on its corners. Right: circles and "
        "triangles in a plane that lines through the origin cut into coloured sectors."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(11.0, 5.2), cost=Cost(12.0, 40.0), parameters=PARAMETERS)
def fig1(sheet: Sheet, data: Data) -> None:
    """A network's function with its knots, and its neurons in the uv plane."""
    left, right = sheet.subplots(1, 2, width_ratios=(1.25, 1.0))
    function_panel(left, data["x"], data["y"], data["end"], data["places"], data["f"])
    left.set(xlabel="x", ylabel="f(x)")
    title(left, f"f with its knots, m = {len(data['end'])}, after {int(data['steps'])} steps")
    reach = _reach(data)
    _regions(right, data["x"], reach)
    neurons_panel(right, data["end"], data["x"], reach, size=5.0)
    title(right, "neurons, and the regions of equal activation")
    legend_of(sheet, (left, right))
