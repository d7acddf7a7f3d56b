"""Fig. 3: how the loss and the signed error (4.11) of sigmoid networks fall with n."""

import numpy as np

from ..._kit import Bench, Cost, Data, figure
from ..._kit._drawing import Sheet, curve, logarithmic, marks, title
from ..._kit._shares import log_slope
from ..runs._spins import SGD_PARAMETERS, SIGMOID_WIDTHS, sigmoids, step_seconds
from ._fig2 import unfinished

# (d, n, P) of which a step is timed: the widest that are trained here, and the paper's widest, before and after the
# quench.
_TIMED = [[10, 256, 51], [10, 256, 2601], [25, 256, 51], [25, 256, 2601], [25, 1024, 204], [25, 1024, 41616]]
_STEPS, _QUENCH, _RUNS = 2_000_000, 200_000, 10
OBSERVED = ("loss", "positive", "negative")


def scaling_of(bench: Bench, d: int) -> Data:
    """For each width: the realisations of the loss and of (4.11) for f > 0 and f < 0, and the errors; one row each."""
    rows = [(n, run) for n in SIGMOID_WIDTHS[d] for run in sigmoids(bench, d, n)]
    names = [*OBSERVED, *(f"{name} error" for name in OBSERVED), "half"]
    found = {name: np.array([run[name] for _, run in rows]) for name in names}
    return found | {"n": np.array([n for n, _ in rows]), "steps": rows[0][1]["steps before"][-1]}


def _compute(bench: Bench) -> Data:
    found: Data = {f"d = {d}": scaling_of(bench, d) for d in SIGMOID_WIDTHS}
    return found | {"cost": bench.piece(step_seconds, cases=_TIMED)}


def slope(one: Data, name: str) -> float:
    """The exponent of n in the size of an observable, over all realisations."""
    return log_slope(one["n"], np.abs(one[name]))


def _slopes(one: Data) -> str:
    return ", ".join(f"{slope(one, name):.2f}" for name in OBSERVED)


def _hours(data: Data, before: int, after: int) -> float:
    seconds = data["cost"]["seconds"]
    return float(_STEPS * seconds[before] + _QUENCH * seconds[after]) / 3600.0


def _caption(data: Data) -> str:
    slopes = "; ".join(f"{name}: {_slopes(data[name])}" for name in (f"d = {d}" for d in SIGMOID_WIDTHS))
    ten = data["d = 10"]
    sizes = np.abs(ten["positive"])
    seconds = data["cost"]["seconds"]
    return (
        f"Left: the loss (4.8); middle: (4.11), a signed mean; right: the same where f < 0; of trained sigmoid "
        f"networks, {int(np.sum(ten['n'] == ten['n'][0]))} realisations of the coefficients (printed: 10), after the "
        f"quench. Exponents of n: {slopes} (printed: -1). (4.11) is {np.min(sizes):.2g} to {np.max(sizes):.2g} in d = "
        f"10; with 10⁵ samples it has a floor of {np.mean(ten['positive error']):.1g} (dotted, its standard error), "
        f"below which nothing could be seen. Times of a step, measured here: d = 10, n = 256: {1e3 * seconds[0]:.2g} "
        f"ms, after the quench {1e3 * seconds[1]:.2g} ms, hence {_hours(data, 0, 1):.2g} h a realisation of the "
        f"paper's 2·10⁶ + 2·10⁵ steps; d = 25, n = 256: {_hours(data, 2, 3):.2g} h; d = 25, n = 1024: "
        f"{1e3 * seconds[4]:.2g} and {1e3 * seconds[5]:.3g} ms, {_hours(data, 4, 5):.3g} h a realisation and "
        f"{_RUNS * _hours(data, 4, 5):.3g} h for ten: n stops at 256 "
        f"here.{unfinished(float(ten['steps']))}"
    )


def _alt(data: Data) -> str:
    one = data["d = 10"]
    return (
        "Two rows of three panels of stars on logarithmic axes beside dashed lines of slope -1; in the first the loss "
        f"falls from {np.max(one['loss']):.2g} to {np.min(one['loss']):.2g}."
    )


def _ticks(values: np.ndarray) -> tuple[list[float], list[str]]:
    """1, 2, 5, 10, ... around some values that may lie within one power of ten."""
    all_of = [digit * 10.0**k for k in range(-6, 4) for digit in (1, 2, 5)]
    shown = [tick for tick in all_of if np.min(values) / 2.0 < tick < 2.0 * np.max(values)]
    return shown, [f"{tick:g}" for tick in shown]


_WORDS = {
    "loss": ("loss (4.8)", "loss"),
    "positive": ("(4.11), where f > 0", "mean of Θ(f) (f - $f_n$)"),
    "negative": ("(4.11), where f < 0", "|mean of Θ(-f) (f - $f_n$)|"),
}


@figure(_compute, caption=_caption, alt=_alt, size=(12.0, 7.4), cost=Cost(90.0, 150_000.0), parameters=SGD_PARAMETERS)
def fig3(sheet: Sheet, data: Data) -> None:
    """The scaling of the error of sigmoid networks with n."""
    panels = sheet.subplots(2, 3)
    for row, d in zip(panels, SIGMOID_WIDTHS, strict=True):
        one = data[f"d = {d}"]
        widths = np.unique(one["n"])
        for axes, name in zip(row, OBSERVED, strict=True):
            words, label = _WORDS[name]
            logarithmic(axes, "xy", "number of neurons n", label)
            size = np.abs(one[name])
            marks(axes, one["n"], size, 0, "*", ms=9, mew=0.0, label="realisations")
            means = np.array([np.exp(np.mean(np.log(size[one["n"] == n]))) for n in widths])
            middle = np.exp(np.mean(np.log(means * widths)))
            curve(axes, widths, middle / widths, 1, ls="--", label="slope -1")
            floor = f"{name} error"
            if name != "loss":
                curve(
                    axes,
                    one["n"],
                    np.full(len(one["n"]), np.mean(one[floor])),
                    ls=":",
                    lw=1.5,
                    label="floor, 10⁵ samples",
                )
            axes.set_xticks(widths, [str(n) for n in widths])
            axes.xaxis.minorticks_off()
            if name == "loss":
                axes.set_yticks(*_ticks(size))
                axes.yaxis.minorticks_off()
            title(axes, f"d = {d}: {words}, exponent {slope(one, name):.2f}", 10.5)
    sheet.legend(*panels[0][1].get_legend_handles_labels(), loc="outside lower center", ncols=3)
