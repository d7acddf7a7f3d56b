"""Fig. 3: ReLU neurons with offset and output weight select the relevant variables (anisotropic Gaussians)."""

import math
from typing import Any

import numpy as np

from widelimit.report.canvas import add_legend, dash

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, key, logarithmic, title
from ..._kit._shares import largest
from ..runs._curves import behind, draw_pair, draw_small
from ..runs._variable_selection import DIM, NODES, RELEVANT, SPREAD, limit, network

# Not printed; chosen so that the curves leave their plateau one after the other.
DELTAS, END = (0.2, 0.4, 0.6), 300.0
PARAMETERS = (
    Parameter("deltas", DELTAS, "half the difference of the standard deviations", 0.05, 0.95, counts=(2, 4)),
    # So that there are always more inputs than relevant ones.
    Parameter("dim", DIM, "inputs", 101, 2000),
    Parameter("relevant", RELEVANT, "inputs that tell the classes apart", 2, 100),
    Parameter("spread", SPREAD, "the start of the weights is N(0, spread^2/dim)", 0.0, 100.0, open=True),
    Parameter("neurons", 800, "of the network", 2, 10_000, quick=200),
    Parameter("step", 5e-5, "of SGD", 1e-6, 0.01, quick=1e-3),
    Parameter("batch", 1, "samples a step", 1, 1000, quick=16),
)
_OF_BOTH = {"dim": "dim", "relevant": "relevant", "spread": "spread"}


def _settings(bench: Bench) -> dict[str, Any]:
    """Of the networks: what counts for the noise is step / batch, and the print's 2e-4 is too much of it.

    At 5e-4 the means of a and b end at half of the limit's, at 5e-5 near them.
    """
    quick = {"neurons": 200, "step": 1e-3, "batch": 16, "end": 150.0, "count": 24, "samples": 4000}
    paper = {"neurons": 800, "step": 5e-5, "batch": 1, "end": 150.0, "count": 40, "samples": 20000}
    chosen = bench.pick(quick=quick, paper=paper)
    return chosen | bench.given(**_OF_BOTH, neurons="neurons", step="step", batch="batch")


def limit_of(bench: Bench, delta: float, nodes: int = NODES) -> Data:
    """One of the lines."""
    return bench.piece(limit, delta=delta, end=END, count=200, nodes=nodes, **bench.given(**_OF_BOTH))


def compared(bench: Bench) -> Data:
    """For each Delta the limit and a network."""
    settings, deltas = _settings(bench), bench.value("deltas", DELTAS)
    runs = [bench.piece(network, delta=delta, seed=k, **settings) for k, delta in enumerate(deltas)]
    pairs = [{"limit": limit_of(bench, delta), "sgd": run} for delta, run in zip(deltas, runs, strict=True)]
    made = {"dim": bench.value("dim", DIM), "relevant": bench.value("relevant", RELEVANT)}
    return {"deltas": deltas, "runs": pairs, **made, **{key: settings[key] for key in ("neurons", "step", "batch")}}


def _steps(data: Data) -> str:
    steps, size = int(data["runs"][0]["sgd"]["steps"]), int(data["batch"])
    return f"{steps:,} steps of {'one sample' if size == 1 else f'{size} samples'}"


def gaps(data: Data) -> dict[float, float]:
    """max |R_SGD - R_limit| from t = 1 until the limit's risk is 1/2, for each Delta.

    Later it falls below what the network can reach at d = 320 (for the least Delta any predictor: `floor`).
    """
    found = {}
    for delta, run in zip(data["deltas"], data["runs"], strict=True):
        exact, off = behind(run["sgd"], run["limit"])
        found[float(delta)] = largest(off[(run["sgd"]["t"][1:] >= 1.0) & (exact >= 0.5)])
    return found


def floor(delta: float) -> float:
    """The least risk of any predictor: 1 - E E[y | x]^2, where |x_1| is all that tells the classes apart."""
    from scipy.stats import chi

    s = np.linspace(1e-3, 3.0 * math.sqrt(RELEVANT), 20001)
    plus, minus = (chi.pdf(s, RELEVANT, scale=1.0 + side * delta) for side in (1.0, -1.0))
    both = plus + minus
    square = np.where(both > 1e-300, (plus - minus) ** 2 / np.where(both > 1e-300, both, 1.0), 0.0)
    return 1.0 - 0.5 * float(np.trapezoid(square, s))


def _caption(data: Data) -> str:
    far = ", ".join(f"{gap:.2g} for Δ = {delta:g}" for delta, gap in gaps(data).items())
    return (
        "The risk stays near 1 for long and then falls to nearly 0, the sooner the larger Δ. From t = 1 to the "
        f"middle of the fall the networks (N = {data['neurons']}, ε = {data['step']:g}, {_steps(data)}) are at most "
        f"this far from the limit at d = ∞: {far}. Afterwards they stay above it: at Δ = {DELTAS[0]:g} and d = {DIM} "
        f"no predictor can have a risk below {floor(DELTAS[0]):.1g}, the rest is the noise of the steps and the "
        "width. The values of Δ are not printed in the paper. The first step is of size ε ξ(ε), as ξ(0) is infinite; "
        "at the printed ε = 2e-4 with one sample a step the noise of the first steps moves the means of a, b and r₁ "
        "away from the limit for good."
    )


def _alt(data: Data) -> str:
    ends = ", ".join(
        f"{run['limit']['risk'][-1]:.1e} for Δ = {d:g}" for d, run in zip(data["deltas"], data["runs"], strict=True)
    )
    return f"Risk over time on a logarithmic axis: plateaus near 1, then a fall; at the end {ends}."


@figure(compared, caption=_caption, alt=_alt, size=(10.0, 5.2), cost=Cost(50.0, 1700.0), parameters=PARAMETERS)
def fig3(sheet: Sheet, data: Data) -> None:
    """Variable selection with ReLU neurons: risk and three means over time."""
    grid = sheet.add_gridspec(3, 2, width_ratios=(2.2, 1.0))
    main = sheet.add_subplot(grid[:, 0])
    logarithmic(main, "x", "time t", "risk R")
    sides = [sheet.add_subplot(grid[i, 1]) for i in range(3)]
    for side, name in zip(sides, ("mean a", "mean b", "mean $r_1$"), strict=True):
        logarithmic(side, "x", "", name)
        side.tick_params(labelsize=10, labelbottom=side is sides[-1])
    for k, (delta, run) in enumerate(zip(data["deltas"], data["runs"], strict=True)):
        line, dots, dashes = run["limit"], run["sgd"], "-" if k == 0 else dash(k - 1)
        draw_pair(main, line, dots, k, dashes, f"Δ = {delta:g}")
        for i, side in enumerate(sides):
            draw_small(side, (line["t"], dots["t"]), (line["means"][:, i], dots["means"][:, i]), k, dashes)
    key(main, "SGD (bars: 2 standard errors)", ls="", marker="+", ms=8, mew=1.6)
    main.set_ylim(-0.05, None)
    made = (
        f"N = {data['neurons']}, d = {data['dim']}, $s_0$ = {data['relevant']},\n"
        f"ε = {data['step']:g}, ξ = $t^{{-1/4}}$, {_steps(data)}"
    )
    title(main, f"Lines: limit, d = ∞. Crosses: {made}")
    add_legend(main)
    sides[2].set_xlabel("time t")
