r"""Pictures of networks of one input: the function with its knots, and the neurons in the plane (williams2019, 2.3).

A neuron $c\,\sigma(a x + b)$ is drawn at $(u, v) = |c| (a, b)$ in the colour of the sign of c, which is
$|r| (\cos, \sin)$ of its angle in canonical parameters; sample x_j is the line $u x_j + v = 0$.
"""

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.analysis import Attractors, attractors
from widelimit.measure import Particles
from widelimit.numerics import whole_number
from widelimit.problem import Problem
from widelimit.problem.units import lifted
from widelimit.trajectory import Trajectory

from .canvas import LIMIT, add_legend, colour, to_png
from .pages import Picture
from .words import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# By the sign of a neuron: colour and marker.
_SIGNS = ((1.0, colour(0), "o", "output > 0"), (-1.0, colour(1), "^", "output < 0"))
# A frame leaves out this share of the neurons that are farthest out.
_FAR = 0.01
# Places along each axis of a field.
_ARROWS = 19


def knots(problem: Problem, run: Any) -> Picture:
    r"""The network's function, its samples, and its knots $-b/a$ on the function.

    - `run`: particles, or a trajectory, whose end is drawn.

    Raises `ValueError` unless phi is a piecewise-linear neuron of one input and output, on data with nodes.
    """
    measure = _particles(run, "knots")
    _, w = planes(problem, measure, "knots")
    nodes = problem.data.nodes
    assert nodes is not None
    assert problem.unit.pieces is not None
    x, y = np.asarray(nodes.x[:, 0]), np.asarray(nodes.y)
    low, high = float(x.min()), float(x.max())
    margin = 0.15 * (high - low) or 1.0
    bent = w[:, 0] != 0
    places = np.concatenate([(float(t) - w[bent, 1]) / w[bent, 0] for t in problem.unit.pieces.knots])
    seen = places[(places >= low - margin) & (places <= high + margin)]
    grid = np.unique(np.concatenate([np.linspace(low - margin, high + margin, 801), seen]))
    f = np.asarray(problem.predict(measure, grid))

    def draw(figure: "Figure") -> None:
        axes = figure.add_subplot()
        axes.set(xlabel="x", ylabel="f(x)", xlim=(low - margin, high + margin))
        axes.plot(grid, f, color=LIMIT, lw=2.0, label="network", zorder=2)
        if len(seen):
            heights = np.interp(seen, grid, f)
            axes.plot(seen, heights, "o", mfc="none", mec=colour(2), ms=6, alpha=0.6, label="knots", zorder=3)
        axes.plot(x, y, "x", color=colour(0), ms=9, mew=2.2, label="samples", zorder=4)
        add_legend(axes)

    caption = (
        f"The network and its knots: {len(seen)} of {len(places)} lie in the frame. It misses the samples by "
        f"{number(float(np.sqrt(np.mean((problem.predict(measure, x) - y) ** 2))))} (root mean square)."
    )
    alt = (
        f"A piecewise-linear curve over x between {number(low - margin)} and {number(high + margin)}, from "
        f"{number(float(f.min()))} to {number(float(f.max()))} in height, with {len(x)} crosses for samples and "
        f"{len(seen)} circles for knots on the curve."
    )
    return Picture("knots", to_png(draw), caption, alt)


def uv_plane(problem: Problem, run: Any) -> Picture:
    """The neurons in the plane of their weights, with the lines of the samples and the regions between them.

    `run` and errors as in `knots`.
    """
    measure = _particles(run, "uv_plane")
    charge, w = planes(problem, measure, "uv_plane")
    uv = np.abs(charge)[:, None] * w
    limit = _limit(uv)
    outside = int(np.sum(np.any(np.abs(uv) > limit, axis=1)))

    def draw(figure: "Figure") -> None:
        axes = _plane(figure.add_subplot(), _samples(problem), limit)
        for sign, hue, mark, label in _SIGNS:
            those = charge * sign > 0
            axes.plot(*uv[those].T, mark, color=hue, ms=3.5, alpha=0.6, label=label, zorder=3)
        add_legend(axes)

    caption = (
        "Each neuron at (u, v) = |c| (a, b). On the line of a sample its knot is that sample; between two lines the "
        f"same samples are seen. {outside} of {len(uv)} neurons lie outside the frame."
    )
    counts = [int(np.sum(charge * sign > 0)) for sign in (1, -1)]
    alt = (
        f"{counts[0]} dots and {counts[1]} triangles around the origin, and {len(_samples(problem))} lines through it."
    )
    return Picture("uv-plane", to_png(draw, 5.6, 5.4), caption, alt)


def neuron_paths(problem: Problem, trajectory: Any, *, count: Any = 100) -> Picture:
    """The ways of at most `count` neurons, evenly chosen, in the plane of `uv_plane`; where each ends is marked.

    Raises `ValueError` for what is no trajectory of particles, and as `knots` does.
    """
    whole_number(count, "neuron_paths(count=...)", least=1)
    if not isinstance(trajectory, Trajectory):
        raise ValueError(f"neuron_paths(trajectory=...): expected a Trajectory, got {type(trajectory).__name__}.")
    found = [planes(problem, _particles(trajectory[i], "neuron_paths"), "neuron_paths") for i in range(len(trajectory))]
    some = np.unique(np.linspace(0, len(found[0][0]) - 1, min(count, len(found[0][0]))).astype(int))
    uv = np.stack([np.abs(charge[some])[:, None] * w[some] for charge, w in found])
    sign = np.sign(found[-1][0][some])

    def draw(figure: "Figure") -> None:
        axes = _plane(figure.add_subplot(), _samples(problem), _limit(uv.reshape(-1, 2)))
        for which, hue, mark, label in _SIGNS:
            those = sign == which
            axes.plot(uv[:, those, 0], uv[:, those, 1], color=hue, lw=0.9, alpha=0.7, zorder=2)
            axes.plot(*uv[-1, those].T, mark, color=hue, ms=4, label=f"{label}, at the end", zorder=3)
        add_legend(axes)

    moved = float(np.median(np.linalg.norm(uv[-1] - uv[0], axis=1)))
    caption = (
        f"The ways of {len(some)} neurons from t = 0 to {number(float(trajectory.times[-1]))}; half of them moved by "
        f"more than {number(moved)}. One whose knot has reached a sample that holds it goes on along its line."
    )
    alt = f"{len(some)} curves in the plane of the weights, each with a mark at its end, over lines through the origin."
    return Picture("neuron-paths", to_png(draw, 5.6, 5.4), caption, alt)


def velocity_field(problem: Problem, run: Any) -> Picture:
    r"""Where a single neuron would go, at every place of the plane, for both signs of its output (williams2019 (21)).

    At a place only r = c |(a, b)| is known; c is that of the median of delta over the neurons. Attractors, from both
    sides, are drawn thick, repulsors dashed. `run` and errors as in `knots`, and as `analysis.attractors` has them.
    """
    measure = _particles(run, "velocity_field")
    charge, w = planes(problem, measure, "velocity_field")
    limit = _limit(np.abs(charge)[:, None] * w)
    kinds = attractors(problem, measure)
    side = np.linspace(-limit, limit, _ARROWS)
    place = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    place = place[np.linalg.norm(place, axis=1) > 1e-6 * limit]
    fields = [_velocities(problem, measure, place, sign) for sign, *_ in _SIGNS]
    largest = max(float(np.max(np.linalg.norm(field, axis=1))) for field in fields) or 1.0

    def draw(figure: "Figure") -> None:
        for index, (axes, field) in enumerate(zip(figure.subplots(1, 2, sharey=True), fields, strict=True)):
            _plane(axes, _samples(problem), limit)
            _mark(axes, kinds, index, limit)
            axes.quiver(*place.T, *field.T, color=_SIGNS[index][1], angles="xy", width=0.005, zorder=3)
            axes.set_title(_SIGNS[index][3], fontsize=12)
            axes.set_ylabel("v" if index == 0 else "")
        add_legend(*figure.axes)

    drawn = int(np.sum(kinds.kinds == "attractor"))
    caption = (
        f"The velocity (du/dt, dv/dt) of one neuron, the longest arrow {number(largest)} a unit of time. {drawn} of "
        "the half-lines of samples, by sign, are attractors: from both sides the arrows lead to them."
    )
    alt = f"Two panels of arrows in the plane, for outputs above and below zero; {drawn} half-lines are thick."
    return Picture("velocity-field", to_png(draw, 8.6, 5.0), caption, alt)


def planes(problem: Problem, measure: Particles, who: str) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, "N 2"]]:
    """c and (a, b) of all neurons. Raises `ValueError` where they are no piecewise-linear neurons of one input."""
    unit, data = problem.two_layer(who), problem.data
    if unit.pieces is None or data.inputs != 1 or data.outputs or data.nodes is None:
        raise ValueError(
            f"{who} draws piecewise-linear neurons of one input and one output on data with nodes; this problem has "
            f"units.{type(unit).__name__} of {data.inputs} inputs on data.{type(data).__name__}."
        )
    charge, a, b = (np.asarray(part) for part in jax.vmap(unit.ridge)(problem.unpack(measure)[0]))
    return charge, np.stack([a, b], axis=1)


def _particles(run: Any, who: str) -> Particles:
    measure = run.final if isinstance(run, Trajectory) else run
    if not isinstance(measure, Particles):
        raise ValueError(f"{who}(run): expected particles or a trajectory of particles, got {type(measure).__name__}.")
    return measure


def _samples(problem: Problem) -> Float[np.ndarray, " s"]:
    nodes = problem.data.nodes
    assert nodes is not None
    return np.unique(np.asarray(nodes.x[:, 0]))


def _limit(uv: np.ndarray) -> float:
    far = float(np.quantile(np.max(np.abs(uv), axis=1), 1.0 - _FAR))
    return 1.1 * far if far > 0 else 1.0


def _plane(axes: "Axes", x: np.ndarray, limit: float) -> "Axes":
    """The lines of the samples, and every other sector between them shaded."""
    angles = np.sort(np.concatenate([np.arctan2(-x, 1.0), np.arctan2(x, -1.0)]))
    far = 3.0 * limit
    for k in range(0, len(angles), 2):
        ends = angles[k], angles[(k + 1) % len(angles)] + (2.0 * np.pi if k + 1 == len(angles) else 0.0)
        arc = np.linspace(*ends, 33)
        axes.fill(np.append(0.0, far * np.cos(arc)), np.append(0.0, far * np.sin(arc)), color="#F0F0F0", lw=0, zorder=0)
    for place in x:
        axes.plot([-far, far], [far * place, -far * place], color="#AAAAAA", lw=0.9, zorder=1)
    axes.set(xlabel="u", ylabel="v", xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    axes.grid(False)
    return axes


def _mark(axes: "Axes", found: Attractors, sign: int, limit: float) -> None:
    """Attractors and repulsors among the half-lines, for neurons of one sign."""
    styles = {"attractor": (colour(2), "-", 3.0), "repulsor": (colour(3), "--", 2.0)}
    for kind, (hue, dash, width) in styles.items():
        for j, side in zip(*np.nonzero(found.kinds[:, sign] == kind), strict=True):
            u = 3.0 * limit * (1.0 if side == 0 else -1.0)
            axes.plot([0.0, u], [0.0, -u * float(found.x[j])], color=hue, ls=dash, lw=width, label=kind, zorder=2)


def _velocities(problem: Problem, measure: Particles, place: np.ndarray, sign: float) -> Float[np.ndarray, "K 2"]:
    """(du/dt, dv/dt) of neurons of a sign at places of the plane, in the potential of the measure."""
    theta, _ = problem.unpack(measure)
    template = jax.tree.map(lambda block: jnp.median(block, axis=0), theta)
    psi, (u, v) = problem.potential(measure), jnp.asarray(place).T
    balance = problem.unit.balance(template)
    delta = jnp.zeros(()) if balance is None else _median_delta(problem, theta)

    def there(u: Any, v: Any) -> Any:
        r, angle = sign * jnp.hypot(u, v), jnp.arctan2(v, u)
        if "angle" in template._fields:
            return template._replace(r=r, angle=angle)
        charge, length = lifted(r, delta)
        return problem.unit.from_plane(template, charge, length * jnp.stack([jnp.cos(angle), jnp.sin(angle)]))

    def at(u: Any, v: Any) -> Any:
        here = there(u, v)
        one = jax.tree.map(lambda block: block[None], here)
        slope = jax.tree.map(lambda block: block[None], jax.grad(psi.at)(here))
        drift = jax.tree.map(lambda block: block[0], problem.velocity(one, slope))

        def shown(theta: Any) -> Any:
            charge, a, b = problem.unit.ridge(theta)
            return jnp.abs(charge) * jnp.stack([a, b])

        return jax.jvp(shown, (here,), (drift,))[1]

    return np.asarray(jax.jit(jax.vmap(at))(u, v))


def _median_delta(problem: Problem, theta: Any) -> Any:
    balance: Any = jax.vmap(problem.unit.balance)
    outer, inner = balance(theta)
    return jnp.median(outer - inner)
