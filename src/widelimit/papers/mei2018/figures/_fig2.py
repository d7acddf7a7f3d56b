"""Fig. 2: the risk against Delta: certified infimum, best single sphere, networks trained by SGD."""

import math

import numpy as np

from widelimit.report.canvas import add_legend

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, marks, title
from ..._kit._shares import largest, size
from ..runs._isotropic import NEURONS, network, short
from ..runs._optima import closed_interval, minima, spheres

# Not printed; d = 40 is that of Fig. 1.
DIM = 40
# Nor is the start. From that of Fig. 1, kappa = 0.8, the limit of Delta = 0.9 stays at a risk of 1.14 beyond t = 100;
# from here it is within 0.02 of the infimum for every Delta by then.
KAPPA, END = 3.0, 100.0
PARAMETERS = (
    Parameter("dim", DIM, "inputs", 2, 1000),
    Parameter("kappa", KAPPA, "the start of the weights is N(0, kappa^2/dim)", 0.0, 100.0, open=True),
)


def lines(bench: Bench) -> list[float]:
    """The Delta of the curves."""
    step = bench.pick(quick=0.05, paper=0.025)
    return [round(0.1 + step * k, 3) for k in range(round(0.8 / step) + 1)]


def points(bench: Bench) -> list[float]:
    """The Delta of the networks, which are among those of the curves."""
    return bench.pick(quick=[0.1, 0.3, 0.5, 0.7, 0.9], paper=[round(0.1 * k, 1) for k in range(1, 10)])


def trained(bench: Bench, delta: float) -> Data:
    """A single run."""
    made = {"d": bench.value("dim", DIM), "kappa": bench.value("kappa", KAPPA)}
    settings = {**made, "sigma": "ramp", "step": bench.pick(quick=1e-4, paper=1e-5)}
    return bench.piece(network, delta=delta, times=[END], samples=20_000, seed=round(100 * delta), **settings)


def _compute(bench: Bench) -> Data:
    runs = [trained(bench, delta) for delta in points(bench)]
    ends = {name: np.array([run[name][-1] for run in runs]) for name in ("risk", "error")}
    dims = [_theory(bench, d) for d in (float(bench.value("dim", DIM)), math.inf)]
    return {"step": END / runs[0]["steps"], "sgd": {"delta": points(bench), **ends}, "dims": dims}


def _theory(bench: Bench, d: float) -> Data:
    """Both lines, and the ends of the interval where they agree."""
    deltas = lines(bench)
    best, one = (bench.piece(f, deltas=deltas, d=d)["risk"] for f in (minima, spheres))
    ends = [float(end) for end in bench.piece(closed_interval, d=d)["ends"] if end > 0.0]
    at_ends = bench.piece(spheres, deltas=ends, d=d)["risk"]
    return {"d": d, "delta": deltas, "least": best, "sphere": one, "ends": {"delta": ends, "risk": at_ends}}


def _excess(data: Data) -> np.ndarray:
    """Of the networks over the infimum."""
    finite = data["dims"][0]
    return data["sgd"]["risk"] - finite["least"][np.searchsorted(finite["delta"], data["sgd"]["delta"])]


def _caption(data: Data) -> str:
    above, (finite, infinite) = _excess(data), data["dims"]
    low, high = finite["ends"]["delta"]
    return (
        f"SGD ends between {np.min(above):.2g} and {np.max(above):.2g} above the least risk that any "
        "measure has (bars, of two standard errors, are smaller than the marks): the width costs about 0.01, the "
        f"noise of the steps as much at small Δ, and beyond Δ = {high:.3f} a part of the mass is still on its way to "
        f"|w| = ∞ at t = {END:g}. For d = {DIM} one sphere is optimal from Δ = {low:.4f} to {high:.4f}, for d = ∞ up "
        f"to {infinite['ends']['delta'][-1]:.4f}; beyond, the dashed line is too high, and for d = ∞ the infimum is 0. "
        "Not printed in the paper and chosen here: the grid of Δ, d, and the start N(0, κ²/d) of the weights, "
        f"κ = {KAPPA:g}."
    )


def _alt(data: Data) -> str:
    sgd = data["sgd"]
    ends = ", ".join(f"{r:.3f} at Δ = {x:g}" for x, r in zip(sgd["delta"], sgd["risk"], strict=True))
    return f"Risk against Δ: two falling solid lines, dashed ones that rise beyond the dots, crosses for SGD: {ends}."


@figure(_compute, caption=_caption, alt=_alt, size=(8.0, 5.2), cost=Cost(50.0, 900.0), parameters=PARAMETERS)
def fig2(sheet: Sheet, data: Data) -> None:
    """Risk against the separation Δ: theory and SGD."""
    axes = sheet.add_subplot()
    for k, one in enumerate(data["dims"]):
        dim = f"d = {size(one['d'])}"
        curve(axes, one["delta"], one["least"], k, lw=2.0, label=f"infimum over all measures, {dim}")
        curve(axes, one["delta"], one["sphere"], k, lw=1.6, ls="--", label=f"one sphere, {dim}")
        marks(axes, one["ends"]["delta"], one["ends"]["risk"], k, "o", ms=7)
    sgd = data["sgd"]
    cross = {"ms": 10, "mew": 1.8, "zorder": 4}
    marks(axes, sgd["delta"], sgd["risk"], bars=sgd["error"], label=f"SGD, d = {size(data['dims'][0]['d'])}", **cross)
    # Lower dimensions and other starts have risks up to and above 1.
    top = largest(sgd["risk"], *(one[line] for one in data["dims"] for line in ("least", "sphere")))
    axes.set(xlabel="Δ", ylabel="risk R", xlim=(0.0, 1.0), ylim=(-0.02, max(0.9, 1.05 * top)))
    step = float(data["step"])
    made = f"N = {NEURONS}, ε = {short(step)}, {END / step:,.0f} steps"
    title(axes, f"Crosses: one run of SGD each, {made}.\nDots: ends of the interval of Δ where one sphere is optimal")
    add_legend(axes)
