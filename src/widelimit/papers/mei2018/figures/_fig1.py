"""Fig. 1: the distribution of r = |w| along SGD and along the reduced equation (13)."""

from typing import Any

import numpy as np

from widelimit.report.canvas import colour

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, legend_below, title
from ..._kit._shares import largest
from ..runs._isotropic import NEURONS, characteristics, network, short

PROBLEM: dict[str, Any] = {"delta": 0.8, "d": 40, "sigma": "ramp", "kappa": 0.8}
PARAMETERS = (
    Parameter("delta", 0.8, "half the difference of the classes' standard deviations", 0.0, 1.0, open=True),
    Parameter("dim", 40, "inputs", 2, 1000),
    Parameter("kappa", 0.8, "the start of the weights is N(0, kappa^2/dim)", 0.0, 100.0, open=True),
)
# Not printed; the first two while the neurons move together, the last two after the flow has split them.
TIMES = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0]
_BINS = 30
# Between the two parts of the mass after the split.
_SPLIT = 0.5


def problem_of(bench: Bench) -> dict[str, Any]:
    """The paper's, or as it was set."""
    names = {"delta": "delta", "d": "dim", "kappa": "kappa"}
    return PROBLEM | {key: bench.value(name, PROBLEM[key]) for key, name in names.items()}


def trained(bench: Bench, seed: int) -> Data:
    """One of the networks."""
    step = bench.pick(quick=1e-5, paper=1e-6)
    return bench.piece(network, **problem_of(bench), step=step, times=TIMES, samples=20_000, seed=seed)


def density(bench: Bench, *, half: bool = False) -> Data:
    """The particles that carry the density; half as many, to see what their number changes."""
    count = bench.pick(quick=400, paper=1600) // (2 if half else 1)
    return bench.piece(characteristics, **problem_of(bench), times=TIMES, count=count)


def _compute(bench: Bench) -> Data:
    made = problem_of(bench)
    return {"sgd": trained(bench, 0), "limit": density(bench), "delta": made["delta"], "d": made["d"]}


def _step(data: Data) -> str:
    return short(float(data["sgd"]["t"][-1] / data["sgd"]["steps"]))


def _caption(data: Data) -> str:
    rows = zip(data["sgd"]["t"][1:], data["sgd"]["risk"][1:], data["limit"]["risk"][1:], strict=True)
    risks = ", ".join(f"{a:.4f} and {b:.4f} at t = {t:g}" for t, a, b in rows)
    return (
        "The neurons move outwards together, stall near a risk of 1 and then split: a part returns to r = 0.07, where "
        "its narrow peak leaves the picture, the rest moves on. Risk of the network and of the equation: "
        f"{risks}; the standard error of the former is {largest(data['sgd']['error']):.1g} at most. The times are not "
        f"printed in the paper. Its step is 1e-6, here it is {_step(data)}: already at 1e-5 a network differs from the "
        "equation by no more than networks differ from each other (claim fig1-radii)."
    )


def _alt(data: Data) -> str:
    t, middle = data["sgd"]["t"], np.median(data["sgd"]["radii"], axis=1)
    return (
        "Six panels with the density of |w|, the histogram of a trained network under the curve of the equation: one "
        f"peak moves from {middle[1]:.2f} at t = {t[1]:g} to {middle[4]:.2f} at t = {t[4]:g}; later a "
        "narrow peak near 0 and a wide one further out."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(10.5, 6.0), cost=Cost(25.0, 240.0), parameters=PARAMETERS)
def fig1(sheet: Sheet, data: Data) -> None:
    """Evolution of the radial distribution for the isotropic Gaussians."""
    panels = np.ravel(sheet.subplots(2, 3))
    for k, axes in enumerate(panels, 1):
        radii, places = data["sgd"]["radii"][k], data["limit"]["places"][k]
        # From 0 where neurons have returned there.
        low, high = 0.0 if radii[0] < _SPLIT else 0.95 * radii[0], 1.05 * radii[-1]
        bins = np.linspace(low, high, _BINS + 1)
        heights, _, _ = axes.hist(radii, bins=bins, density=True, color=colour(4), alpha=0.55, label="SGD")
        curve(axes, places, data["limit"]["density"][k], lw=1.8, label="equation (13)")
        axes.set(xlim=(low, high), ylim=(0.0, 1.25 * np.max(heights)))
        title(axes, f"t = {data['sgd']['t'][k]:g}", 13)
        if low == 0.0:
            said = "mass below 0.5:\nSGD {:.3f}, (13) {:.3f}".format(*(np.mean(r < _SPLIT) for r in (radii, places)))
            axes.text(0.09, 0.93, said, transform=axes.transAxes, va="top", fontsize=11)
        if k > 3:
            axes.set_xlabel("|w|")
        if k % 3 == 1:
            axes.set_ylabel("density of neurons")
    legend_below(sheet, panels[0], 2)
    made = f"N = {NEURONS}, ε = {_step(data)}, {int(data['sgd']['steps']):,} steps"
    sheet.suptitle(f"Δ = {data['delta']:g}, d = {data['d']}. Histograms: one run of SGD, {made}", fontsize=12)
