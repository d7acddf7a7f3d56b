"""Fig. 7: one initial function, two lifts of it to full weights, two fits."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, title
from ..._kit._shares import apart, largest
from ..runs._training import NEAR, given, network, parameters, steps_of
from ._panels import delta_name, function_panel, legend_of

# Not printed: the values of delta, the start and the samples.
_DELTAS, _SIZE, _WIDTH = (-1000.0, 10.0), 10.0, 300
PARAMETERS = (
    Parameter("deltas", _DELTAS, "of the two fits", -1e4, 1e4, infinite=True),
    *parameters(width=_WIDTH, size=_SIZE, samples=10, seed=7),
)


def runs_of(bench: Bench) -> list[Data]:
    """One run a delta."""
    settings = {"wave": "square", "count": 10, "size": _SIZE, "width": _WIDTH, "seed": 7} | given(bench)
    deltas = bench.value("deltas", _DELTAS)
    return [bench.piece(network, delta=delta, **settings, steps=steps_of(bench)) for delta in deltas]


def _compute(bench: Bench) -> Data:
    return {"deltas": np.array(bench.value("deltas", _DELTAS)), "runs": runs_of(bench)}


def _caption(data: Data) -> str:
    first, second = data["runs"]
    inside = np.abs(first["places"]) <= first["x"][-1]
    gap = apart(first["f"][inside], second["f"][inside])
    loss = [f"{one['risk'][-1]:.1g}" for one in data["runs"]]
    return (
        f"The same function of {_WIDTH} neurons, with the same (r, θ), is the start of both runs; what differs is how "
        f"c is scaled against a and b, δ = {_DELTAS[0]:g} and {_DELTAS[1]:g}. After training they differ by up to "
        f"{gap:.2g} between the samples; {first['share'][1]:.0%} and {second['share'][1]:.0%} of the knots lie within "
        f"{NEAR:g} of a sample, {first['share'][0]:.0%} at the start; the losses are {loss[0]} and {loss[1]}. Chosen "
        f"here: the samples, r ~ N(0, {_SIZE:g}²), the two δ, {int(first['steps'])} steps each."
    )


def _alt(data: Data) -> str:
    return (
        "Three panels with ten crosses: an initial curve that misses them, and two fits, one smooth, one with corners "
        f"at the crosses; their largest value is {largest(*(one['f'] for one in data['runs'])):.2g}."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(13.0, 4.6), cost=Cost(15.0, 60.0), parameters=PARAMETERS)
def fig7(sheet: Sheet, data: Data) -> None:
    """The same initial function, scaled in two ways."""
    start, *panels = sheet.subplots(1, 3, sharey=True)
    one = data["runs"][0]
    function_panel(start, one["x"], one["y"], one["start"], one["places"], one["before"])
    title(start, "start of both")
    for axes, delta, one in zip(panels, data["deltas"], data["runs"], strict=True):
        function_panel(axes, one["x"], one["y"], one["end"], one["places"], one["f"])
        title(axes, f"{delta_name(delta)}, after {int(one['steps'])} steps")
    top = 1.05 * largest(2.2 / 1.05, *(np.abs(one[name]) for one in data["runs"] for name in ("f", "before")))
    for axes in (start, *panels):
        axes.set(xlabel="x", ylim=(-top, top))
    start.set_ylabel("f(x)")
    legend_of(sheet, [start])
