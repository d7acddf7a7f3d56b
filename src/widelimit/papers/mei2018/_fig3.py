"""Fig. 3: ReLU neurons with offset and output weight select the relevant variables (anisotropic Gaussians)."""

import math
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit._evolve import evolve
from widelimit.dynamics import SGD, GradientFlow, integrators, schedules
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, problems
from widelimit.report.canvas import add_legend, colour, dash, to_png
from widelimit.trajectory import Trajectory, observables

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding
from .._kit._figures import Figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

DIM, RELEVANT, SPREAD = 320, 60, 0.8
# Not printed; chosen so that the curves leave their plateau one after the other.
DELTAS = (0.2, 0.4, 0.6)
FIRST, END = 1e-2, 300.0
# xi(t) = t^(-1/4).
_SCHEDULE = schedules.power(0.25)
# The nodes a length of the spread start.
_NODES = 16


def _start() -> laws.Product:
    """a = b = 1 and w normal, in the lengths of its two parts (the spread breaks the symmetry of the neurons)."""
    radius = laws.Chi((RELEVANT, DIM - RELEVANT), SPREAD / math.sqrt(DIM))
    return laws.product(output=laws.Atom(1.0), radius=radius, bias=laws.Atom(1.0))


def _problem(delta: float, dim: float, relevant: int | None) -> Problem:
    return problems.anisotropic_gaussians(
        delta, dim, relevant, activation=activations.relu, bias=True, output_weight=True
    )


def _means(problem: Problem, measure: Particles) -> Any:
    """The means of a, b and the length of the relevant part of the weight."""
    theta, w = problem.unpack(measure)
    part = theta.radius[:, 0] if problem.symmetry else jnp.linalg.norm(theta.weight[:, :RELEVANT], axis=1)
    return jnp.stack([w @ theta.output, w @ theta.bias, w @ part])


def _seen(samples: int) -> tuple[observables.AbstractObservable, ...]:
    return observables.Risk(samples=samples), observables.Function("means", _means)


def limit(delta: float, end: float, count: int, nodes: int) -> Data:
    """The reduced flow at d = infinity from the spread start; `nodes` 0: from the point (mean lengths)."""
    small = _problem(delta, math.inf, None)
    start = _start().quantise(nodes, laws.Gauss()) if nodes else _point()
    times = np.geomspace(FIRST, end, count)
    flow = GradientFlow(integrators.Tsit5(1e-8, 1e-10), schedule=_SCHEDULE)
    return _curves(evolve(small, start, flow, t1=end, save_at=times, observe=_seen(2), progress=False))


def _point() -> Particles:
    full = _start().quantise(_NODES, laws.Gauss())
    return Particles((full.weights @ full.positions)[None], blocks=full.blocks)


def network(
    delta: float, neurons: int, step: float, batch: int, end: float, count: int, samples: int, seed: int
) -> Data:
    """One-pass SGD of the full network; the risk on fresh samples, with its standard error."""
    full = _problem(delta, DIM, RELEVANT)
    law = laws.product(
        output=laws.Atom(1.0), weight=laws.Normal(0.0, SPREAD / math.sqrt(DIM), dim=DIM), bias=laws.Atom(1.0)
    )
    first, second = jax.random.split(jax.random.key(seed))
    sgd = SGD(step, batch=batch, schedule=_SCHEDULE, dtype=jnp.float32)
    start = law.sample(neurons, key=first)
    times = np.geomspace(FIRST, end, count)
    run = evolve(full, start, sgd, t1=end, save_at=times, observe=_seen(samples), key=second, progress=False)
    return _curves(run)


def _curves(run: Trajectory) -> Data:
    error = run.observables.get("risk_error", np.zeros_like(run.risk))
    return {"t": run.times, "risk": run.risk, "error": error, "means": run.means, "steps": np.asarray(run.steps)}


def _settings(bench: Bench) -> dict[str, Any]:
    """Of the networks: what counts for the noise is step / batch, and the print's 2e-4 is too much of it.

    At 5e-4 the means of a and b end at half of the limit's, at 5e-5 near them.
    """
    if bench.pick(quick=True, paper=False):
        return {"neurons": 200, "step": 1e-3, "batch": 16, "end": 150.0, "count": 24, "samples": 4000}
    return {"neurons": 800, "step": 5e-5, "batch": 1, "end": 150.0, "count": 40, "samples": 20000}


def _compute(bench: Bench) -> Data:
    out: Data = {"deltas": np.asarray(DELTAS)}
    settings = _settings(bench)
    for k, delta in enumerate(DELTAS):
        pieces = {
            "limit": bench.piece(limit, delta=delta, end=END, count=200, nodes=_NODES),
            "sgd": bench.piece(network, delta=delta, seed=k, **settings),
        }
        out |= {f"{name}.{k}.{key}": value for name, piece in pieces.items() for key, value in piece.items()}
    out |= {key: np.asarray(settings[key]) for key in ("neurons", "step", "batch")}
    return out


def _draw(data: Data) -> bytes:
    return to_png(lambda sheet: _sheet(sheet, data), width=10.0, height=5.2)


def _sheet(sheet: "Sheet", data: Data) -> None:
    grid = sheet.add_gridspec(3, 2, width_ratios=(2.2, 1.0))
    main = sheet.add_subplot(grid[:, 0])
    sides = [sheet.add_subplot(grid[i, 1]) for i in range(3)]
    for k, delta in enumerate(data["deltas"]):
        line, dots = (_late(data, who, k) for who in ("limit", "sgd"))
        look = {"color": colour(k), "ls": "-" if k == 0 else dash(k - 1), "lw": 1.9}
        cross = {"color": colour(k), "ls": "", "marker": "+", "ms": 8, "mew": 1.6}
        main.plot(line["t"], line["risk"], label=f"Δ = {delta:g}", **look)
        main.errorbar(dots["t"], dots["risk"], 2.0 * dots["error"], elinewidth=1.0, **cross)
        for i, side in enumerate(sides):
            side.plot(line["t"], line["means"][:, i], **look)
            side.plot(dots["t"], dots["means"][:, i], **(cross | {"ms": 5, "mew": 1.1}))
    main.plot([], [], "k+", ms=8, mew=1.6, label="SGD (bars: 2 standard errors)")
    main.set(xscale="log", xlabel="time t", ylabel="risk R", ylim=(-0.05, None), title=_made(data))
    main.title.set_fontsize(11)
    add_legend(main)
    for side, name in zip(sides, ("mean a", "mean b", "mean $r_1$"), strict=True):
        side.set(xscale="log", ylabel=name)
        side.tick_params(labelsize=10)
    for side in sides[:2]:
        side.tick_params(labelbottom=False)
    sides[2].set_xlabel("time t")


def _late(data: Data, who: str, k: int) -> Data:
    """The curves of one Delta without t = 0, which a logarithmic axis cannot show."""
    return {name: data[f"{who}.{k}.{name}"][1:] for name in ("t", "risk", "error", "means")}


def _made(data: Data) -> str:
    steps = int(data["sgd.0.steps"])
    return (
        f"Lines: limit, d = ∞. Crosses: N = {int(data['neurons'])}, d = {DIM}, $s_0$ = {RELEVANT},\n"
        f"ε = {float(data['step']):g}, ξ = $t^{{-1/4}}$, {steps:,} steps {_batch(data)}"
    )


def _batch(data: Data) -> str:
    size = int(data["batch"])
    return "of one sample" if size == 1 else f"of {size} samples"


def _largest_gap(data: Data, k: int) -> float:
    """max |R_SGD - R_limit| from t = 1 until the limit's risk, interpolated in log t, is 1/2.

    Later it falls below what the network can reach at d = 320 (for the least Delta any predictor: `_floor`).
    """
    line, dots = (_late(data, who, k) for who in ("limit", "sgd"))
    exact = np.interp(np.log(dots["t"]), np.log(line["t"]), line["risk"])
    seen = (dots["t"] >= 1.0) & (exact >= 0.5)
    return float(np.max(np.abs(dots["risk"] - exact)[seen]))


def _floor(delta: float) -> float:
    """The least risk of any predictor: 1 - E E[y | x]^2, where |x_1| is all that tells the classes apart."""
    from scipy.stats import chi

    s = np.linspace(1e-3, 3.0 * math.sqrt(RELEVANT), 20001)
    plus, minus = (chi.pdf(s, RELEVANT, scale=1.0 + side * delta) for side in (1.0, -1.0))
    both = plus + minus
    square = np.where(both > 1e-300, (plus - minus) ** 2 / np.where(both > 1e-300, both, 1.0), 0.0)
    return 1.0 - 0.5 * float(np.trapezoid(square, s))


def _caption(data: Data) -> str:
    gaps = ", ".join(f"{_largest_gap(data, k):.2g} for Δ = {d:g}" for k, d in enumerate(data["deltas"]))
    least = float(data["deltas"][0])
    made = f"N = {int(data['neurons'])}, ε = {float(data['step']):g}, {int(data['sgd.0.steps']):,} steps {_batch(data)}"
    return (
        "The risk stays near 1 for long and then falls to nearly 0, the sooner the larger Δ. From t = 1 to the "
        f"middle of the fall the networks ({made}) are at most this far from the limit at d = ∞: {gaps}. "
        f"Afterwards they stay above it: at Δ = {least:g} and d = {DIM} no predictor can have a risk below "
        f"{_floor(least):.1g}, the rest is the noise of the steps and the width. The values of Δ are not printed "
        "in the paper. The first step is of size ε ξ(ε), as ξ(0) is infinite; at the printed ε = 2e-4 with one "
        "sample a step the noise of the first steps moves the means of a, b and r₁ away from the limit for good."
    )


def _alt(data: Data) -> str:
    ends = ", ".join(f"{data[f'limit.{k}.risk'][-1]:.1e} for Δ = {d:g}" for k, d in enumerate(data["deltas"]))
    return f"Risk over time on a logarithmic axis: plateaus near 1, then a fall; at the end {ends}. " + _caption(data)


FIGURE = Figure(
    name="fig3",
    title="Variable selection with ReLU neurons: risk and three means over time",
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
    cost=Cost(50.0, 1700.0),
)


def _small_risk(bench: Bench) -> Finding:
    ends = {d: bench.piece(limit, delta=d, end=END, count=200, nodes=_NODES)["risk"][-1] for d in DELTAS}
    return Finding({f"risk at Delta = {d:g}": float(r) for d, r in ends.items()}, float(max(ends.values())))


def _plateau(bench: Bench) -> Finding:
    """Decades of time spent with 0.9 <= R <= 1.05, the least over Delta."""
    decades = {}
    for delta in DELTAS:
        run = bench.piece(limit, delta=delta, end=END, count=200, nodes=_NODES)
        flat = (run["risk"][1:] >= 0.9) & (run["risk"][1:] <= 1.05)
        decades[delta] = float(np.sum(flat)) * math.log10(END / FIRST) / 199
    found = {f"decades at Delta = {d:g}": value for d, value in decades.items()}
    return Finding(found, max(0.0, 0.8 - min(decades.values())))


def _agreement(bench: Bench) -> Finding:
    data = _compute(bench)
    gaps = {d: _largest_gap(data, k) for k, d in enumerate(DELTAS)}
    return Finding({f"largest gap at Delta = {d:g}": g for d, g in gaps.items()}, max(gaps.values()))


def _point_stalls(bench: Bench) -> Finding:
    run = bench.piece(limit, delta=0.4, end=END, count=200, nodes=0)
    spread = bench.piece(limit, delta=0.4, end=END, count=200, nodes=_NODES)
    found = {"point start": float(run["risk"][-1]), "spread start": float(spread["risk"][-1])}
    return Finding(found, abs(found["point start"] - 0.5))


def _nodes_suffice(bench: Bench) -> Finding:
    coarse, fine = (bench.piece(limit, delta=0.4, end=END, count=200, nodes=n) for n in (_NODES, 2 * _NODES))
    gap = float(np.max(np.abs(coarse["risk"] - fine["risk"])))
    return Finding({"largest change of the risk": gap}, gap)


_WHERE = "Fig. 3 and the text before it"
CLAIMS = (
    Claim(
        id="fig3-small-risk",
        statement="From the spread start the limit of the ReLU network with offset and output weight reaches a "
        "very small risk.",
        where=_WHERE,
        printed="very small risk",
        compute=_small_risk,
        tolerance=1e-3,
        reason="the largest of the three risks at t = 300; a thousandth of the trivial predictor's",
        cost=Cost(20.0, 20.0),
        digits=3,
    ),
    Claim(
        id="fig3-flat-regions",
        statement="The convergence presents long flat regions: for most of a decade of time or more R is within "
        "[0.9, 1.05].",
        where=_WHERE,
        printed="long flat regions",
        compute=_plateau,
        tolerance=0.0,
        reason="0.8 decades at the least; the print has no number",
        cost=Cost(1.0, 1.0),
        digits=3,
    ),
    Claim(
        id="fig3-agreement",
        statement="SGD is well captured by the limit at d = infinity, down to the risk that d = 320 allows.",
        where=_WHERE,
        printed="well captured",
        compute=_agreement,
        tolerance=0.1,
        reason="largest difference of risks from t = 1 to the middle of the fall, which is steep: a shift of 8 % in "
        "time makes 0.1",
        cost=Cost(45.0, 1650.0),
        digits=3,
    ),
    Claim(
        id="fig3-spread-start",
        statement="A start at one point cannot break the symmetry between the neurons and stalls near risk 1/2; the "
        "spread start does not.",
        where="Fig. 3, the start",
        printed=None,
        compute=_point_stalls,
        tolerance=0.1,
        reason="distance of the stalled risk from 1/2; Delta = 0.4",
        cost=Cost(10.0, 10.0),
        digits=4,
    ),
    Claim(
        id="fig3-quadrature",
        statement="256 nodes of the spread start carry the limit's curve: four times as many do not move it.",
        where="Fig. 3, the solution of the reduced PDE",
        printed=None,
        compute=_nodes_suffice,
        tolerance=2e-3,
        reason="largest change of the risk over t; the pen is 5e-3 wide",
        cost=Cost(20.0, 20.0),
        digits=3,
    ),
)
