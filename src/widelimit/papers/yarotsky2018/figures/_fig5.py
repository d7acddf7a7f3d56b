"""Fig. 5: simulated and theoretical evolution in the small-c scenario, f = 1e-3 sin(2 pi x)."""

import numpy as np

from widelimit.report.canvas import dash, marker
from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, key, logarithmic, marks, title
from ..._kit._shares import largest
from ..runs._splines import expansion, knots_of, marked, trained

AMPLITUDE, WAVES, END = 1e-3, 2, 1e4
# "Truncated at k = 10", for two half waves.
TERMS = 11
# Not printed.
SHOWN = (10.0, 100.0, 1000.0, 10000.0)
PARAMETERS = (
    Parameter("amplitude", AMPLITUDE, "of the sine", 1e-6, 1.0),
    Parameter("waves", WAVES, "half waves of the sine", 1, 20),
    Parameter("knots", 400, "neurons", 10, 2000, quick=100),
    Parameter("end", END, "the last time, and the others are a tenth, ... of it", 10.0, 1e6),
)


def compared(bench: Bench) -> Data:
    """The weights at the times shown, and the loss over time; beside each what (25) and (26) say."""
    amplitude, waves = bench.value("amplitude", AMPLITUDE), bench.value("waves", WAVES)
    end = bench.value("end", END)
    run = bench.piece(trained, amplitude=amplitude, waves=waves, knots=knots_of(bench), end=end)
    at = marked(run["t"], tuple(time * end / END for time in SHOWN))
    # As far beyond the target's own waves as the paper's; else there would be nothing of them.
    terms = TERMS + max(0, waves - WAVES)
    coefficients = theory.sine_coefficient(np.arange(terms), waves, amplitude)
    grid, times, h0 = np.linspace(0.0, 1.0, 301), run["t"][at], run["h"][0]
    return {
        **{"amplitude": amplitude, "waves": waves, "terms": terms},
        "times": times,
        "weights": {"c": run["c"][at], "h": run["h"][at], "s": theory.shift(h0, times, coefficients)},
        "line": {"h": grid, "s": theory.shift(grid, times, coefficients)},
        "loss": {
            "t": run["t"],
            "simulated": run["risk"],
            "truncated": theory.loss(run["t"], coefficients),
            "theory": expansion(amplitude, waves, run["t"]),
        },
    }


def errors(data: Data) -> tuple[np.ndarray, np.ndarray]:
    """At each time shown: the largest difference of the weights' shift from (25), over its own largest value; that of
    the loss from (26), over it."""
    c, s = data["weights"]["c"], data["weights"]["s"]
    shift = np.max(np.abs(c + s), axis=1) / np.max(np.abs(s), axis=1)
    off = np.abs(data["loss"]["simulated"] / data["loss"]["theory"] - 1.0)
    return shift, np.interp(np.log(data["times"]), np.log(data["loss"]["t"][1:]), off[1:])


def _caption(data: Data) -> str:
    rows = zip(data["times"], *errors(data), strict=True)
    said = ", ".join(f"t = {time:.0f}: {s:.1%} and {r:.1%}" for time, s, r in rows)
    truncation = largest(np.abs(data["loss"]["truncated"] / data["loss"]["theory"] - 1.0))
    return (
        f"Left: the charges of N = {data['weights']['h'].shape[1]} neurons at four times, simulated (markers) and "
        f"-s(h, t) by (25) with {TERMS} terms (lines). Right: the loss, simulated and by (26). The differences of "
        f"shift and loss are, at {said}: the loss of the full flow falls below the theory as the knots begin to move. "
        "The coefficients are in closed form, not found numerically as in the paper; leaving out k > 10 changes (26) "
        f"by at most {truncation:.1%}. The times are not printed in the paper."
    )


def _alt(data: Data) -> str:
    first, *_, last = data["loss"]["simulated"]
    return (
        f"Left: a wave that grows with time. Right: a loss that falls from {first:.1e} to "
        f"{last:.1e}, the simulated one below the theory at the end."
    )


@figure(compared, caption=_caption, alt=_alt, size=(10.0, 4.6), cost=Cost(5.0, 10.0), parameters=PARAMETERS)
def fig5(sheet: Sheet, data: Data) -> None:
    """Small charges: shift of the weights and loss, simulated and by the linear theory."""
    left, right = sheet.subplots(1, 2)
    h, c, loss = data["weights"]["h"], data["weights"]["c"], data["loss"]
    every = max(1, h.shape[1] // 50)
    # A power of ten: the charges are of the size of the amplitude.
    power = -round(float(np.log10(data["amplitude"])))
    unit = 10.0**power
    for i, time in enumerate(data["times"]):
        curve(left, data["line"]["h"], -unit * data["line"]["s"][i], i, ls=dash(1), lw=1.5)
        marks(left, h[i, ::every], unit * c[i, ::every], i, marker(i), ms=4.0, label=f"t = {float(f'{time:.4g}'):g}")
    last = int(data["terms"]) - 1
    key(left, f"-s by (25), k ≤ {last}, in its colour", tint="#555555", ls=dash(1), lw=1.5)
    left.set(xlabel="knot h", ylabel=f"$10^{{{power}}}$ c" if power else "charge c")
    title(left, f"f = {float(data['amplitude']):g} sin({data['waves']}πx), N = {h.shape[1]}", 11.5)
    left.legend(fontsize=9.5, loc="best")
    logarithmic(right, "xy", "time t", "loss L")
    curve(right, loss["t"], loss["simulated"], 0, lw=2.2, label="simulated")
    curve(right, loss["t"], loss["truncated"], 1, ls="--", lw=1.7, label=f"(26), k ≤ {last}")
    marks(right, loss["t"], loss["theory"], marker="o", ms=4.0, markevery=3, label="(26), all terms")
    right.legend(fontsize=10.5, loc="best")
