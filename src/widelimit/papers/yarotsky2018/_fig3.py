"""Fig. 3: the small-c scenario (weights and losses), and the linearisation near a global minimiser."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.report.canvas import colour, dash, marker, to_png
from widelimit.theory import yarotsky2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._figures import Figure
from ._runs import TERMS, expansion, trained, trained_cosine, trained_knots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Sheet

AMPLITUDE, WAVES = 0.01, (1, 2, 3, 4, 5)
LATE = 3e4
# Not printed: the k of (a), its end and the four times at which the weights are marked.
WEIGHTS_OF, WEIGHTS_END, MARKED = 2, 1000.0, (10.0, 100.0, 464.0, 1000.0)
LOWER, UPPER, BOX_END = 0.3, 0.8, 1000.0
# Not in the paper: a start near the minimiser, where the linearisation has to hold.
EPS, NEAR_KNOTS, NEAR_END = 0.05, 1000, 100.0
MODES = 10000


def knots_of(bench: Bench) -> int:
    """The paper's N = 100, and finer."""
    return bench.pick(quick=100, paper=400)


def _compute(bench: Bench) -> Data:
    knots = knots_of(bench)
    out: Data = {"knots": np.asarray(knots)}
    weights = bench.piece(trained, amplitude=AMPLITUDE, waves=WEIGHTS_OF, knots=knots, end=WEIGHTS_END)
    out |= {f"weights.{name}": value for name, value in weights.items()}
    out["marked"] = np.array([np.argmin(np.abs(np.log(weights["t"][1:] / time))) + 1 for time in MARKED])
    coefficients = theory.sine_coefficient(np.arange(TERMS), WEIGHTS_OF, AMPLITUDE)
    out["shift"] = theory.shift(np.linspace(0.0, 1.0, 201), weights["t"][out["marked"]], coefficients)
    for j in WAVES:
        run = bench.piece(trained, amplitude=AMPLITUDE, waves=j, knots=knots, end=LATE)
        out |= {f"wave.{j}.t": run["t"], f"wave.{j}.risk": run["risk"]}
        out[f"wave.{j}.theory"] = expansion(AMPLITUDE, j, run["t"])
    k = np.arange(MODES)
    starts = {
        "box": (
            bench.piece(trained_knots, lower=LOWER, upper=UPPER, knots=knots, end=BOX_END),
            theory.box_coefficient(k, LOWER, UPPER),
        ),
        "near": (
            bench.piece(trained_cosine, eps=EPS, knots=NEAR_KNOTS, end=NEAR_END),
            theory.cosine_coefficient(k, EPS),
        ),
    }
    for name, (run, coefficients) in starts.items():
        out |= {f"{name}.t": run["t"], f"{name}.risk": run["risk"]}
        out[f"{name}.theory"] = theory.linearised_loss(run["t"], coefficients)
    return out


def _draw(data: Data) -> bytes:
    return to_png(lambda sheet: _sheet(sheet, data), width=10.0, height=8.6)


def _sheet(sheet: "Sheet", data: Data) -> None:
    (weights, losses), (minimum, ratio) = sheet.subplots(2, 2)
    _weights(weights, data)
    _losses(losses, data)
    _minimum(minimum, ratio, data)
    for axes in (weights, losses, minimum, ratio):
        axes.title.set_fontsize(11.5)


def _weights(axes: "Axes", data: Data) -> None:
    t, c, h = (data[f"weights.{name}"] for name in ("t", "c", "h"))
    every = max(1, c.shape[1] // 50)
    axes.plot(h[:, ::every], c[:, ::every], color="#999999", lw=0.7, zorder=1)
    grid = np.linspace(0.0, 1.0, data["shift"].shape[1])
    for i, (at, shift) in enumerate(zip(data["marked"], data["shift"], strict=True)):
        axes.plot(grid, -shift, color=colour(i), ls=dash(i), lw=1.5, zorder=2)
        look = {"color": colour(i), "marker": marker(i), "ms": 4.0, "ls": "", "zorder": 3}
        axes.plot(h[at, ::every], c[at, ::every], label=f"t = {t[at]:.4g}", **look)
    axes.plot([], [], color="k", ls="--", lw=1.5, label="theory -s(h, t)")
    axes.plot([], [], color="#999999", lw=0.9, label="trajectories")
    axes.set(xlabel="knot h", ylabel="charge c")
    axes.set_title(f"(a) weights, f = {AMPLITUDE:g} sin({WEIGHTS_OF}πx), N = {int(data['knots'])}")
    axes.legend(fontsize=9.5, loc="upper right")


def _losses(axes: "Axes", data: Data) -> None:
    for i, j in enumerate(WAVES):
        t, risk, exact = _curve(data, f"wave.{j}")
        axes.plot(t, exact, color=colour(i), ls=dash(1), lw=1.3)
        axes.plot(t, risk, color=colour(i), lw=1.9, marker=marker(i), ms=5, markevery=(i, 8), label=f"k = {j}")
    axes.plot([], [], color="k", ls=dash(1), lw=1.3, label="theory (26)")
    axes.set(xscale="log", yscale="log", xlabel="time t", ylabel="loss L", ylim=(1e-8, 6e-5), xlim=(3.0, LATE))
    axes.set_title(f"(b) losses, f = {AMPLITUDE:g} sin(kπx), N = {int(data['knots'])}")
    axes.legend(fontsize=9.5, loc="lower left")


def _minimum(axes: "Axes", ratio: "Axes", data: Data) -> None:
    names = {
        "box": f"$p_0$ = 2 on [{LOWER:g}, {UPPER:g}], N = {int(data['knots'])}",
        "near": f"$p_0$ = 1 + {EPS:g} cos 2πh, N = {NEAR_KNOTS}",
    }
    for i, (name, said) in enumerate(names.items()):
        t, risk, exact = _curve(data, name)
        axes.plot(t, risk, color=colour(i), lw=1.9, label=f"L, {said}")
        axes.plot(t, exact, color=colour(i), ls="", marker=marker(i), ms=4.5, markevery=3)
        ratio.plot(t, risk / exact, color=colour(i), lw=1.9, ls=("-", "--")[i], label=said)
    axes.plot([], [], "ko", ms=4.5, label="series (37)")
    axes.set(xscale="log", yscale="log", xlabel="time t", ylabel="loss L", title="(c) f = x²/2, unit (x - h)₊")
    axes.legend(fontsize=9.5, loc="lower left")
    ratio.axhline(1.0, color="k", lw=0.8)
    ratio.set(xscale="log", xlabel="time t", ylabel="loss / series (37)", ylim=(0.0, 2.3))
    ratio.set_title("(c), continued: the loss over the series")
    ratio.legend(fontsize=9.5, loc="upper left")


def _curve(data: Data, name: str) -> tuple[np.ndarray, ...]:
    """Without t = 0, which a logarithmic axis cannot show."""
    return tuple(data[f"{name}.{part}"][1:] for part in ("t", "risk", "theory"))


def left_at(data: Data, j: int, allowed: float = 0.1) -> float:
    """The first time shown at which (26) is off by more than 10 per cent of itself; infinite if never."""
    t, risk, exact = _curve(data, f"wave.{j}")
    off = np.flatnonzero(np.abs(risk / exact - 1.0) > allowed)
    return float(t[off[0]]) if len(off) else float("inf")


def _caption(data: Data) -> str:
    left = ", ".join(f"{left_at(data, j):.2g}" for j in WAVES)
    shares = ", ".join(f"{data[f'wave.{j}.risk'][-1] / data[f'wave.{j}.risk'][0]:.1g}" for j in WAVES)
    ratio = data["box.risk"][1:] / data["box.theory"][1:]
    near = data["near.risk"][1:] / data["near.theory"][1:]
    moved = float(np.max(np.abs(data["weights.h"][-1] - data["weights.h"][0])))
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
    ends = ", ".join(f"{data[f'wave.{j}.risk'][-1]:.1e}" for j in WAVES)
    return (
        "Four panels: weights leaving the line c = 0 in a wave; five falling losses on logarithmic axes, at the end "
        f"{ends} for k = 1 ... 5, each with the theory's dashed line above it; the loss without charges beside a "
        "series of exponentials, and the ratio of the two. " + _caption(data)
    )


FIGURE = Figure(
    name="fig3",
    title="Small charges: weights and losses; the linearisation near a global minimiser",
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
    cost=Cost(20.0, 30.0),
)
