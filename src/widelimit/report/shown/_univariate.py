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

from ..canvas import LIMIT, colour
from ..words import number
from ._card import new_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# By the sign of a neuron: colour and marker.
_SIGNS = ((1.0, colour(0), "o", "output > 0"), (-1.0, colour(1), "^", "output < 0"))
# A frame leaves out this share of the neurons that are farthest out.
_FAR = 0.01
# Places along each axis of a field.
_ARROWS = 19


def knots(problem: Problem, run: Any, axes: "Axes | None" = None) -> "Axes":
    r"""The network's function, its samples, and its knots $-b/a$ on the function.

        wl.report.knots(problem, trajectory).figure.savefig("knots.png")

    The title says by how much it misses the samples (root mean square), the legend how many knots lie in the frame.

    - `run`: particles, or a trajectory, whose end is drawn. `axes`: those of a new pyplot figure if left out.

    **Returns** the matplotlib axes. **Raises** `ValueError` unless phi is a piecewise-linear neuron of one input and
    output, on data with nodes.
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

    axes = new_axes() if axes is None else axes
    axes.set(xlabel="x", ylabel="f(x)", xlim=(low - margin, high + margin))
    axes.plot(grid, f, color=LIMIT, lw=2.0, label="network", zorder=2)
    label = f"knots ({len(seen)} of {len(places)} in the frame)"
    axes.plot(seen, np.interp(seen, grid, f), "o", mfc="none", mec=colour(2), ms=6, alpha=0.6, label=label, zorder=3)
    axes.plot(x, y, "x", color=colour(0), ms=9, mew=2.2, label="samples", zorder=4)
    missed = float(np.sqrt(np.mean((problem.predict(measure, x) - y) ** 2)))
    axes.set_title(f"misses the samples by {number(missed)}", fontsize="medium")
    axes.legend()
    return axes


def uv_plane(problem: Problem, run: Any, axes: "Axes | None" = None) -> "Axes":
    """The neurons at (u, v) = |c| (a, b), with the lines of the samples and the regions between them.

    On the line of a sample a neuron's knot is that sample; between two lines the same samples are seen. Arguments, what
    comes back and errors as in `knots`.
    """
    measure = _particles(run, "uv_plane")
    charge, w = planes(problem, measure, "uv_plane")
    uv = np.abs(charge)[:, None] * w
    limit = _limit(uv)
    axes = _plane(new_axes() if axes is None else axes, _samples(problem), limit)
    for sign, hue, mark, label in _SIGNS:
        those = charge * sign > 0
        axes.plot(*uv[those].T, mark, color=hue, ms=3.5, alpha=0.6, label=label, zorder=3)
    outside = int(np.sum(np.any(np.abs(uv) > limit, axis=1)))
    axes.set_title(f"{outside} of {len(uv)} neurons outside the frame", fontsize="medium")
    axes.legend()
    return axes


def neuron_paths(problem: Problem, trajectory: Any, axes: "Axes | None" = None, *, count: Any = 100) -> "Axes":
    """The ways of at most `count` neurons, evenly chosen, in the plane of `uv_plane`; where each ends is marked.

    One whose knot has reached a sample that holds it goes on along its line.

    **Returns** the axes as `knots` does. **Raises** `ValueError` for what is no trajectory of particles, and as `knots`
    does.
    """
    whole_number(count, "neuron_paths(count=...)", least=1)
    if not isinstance(trajectory, Trajectory):
        raise ValueError(f"neuron_paths(trajectory=...): expected a Trajectory, got {type(trajectory).__name__}.")
    found = [planes(problem, _particles(trajectory[i], "neuron_paths"), "neuron_paths") for i in range(len(trajectory))]
    some = np.unique(np.linspace(0, len(found[0][0]) - 1, min(count, len(found[0][0]))).astype(int))
    uv = np.stack([np.abs(charge[some])[:, None] * w[some] for charge, w in found])
    sign = np.sign(found[-1][0][some])

    axes = _plane(new_axes() if axes is None else axes, _samples(problem), _limit(uv.reshape(-1, 2)))
    for which, hue, mark, label in _SIGNS:
        those = sign == which
        axes.plot(uv[:, those, 0], uv[:, those, 1], color=hue, lw=0.9, alpha=0.7, zorder=2)
        axes.plot(*uv[-1, those].T, mark, color=hue, ms=4, label=f"{label}, at the end", zorder=3)
    moved = float(np.median(np.linalg.norm(uv[-1] - uv[0], axis=1)))
    end = number(float(trajectory.times[-1]))
    axes.set_title(f"{len(some)} neurons to t = {end}; half moved by more than {number(moved)}", fontsize="medium")
    axes.legend()
    return axes


def velocity_field(problem: Problem, run: Any, axes: "Axes | None" = None, *, sign: Any = 1) -> "Axes":
    r"""Where a single neuron would go, at every place of the plane of `uv_plane` (williams2019 (21)).

    At a place only r = c |(a, b)| is known; c is that of the median of delta over the neurons. Half-lines of samples
    that are attractors, from both sides, are drawn thick, repulsors dashed. The title has the length of the longest
    arrow a unit of time.

    - `sign`: 1 for neurons with an output above zero, -1 below.

    The other arguments, what comes back and errors as in `knots`, and as `analysis.attractors` has them.
    """
    if sign not in (1, -1):
        raise ValueError(f"velocity_field(sign=...): must be 1 or -1, got {sign!r}.")
    measure = _particles(run, "velocity_field")
    charge, w = planes(problem, measure, "velocity_field")
    limit, index = _limit(np.abs(charge)[:, None] * w), 0 if sign == 1 else 1
    side = np.linspace(-limit, limit, _ARROWS)
    place = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    place = place[np.linalg.norm(place, axis=1) > 1e-6 * limit]
    found, (_, hue, _, label) = _velocities(problem, measure, place, float(sign)), _SIGNS[index]
    axes = _plane(new_axes() if axes is None else axes, _samples(problem), limit)
    _mark(axes, attractors(problem, measure), index, limit)
    axes.quiver(*place.T, *found.T, color=hue, angles="xy", width=0.005, zorder=3)
    longest = float(np.max(np.linalg.norm(found, axis=1)))
    axes.set_title(f"{label}; the longest arrow is {number(longest)}", fontsize="medium")
    if axes.get_legend_handles_labels()[1]:
        axes.legend()
    return axes


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
        for k, (j, side) in enumerate(zip(*np.nonzero(found.kinds[:, sign] == kind), strict=True)):
            u, name = 3.0 * limit * (1.0 if side == 0 else -1.0), kind if k == 0 else None
            axes.plot([0.0, u], [0.0, -u * float(found.x[j])], color=hue, ls=dash, lw=width, label=name, zorder=2)


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
