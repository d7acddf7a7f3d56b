"""Fig. 3: the small-c scenario (weights and losses), and the linearisation near a global minimiser."""

import numpy as np

from widelimit.report.canvas import dash, marker
from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, curve, key, logarithmic, marks, title
from ..._kit._shares import largest
from ..runs._splines import TERMS, expansion, knots_of, marked, trained, trained_cosine, trained_knots

AMPLITUDE, WAVES = 0.01, (1, 2, 3, 4, 5)
LATE = 3e4
# Not printed: the k of (a), its end and the four times at which the weights are marked.
WEIGHTS_OF, WEIGHTS_END, MARKED = 2, 1000.0, (10.0, 100.0, 464.0, 1000.0)
LOWER, UPPER, BOX_END = 0.3, 0.8, 1000.0
# Not in the paper: a start near the minimiser, where the linearisation has to hold.
EPS, NEAR_KNOTS, NEAR_END = 0.05, 1000, 100.0
MODES = 10000
# The series of a start at the minimiser itself, knots spread over all of [0, 1], is zero but for rounding.
_ZERO = 1e-25
PARAMETERS = (
    Parameter("amplitude", AMPLITUDE, "of the sines", 1e-4, 1.0),
    Parameter("wave", WEIGHTS_OF, "half waves of the sine of (a)", 1, 20),
    Parameter("waves", WAVES, "half waves of the sines of (b)", 1, 20, counts=(2, 6)),
    Parameter("knots", 400, "neurons", 10, 2000, quick=100),
    Parameter("box", (LOWER, UPPER), "the knots of (c) start between these", 0.0, 1.0),
    Parameter("eps", EPS, "the other start of (c) has the density 1 + eps cos(2 pi h)", 0.0, 0.95, open=True),
)
# One pattern for all that is theory, as the legend shows it.
_THEORY = dash(1)


def _compute(bench: Bench) -> Data:
    knots, amplitude = knots_of(bench), bench.value("amplitude", AMPLITUDE)
    wave, waves = bench.value("wave", WEIGHTS_OF), bench.value("waves", WAVES)
    (lower, upper), eps = bench.value("box", (LOWER, UPPER)), bench.value("eps", EPS)
    weights = bench.piece(trained, amplitude=amplitude, waves=wave, knots=knots, end=WEIGHTS_END)
    runs = [bench.piece(trained, amplitude=amplitude, waves=j, knots=knots, end=LATE) for j in waves]
    box = bench.piece(trained_knots, lower=lower, upper=upper, knots=knots, end=BOX_END)
    near = bench.piece(trained_cosine, eps=eps, knots=NEAR_KNOTS, end=NEAR_END)
    at = marked(weights["t"], MARKED)
    coefficients = theory.sine_coefficient(np.arange(TERMS), wave, amplitude)
    shift = theory.shift(np.linspace(0.0, 1.0, 201), weights["t"][at], coefficients)
    k = np.arange(MODES)
    return {
        **{"knots": knots, "amplitude": amplitude, "wave": wave, "numbers": waves, "sides": (lower, upper), "eps": eps},
        "weights": {**weights, "marked": at, "shift": shift},
        "waves": [_compared(run, expansion(amplitude, j, run["t"])) for j, run in zip(waves, runs, strict=True)],
        "box": _compared(box, theory.linearised_loss(box["t"], theory.box_coefficient(k, lower, upper))),
        "near": _compared(near, theory.linearised_loss(near["t"], theory.cosine_coefficient(k, eps))),
    }


def _compared(run: Data, theory: np.ndarray) -> Data:
    return {"t": run["t"], "risk": run["risk"], "theory": theory}


def _weights(axes: Axes, data: Data) -> None:
    t, c, h, shift = (data["weights"][name] for name in ("t", "c", "h", "shift"))
    every = max(1, c.shape[1] // 50)
    axes.plot(h[:, ::every], c[:, ::every], color="#999999", lw=0.7, zorder=1)
    for i, at in enumerate(data["weights"]["marked"]):
        curve(axes, np.linspace(0.0, 1.0, shift.shape[1]), -shift[i], i, ls=_THEORY, lw=1.5, zorder=2)
        marks(axes, h[at, ::every], c[at, ::every], i, marker(i), ms=4.0, zorder=3, label=f"t = {t[at]:.4g}")
    key(axes, "-s(h, t) by (25), in its colour", tint="#555555", ls=_THEORY, lw=1.5)
    key(axes, "trajectories", tint="#999999", lw=0.9)
    axes.set(xlabel="knot h", ylabel="charge c")
    title(axes, f"(a) weights, f = {data['amplitude']:g} sin({data['wave']}πx), N = {data['knots']}", 11.5)
    axes.legend(fontsize=9.5, loc="best")


def _losses(axes: Axes, data: Data) -> None:
    start = data["waves"][0]["risk"][0]
    low = 0.5 * min(float(run["risk"][-1]) for run in data["waves"])
    # The paper's: L(0) = A^2/4, and three decades and a half.
    frame = (max(1e-9 * start, min(4e-4 * start, low)), 2.4 * start)
    logarithmic(axes, "xy", "time t", "loss L", ylim=frame, xlim=(3.0, LATE))
    for i, (j, run) in enumerate(zip(data["numbers"], data["waves"], strict=True)):
        curve(axes, run["t"], run["theory"], i, ls=_THEORY, lw=1.3)
        curve(axes, run["t"], run["risk"], i, marker=marker(i), ms=5, markevery=(i, 8), label=f"k = {j}")
    key(axes, "(26), in its colour", tint="#555555", ls=_THEORY, lw=1.3)
    title(axes, f"(b) losses, f = {data['amplitude']:g} sin(kπx), N = {data['knots']}", 11.5)
    axes.legend(fontsize=9.5, loc="lower left")


def _minimum(axes: Axes, ratio: Axes, data: Data) -> None:
    low, high = (float(side) for side in data["sides"])
    names = {
        "box": f"$p_0$ = {1.0 / (high - low):.3g} on [{low:g}, {high:g}], N = {data['knots']}",
        "near": f"$p_0$ = 1 + {float(data['eps']):g} cos 2πh, N = {NEAR_KNOTS}",
    }
    logarithmic(axes, "xy", "time t", "loss L")
    logarithmic(ratio, "x", "time t", "loss / series (37)")
    most = 0.0
    for i, (name, said) in enumerate(names.items()):
        run = data[name]
        curve(axes, run["t"], run["risk"], i, label=f"L, {said}")
        if np.max(run["theory"]) < _ZERO:
            continue
        marks(axes, run["t"], run["theory"], i, marker(i), ms=4.5, markevery=3)
        curve(ratio, run["t"], run["risk"] / run["theory"], i, ls=("-", "--")[i], label=said)
        most = max(most, largest(run["risk"] / run["theory"]))
    key(axes, "series (37)", ls="", marker="o", ms=4.5)
    title(axes, "(c) f = x²/2, unit (x - h)₊", 11.5)
    axes.legend(fontsize=9.5, loc="best")
    ratio.axhline(1.0, color="k", lw=0.8)
    ratio.set_ylim(0.0, max(2.3, 1.2 * most))
    title(ratio, "(c), continued: the loss over the series", 11.5)
    ratio.legend(fontsize=9.5, loc="upper left")


def left_at(run: Data, allowed: float = 0.1) -> float:
    """The first time shown at which the theory is off by more than 10 per cent of itself; infinite if never."""
    off = np.flatnonzero(np.abs(run["risk"] / run["theory"] - 1.0)[1:] > allowed)
    return float(run["t"][1 + off[0]]) if len(off) else float("inf")


def _caption(data: Data) -> str:
    left = ", ".join(f"{left_at(run):.2g}" for run in data["waves"])
    shares = ", ".join(f"{run['risk'][-1] / run['risk'][0]:.1g}" for run in data["waves"])
    ratio, near = ((data[name]["risk"] / data[name]["theory"])[1:] for name in ("box", "near"))
    moved = np.max(np.abs(data["weights"]["h"][-1] - data["weights"]["h"][0]))
    return (
        f"(a) From c = 0 the weights move along c, by -s(h, t) of the small-c theory; at t = {WEIGHTS_END:g} the "
        f"knots have moved by up to {moved:.2g}, which the theory leaves out. (b) The higher k, the later the loss "
        f"falls. The theory (26) is off by more than 10 % from t = {left} on, for k = 1 ... 5: later the knots "
        f"move too and the loss falls faster; at t = {LATE:g} it is down to {shares} of its start. "
        f"(c) The series (37), {MODES} terms, "
        f"is the linearisation: for the paper's own start, which is not near the minimiser, the loss over the series "
        f"is between {ratio.min():.2f} and {ratio.max():.2f}, a comparison in shape; for a start with ε = {EPS:g} it "
        f"stays between {near.min():.3f} and {near.max():.3f}. The start's knots are the midpoints of equal masses, "
        "where the paper draws them at random; it does not print the k of (a) nor any time."
    )


def _alt(data: Data) -> str:
    ends = ", ".join(f"{run['risk'][-1]:.1e}" for run in data["waves"])
    return (
        "Four panels: weights leaving the line c = 0 in a wave; five falling losses on logarithmic axes, at the end "
        f"{ends} for k = 1 ... 5, each with the theory's dash-dotted line above it; the loss without charges beside a "
        "series of exponentials, and the ratio of the two."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(10.0, 8.6), cost=Cost(20.0, 30.0), parameters=PARAMETERS)
def fig3(sheet: Sheet, data: Data) -> None:
    """Small charges: weights and losses; the linearisation near a global minimiser."""
    (weights, losses), (minimum, ratio) = sheet.subplots(2, 2)
    _weights(weights, data)
    _losses(losses, data)
    _minimum(minimum, ratio, data)
