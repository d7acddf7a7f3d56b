"""Fig. 9: the field that one neuron feels at delta = infinity, and where neurons stick."""

import dataclasses
from typing import Any

import numpy as np

from widelimit import analysis
from widelimit.measure import Particles
from widelimit.problem import problems
from widelimit.report.canvas import colour

from ..._kit import Bench, Cost, Data, figure
from ..._kit._drawing import Axes, Sheet, curve, title
from ..runs._training import NEAR, given, network, parameters, samples
from ._panels import function_panel, legend_of, neurons_panel, reach_of, sample_lines

# Not printed: the start, and the time at which the field is drawn: while residuals are large.
_COUNT, _SIZE, _WIDTH, _SEED, _STEPS = 8, 4.0, 400, 5, 2000
_ARROWS = 21
PARAMETERS = tuple(
    dataclasses.replace(one, usual=_STEPS, quick=None) if one.name == "steps" else one
    for one in parameters(width=_WIDTH, size=_SIZE, samples=_COUNT, seed=_SEED)
)


def field(wave: str, count: int, size: float, width: int, seed: int, steps: int) -> Data:
    """A network after so many steps at delta = infinity, -grad V on a grid of the uv plane, and what the samples "
    "are."""
    run = network(wave, count, np.inf, size, width, seed, steps)
    x, y = samples(wave, count)
    problem = problems.canonical_relu(x, y, delta=np.inf)
    # As it is: `start` refuses neurons that came to r = 0.
    particles = Particles(run["end"], blocks=problem.blocks)
    reach = reach_of(run["end"])
    u, v = (part.ravel() for part in np.meshgrid(*2 * [np.linspace(-0.95, 0.95, _ARROWS) * reach]))
    r, angle = np.hypot(u, v), np.mod(np.arctan2(v, u), 2.0 * np.pi)
    some = r > 1e-9
    slope = np.zeros((len(r), 2))
    slope[some] = problem.potential(particles).gradient(np.stack([r, angle], axis=1)[some])
    # For r > 0: -dV/dr d - (1/r) dV/dtheta t.
    turn = slope[:, 1] / np.where(some, r, 1.0)
    field = -np.stack(
        [slope[:, 0] * np.cos(angle) - turn * np.sin(angle), slope[:, 0] * np.sin(angle) + turn * np.cos(angle)], axis=1
    )
    found = analysis.attractors(problem, particles, tol=NEAR)
    names = ("x", "y", "end", "places", "f", "risk", "sticking", "share")
    return {name: run[name] for name in names} | {
        "u": u,
        "v": v,
        "field": field,
        "kinds": found.kinds,
        "knots": found.knots,
        "reach": reach,
    }


def field_of(bench: Bench) -> Data:
    """That of the figure and of the claim."""
    usual = {"count": _COUNT, "size": _SIZE, "width": _WIDTH, "seed": _SEED, "steps": _STEPS}
    return bench.piece(field, wave="square", **usual | given(bench) | bench.given(steps="steps"))


def _rays(data: Data, kind: str, sign: int) -> list[tuple[float, float]]:
    """Directions of the rays, one a sample and side, that are of this kind to neurons of this sign of r."""
    found = []
    for side, turn in ((0, 0.0), (1, np.pi)):
        found += [turn - np.arctan(x) for x in data["x"][data["kinds"][:, sign, side] == kind]]
    return [(float(np.cos(angle)), float(np.sin(angle))) for angle in found]


def _count(data: Data, kind: str) -> int:
    return int(np.sum(data["kinds"] == kind))


def _caption(data: Data) -> str:
    on = int(np.sum(data["knots"][data["kinds"] == "attractor"]))
    stuck = int(np.sum(data["knots"][data["kinds"] == "outermost"]))
    return (
        "Above: the velocity (21), with its minus sign, of a neuron with r > 0 and of one with r < 0, at δ = +∞, where "
        "it is -∇L̃ in (u, v); arrows of one length, dots where it is 0. It jumps at the sample lines: thick rays "
        f"attract, dashed ones repel ({_count(data, 'attractor')} and {_count(data, 'repulsor')} of 4s = "
        f"{data['kinds'].size} rays and signs). Below: the function and the neurons at that time: {on} neurons lie "
        f"within {NEAR:g} of an attractor of their sign and side, {stuck} on outermost samples. Chosen here: "
        f"{len(data['x'])} samples of a square wave, {len(data['end'])} neurons, r ~ N(0, {_SIZE:g}²), {_STEPS} steps; "
        f"the loss is then {data['risk'][-1]:.2g}."
    )


def _alt(data: Data) -> str:
    return (
        "Two fields of arrows that change their direction at lines through the origin, some rays thick, some dashed; a "
        "curve with circles that cluster at crosses; and points in a plane, many of them along the rays."
    )


def _field(axes: Axes, data: Data, sign: int) -> None:
    reach = float(data["reach"])
    sample_lines(axes, data["x"], reach)
    side = (1.0, -1.0)[sign]
    length = np.maximum(np.hypot(*data["field"].T), 1e-300)[:, None]
    arrows: Any = side * data["field"] / length * (np.hypot(*data["field"].T) > 0.0)[:, None]
    axes.quiver(data["u"], data["v"], *arrows.T, color="#444444", scale=32.0, width=0.003, pivot="mid", zorder=2)
    for kind, look in (("attractor", {"lw": 3.2, "ls": "-"}), ("repulsor", {"lw": 2.4, "ls": (0, (2, 1.5))})):
        for k, (a, b) in enumerate(_rays(data, kind, sign)):
            name = f"{kind}, r {'><'[sign]} 0" if k == 0 else None
            curve(axes, [0.0, 3.0 * reach * a], [0.0, 3.0 * reach * b], colour(sign), label=name, zorder=3, **look)
    title(axes, f"velocity of a neuron with r {'><'[sign]} 0")


@figure(field_of, caption=_caption, alt=_alt, size=(11.0, 10.6), cost=Cost(15.0), parameters=PARAMETERS)
def fig9(sheet: Sheet, data: Data) -> None:
    """The field felt by a neuron, attractors and repulsors, and where neurons stick."""
    (plus, minus), (left, right) = sheet.subplots(2, 2)
    _field(plus, data, 0)
    _field(minus, data, 1)
    function_panel(left, data["x"], data["y"], data["end"], data["places"], data["f"])
    left.set(xlabel="x", ylabel="f(x)")
    title(left, f"network function, m = {len(data['end'])}")
    neurons_panel(right, data["end"], data["x"], float(data["reach"]), size=4.0)
    title(right, "neurons in uv")
    legend_of(sheet, (left, right, plus, minus), 5)
