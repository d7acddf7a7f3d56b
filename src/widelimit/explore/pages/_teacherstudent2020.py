"""teacherstudent2020, section 3: the levels of a wide residual network."""

import functools
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics import GradientFlow, integrators
from widelimit.measure import Particles
from widelimit.problem import Problem, activations, problems
from widelimit.problem.data import Samples

from .._axes import Axis, axis
from .._history import history
from .._items import Crosses, Dots, Growing, Moving
from .._page import Arrays, Page, Slider, Values, even
from .._sheet import Panel

DEPTH, WIDTH, LIMIT, END, _MOMENTS, SEEDS = 8, 16, 96, 10.0, 33, 4
X = np.random.default_rng(1).normal(size=(12, 2))
Y = np.tanh(X[:, ::-1])
_MEAN = np.array([[0.5, -0.3], [0.2, 0.4]])


@functools.cache
def _problem() -> Problem:
    """Eight levels; one without mass is the identity, so that fewer are the same problem."""
    return problems.wide_resnet(Samples(X, Y), depth=DEPTH, activation=activations.tanh)


def _start(width: int, spread: float, seed: int) -> Float[np.ndarray, "n D"]:
    """`width` particles on every level, one level after the other."""
    theta = _MEAN + spread * np.random.default_rng(seed).normal(size=(DEPTH, width, 2, 2))
    levels = np.repeat(np.arange(float(DEPTH)), width)
    return np.column_stack([theta.reshape(DEPTH * width, 4), levels])


def masses(depth: int, width: int, most: int) -> Float[np.ndarray, " n"]:
    """Total mass 1 on the first `width` particles of the first `depth` levels."""
    here = (np.arange(DEPTH) < depth)[:, None] & (np.arange(most) < width)
    return (here / (depth * width)).ravel().astype(float)


@eqx.filter_jit
def _trained(problem: Problem, rows: Any, weights: Any, rate: Any, times: Any) -> tuple[Array, Array, Array]:
    """Risks [T], and states [T, L + 1, n, 2] of the samples on the levels; whether the run came there."""
    flow = GradientFlow(integrators.RungeKutta4(rate))
    run = history(flow, problem, Particles(rows, weights, blocks=problem.blocks), times, most=5000)

    def seen(at: Array) -> tuple[Array, Array]:
        rho = Particles(at, weights, blocks=problem.blocks)
        return problem.risk(rho), _states(at, weights)

    risk, states = jax.lax.map(seen, run.positions)
    return risk, states, run.reached


def _states(rows: Array, weights: Array) -> Array:
    """X^0, ..., X^L: X^(l+1) = X^l + SUM over level l of w tanh(theta X^l)."""
    theta, w = rows[:, :4].reshape(DEPTH, -1, 2, 2), weights.reshape(DEPTH, -1)

    def step(x: Array, level: Any) -> tuple[Array, Array]:
        new = x + jnp.einsum("n,nqi->qi", level[1], jnp.tanh(jnp.einsum("nij,qj->nqi", level[0], x)))
        return new, new

    _, after = jax.lax.scan(step, jnp.asarray(X), (theta, w))
    return jnp.concatenate([jnp.asarray(X)[None], after])


def _compute(values: Values, level: int) -> Arrays:
    depth, width, spread = int(values["depth"]), int(values["width"]), values["spread"]
    t = END * np.linspace(0.0, 1.0, _MOMENTS) ** 2
    step = jnp.asarray(values["step"])
    # At once a third of the particles stands for the limit.
    count = LIMIT if level else LIMIT // 3
    limit = _trained(_problem(), _start(count, spread, 1000), masses(depth, count, count), jnp.asarray(0.2), t)
    found = [
        _trained(_problem(), _start(WIDTH, spread, seed), masses(depth, width, WIDTH), step, t)
        for seed in range(SEEDS if level else 1)
    ]
    nets = [[np.asarray(part) for part in one] for one in found]
    came = int(np.sum(nets[0][2]))
    return {
        "t": t,
        "limit risk": np.asarray(limit[0]),
        "limit": np.asarray(limit[1])[:, : depth + 1],
        "risk": nets[0][0][:came],
        "network": nets[0][1][:came, : depth + 1],
        "ends": np.array([one[0][-1] for one in nets]),
        "particles": count,
        "width": width,
    }


def _draw(arrays: Arrays) -> tuple[Panel, ...]:
    """Each sample's way through the levels, and its target."""
    net, limit, t = arrays["network"], arrays["limit"], arrays["t"]
    reach = 1.08 * max(float(np.max(np.abs(part))) for part in (net, limit, Y))
    ways = []
    for k in range(len(X)):
        label = "limit" if k == 0 else None
        ways.append(Moving(limit[:, :, k, 0], limit[:, :, k, 1], "limit", label, dashed=True))
    for k in range(len(X)):
        label = f"network, {arrays['width']} a level" if k == 0 else None
        ways.append(Moving(net[:, :, k, 0], net[:, :, k, 1], "network", label))
    flat = net.reshape(len(net), -1, 2)
    dots = Dots(flat[..., 0], flat[..., 1], "network", "its levels", 2.5)
    through = Panel(
        "Twelve inputs on their way through the levels",
        Axis("X₁", -reach, reach),
        Axis("X₂", -reach, reach),
        (*ways, dots, Crosses(Y[:, 0], Y[:, 1], "target", "targets")),
    )
    sides = Axis("time t", 0.0, END), axis("risk R", [0.0], arrays["limit risk"], arrays["risk"])
    curves = (
        Growing(t, arrays["limit risk"], "limit", "limit", dashed=True),
        Growing(t[: len(net)], arrays["risk"], "network", "network"),
    )
    return through, Panel("Risk", sides[0], sides[1], curves)


def _caption(arrays: Arrays) -> str:
    ends = arrays["ends"]
    bar = 2.0 * np.std(ends, ddof=1) / len(ends) ** 0.5 if len(ends) > 1 else 0.0
    over = f" ({np.mean(ends):.3f} ± {bar:.1g} over {len(ends)} draws, two standard errors)" if len(ends) > 1 else ""
    return (
        f"{arrays['network'].shape[1] - 1} levels of {arrays['width']} particles each: at t = {END:g} the network has "
        f"the risk {arrays['risk'][-1]:.3f}{over}, the limit, by {arrays['particles']} a level, "
        f"{arrays['limit risk'][-1]:.3f}."
    )


def _alt(arrays: Arrays) -> str:
    return (
        "Left: twelve broken lines, one an input, that lead over the levels towards green crosses, of the network and, "
        f"dashed, of the limit. Right: the risk over time, from {arrays['risk'][0]:.2f} to "
        f"{arrays['risk'][-1]:.3f} for the network."
    )


levels = Page(
    name="teacherstudent2020/levels",
    title="The levels of a wide residual network",
    question="What do the levels of a residual network do to its inputs, and what does width change?",
    text=r"""
A residual network moves its input level by level, $X^{l+1} = X^l + \int_{\text{level } l} \tanh(\theta X^l)\,d\rho$,
all levels together of mass 1; the last state is the prediction. Each line is one input on its way to its target, each
dot a level. Training moves all matrices $\theta$ at once, along the gradient flow.

With more levels each of them does less, and the ways become smooth curves. With more particles on a level networks of
independent starts become alike: their risks come together as $1/N$.
""",
    sliders=(
        Slider("depth", "L, levels", tuple(float(k) for k in range(1, DEPTH + 1)), 4.0, "One after the other."),
        Slider("width", "N, particles a level", (1.0, 2.0, 4.0, 8.0, 16.0), 4.0, "The limit is N = ∞."),
        Slider("spread", "spread of the start", even(0.1, 1.5, 15), 0.7, "Entries of θ: their standard deviation."),
        Slider(
            "step", "step of the network's training", (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0), 0.2,
            "Of a Runge-Kutta method of order 4, in units of t: what is too long shows.",
        ),
    ),
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
)  # fmt: skip
