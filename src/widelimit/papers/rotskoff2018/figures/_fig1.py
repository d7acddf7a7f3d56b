"""Fig. 1: the RBF network in d = 5 on a slice of the sphere, and its loss against n."""

import numpy as np

from widelimit.theory import rotskoff2018 as theory

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, curve, key, logarithmic, marks, title
from ..._kit._shares import log_slope
from ..runs._spins import ALPHA, HEAT, RBF_DIM, RBF_WIDTHS, coefficients, rbfs

# Of the left panel: as the caption prints; the text speaks of 64 particles there.
_SHOWN = 128
PARAMETERS = (
    Parameter("widths", RBF_WIDTHS, "particles; the last but one is drawn at the left", 8, 1024, counts=(2, 6)),
    Parameter("realisations", 10, "of the coefficients", 1, 100, quick=4),
    Parameter("steps", 200_000, "of training", 1000, 10**6, quick=10_000),
    Parameter("step", 1e-3, "of training", 1e-5, 5e-3),
    Parameter("heat", HEAT, "the temperature of the first half", 0.0, 0.1),
)


def slice_points(theta: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """(4.7), [..., 5]."""
    flat = np.stack([np.sin(theta) * np.cos(phi), np.sin(theta) * np.sin(phi), np.cos(theta)], axis=-1)
    return np.sqrt(RBF_DIM) * np.concatenate([flat, np.zeros((*flat.shape[:-1], 2))], axis=-1)


def _compute(bench: Bench) -> Data:
    runs = rbfs(bench)
    shown = list(runs)[-2]
    one = runs[shown][0]
    phi, theta = np.meshgrid(np.linspace(0.0, 2.0 * np.pi, 121), np.linspace(0.0, np.pi, 61))
    x = slice_points(theta, phi).reshape(-1, RBF_DIM)
    shape = theta.shape
    return {
        "phi": phi,
        "theta": theta,
        "target": theory.spin(coefficients(RBF_DIM, 0), x).reshape(shape),
        "network": (np.exp(ALPHA * x @ one["y"].T) @ one["c"] / len(one["c"])).reshape(shape),
        "c": one["c"],
        "y": one["y"],
        "widths": np.array(list(runs)),
        "shown": shown,
        "exact": np.array([[run["risk"][-1] for run in runs[n]] for n in runs]),
        "loss": np.array([[run["loss"] for run in runs[n]] for n in runs]),
        "error": np.array([[run["error"] for run in runs[n]] for n in runs]),
        "end": one["t"][-1],
    }


def means(data: Data) -> np.ndarray:
    """Of the exact loss over the realisations."""
    return np.mean(data["exact"], axis=1)


def _caption(data: Data) -> str:
    off = np.max(np.abs(data["loss"] / data["exact"] - 1.0))
    charges = np.max(np.abs(data["c"]))
    return (
        f"Left: level sets of f (dotted) and of f_n with n = {_SHOWN} (full) on the slice (4.7), d = {RBF_DIM}, and "
        f"the directions of the particles' first three coordinates. (The text counts 64 particles there, the caption "
        "128: 128 was taken, and all are drawn.) Right: the loss in L² in closed form (rings; their mean: dots) and "
        f"(4.8) by sampling (crosses, within {off:.1%} of it), {data['exact'].shape[1]} realisations of the "
        f"coefficients; the text speaks of 4, the caption of 10: 4 at the quick scale, 10 at paper scale. The mean "
        f"falls as n^{log_slope(data['widths'], means(data)):.1f}. Training is (4.5) with exp(+x·y) (with the "
        f"printed sign it diverges), steps of 10⁻³ (printed 10³) to t = {data['end']:g}, thermal noise of temperature "
        f"{HEAT:g} in the first half (chosen here, not printed); charges up to {charges:.1f} are "
        f"{charges * np.exp(5.0):.0f} for the Gaussian (4.2), the printed 10³."
    )


def _alt(data: Data) -> str:
    return (
        "Left: two sets of contour lines that lie on each other, with circles and triangles scattered over them. "
        f"Right: dots on logarithmic axes that fall from {means(data)[0]:.1g} to {means(data)[-1]:.1g}, faster than "
        "both lines of slope -1 and -2."
    )


def _slice(axes: Axes, data: Data) -> None:
    levels = np.linspace(-4.0, 4.0, 9)
    look = {"levels": levels, "linestyles": "-", "linewidths": 1.6}
    axes.contour(data["phi"], data["theta"], data["network"], colors="#0072B2", **look)
    axes.contour(
        data["phi"], data["theta"], data["target"], levels=levels, colors="black", linestyles=":", linewidths=1.6
    )
    y = data["y"]
    phi = np.mod(np.arctan2(y[:, 1], y[:, 0]), 2.0 * np.pi)
    theta = np.arctan2(np.hypot(y[:, 0], y[:, 1]), y[:, 2])
    for side, tint, mark in ((data["c"] > 0.0, 1, "o"), (data["c"] < 0.0, 2, "^")):
        marks(axes, phi[side], theta[side], tint, mark, ms=3.6, mew=0.0, alpha=0.8)
    key(axes, "f", color="black", ls=":")
    key(axes, f"$f_n$, n = {int(data['shown'])}", color="#0072B2")
    for tint, mark, name in ((1, "o", "c > 0"), (2, "^", "c < 0")):
        marks(axes, [], [], tint, mark, ms=5, label=name)
    axes.set(xlabel="φ (radians)", ylabel="θ (radians)", xlim=(0.0, 2.0 * np.pi), ylim=(0.0, np.pi))
    axes.grid(False)
    title(axes, "f and $f_n$ on the slice (4.7), levels -4 to 4")


@figure(_compute, caption=_caption, alt=_alt, size=(11.5, 5.2), cost=Cost(60.0, 3600.0), parameters=PARAMETERS)
def fig1(sheet: Sheet, data: Data) -> None:
    """The RBF network in d = 5: level sets on a slice, and the loss against n."""
    left, right = sheet.subplots(1, 2, width_ratios=(1.25, 1.0))
    _slice(left, data)
    logarithmic(right, "xy", "number of particles n", "loss ½ ∫ (f - $f_n$)² dμ")
    n = data["widths"]
    for k in range(data["exact"].shape[1]):
        more = {"label": "closed form, each"} if k == 0 else {}
        marks(right, n, data["exact"][:, k], 0, "o", mfc="none", ms=6, **more)
        more = {"label": "(4.8), each"} if k == 0 else {}
        marks(right, n, data["loss"][:, k], 1, "x", ms=6, mew=1.4, **more)
    curve(right, n, means(data), marker="o", ms=7, lw=1.2, label="closed form, mean")
    for power, look in ((1, "--"), (2, ":")):
        curve(right, n, means(data)[0] * (n / n[0]) ** -power, "#666666", ls=look, label=f"slope -{power}")
    right.set_xticks(n, [str(one) for one in n])
    right.minorticks_off()
    count = data["exact"].shape[1]
    title(right, f"Loss at t = {float(data['end']):g}, {count} realisation{'s' * (count > 1)}")
    sheet.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=4, fontsize=10.5)
    right.legend(fontsize=10)
