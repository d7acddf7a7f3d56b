"""Fig. 4: sigmoid networks and their target along great circles."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, legend_below, title
from ..runs._spins import SGD_PARAMETERS, SIGMOID_WIDTHS, sigmoid_network
from ._fig2 import unfinished

# The paper draws n = 1024 in d = 25, too.
_SHOWN, _DIMS = (64, 256), tuple(SIGMOID_WIDTHS)
PARAMETERS = (
    Parameter("shown", _SHOWN, "neurons of the networks", 5, 1024, counts=(2, 3)),
    Parameter("dims", _DIMS, "inputs of the two rows", 6, 50),
    *SGD_PARAMETERS,
)


def _compute(bench: Bench) -> Data:
    found = {}
    shown = bench.value("shown", _SHOWN)
    for d in bench.value("dims", _DIMS):
        runs = [sigmoid_network(bench, d, n) for n in shown]
        found[f"d = {d}"] = {
            "angle": runs[0]["angle"],
            "n": np.array(shown),
            "target": runs[0]["circle target"],
            "networks": np.array([run["circle"] for run in runs]),
            "steps": runs[0]["steps before"][-1],
            "explained": np.array([1.0 - run["loss"] / run["half"] for run in runs]),
        }
    return found


def _caption(data: Data) -> str:
    said = "; ".join(
        f"{name}: {', '.join(f'{share:.0%} (n = {n})' for n, share in zip(_SHOWN, one['explained'], strict=True))}"
        for name, one in data.items()
    )
    return (
        "f (full) and networks of n = 64 and 256 sigmoid neurons along three great circles (4.12), the coordinates (1, "
        f"2), (3, 4) and (5, 6). Of the variance of f over the whole sphere the networks have {said}. The paper also "
        "shows n = 1024 in d = 25, which two cores do not reach: see Fig. 3 for what a step "
        f"costs.{unfinished(float(data['d = 10']['steps']))}"
    )


def _alt(data: Data) -> str:
    worst = np.min(data["d = 25"]["explained"])
    return (
        "Two rows of three panels with waves: in the first the dashed curves of the networks follow the full one, in "
        f"the second, which explains {worst:.0%} of the variance at least, they follow it less."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(12.0, 6.8), cost=Cost(60.0, 20_000.0), parameters=PARAMETERS)
def fig4(sheet: Sheet, data: Data) -> None:
    """Networks along great circles of the sphere."""
    panels = sheet.subplots(2, 3, sharex=True, sharey="row")
    for row, (name, one) in zip(panels, data.items(), strict=True):
        for k, axes in enumerate(row):
            curve(axes, one["angle"], one["target"][k], 5, lw=2.6, label="f")
            for i, n in enumerate(one["n"]):
                curve(
                    axes,
                    one["angle"],
                    one["networks"][i, k],
                    i,
                    ls=("--", "-.", ":")[i],
                    lw=1.5,
                    label=f"$f_n$, n = {n}",
                )
            title(axes, f"{name}, circle {k + 1}")
        row[0].set_ylabel("f, $f_n$")
    for axes in panels[1]:
        axes.set(xlabel="angle θ (radians)")
    legend_below(sheet, panels[0][0], 4)
