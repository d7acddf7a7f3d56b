"""Fig. 2: local trajectories of single neurons for three values of delta."""

from typing import Any

import numpy as np

from widelimit.measure import Particles
from widelimit.problem import problems

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, arrow, curve, legend_below, marks, title
from ..runs._networks import flow
from ._panels import SIGNS, plane

# Not printed: the three values, the starts on a circle of radius 1, and how long.
_DELTAS, _COUNT, _SAVES = (-30.0, 0.0, 30.0), 12, 40
PARAMETERS = (
    Parameter("deltas", _DELTAS, "of the neurons of each panel", -1000.0, 1000.0, counts=(2, 4)),
    Parameter("starts", _COUNT, "neurons of each sign", 2, 60),
)
# Motion of the fastest kind, S |grad L~| t.
_LONG = 0.9
# So little mass that the neurons do not move the network.
_LIGHT = 1e-12


def local(delta: float, count: int = _COUNT) -> Data:
    """Paths [T, n, 2] in (r, theta) of neurons of next to no mass, of both signs, under a constant gradient.

    One sample at x = 0 with the label 1, prediction 0: every neuron that sees it (v > 0) feels grad L~ = (0, -1) in
    (u, v), times the sign of r.
    """
    problem = problems.canonical_relu(np.zeros(1), np.ones(1), delta=delta)
    angle = (np.arange(count) + 0.5) * np.pi / count
    rows = np.concatenate([np.stack([np.full(count, side), angle], axis=1) for side in (1.0, -1.0)])
    rest = np.array([[0.0, 1.5 * np.pi]])
    weights = np.append(np.full(2 * count, _LIGHT), 1.0 - 2 * count * _LIGHT)
    start = problem.start(Particles(np.concatenate([rows, rest]), weights, blocks=problem.blocks[:2]))
    end = _LONG / np.hypot(delta, 2.0)
    run = flow(problem, start, np.linspace(0.0, end, _SAVES + 1), end / 2000)
    return {"delta": delta, "t": run.times, "paths": run.positions[:, :-1, :2]}


def turns(one: Data) -> float:
    """The largest angle by which a neuron with r > 0 turned."""
    up = one["paths"][0, :, 0] > 0.0
    return float(np.max(np.abs(one["paths"][-1, up, 1] - one["paths"][0, up, 1])))


def _compute(bench: Bench) -> Data:
    deltas, more = bench.value("deltas", _DELTAS), bench.given(count="starts")
    return {"runs": [bench.piece(local, delta=delta, **more) for delta in deltas]}


def _caption(data: Data) -> str:
    turned = ", ".join(f"{turns(one):.2g}" for one in data["runs"])
    return (
        "Neurons on a circle of radius 1 under a constant gradient, in the frame in which it points down: those with r "
        "> 0 (circles) are driven up, those with r < 0 (triangles) down. For δ far below 0 they move along the radius "
        "and may pass through the origin, where r changes its sign; for δ far above 0 they move parallel to the "
        f"gradient, and stop where they cease to see the sample (v = 0) or at the origin. They turn by at most "
        f"{turned} radians. Chosen here: the three δ, the starts, and the time 0.9/√(δ² + 4)."
    )


def _alt(data: Data) -> str:
    return (
        "Three planes with paths from a half circle: straight along the radius; curved; and parallel, straight up or "
        f"down. The largest turn is {turns(data['runs'][0]):.2g}, {turns(data['runs'][1]):.2g} and "
        f"{turns(data['runs'][2]):.2g} radians."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(11.0, 5.3), cost=Cost(10.0), parameters=PARAMETERS)
def fig2(sheet: Sheet, data: Data) -> None:
    """The value of delta interpolates between radial and parallel local trajectories."""
    for axes, one in zip(sheet.subplots(1, len(data["runs"]), sharex=True, sharey=True), data["runs"], strict=True):
        _panel(axes, one)
        title(axes, f"$\\delta$ = {float(one['delta']):g}", 12)
    axes.figure.axes[0].set_ylabel(r"along $-\nabla\tilde L$ of r > 0")
    legend_below(sheet, axes, 2)
    sheet.suptitle(r"Single neurons under a constant gradient, $\alpha(m) = m$", fontsize=12)


def _panel(axes: Any, one: Data) -> None:
    paths = one["paths"]
    for side, (tint, shape, name) in zip((1.0, -1.0), SIGNS, strict=True):
        way = plane(paths[:, side * paths[0, :, 0] > 0.0])
        for k in range(way.shape[1]):
            curve(axes, *way[:, k].T, tint=tint, lw=1.4)
            if np.max(np.ptp(way[:, k], axis=0)) > 0.05:
                arrow(axes, *way[:, k].T, tint=tint, mutation_scale=13)
        marks(axes, *way[0].T, tint=tint, marker=shape, ms=5, mfc="white", zorder=4, label=f"start, {name}")
    axes.axhline(0.0, color="#999999", lw=1.0)
    axes.set(aspect="equal", xlim=(-1.6, 1.6), ylim=(-0.35, 2.75), xlabel=r"across $\nabla\tilde L$")
