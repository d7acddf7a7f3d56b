"""Fig. 3: the terms of the tangent kernel of 25,000 neurons, and their limits."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, key, marks, title
from ..._kit._shares import largest
from ..runs._features import PLACE, WIDTH, slices_of
from ._panels import legend_of

_TERMS = (("features", 0, "o", "$K_{RF}$ (c moves)"), ("inner", 1, "s", "$(xx'+1)E(c^2)P$ (a, b move)"))
PARAMETERS = (
    Parameter("width", WIDTH, "neurons that are sampled", 10, 200_000),
    Parameter("place", PLACE, "x' of the slice", -2.0, 2.0),
    Parameter("seed", 31, "of the sample", 0, 10**6),
)


def _compute(bench: Bench) -> Data:
    uniform, normal = slices_of(bench)
    made = {"width": bench.value("width", WIDTH), "place": bench.value("place", PLACE)}
    return {"uniform": uniform | made, "normal": normal | made}


def _caption(data: Data) -> str:
    off = [largest(np.abs(one[f"sampled {name}"] - one[name])) for one in data.values() for name, *_ in _TERMS]
    return (
        f"The two terms of (27), which the print calls (28), and their sum at x' = {PLACE:g}: {WIDTH:,} sampled "
        f"neurons (marks) and the limit in closed form (lines), at most {max(off):.2g} apart. Left: a, b ~ U(-1, 1); "
        "right: a, b ~ N(0, 1); c ~ U(-1, 1); all times 1/√m in the paper's network, which gives the mean over "
        "neurons. For uniform weights the first term is a cubic spline on |x| ≤ 1. Not printed: the law of c, the "
        "range of x."
    )


def _alt(data: Data) -> str:
    top = largest(*(one["features"] + one["inner"] for one in data.values()))
    return (
        "Two panels with three curves each and marks on them: a smooth term that grows to both sides of a minimum, one "
        f"with a kink at x' = {PLACE:g}, and their sum, up to {top:.2g}."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(11.0, 4.9), cost=Cost(15.0), parameters=PARAMETERS)
def fig3(sheet: Sheet, data: Data) -> None:
    """Slices of the tangent kernel's terms."""
    panels = sheet.subplots(1, 2)
    for axes, (name, one) in zip(panels, data.items(), strict=True):
        width, place = int(one["width"]), float(one["place"])
        total = {"limit": one["features"] + one["inner"], "sampled": one["sampled features"] + one["sampled inner"]}
        for term, tint, shape, label in _TERMS:
            curve(axes, one["x"], one[term], tint, label=f"limit: {label}")
            marks(axes, one["x"][::4], one[f"sampled {term}"][::4], tint, shape, ms=5)
        curve(axes, one["x"], total["limit"], 2, ls="--", label="limit: sum")
        marks(axes, one["x"][::4], total["sampled"][::4], 2, "^", ms=5)
        key(axes, f"m = {width:,}, in its colour", tint="#555555", ls="", marker="o", ms=5)
        axes.axvline(place, color="#999999", lw=0.9)
        axes.set(xlabel="x", ylabel=f"K(x, {place:g})")
        title(axes, {"uniform": "a, b ~ U(-1, 1)", "normal": "a, b ~ N(0, 1)"}[name] + f", x' = {place:g} (grey line)")
    legend_of(sheet, [panels[0]])
