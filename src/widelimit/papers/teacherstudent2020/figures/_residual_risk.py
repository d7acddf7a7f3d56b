"""The risk of residual networks against N and L, and what independent starts differ by."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, curve, legend_of_all, logarithmic, marks, title
from ..._kit._shares import log_slope
from ..runs._residual import (
    BRANCH,
    DEPTHS,
    END,
    LEVELS,
    SEEDS,
    WIDTHS,
    over_branches,
    over_depth,
    over_width,
    sizes,
    smooth_in_depth,
    spread,
)

_NAMES = ("wide", "ensemble", "vanilla")
_SAID = {"wide": "wide, L = {}, over N", "ensemble": "ensemble, L = {}, over N", "vanilla": "vanilla (N = 1), over L"}
PARAMETERS = (
    Parameter("sizes", WIDTHS, "N, and L of the vanilla networks", 2, 128, counts=(2, 4)),
    Parameter("levels", LEVELS, "L of the wide networks", 1, 32),
    Parameter("branch", BRANCH, "L of the ensembles", 1, 32),
    Parameter("seeds", SEEDS["paper"], "independent starts", 4, 1000, quick=SEEDS["quick"]),
)


def _compute(bench: Bench) -> Data:
    found: Data = {}
    runs = {"wide": over_width(bench), "ensemble": over_branches(bench), "vanilla": over_depth(bench)}
    smooth = smooth_in_depth(bench)
    for name, rows in runs.items():
        size = np.array(sizes(bench, DEPTHS if name == "vanilla" else WIDTHS), float)
        risk = np.stack([row["risk"][:, -1] for row in rows])
        error = np.std(risk, axis=1, ddof=1) / risk.shape[1] ** 0.5
        limit, uncertainty = _limit(size, np.mean(risk, axis=1), error)
        found[name] = {
            "size": size,
            "risk": np.mean(risk, axis=1),
            "error": error,
            "limit": limit,
            "limit error": uncertainty,
            "variance": [np.mean(spread(row)) for row in rows],
            "before": np.mean(rows[-1]["risk"][:, 0]),
        }
    found["wide"]["levels"], found["ensemble"]["levels"] = bench.value("levels", LEVELS), bench.value("branch", BRANCH)
    depths, risks = (np.array([np.ravel(row[name])[-1] for row in smooth]) for name in ("depth", "risk"))
    # The last two at 1/L = 0.
    found["smooth"] = {"size": depths, "risk": risks, "limit": 2.0 * risks[-1] - risks[-2]}
    return found


def _limit(sizes: np.ndarray, risk: np.ndarray, error: np.ndarray) -> tuple[float, float]:
    """R of R + C/size by weighted least squares, with its standard error."""
    rows = np.column_stack([np.ones(len(sizes)), 1.0 / sizes]) / error[:, None]
    covariance = np.linalg.inv(rows.T @ rows)
    return float((covariance @ rows.T @ (risk / error))[0]), float(covariance[0, 0] ** 0.5)


def _caption(data: Data) -> str:
    limits = "; ".join(
        f"{name} {float(data[name]['limit']):.4f} +- {2.0 * float(data[name]['limit error']):.4f}" for name in _NAMES
    )
    slopes = ", ".join(f"{log_slope(data[name]['size'], data[name]['variance']):.2f} ({name})" for name in _NAMES)
    return (
        f"The risk at t = {END:g} of residual networks (tanh, d = 2) from independent starts, the clock of (10): mean "
        "over seeds with two standard errors, and the limits (lines) of a least-squares fit of R + C/N or R + C/L: "
        f"{limits}, two standard errors each. Left: over N, four levels of a wide ResNet and ensembles of branches of "
        "three levels. Middle: over L, vanilla networks of one particle a level, and two atoms a level that are smooth "
        f"functions of eps (no chance in it; by its last two depths it tends to {float(data['smooth']['limit']):.4f}). "
        "Right: the variance of the prediction over seeds; the dotted line has the slope -1, the exponents are "
        f"{slopes}."
    )


def _alt(data: Data) -> str:
    wide = data["wide"]
    return (
        "Left: two rows of marks with bars that come to horizontal lines. Middle: two rows that fall to such lines. "
        f"Right: three nearly straight falling lines on logarithmic axes, from {wide['variance'][0]:.1g} to "
        f"{wide['variance'][-1]:.1g} for the wide network."
    )


def _risks(axes: Axes, data: Data, name: str, tint: int, marker: str) -> None:
    one = data[name]
    curve(
        axes,
        one["size"],
        one["risk"],
        tint,
        bars=one["error"],
        label=_SAID[name].format(one.get("levels", "")),
        marker=marker,
        ls="",
    )
    axes.axhline(float(one["limit"]), color=_colour(tint), lw=1.2, ls="--")


def _colour(tint: int) -> str:
    from widelimit.report.canvas import colour

    return colour(tint)


def _ticks(axes: Axes, size: np.ndarray) -> None:
    axes.set_xticks(size, [f"{n:g}" for n in size])
    axes.set_xticks([], minor=True)


@figure(_compute, caption=_caption, alt=_alt, size=(10.5, 4.2), cost=Cost(32.0, 300.0), parameters=PARAMETERS)
def residual_risk(sheet: Sheet, data: Data) -> None:
    """Residual networks have limits in N and in L"""
    left, middle, right = sheet.subplots(1, 3)
    looks = {"wide": (0, "o"), "ensemble": (1, "s"), "vanilla": (2, "^")}
    size, smooth = data["wide"]["size"], data["smooth"]
    for axes, names, label in ((left, ("wide", "ensemble"), "N"), (middle, ("vanilla",), "L")):
        logarithmic(axes, "x", label, f"risk at t = {END:g}")
        for name in names:
            _risks(axes, data, name, *looks[name])
    _ticks(left, size)
    _ticks(middle, np.union1d(data["vanilla"]["size"], smooth["size"]))
    marks(middle, smooth["size"], smooth["risk"], 3, "D", label="two smooth atoms a level, over L")
    middle.axhline(float(smooth["limit"]), color=_colour(3), lw=1.2, ls="--")
    title(left, "against N")
    title(middle, "against L")
    logarithmic(right, "xy", "N or L", "variance of the prediction")
    for name, (tint, marker) in looks.items():
        curve(right, data[name]["size"], data[name]["variance"], tint, marker=marker)
    curve(right, size, 0.5 * data["wide"]["variance"][0] * size[0] / size, "black", ls=":", label="slope -1")
    _ticks(right, size)
    title(right, "between seeds")
    legend_of_all(sheet, (left, middle, right), 3)
