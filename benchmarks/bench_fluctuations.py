"""The fluctuation curve of a student of 128 atoms and a teacher of three tanh neurons to t = 50, to 1e-4.

The peer is what one would write: each of the 128 directions and the second order by JAX's forward derivatives of the
velocity (`problem.variation`), mapped over the directions, with classical Runge-Kutta steps of 0.1, to t = 2 only
(`--peer-end`). Both must agree there; both are compiled before they are timed. The error is against a run at 1e-10.

    python benchmarks/bench_fluctuations.py [--rounds 3] [--json results/bench_fluctuations.json]
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import widelimit as wl
from widelimit.analysis.expansion import _flow
from widelimit.measure import join

TIMES, WANTED = [0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0], 30.0
STEP = 0.1


def setting() -> tuple[wl.Problem, wl.Particles]:
    unit = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=True)
    atoms = wl.Particles(np.array([[1.0, 1.5, 0.5], [0.8, -0.5, 1.2], [-0.7, 0.3, -2.0]]), weights=np.ones(3))
    data = wl.data.gauss_hermite(12, wl.data.Teacher(unit, atoms, inputs=2), dim=2)
    charge = wl.laws.Empirical([[-0.5], [1.0]])
    law = wl.laws.product(output=charge, weight=wl.laws.Normal(np.array([0.5, 0.0]), 1.0, dim=2))
    return wl.Problem(unit=unit, data=data), law.quantise(128, wl.laws.Gauss())


def ours() -> Any:
    problem, start = setting()
    return wl.analysis.fluctuations(problem, start, t1=TIMES[-1], save_at=TIMES)


def peer(end: float) -> Callable[[], tuple[float, float]]:
    """Variance and excess risk at t = `end`."""
    problem, start = setting()
    p = start.weights
    directions = jnp.eye(len(p)) - p

    def velocity(rows: Any, w: Any) -> Any:
        theta, _ = problem.unpack(wl.Particles(rows, w))
        return join(problem.blocks, problem.velocity(theta, problem.variation(theta, w).gradient))

    def along(function: Any, rows: Any, u: Any, s: Any) -> tuple[Any, Any]:
        """First and half second derivatives of function(rows, p) along every direction, the second summed."""

        def one(u: Any, d: Any) -> tuple[Any, Any]:
            def first(rows: Any, w: Any) -> Any:
                return jax.jvp(function, (rows, w), (u, d))[1]

            return jax.jvp(first, (rows, p), (u, d))

        value, bent = jax.vmap(one)(u, directions)
        return value, jax.jvp(lambda z: function(z, p), (rows,), (s,))[1] + jnp.tensordot(p, bent, axes=1)

    def rates(y: Any) -> Any:
        return velocity(y[0], p), *along(velocity, *y)

    def step(y: Any, _: Any) -> tuple[Any, None]:
        def moved(k: Any, h: float) -> Any:
            return jax.tree.map(lambda a, b: a + h * b, y, k)

        k1 = rates(y)
        k2 = rates(moved(k1, 0.5 * STEP))
        k3 = rates(moved(k2, 0.5 * STEP))
        k4 = rates(moved(k3, STEP))
        mean = jax.tree.map(lambda a, b, c, d: (a + 2.0 * b + 2.0 * c + d) / 6.0, k1, k2, k3, k4)
        return moved(mean, STEP), None

    @jax.jit
    def run(rows: Any) -> tuple[Any, Any]:
        zero = jnp.zeros((len(p), *rows.shape))
        y, _ = jax.lax.scan(step, (rows, zero, jnp.zeros_like(rows)), length=round(end / STEP))

        def f(rows: Any, w: Any) -> Any:
            theta, _ = problem.unpack(wl.Particles(rows, w))
            return problem.supervised.outputs(theta, w, problem.data.nodes.x)

        mu, off = problem.data.nodes.weights, f(y[0], p) - problem.data.nodes.y
        first, second = along(f, *y)
        variance = p @ first**2 @ mu
        return variance, 0.5 * variance + 0.5 * mu @ (off * second)

    rows = problem.arranged(start).positions
    return lambda: tuple(float(value) for value in jax.block_until_ready(run(rows)))


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = run()
    return time.perf_counter() - began, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-end", type=float, default=2.0)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    first, curve = timed(ours)
    written = peer(options.peer_end)
    _, (variance, excess) = timed(written)
    at = TIMES.index(options.peer_end)
    off = max(abs(variance / curve.prediction_variance[at] - 1.0), abs(excess / curve.excess_risk[at] - 1.0))
    assert off < 1e-4, off
    tight, loose = _flow._TOLERANCE, curve
    _flow._TOLERANCE = 1e-10
    exact = ours()
    _flow._TOLERANCE = tight
    size = 0.5 * exact.prediction_variance + np.abs(exact.bias)
    error = float(np.max(np.abs(loose.excess_risk - exact.excess_risk) / size))
    assert error < 1e-4, error
    times: dict[str, list[float]] = {"ours": [], "peer": []}
    for _ in range(options.rounds):
        times["ours"].append(timed(ours)[0])
        times["peer"].append(timed(written)[0])
    result = {
        "made_by": "python benchmarks/bench_fluctuations.py",
        "atoms": 128,
        "nodes": 144,
        "rounds": options.rounds,
        "threads": {"cpus": os.cpu_count()},
        "first_call_seconds": first,
        "median_seconds_to_t_50": statistics.median(times["ours"]),
        "wanted_seconds": WANTED,
        "largest_error": error,
        "peer_end": options.peer_end,
        "peer_median_seconds_to_its_end": statistics.median(times["peer"]),
        "versions": {"jax": jax.__version__, "numpy": np.__version__},
        "machine": platform.machine(),
    }
    print(
        f"to t = 50: {first:.1f} s the first time, {result['median_seconds_to_t_50']:.1f} s then; wanted {WANTED:.0f} s"
    )
    print(f"largest error, relative to variance/2 + |bias|: {error:.1e}")
    print(f"peer to t = {options.peer_end:g}: {result['peer_median_seconds_to_its_end']:.1f} s")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
