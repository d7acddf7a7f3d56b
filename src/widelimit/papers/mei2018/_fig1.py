"""Fig. 1: the distribution of r = |w| along SGD and along the reduced equation (13), and the claims that go with it."""

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from widelimit import analysis
from widelimit.measure import Particles
from widelimit.report.canvas import colour, to_png

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding
from .._kit._figures import Figure
from ._isotropic import NEURONS, cells, characteristics, limit, network, short, small

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

PROBLEM: dict[str, Any] = {"delta": 0.8, "d": 40, "sigma": "ramp", "kappa": 0.8}
# Not printed; the first two while the neurons move together, the last two after the flow has split them.
TIMES = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0]
_BINS = 30
# Between the two parts of the mass after the split.
_SPLIT = 0.5


def _network(bench: Bench, seed: int) -> Data:
    step = bench.pick(quick=1e-5, paper=1e-6)
    return bench.piece(network, **PROBLEM, step=step, times=TIMES, samples=20_000, seed=seed)


def _cells(bench: Bench) -> tuple[Data, Data]:
    """The finite volumes on a grid and on one of half the width."""
    counts = bench.pick(quick=(400, 800), paper=(1600, 3200))
    coarse, fine = (bench.piece(cells, **PROBLEM, times=TIMES, count=count) for count in counts)
    return coarse, fine


def _limit(bench: Bench) -> Data:
    return bench.piece(limit, **PROBLEM, times=TIMES, rtol=bench.pick(quick=1e-6, paper=1e-9))


def _particles(bench: Bench, *, half: bool = False) -> Data:
    """The particles that carry the density; half as many, to see what their number changes."""
    count = bench.pick(quick=400, paper=1600) // (2 if half else 1)
    return bench.piece(characteristics, **PROBLEM, times=TIMES, count=count)


def _compute(bench: Bench) -> Data:
    run, exact = _network(bench, 0), _particles(bench)
    line = {key: exact[key] for key in ("t", "places", "density")}
    return {**line, "limit_risk": exact["risk"], **{key: run[key] for key in ("radii", "risk", "error", "steps")}}


def _draw(data: Data) -> bytes:
    return to_png(lambda sheet: _sheet(sheet, data), width=10.5, height=6.0)


def _sheet(sheet: "Sheet", data: Data) -> None:
    panels = np.ravel(sheet.subplots(2, 3))
    for k, axes in enumerate(panels, 1):
        radii, places = data["radii"][k], data["places"][k]
        low, high = _range(radii)
        heights, _, _ = axes.hist(
            radii, bins=np.linspace(low, high, _BINS + 1), density=True, color=colour(4), alpha=0.55, label="SGD"
        )
        axes.plot(places, data["density"][k], color="black", lw=1.8, label="equation (13)")
        axes.set(xlim=(low, high), ylim=(0.0, 1.25 * np.max(heights)), title=f"t = {data['t'][k]:g}")
        axes.title.set_fontsize(13)
        if low == 0.0:
            near = (float(np.mean(r < _SPLIT)) for r in (radii, places))
            said = "mass below 0.5:\nSGD {:.3f}, (13) {:.3f}".format(*near)
            axes.text(0.09, 0.93, said, transform=axes.transAxes, va="top", fontsize=11)
        if k > 3:
            axes.set_xlabel("|w|")
        if k % 3 == 1:
            axes.set_ylabel("density of neurons")
    handles, labels = panels[0].get_legend_handles_labels()
    sheet.legend(handles, labels, loc="outside lower center", ncols=2)
    sheet.suptitle(_made(data), fontsize=12)


def _range(radii: Float[np.ndarray, " N"]) -> tuple[float, float]:
    """From 0 where neurons have returned there."""
    return 0.0 if radii[0] < _SPLIT else 0.95 * float(radii[0]), 1.05 * float(radii[-1])


def _step(data: Data) -> str:
    return short(float(data["t"][-1]) / int(data["steps"]))


def _made(data: Data) -> str:
    made = f"N = {NEURONS}, ε = {_step(data)}, {int(data['steps']):,} steps"
    return f"Δ = 0.8, d = 40. Histograms: one run of SGD, {made}"


def _caption(data: Data) -> str:
    rows = zip(data["t"][1:], data["risk"][1:], data["limit_risk"][1:], strict=True)
    risks = ", ".join(f"{a:.4f} and {b:.4f} at t = {t:g}" for t, a, b in rows)
    return (
        "The neurons move outwards together, stall near a risk of 1 and then split: a part returns to r = 0.07, where "
        "its narrow peak leaves the picture, the rest moves on. Risk of the network and of the equation: "
        f"{risks}; the standard error of the former is {float(np.max(data['error'])):.1g} at most. The times are not "
        f"printed in the paper. Its step is 1e-6, here it is {_step(data)}: already at 1e-5 a network differs from the "
        "equation by no more than networks differ from each other (claim fig1-radii)."
    )


def _alt(data: Data) -> str:
    middle = [float(np.median(row)) for row in data["radii"]]
    return (
        "Six panels with the density of |w|, the histogram of a trained network under the curve of the equation: one "
        f"peak moves from {middle[1]:.2f} at t = {data['t'][1]:g} to {middle[4]:.2f} at t = {data['t'][4]:g}; later a "
        "narrow peak near 0 and a wide one further out."
    )


FIGURE = Figure(
    name="fig1",
    title="Evolution of the radial distribution for the isotropic Gaussians, Δ = 0.8",
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
    cost=Cost(25.0, 240.0),
)


def _deciles(data: Data) -> Float[np.ndarray, "T 9"]:
    return data["radii"][:, (NEURONS // 10) * np.arange(1, 10)]


def _solvers(bench: Bench) -> Finding:
    """(13) by three methods; each deviation in units of what its own discretisation explains."""
    exact, (coarse, fine) = _limit(bench), _cells(bench)
    few, many = _particles(bench, half=True), _particles(bench)
    computed: dict[str, float] = {}
    for k, t in enumerate(TIMES, 1):
        computed |= {f"risk, t = {t:g}": float(exact["risk"][k]), f"median r, t = {t:g}": float(_deciles(exact)[k, 4])}
    worst = 0.0
    for name, rough, good in (("finite volumes", coarse, fine), ("particles", few, many)):
        risk, radii = (_largest(good[key] - exact[key]) for key in ("risk", "radii"))
        computed |= {f"{name}, risk off by": risk, f"{name}, mean |r| off by": radii}
        allowed = (_largest(good[key] - rough[key]) for key in ("risk", "radii"))
        worst = max(worst, *(off / change for off, change in zip((risk, radii), allowed, strict=True)))
    return Finding(computed, worst)


def _largest(apart: Float[np.ndarray, "T ..."]) -> float:
    """Over the times; of quantiles, the mean over the levels (the distance W_1)."""
    return float(np.max(np.mean(np.abs(apart.reshape(len(apart), -1)), axis=1)))


def _runs(bench: Bench) -> list[Data]:
    return [_network(bench, seed) for seed in range(bench.pick(quick=4, paper=6))]


def distance_in_errors(
    runs: Float[np.ndarray, "S T N"], exact: Float[np.ndarray, "T N"]
) -> tuple[Float[np.ndarray, " T"], float]:
    r"""$\sqrt{S}\,|\bar X - X| / s$ at each time, and the point that it passes by chance in one case of twenty.

    |.| is the norm in L^2(0, 1) of quantile functions, that is W_2; $\bar X$ the mean of S runs and s^2 their variance.
    Where one mode fluctuates, as where only the place of the split does, this is Student's |t| with S - 1 degrees of
    freedom, and smaller where there are more.
    """
    from scipy.special import stdtrit

    count = len(runs)
    spread = np.mean(np.var(runs, axis=0, ddof=1), axis=1)
    apart = np.mean((np.mean(runs, axis=0) - exact) ** 2, axis=1)
    return np.sqrt(count * apart / spread), float(stdtrit(count - 1, 0.975))


def _radii(bench: Bench) -> Finding:
    runs, exact = np.stack([run["radii"] for run in _runs(bench)]), _limit(bench)["radii"]
    errors, chance = distance_in_errors(runs, exact)
    far = np.sqrt(np.mean((runs - exact) ** 2, axis=(0, 2)))
    computed = {f"standard errors, t = {t:g}": float(errors[k]) for k, t in enumerate(TIMES, 1)}
    computed |= {f"W_2 of a run from the limit, t = {t:g}": float(far[k]) for k, t in enumerate(TIMES, 1)}
    computed["exceeded by chance in 5 % of cases"] = chance
    return Finding(computed, float(np.max(errors[1:])) / chance)


def _risk(bench: Bench) -> Finding:
    """By how much E R_N lies outside [R, R + width term], in standard errors."""
    runs, exact = _runs(bench), _limit(bench)
    risks = np.stack([run["risk"] for run in runs])
    mean = np.mean(risks, axis=0)
    error = np.sqrt(np.var(risks, axis=0, ddof=1) / len(runs) + np.mean([run["error"] ** 2 for run in runs], axis=0))
    problem = small(PROBLEM["delta"], PROBLEM["d"])
    width = [_width(problem, row) for row in exact["radii"]]
    excess = mean - exact["risk"]
    outside = np.maximum(np.maximum(excess - width, -excess), 0.0) / error
    computed: dict[str, float] = {}
    for k, t in enumerate(TIMES, 1):
        computed |= {
            f"R, t = {t:g}": float(exact["risk"][k]),
            f"R_N - R, t = {t:g}": float(excess[k]),
            f"its error, t = {t:g}": float(error[k]),
            f"independent neurons, t = {t:g}": float(width[k]),
        }
    return Finding(computed, float(np.max(outside[1:])))


def _width(problem: Any, radii: Float[np.ndarray, " N"]) -> float:
    """(INT U(th, th) d rho - INT INT U)/N of the full network; every eighth quantile is enough for two digits."""
    return float(analysis.expected_risk(problem, Particles(radii[4::8, None])).variance.value) / NEURONS


CLAIMS = (
    Claim(
        id="fig1-solvers",
        statement="The reduced equation (13) can be solved numerically: finite volumes, the inverse distribution "
        "function and particles give one solution for Fig. 1.",
        where="(13), text after",
        printed=None,
        compute=_solvers,
        tolerance=1.0,
        reason="risk and quantiles at t = .1 to 10 against the inverse distribution function, in units of what halving "
        "the cells, or doubling the particles, changes; a method of order two is off by a third of that",
        cost=Cost(30.0, 120.0),
        digits=8,
    ),
    Claim(
        id="fig1-radii",
        statement="The empirical results match closely the predictions of the equation (13): the distribution of |w|.",
        where="text on Fig. 1",
        printed=None,
        compute=_radii,
        tolerance=1.0,
        reason="W_2 between the mean quantile function of independent runs of SGD and the limit, in standard "
        "errors, over what chance exceeds in one case of twenty (Student's t)",
        cost=Cost(40.0, 420.0),
        digits=3,
    ),
    Claim(
        id="fig1-risk",
        statement="The same for the risk: R_N - R lies between 0 and (INT U(theta, theta) d rho - INT INT U)/N, its "
        "mean for N independent neurons.",
        where="text on Fig. 1, with (5) and Proposition 1",
        printed=None,
        compute=_risk,
        tolerance=3.0,
        reason="by how many standard errors of the mean of the runs it lies outside; the training makes the neurons' "
        "fluctuations smaller, so the whole is an upper end",
        cost=Cost(10.0, 10.0),
        digits=4,
    ),
)
