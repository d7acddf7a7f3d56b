"""Fig. 5: simulated and theoretical evolution in the small-c scenario, f = 1e-3 sin(2 pi x)."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.report.canvas import colour, dash, marker, to_png
from widelimit.theory import yarotsky2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding
from .._kit._figures import Figure
from ._fig3 import knots_of
from ._runs import expansion, trained

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

AMPLITUDE, WAVES, END = 1e-3, 2, 1e4
# "Truncated at k = 10".
TERMS = 11
# Not printed.
SHOWN = (10.0, 100.0, 1000.0, 10000.0)


def _compute(bench: Bench) -> Data:
    knots = knots_of(bench)
    run = bench.piece(trained, amplitude=AMPLITUDE, waves=WAVES, knots=knots, end=END)
    at = [int(np.argmin(np.abs(np.log(run["t"][1:] / time)))) + 1 for time in SHOWN]
    coefficients = theory.sine_coefficient(np.arange(TERMS), WAVES, AMPLITUDE)
    out: Data = {"knots": np.asarray(knots), "t": run["t"], "risk": run["risk"], "times": run["t"][at]}
    out |= {"c": run["c"][at], "h": run["h"][at], "h0": run["h"][0], "grid": np.linspace(0.0, 1.0, 301)}
    out["s"] = theory.shift(out["grid"], out["times"], coefficients)
    out["s_knots"] = theory.shift(out["h0"], out["times"], coefficients)
    out["truncated"] = theory.loss(run["t"], coefficients)
    out["theory"] = expansion(AMPLITUDE, WAVES, run["t"])
    return out


def _draw(data: Data) -> bytes:
    return to_png(lambda sheet: _sheet(sheet, data), width=10.0, height=4.6)


def _sheet(sheet: "Sheet", data: Data) -> None:
    left, right = sheet.subplots(1, 2)
    every = max(1, len(data["h0"]) // 50)
    for i, time in enumerate(data["times"]):
        left.plot(data["grid"], -1e3 * data["s"][i], color=colour(i), ls=dash(i), lw=1.5)
        look = {"color": colour(i), "marker": marker(i), "ms": 4.0, "ls": ""}
        left.plot(data["h"][i, ::every], 1e3 * data["c"][i, ::every], label=f"t = {time:.0f}", **look)
    left.plot([], [], color="k", ls="--", lw=1.5, label=f"(25), k ≤ {TERMS - 1}")
    left.set(xlabel="knot h", ylabel="1000 c")
    left.set_title(f"f = {AMPLITUDE:g} sin({WAVES}πx), N = {int(data['knots'])}", fontsize=11.5)
    left.legend(fontsize=9.5, loc="upper right")
    right.plot(data["t"][1:], data["risk"][1:], color=colour(0), lw=2.2, label="simulated")
    right.plot(data["t"][1:], data["truncated"][1:], color=colour(1), ls="--", lw=1.7, label=f"(26), k ≤ {TERMS - 1}")
    look = {"marker": "o", "ls": "", "ms": 4.0, "markevery": 3}
    right.plot(data["t"][1:], data["theory"][1:], color="k", label="(26), all terms", **look)
    right.set(xscale="log", yscale="log", xlabel="time t", ylabel="loss L")
    right.legend(fontsize=10.5, loc="lower left")


def errors(data: Data) -> dict[float, tuple[float, float]]:
    """By the time: the largest difference of the weights' shift from (25), over its own largest value; that of the
    loss from (26), over it."""
    found = {}
    for i, time in enumerate(data["times"]):
        shift = np.max(np.abs(data["c"][i] + data["s_knots"][i])) / np.max(np.abs(data["s_knots"][i]))
        loss = np.interp(np.log(time), np.log(data["t"][1:]), (data["risk"] / data["theory"] - 1.0)[1:])
        found[float(time)] = (float(shift), float(abs(loss)))
    return found


def _caption(data: Data) -> str:
    said = ", ".join(f"t = {time:.0f}: {s:.1%} and {r:.1%}" for time, (s, r) in errors(data).items())
    truncation = float(np.max(np.abs(data["truncated"] / data["theory"] - 1.0)))
    return (
        f"Left: the charges of N = {int(data['knots'])} neurons at four times, simulated (markers) and -s(h, t) by "
        f"(25) with {TERMS} terms (lines). Right: the loss, simulated and by (26). The differences of shift and loss "
        f"are, at {said}: the loss of the full flow falls below the theory as the knots begin to move. The "
        "coefficients are in closed form, not found numerically as in the paper; leaving out k > 10 changes (26) by at "
        "most "
        f"{truncation:.1%}. The times are not printed in the paper."
    )


def _alt(data: Data) -> str:
    return (
        f"Left: a wave that grows with time. Right: a loss that falls from {data['risk'][0]:.1e} to "
        f"{data['risk'][-1]:.1e}, the simulated one below the theory at the end. " + _caption(data)
    )


FIGURE = Figure(
    name="fig5",
    title="Small charges: shift of the weights and loss, simulated and by the linear theory",
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
    cost=Cost(5.0, 10.0),
)


def _agreement(bench: Bench) -> Finding:
    data = _compute(bench)
    found = errors(data)
    computed = {f"shift, t = {t:.0f}": s for t, (s, _) in found.items()}
    computed |= {f"loss, t = {t:.0f}": r for t, (_, r) in found.items()}
    early = [max(pair) for t, pair in found.items() if t < 2000.0]
    late = max(max(pair) for pair in found.values())
    return Finding(computed, float(np.max(early)), f"at t = 10000 the difference is {late:.0%}")


CLAIMS = (
    Claim(
        id="fig5-agreement",
        statement="For f = 1e-3 sin(2 pi x) the expansions (25) and (26), truncated at k = 10, agree well with direct "
        "simulation up to t = 1000 (relative differences).",
        where="Fig. 5 and the end of A.6",
        printed="a good agreement",
        compute=_agreement,
        tolerance=0.02,
        reason="the largest relative difference at t = 10, 100, 1000; at t = 1000 the motion of the knots makes 0.5 %",
        cost=Cost(5.0, 10.0),
        digits=3,
    ),
)
