"""Fig. 2: the loss of sigmoid networks along training by SGD, with the quench."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, curve, title
from ..runs._spins import POINTS, SGD_PARAMETERS, SGD_STEP, SIGMOID_WIDTHS, batch_of, sigmoid_network

_WIDTH = 256
_DIMS = tuple(SIGMOID_WIDTHS)
PARAMETERS = (
    Parameter("width", _WIDTH, "neurons", 5, 1024),
    # Three circles are drawn of each network.
    Parameter("dims", _DIMS, "inputs of the two panels", 6, 50),
    *SGD_PARAMETERS,
)


def curves_of(bench: Bench) -> dict[int, Data]:
    """Dimension -> the first network of n = 256."""
    return {d: sigmoid_network(bench, d, bench.value("width", _WIDTH)) for d in bench.value("dims", _DIMS)}


def unfinished(steps: float) -> str:
    """What a caption says of runs that are shorter than the paper's."""
    return "" if steps >= 2e6 else f" Training stops at {steps / 2e6:.0%} of the paper's steps: the loss still falls."


def _compute(bench: Bench) -> Data:
    names = ("steps before", "curve before", "steps after", "curve after", "half")
    made = {"n": bench.value("width", _WIDTH)}
    return {f"d = {d}": {name: run[name] for name in names} | made for d, run in curves_of(bench).items()}


def _caption(data: Data) -> str:
    said = "; ".join(
        f"{name}: from {one['curve before'][0]:.3g} to {one['curve before'][-1]:.3g}, after the quench "
        f"{one['curve after'][-1]:.3g}"
        for name, one in data.items()
    )
    one = data["d = 10"]
    return (
        f"The loss of sigmoid networks of n = {_WIDTH} neurons along SGD with fresh batches of P = {batch_of(_WIDTH)} "
        f"for {one['steps before'][-1]:.0f} steps, then of {batch_of(_WIDTH) ** 2} for {one['steps after'][-1]:.0f} "
        f"more (printed: 2·10⁶ and 2·10⁵), averaged over {POINTS} fixed points. {said}. There is no plateau in "
        f"between. The insets show the last part, before and after the quench each on a scale of its own. "
        f"Chosen here, not printed: steps of {SGD_STEP:g}, all parameters N(0, 1) at the start, float32."
        f"{unfinished(one['steps before'][-1])}"
    )


def _alt(data: Data) -> str:
    ends = " and ".join(f"{one['curve before'][0]:.2g} to {one['curve after'][-1]:.2g}" for one in data.values())
    return f"Two panels with curves that fall steadily, from {ends}; an insert in each with the smoother last part."


def _panel(axes: Axes, one: Data) -> None:
    curve(axes, one["steps before"], one["curve before"], 0)
    start = one["steps before"][-1]
    curve(axes, start + one["steps after"], one["curve after"], 1)
    axes.axvline(start, color="#666666", ls=":", lw=1.2)
    axes.set_ylim(*_frame(one))
    inset = axes.inset_axes((0.42, 0.5, 0.55, 0.45))
    tail = slice(-13, None)
    share = (one["steps before"][tail] - start) / (start - one["steps before"][tail][0])
    curve(inset, share, one["curve before"][tail], 0, lw=1.4)
    curve(inset, one["steps after"] / one["steps after"][-1], one["curve after"], 1, lw=1.4)
    inset.axvline(0.0, color="#666666", ls=":", lw=1.2)
    lead, last = start - one["steps before"][tail][0], one["steps after"][-1]
    inset.set_xticks([-1.0, 0.0, 1.0], [f"-{lead:.0f}", "quench", f"+{last:.0f}"])
    inset.set(yscale="log")
    inset.tick_params(labelsize=9.5, which="both")
    inset.yaxis.set_major_formatter("{x:.4g}")
    inset.yaxis.set_minor_formatter("{x:.4g}")
    inset.set_title("steps around the quench", fontsize=10)


def _frame(one: Data) -> tuple[float, float]:
    """Of a logarithmic axis on which the curve passes below the inset, which begins at a third and half way up."""
    steps, losses = (np.append(one[f"{name} before"], one[f"{name} after"]) for name in ("steps", "curve"))
    late = np.append(one["steps before"] > 0.3 * steps[-1], np.full(len(one["curve after"]), True))
    low, high, below = np.min(losses), np.max(losses), np.max(losses[late])
    top = max(high, low * (below / low) ** (1.0 / 0.4))
    return float(low * (low / top) ** 0.05), float(top * (top / low) ** 0.05)


@figure(_compute, caption=_caption, alt=_alt, size=(11.5, 4.9), cost=Cost(60.0, 10_000.0), parameters=PARAMETERS)
def fig2(sheet: Sheet, data: Data) -> None:
    """The loss of sigmoid networks along training, with the quench."""
    for axes, (name, one) in zip(sheet.subplots(1, 2), data.items(), strict=True):
        axes.set(yscale="log")
        _panel(axes, one)
        axes.set(xlabel="step of SGD", ylabel="loss ½ ∫ (f - $f_n$)² dμ")
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
        axes.tick_params(which="minor", labelsize=9.5)
        axes.locator_params(axis="x", nbins=5)
        title(axes, f"{name}, n = {int(one['n'])}; quench at the dotted line")
