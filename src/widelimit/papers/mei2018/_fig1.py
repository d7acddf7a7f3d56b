"""Fig. 1: the distribution of r = |w| at six times, by SGD and by the reduced equation."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.report.canvas import colour, to_png

from .._bench import Bench, Cost, Data
from .._claims import Claim, Finding
from .._figures import Figure
from ._isotropic import cells, limit, network, particles

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

DELTA, DIM, KAPPA = 0.8, 40, 0.8
# Not printed.
TIMES = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0]
_ISOTROPIC = {"delta": DELTA, "d": DIM, "sigma": "ramp", "kappa": KAPPA, "times": TIMES}


def _network(bench: Bench) -> Data:
    """The print's step is 1e-6; 1e-5 has the same statistics (the noise of a step is far below that of 800 neurons)."""
    step, samples = bench.pick(quick=(2e-5, 10_000), paper=(2e-6, 200_000))
    return bench.piece(network, **_ISOTROPIC, step=step, samples=samples, seed=1) | {"step": np.asarray(step)}


def _cells(bench: Bench) -> Data:
    return bench.piece(cells, **_ISOTROPIC, cells=bench.pick(quick=1000, paper=4000))


def _limit(bench: Bench) -> Data:
    return bench.piece(limit, **_ISOTROPIC, rtol=1e-8)


def _compute(bench: Bench) -> Data:
    sgd, pde = _network(bench), _cells(bench)
    out: Data = {"t": pde["t"][1:], "centres": pde["centres"], "density": pde["density"][1:]}
    return out | {f"sgd.{name}": sgd[name] for name in ("radii", "steps", "step")}


def _draw(data: Data) -> bytes:
    return to_png(lambda sheet: _sheet(sheet, data), width=10.0, height=5.6)


def _sheet(sheet: "Sheet", data: Data) -> None:
    panels = sheet.subplots(2, 3).ravel()
    sheet.suptitle(_made(data), fontsize=11)
    for k, axes in enumerate(panels):
        radii, line = data["sgd.radii"][k + 1], data["density"][k]
        low, high = float(radii[0]), float(radii[-1])
        room = 0.08 * (high - low)
        axes.hist(radii, bins=32, density=True, color=colour(4), alpha=0.6, label="SGD")
        axes.plot(data["centres"], line, color="k", lw=1.6, label="equation (13)")
        axes.set_xlim(max(0.0, low - room), high + room)
        axes.set_title(f"t = {data['t'][k]:g}", fontsize=12)
        axes.tick_params(labelsize=10)
        if k % 3 == 0:
            axes.set_ylabel("density of neurons", fontsize=11)
        if k >= 3:
            axes.set_xlabel("|w|")
    panels[0].legend(fontsize=10)


def _made(data: Data) -> str:
    return (
        f"Δ = {DELTA:g}, d = {DIM}. Bars: SGD, N = 800, ε = {float(data['sgd.step']):g}, {int(data['sgd.steps']):,} steps of "
        "one sample. Lines: finite volumes."
    )


def _caption(data: Data) -> str:
    return (
        f"The histograms of 800 neurons follow the density of the reduced equation ({len(data['centres'])} cells) at all "
        "times. The paper's step is 1e-6 and its times are not printed."
    )


def _alt(data: Data) -> str:
    return "Six panels, from t = 0.1 to t = 10: histograms of |w| with the density of the equation on top. " + _caption(
        data
    )


FIGURE = Figure(
    name="fig1",
    title="The distribution of the radius, by SGD and by the equation",
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
    cost=Cost(45.0, 1500.0),
)


def _three_methods(bench: Bench) -> Finding:
    exact, pde = _limit(bench), _cells(bench)
    flow = bench.piece(particles, **_ISOTROPIC, count=bench.pick(quick=800, paper=3200))
    found = {f"R at t = {t:g}": float(r) for t, r in zip(exact["t"], exact["risk"], strict=True)}
    found |= {
        f"{name} at t = {t:g}": float(gap)
        for name, other in (("PDE", pde), ("particles", flow))
        for t, gap in zip(exact["t"], np.abs(other["risk"] - exact["risk"]), strict=True)
    }
    gaps = [np.max(np.abs(other["risk"] - exact["risk"]) / exact["risk"]) for other in (pde, flow)]
    return Finding(found, float(max(gaps)))


def _networks_follow(bench: Bench) -> Finding:
    """The largest Kolmogorov distance of the 800 radii to the limit, in units of 1/sqrt(N)."""
    exact, sgd = _limit(bench), _network(bench)
    level = (np.arange(800) + 0.5) / 800
    distance = [
        float(np.max(np.abs(np.searchsorted(np.sort(rows), row) / 800 - level)) * np.sqrt(800))
        for rows, row in zip(sgd["radii"], exact["radii"], strict=True)
    ]
    found = {f"distance at t = {t:g}": gap for t, gap in zip(exact["t"], distance, strict=True)}
    return Finding(found, max(distance))


CLAIMS = (
    Claim(
        id="fig1-methods-agree",
        statement="The quantile form, finite volumes and particles give the same risk at t = 0, .1, ..., 10.",
        where="Fig. 1, (13)",
        printed=None,
        compute=_three_methods,
        tolerance=2e-3,
        reason="largest relative difference to the quantile form; 1000 cells and 800 particles are exact to their square",
        cost=Cost(30.0, 60.0),
    ),
    Claim(
        id="fig1-networks-follow",
        statement="The empirical distribution of the radii of 800 neurons follows the solution of (13).",
        where="Fig. 1 and the text before it",
        printed="match closely",
        compute=_networks_follow,
        tolerance=2.0,
        reason="Kolmogorov distance times sqrt(N); a sample of the limit exceeds 1.95 once in a thousand times",
        cost=Cost(30.0, 1400.0),
        digits=3,
    ),
)
