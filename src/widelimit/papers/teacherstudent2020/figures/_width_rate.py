"""Networks of N neurons and the limit of Theorem 1."""

from typing import Any

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, logarithmic, marks, title
from ..runs._networks import SEEDS, SIDE, TESTS, TIMES, WIDTHS, ensembles, rate, widths

PARAMETERS = (
    Parameter("widths", WIDTHS["paper"], "neurons", 2, 4096, quick=WIDTHS["quick"], counts=(2, 6)),
    Parameter("seeds", SEEDS["paper"], "independent starts of each width", 4, 1000, quick=SEEDS["quick"]),
    Parameter("side", SIDE, "the start is uniform on |theta_k| <= side", 0.01, 10.0),
)


def _compute(bench: Bench) -> Data:
    networks, limit = ensembles(bench)
    return {
        "widths": np.array(widths(bench)),
        "squares": (networks["tests"] - limit["tests"])[:, :, -1] ** 2,
        "theta": networks["rows"],
        "weights": networks["weights"],
        "limit": limit["rows"][:, 0],
        "limit weights": limit["weights"],
    }


def _rates(data: Data) -> tuple[np.ndarray, np.ndarray]:
    return rate(tuple(data["widths"].tolist()), data["squares"])


def _caption(data: Data) -> str:
    said = "; ".join(f"{name} {a:.2f} ± {2.0 * b:.2f}" for name, a, b in zip(TESTS, *_rates(data), strict=True))
    n = data["widths"]
    return (
        f"Theorem 1 at t = {TIMES[-1]:g}. Left: the root mean square over {data['squares'].shape[1]} starts of the "
        "integral of g against the difference of a network's distribution and the limit, for g = cos θ₁, exp(-|θ|²/2) "
        "and 1/(1 + exp(θ₁ + 2 θ₂)); bars: two standard errors. The exponents of N, with two standard errors, are "
        f"{said}; the theorem says that it tends to zero, independent starts give -1/2. Right: the distribution "
        f"function of θ₁ of one network each of N = {n[0]}, {n[1]} and {n[2]} neurons and of the limit (20 x 20 Gauss "
        f"nodes). tanh units of two inputs, a teacher of two neurons, starts uniform on |θ_k| ≤ {SIDE:g}."
    )


def _alt(data: Data) -> str:
    return (
        "Left: three falling lines on logarithmic axes, parallel to a dashed one of slope -1/2. Right: three "
        "staircases, finer as N grows, around a smooth rising curve."
    )


def _steps(values: Any, weights: Any) -> tuple[np.ndarray, np.ndarray]:
    """The distribution function: places and its values right of them."""
    order = np.argsort(values)
    return np.asarray(values)[order], np.cumsum(np.asarray(weights)[order])


@figure(_compute, caption=_caption, alt=_alt, size=(11.0, 4.8), cost=Cost(15.0, 600.0), parameters=PARAMETERS)
def width_rate(sheet: Sheet, data: Data) -> None:
    """Theorem 1: integrals of smooth functions converge by N^(-1/2)."""
    left, right = sheet.subplots(1, 2)
    logarithmic(left, "xy", "number of neurons N", r"root mean square of $\int g\,d(\rho_N - \rho)$")
    n, mean = data["widths"], np.mean(data["squares"], axis=1)
    spread = np.std(data["squares"], axis=1, ddof=1) / data["squares"].shape[1] ** 0.5
    slopes, errors = _rates(data)
    for i, name in enumerate(TESTS):
        rms = np.sqrt(mean[:, i])
        label = f"{name}: {slopes[i]:.2f} ± {2.0 * errors[i]:.2f}"
        marks(left, n, rms, i, "osv"[i], ms=7, bars=0.5 * spread[:, i] / rms)
        curve(left, n, rms, i, label=label)
    top = 1.5 * float(np.sqrt(np.max(mean[0])))
    curve(left, n, top * (n / n[0]) ** -0.5, ls="--", label="slope -1/2")
    left.set_xticks(n, [str(one) for one in n])
    left.minorticks_off()
    sheet.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=4, title="g: exponent of N")
    title(left, f"Deviations at t = {TIMES[-1]:g}")
    for i, count in enumerate(n[:3]):
        used = data["weights"][i] > 0.0
        places, values = _steps(data["theta"][i][used], data["weights"][i][used])
        curve(right, places, values, i, drawstyle="steps-post", lw=1.4, label=f"N = {count}")
    curve(right, *_steps(data["limit"], data["limit weights"]), lw=2.4, alpha=0.7, label="limit")
    right.set(xlabel="$θ_1$", ylabel=f"share of neurons below, t = {TIMES[-1]:g}")
    right.legend()
    title(right, "One network each, and the limit")
