"""Trained networks, as pieces."""

from typing import Any

import numpy as np

from widelimit import analysis
from widelimit.problem import problems, scales

from ..._kit import Bench, Data, Parameter
from ._networks import drawn, flow, measure, share_near, sine_wave, speed, square_wave, value

NEAR = 0.01
"""A knot within this distance of a sample counts as on it; samples are 0.1 apart or more."""
PATHS, SAVES = 100, 60
# Of a step, in units of 1/S: the fastest mode of ten samples has the rate 3 S, 7 S at delta = infinity, and S grows by
# a few times at finite delta; a quarter of this step changes no number that is shown by more than a few per cent.
STEP = 0.1


def samples(wave: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the square wave or of the sine."""
    return {"square": square_wave, "sine": sine_wave}[wave](count)


def network(wave: str, count: int, delta: float, size: float, width: int, seed: int, steps: int) -> Data:
    """r ~ N(0, size^2), theta uniform, trained for `steps` steps of length `STEP`/S at this delta."""
    x, y = samples(wave, count)
    problem = problems.canonical_relu(x, y, delta=delta)
    # More samples make the fastest mode faster.
    step = STEP * min(1.0, 10.0 / count) / speed(delta, size)
    return _trained(problem, x, y, drawn(width, seed, size), step, steps)


def scaled_network(wave: str, count: int, width: int, output: float, seed: int, steps: int) -> Data:
    """PyTorch's network f = SUM c [a x - b]_+ with a, b ~ U(-1, 1), c ~ U(-output, output); each neuron its own delta.

    In canonical parameters, where alpha(m) = 1 multiplies r and delta by m.
    """
    x, y = samples(wave, count)
    random = np.random.default_rng(seed)
    rows = random.uniform(-1.0, 1.0, (width, 3)) * [output, 1.0, 1.0]
    scale = scales.Power(0.0)
    full, problem = problems.univariate_relu(x, y, scale=scale), problems.canonical_relu(x, y, delta=0.0, scale=scale)
    start = np.asarray(problem.project(measure(full, rows)).positions)
    size = float(np.sqrt(np.mean(start[:, 2] ** 2 + 4.0 * start[:, 0] ** 2)))
    # More samples make the fastest mode faster.
    return _trained(problem, x, y, start, STEP * 10.0 / count / size, steps)


def _trained(problem: Any, x: np.ndarray, y: np.ndarray, rows: np.ndarray, step: float, steps: int) -> Data:
    run = flow(problem, measure(problem, rows), np.linspace(0.0, steps * step, SAVES + 1), step)
    last, places = run.positions[-1][:, :2], np.linspace(-1.2, 1.2, 481)
    places = np.unique(np.concatenate([places, x]))
    found = analysis.regime(problem, run[0], run.final)
    return {
        "x": x,
        "y": y,
        "start": rows[:, :2],
        "end": last,
        "paths": run.positions[:, :PATHS, :2],
        "places": places,
        "f": value(places, last),
        "before": value(places, rows),
        "risk": run.risk,
        "share": [share_near(rows, x, NEAR), share_near(last, x, NEAR)],
        "largest share": max(share_near(one, x, NEAR) for one in run.positions[..., :2]),
        "sticking": run.sticking[-1],
        "dead": run.dead[-1],
        "kernel change": found.kernel_change,
        "verdict": found.verdict,
        "turned": np.median(np.abs(np.angle(np.exp(1j * (last[:, 1] - rows[:, 1]))))),
        "step": step,
        "steps": steps,
        "median delta": np.median(rows[:, 2]) if rows.shape[1] == 3 else 0.0,
    }


_STEPS = {"quick": 10000, "paper": 50000}


def steps_of(bench: Bench) -> int:
    """The paper's 10,000 epochs; a fifth of them at the quick scale."""
    return bench.value("steps", bench.pick(**_STEPS))


def parameters(*, width: int, size: float, samples: int, seed: int) -> tuple[Parameter, ...]:
    """What may be set of every figure of `network`, with what is the figure's own."""
    return (
        Parameter("width", width, "neurons", 2, 10_000),
        Parameter("size", size, "the start of r is N(0, size^2)", 0.0, 100.0, open=True),
        Parameter("samples", samples, "of the wave", 2, 200),
        Parameter("seed", seed, "of the start", 0, 10**6),
        Parameter("steps", _STEPS["paper"], "of training", 100, 10**6, quick=_STEPS["quick"]),
    )


def given(bench: Bench) -> dict[str, Any]:
    """The settings of `network` that were set, but for delta."""
    return bench.given(width="width", size="size", count="samples", seed="seed")
