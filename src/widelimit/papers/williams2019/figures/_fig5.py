"""Fig. 5: from kernel to adaptive: a sinusoid fitted at several values of delta."""

import math

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, title
from ..._kit._shares import largest
from ..runs._training import NEAR, given, network, parameters, steps_of
from ._panels import delta_name, function_panel, legend_of, neurons_panel

# Not printed: the values of delta between the limits, and the start's law.
DELTAS = (-math.inf, -10.0, 0.0, 10.0, math.inf)
_SIZE, _WIDTH, _COUNT = 10.0, 1000, 10
PARAMETERS = (
    Parameter("deltas", DELTAS, "of the neurons of each column", -1e4, 1e4, counts=(2, 6), infinite=True),
    *parameters(width=_WIDTH, size=_SIZE, samples=_COUNT, seed=0),
)


def runs_of(bench: Bench) -> list[Data]:
    """One run a delta."""
    settings = {"wave": "sine", "count": _COUNT, "size": _SIZE, "width": _WIDTH, "seed": 0} | given(bench)
    deltas = bench.value("deltas", DELTAS)
    return [bench.piece(network, delta=delta, **settings, steps=steps_of(bench)) for delta in deltas]


def _compute(bench: Bench) -> Data:
    deltas = np.array(bench.value("deltas", DELTAS))
    return {"deltas": deltas, "runs": runs_of(bench), "width": bench.value("width", _WIDTH)}


def _caption(data: Data) -> str:
    rows = list(zip(data["deltas"], data["runs"], strict=True))
    shares = ", ".join(f"{one['share'][1]:.0%}" for _, one in rows)
    largest = ", ".join(f"{one['largest share']:.0%}" for _, one in rows)
    turned = ", ".join(f"{one['turned']:.2g}" for _, one in rows)
    changes = ", ".join(f"{one['kernel change']:.2g}" for _, one in rows)
    loss = ", ".join(f"{one['risk'][-1]:.1g}" for _, one in rows)
    values = ", ".join({math.inf: "+∞", -math.inf: "-∞"}.get(float(d), f"{d:g}") for d, _ in rows)
    start = f"{rows[0][1]['share'][0]:.0%}"
    return (
        f"Ten samples of a sinusoid, {_WIDTH} neurons from one start. For δ = {values}: of the knots between the "
        f"samples {shares} lie within {NEAR:g} of a sample ({start} at the start; at most {largest} on the way); "
        f"neurons turned by {turned} radians (median); the tangent kernel changed by {changes} of itself; the loss is "
        f"{loss}. Knots gather wherever δ is not -∞: at δ = +∞ on samples, which let them go again as the loss falls, "
        f"at the finite values often beside them. Chosen here: r ~ N(0, {_SIZE:g}²), δ between the limits, "
        f"{int(rows[0][1]['steps'])} steps of 0.1/√(δ² + 4·{_SIZE:g}²) (0.1 at ±∞, in the time |δ| t), a few times "
        "below the longest stable one: no learning rate is printed. Slow modes are not at their ends."
    )


def _alt(data: Data) -> str:
    return (
        f"Two rows of {len(data['runs'])} panels. Above, curves through ten crosses, smooth at the left, with corners "
        "at the right. Below, neurons in the plane: spread at the left, gathered along rays elsewhere."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(15.0, 6.6), cost=Cost(45.0, 150.0), parameters=PARAMETERS)
def fig5(sheet: Sheet, data: Data) -> None:
    """Fits of a sinusoid from the kernel to the adaptive regime."""
    panels = sheet.subplots(2, len(data["runs"]))
    top = 1.05 * largest(1.9 / 1.05, *(np.abs(one["f"]) for one in data["runs"]))
    for axes, delta, one in zip(panels.T, data["deltas"], data["runs"], strict=True):
        function_panel(axes[0], one["x"], one["y"], one["end"], one["places"], one["f"])
        axes[0].set(xlabel="x", ylabel="f(x)", ylim=(-top, top))
        title(axes[0], f"{delta_name(delta)}, loss {one['risk'][-1]:.1g}")
        neurons_panel(axes[1], one["end"], one["x"])
        title(axes[1], f"{one['share'][1]:.0%} of knots on samples")
    sheet.suptitle(f"m = {data['width']}, {int(data['runs'][0]['steps'])} steps", fontsize=12)
    legend_of(sheet, panels[:, 0])
