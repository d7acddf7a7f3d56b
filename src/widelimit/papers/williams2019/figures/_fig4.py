"""Fig. 4: the network that trains c alone approaches a cubic spline as m grows."""

import math

import numpy as np
from scipy.interpolate import CubicSpline

from widelimit.report.canvas import dash, marker

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, logarithmic, marks, title
from ..._kit._shares import apart, largest
from ..runs._features import features_fit
from ..runs._networks import square_wave

_SHOWN = (20, 100, 1000)
_WIDTHS, _DRAWS, _SEED = (400, 1600, 6400), 4, 50
_COUNT = 10
PARAMETERS = (
    Parameter("shown", _SHOWN, "neurons of the networks at the left", 2, 20_000, counts=(2, 4)),
    Parameter("widths", _WIDTHS, "neurons of the networks at the right", 100, 20_000, counts=(2, 6)),
    Parameter("draws", _DRAWS, "of each width", 2, 50),
    Parameter("samples", _COUNT, "of the square wave", 3, 40),
)


def _compute(bench: Bench) -> Data:
    x, y = square_wave(bench.value("samples", _COUNT))
    widths, numbers = bench.value("widths", _WIDTHS), bench.value("shown", _SHOWN)
    seeds = range(_SEED, _SEED + bench.value("draws", _DRAWS))
    more: Data = {"time": math.inf} | bench.given(count="samples")
    shown = [bench.piece(features_fit, width=width, seed=43, **more) for width in numbers]
    runs = [[bench.piece(features_fit, width=width, seed=s, **more) for s in seeds] for width in widths]
    places = shown[0]["x"]
    inside = np.abs(places) <= x[-1] + 1e-9
    return {
        "x": x,
        "y": y,
        "places": places[inside],
        "f": [one["f"][inside] for one in shown],
        "limit": shown[0]["limit"][inside],
        "spline": CubicSpline(x, y, bc_type="natural")(places[inside]),
        "shown": np.array(numbers),
        "widths": np.array(widths),
        "apart": np.array([[apart(one["f"][inside], one["limit"][inside]) for one in row] for row in runs]),
    }


def _gap(data: Data) -> float:
    return largest(np.abs(data["limit"] - data["spline"]))


def _caption(data: Data) -> str:
    means = np.exp(np.mean(np.log(data["apart"]), axis=1))
    return (
        "Ten samples of a square wave, fitted by training c alone from c = 0 to the end, a = ±1 and b ~ U(-1, 1) "
        f"drawn. Left: m = {', '.join(str(m) for m in _SHOWN)}, and the natural cubic spline; the limit m = ∞, the "
        f"random-feature interpolant, is a cubic spline within {_gap(data):.2g} of that one, but not the same. Right: "
        f"the largest distance to the limit, four draws each and their mean "
        f"({', '.join(f'{one:.2g}' for one in means)}), falls as 1/√m. Training c alone is δ = -∞; the text prints +∞, "
        "the caption -100. Chosen here: the wave, the law of a and b, the widths; the end of the flow needs no "
        "learning rate."
    )


def _alt(data: Data) -> str:
    return (
        "Left: jagged curves that come closer to a smooth one through ten crosses. Right: dots on logarithmic axes "
        f"that fall along a line of slope -1/2, from {np.max(data['apart']):.2g} to {np.min(data['apart']):.2g}."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(11.0, 4.9), cost=Cost(30.0), parameters=PARAMETERS)
def fig4(sheet: Sheet, data: Data) -> None:
    """Training the outer weights alone: convergence to a cubic spline."""
    left, right = sheet.subplots(1, 2, width_ratios=(1.5, 1.0))
    for k, (width, f) in enumerate(zip(data["shown"], data["f"], strict=True)):
        curve(left, data["places"], f, k + 1, ls=dash(k), lw=1.5, label=f"m = {width}")
    curve(left, data["places"], data["limit"], lw=1.3, ls="-", label="m = ∞")
    curve(left, data["places"], data["spline"], 0, lw=4.5, alpha=0.35, label="natural cubic spline", zorder=1)
    marks(left, data["x"], data["y"], 0, "x", ms=8, mew=2, zorder=5, label="samples")
    left.set(xlabel="x", ylabel="f(x)")
    title(left, "c trained alone (δ = -∞), to the end of the flow")
    sheet.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=6, fontsize=10.5)
    widths, far = data["widths"], data["apart"]
    look = {"xlim": (0.375 * widths[0], 3.125 * widths[-1]), "ylim": (0.5 * np.min(far), 2.0 * np.max(far))}
    logarithmic(right, "xy", "width m", "largest |f - limit| between the samples", **look)
    for k in range(data["apart"].shape[1]):
        marks(right, data["widths"], data["apart"][:, k], 1, marker(k), ms=5)
    means = np.exp(np.mean(np.log(data["apart"]), axis=1))
    scale = np.exp(np.mean(np.log(means * np.sqrt(data["widths"]))))
    curve(right, data["widths"], scale / np.sqrt(data["widths"]), ls="--", lw=1.3, label="slope -1/2")
    right.legend(fontsize=10.5)
    title(right, f"Distance to the limit, {data['apart'].shape[1]} draws")
