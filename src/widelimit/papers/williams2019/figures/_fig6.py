"""Fig. 6: the same start trained at delta = -infinity and at delta = +infinity."""

import math

import numpy as np

from ..._kit import Bench, Cost, Data, figure
from ..._kit._drawing import Sheet, title
from ..runs._training import NEAR, PATHS, given, network, parameters, steps_of
from ._panels import delta_name, function_panel, legend_of, neurons_panel, paths_panel, reach_of

# Not printed: the start's law.
_SIZE, _WIDTH = 10.0, 1000
_DELTAS = (-math.inf, math.inf)
PARAMETERS = parameters(width=_WIDTH, size=_SIZE, samples=10, seed=0)


def runs_of(bench: Bench) -> list[Data]:
    """One run a delta."""
    settings = {"wave": "square", "count": 10, "size": _SIZE, "width": _WIDTH, "seed": 0} | given(bench)
    return [bench.piece(network, delta=delta, **settings, steps=steps_of(bench)) for delta in _DELTAS]


def _compute(bench: Bench) -> Data:
    return {"deltas": np.array(_DELTAS), "runs": runs_of(bench)}


def _caption(data: Data) -> str:
    (before, kernel), (_, adaptive) = (one["share"] for one in data["runs"])
    first, second = (one["risk"][-1] / one["risk"][0] for one in data["runs"])
    step, steps = data["runs"][0]["step"], int(data["runs"][0]["steps"])
    return (
        f"{_WIDTH} neurons on ten samples of a square wave. At δ = -∞ (c alone moves) every neuron stays on its radius "
        f"and no knot moves: {kernel:.0%} lie within {NEAR:g} of a sample, as at the start ({before:.0%}). At δ = +∞ "
        f"(a and b alone move) {adaptive:.0%} do: neurons turn until they stick to samples. The loss is down to "
        f"{first:.2g} and {second:.2g} of its start. Right: {PATHS} neurons, open marks at their start. Chosen here: r "
        f"~ N(0, {_SIZE:g}²) and {steps} steps of {step:g} in the time |δ| t, a few times below the longest "
        "stable step: no learning rate is printed."
    )


def _alt(data: Data) -> str:
    return (
        "Two rows of three panels. Above: a smooth curve, neurons spread over the plane, and paths along radii. Below: "
        "a curve with corners at the samples, neurons gathered on sample lines, and curved paths that end on them."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(12.0, 8.6), cost=Cost(30.0, 80.0), parameters=PARAMETERS)
def fig6(sheet: Sheet, data: Data) -> None:
    """Trajectories of neurons in the kernel and in the adaptive limit."""
    rows = sheet.subplots(2, 3, width_ratios=(1.15, 1.0, 1.0))
    sheet.suptitle(f"m = {len(data['runs'][0]['end'])}, {int(data['runs'][0]['steps'])} steps", fontsize=12)
    reach = max(reach_of(one["end"]) for one in data["runs"])
    for axes, delta, one in zip(rows, data["deltas"], data["runs"], strict=True):
        function_panel(axes[0], one["x"], one["y"], one["end"], one["places"], one["f"])
        axes[0].set(xlabel="x", ylabel="f(x)")
        title(axes[0], f"{delta_name(delta)}: network function")
        neurons_panel(axes[1], one["end"], one["x"], reach)
        title(axes[1], f"{delta_name(delta)}: neurons after training")
        paths_panel(axes[2], one["paths"], one["x"], reach)
        title(axes[2], f"{delta_name(delta)}: paths of {one['paths'].shape[1]} neurons")
    legend_of(sheet, rows[0][:2])
