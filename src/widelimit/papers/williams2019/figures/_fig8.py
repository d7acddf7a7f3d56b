"""Fig. 8: 20, 200 and 2000 neurons from PyTorch's start, as printed and as drawn."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, title
from ..runs._training import NEAR, parameters, scaled_network, steps_of
from ._panels import function_panel, legend_of

WIDTHS, _COUNT = (20, 200, 2000), 20
# The printed range of c, and PyTorch's.
POWERS = {"printed": 1.0, "PyTorch": 0.5}
_SEED = 8
PARAMETERS = (
    Parameter("widths", WIDTHS, "neurons of each column", 2, 10_000, counts=(2, 4)),
    *(one for one in parameters(width=0, size=0.0, samples=_COUNT, seed=_SEED) if one.name not in ("width", "size")),
)


def runs_of(bench: Bench) -> dict[str, list[Data]]:
    """A run a width, for either range of c."""
    settings = {"wave": "sine", "count": _COUNT, "seed": _SEED, "steps": steps_of(bench)}
    settings |= bench.given(count="samples", seed="seed")
    widths = bench.value("widths", WIDTHS)
    return {
        name: [bench.piece(scaled_network, width=m, output=float(m**-power), **settings) for m in widths]
        for name, power in POWERS.items()
    }


def _compute(bench: Bench) -> Data:
    return {"widths": np.array(bench.value("widths", WIDTHS)), **runs_of(bench)}


def _row(runs: list[Data]) -> str:
    changes = ", ".join(f"{one['kernel change']:.2g}" for one in runs)
    shares = ", ".join(f"{one['share'][1]:.0%}" for one in runs)
    return f"the kernel changes by {changes} of itself, {shares} of the knots end within {NEAR:g} of a sample"


def _caption(data: Data) -> str:
    steps = int(data["printed"][0]["steps"])
    return (
        f"f = ∑ c [a x - b]₊ of 20, 200 and 2000 neurons on {_COUNT} samples of a sine, a, b ~ U(-1, 1), δ of each "
        f"neuron its own. With the printed c ~ U(-1/m, 1/m) {_row(data['printed'])}; with PyTorch's c ~ U(-1/√m, 1/√m) "
        f"{_row(data['PyTorch'])}. In canonical parameters δ is m (c² - a² - b²): the fewer neurons, the nearer to 0, "
        f"and the more the knots move. Chosen here: the sine, and {steps} steps of 0.05/S, S the root mean square of "
        "√(δ² + 4 r²): no learning rate is printed."
    )


def _alt(data: Data) -> str:
    return (
        "Two rows of three panels, almost the same: at the left a curve of few straight pieces through twenty crosses, "
        f"at the right a smooth one that is off by more; the losses go from {data['printed'][0]['risk'][-1]:.1g} to "
        f"{data['printed'][-1]['risk'][-1]:.1g}."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(12.0, 7.6), cost=Cost(50.0, 200.0), parameters=PARAMETERS)
def fig8(sheet: Sheet, data: Data) -> None:
    """The effect of the number of neurons."""
    panels = sheet.subplots(2, len(data["widths"]), sharey=True)
    words = {"printed": "c ~ U(±1/m), printed", "PyTorch": "c ~ U(±1/√m), PyTorch"}
    for row, name in zip(panels, POWERS, strict=True):
        for axes, width, one in zip(row, data["widths"], data[name], strict=True):
            function_panel(axes, one["x"], one["y"], one["end"], one["places"], one["f"])
            title(axes, f"m = {width}, {words[name]}, loss {one['risk'][-1]:.1g}", 10.5)
            axes.set(xlabel="x")
        row[0].set_ylabel("f(x)")
    sheet.suptitle(f"{int(data['printed'][0]['steps'])} steps", fontsize=12)
    legend_of(sheet, [panels[0][0]])
