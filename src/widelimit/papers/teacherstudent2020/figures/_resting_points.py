"""E_(2): where searches from many starts end."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, curve, legend_of_all, marks, title
from ..runs._second_order import LEVELS, STARTS, WIDTH, linear_starts, many_starts

PARAMETERS = (
    # At one level E_(2) has no pairs, and no hump.
    Parameter("levels", LEVELS, "of the networks of both panels", 2, 8),
    Parameter("width", WIDTH, "particles a level, at the left", 1, 8),
    Parameter("starts", STARTS["paper"], "of the searches at the left", 2, 200, quick=STARTS["quick"]),
)
_WAYS = {"flow": (0, "o"), "dissipation": (1, "s"), "flow, dissipation": (2, "^")}
# Losses and gradients below are drawn here.
_FLOOR = 1e-18


def _compute(bench: Bench) -> Data:
    tanh, linear = many_starts(bench), linear_starts(bench)
    return {
        **{name: tanh[name] for name in ("by", "loss", "gradient", "kind", "falling")},
        "levels": bench.value("levels", LEVELS),
        "linear by": linear["by"],
        "linear loss": linear["loss"],
        "linear mean": linear["theta"].mean(axis=1),
        "linear kind": linear["kind"],
    }


def _counts(data: Data, by: str) -> str:
    kinds = data["kind"][data["by"] == by]
    parts = [(int(np.sum(kinds == kind)), kind) for kind in ("zero loss", "stationary, loss > 0", "slow")]
    return ", ".join(
        f"{count} {kind.replace('stationary, loss', 'at rest with loss')}" for count, kind in parts if count
    )


def _caption(data: Data) -> str:
    said = "; ".join(f"by {way.replace(', ', ' and then ')}: {_counts(data, way)}" for way in _WAYS)
    rest = (data["kind"] == "stationary, loss > 0") & (data["falling"] > 0)
    high = data["linear kind"] == "stationary, loss > 0"
    return (
        f"Left: ends of searches for stationary points of E_(2) with a teacher's labels (tanh, d = 1, three levels of "
        f"three, {int(np.sum(data['by'] == 'flow'))} starts; values below {_FLOOR:g} are drawn there): {said}. Where "
        "|grad psi| is small and not zero, the flow still falls, or particles run to infinity. "
        f"{int(np.sum(rest))} of the {int(np.sum(data['kind'] == 'stationary, loss > 0'))} points at rest above zero "
        "are saddles. Right: sigma(z) = z, d = 1, L = 3, y = x: E_(2) of equal level means (line) and the ends of "
        f"searches at their mean theta: {int(np.sum(high))} searches by least dissipation end at the saddle, mean -3/2 "
        "and E_(2) = 9/32, flows at zero loss."
    )


def _alt(data: Data) -> str:
    return (
        "Left: marks in three shapes on logarithmic axes; circles at small losses and moderate gradients, triangles "
        "far to the left at gradients of rounding. Right: a curve with two minima at zero and a hump at -1.5 between, "
        "with squares on its top and marks in both minima."
    )


def _ends(axes: Axes, data: Data) -> None:
    axes.set(xscale="log", yscale="log", xlabel="$|\\nabla\\psi|$, root mean square over $\\rho$", ylabel="$E_{(2)}$")
    for way, (tint, marker) in _WAYS.items():
        mine = data["by"] == way
        for rests, face in ((True, None), (False, "none")):
            part = mine & ((data["kind"] != "slow") == rests)
            x, y = (np.maximum(data[name][part], _FLOOR) for name in ("gradient", "loss"))
            look = {} if face is None else {"mfc": face, "mew": 1.6}
            marks(axes, x, y, tint, marker, ms=7, **look)
        marks(axes, [], [], tint, marker, ms=7, label=way.replace("flow, dissipation", "flow, then dissipation"))
    marks(axes, [], [], "black", "o", ms=7, mfc="none", mew=1.6, label="open: slow, not at rest")


def _hump(axes: Axes, data: Data) -> None:
    # (t + a t^2/2)^2/2 is 0 at t = 0 and -2/a, with a hump of 1/(8 a^2) half way.
    a = 1.0 - 1.0 / int(data["levels"])
    low, high = (float(find(np.append(data["linear mean"], (-2.0 / a, 0.0)))) for find in (np.min, np.max))
    t = np.linspace(low - 0.4, high + 0.6, 400)
    curve(axes, t, 0.5 * (t + 0.5 * a * t**2) ** 2, "black", label="all level means equal")
    # The smaller above the larger: many end at one place.
    for size, (way, (tint, marker)) in zip((13, 8, 5), _WAYS.items(), strict=True):
        mine = data["linear by"] == way
        marks(axes, data["linear mean"][mine], data["linear loss"][mine], tint, marker, ms=size)
    axes.set(xlabel="mean θ over all particles", ylabel="$E_{(2)}$", ylim=(-0.02, 0.22 / a**2))


@figure(_compute, caption=_caption, alt=_alt, size=(9.6, 4.4), cost=Cost(30.0, 800.0), parameters=PARAMETERS)
def resting_points(sheet: Sheet, data: Data) -> None:
    """Stationary points of the quadratic approximation"""
    left, right = sheet.subplots(1, 2)
    _ends(left, data)
    _hump(right, data)
    title(left, "tanh, labels of a teacher")
    title(right, "linear $\\sigma$: a saddle with $\\rho > 0$")
    legend_of_all(sheet, (left, right), 3)
