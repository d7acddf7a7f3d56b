"""SGD and flows of a million to a hundred million neurons on a GPU: time a step against the memory's own speed.

Two inputs, four numbers a neuron: one-pass SGD in float32, one sample a step; a flow by the classical Runge-Kutta rule
in float64, on 16 samples. A step reads and writes the neurons once (SGD) or at least four times (flow); the peer is
that traffic alone, an in-place addition over as many bytes. Without a GPU it says so and ends; `--any-device` runs it
on what there is, with the sizes of `--neurons`.

    python benchmarks/bench_gpu.py [--rounds 5] [--neurons 1000000 10000000 100000000] [--json results/bench_gpu.json]
"""

import argparse
import json
import pathlib
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import widelimit as wl
from widelimit.dynamics import integrators

INPUTS, STEP = 2, 1e-3
WORDS = {"SGD": jnp.float32, "flow": jnp.float64}
PASSES = {"SGD": 1, "flow": 4}


def problem_of(kind: str) -> tuple[wl.Problem, Any]:
    unit = wl.units.Neuron(wl.activations.tanh)
    x = np.random.default_rng(0).standard_normal((16, INPUTS))
    problem = wl.Problem(unit, wl.data.Samples(x, np.sin(x[:, 0])))
    if kind == "SGD":
        return problem, wl.SGD(STEP, dtype=jnp.float32)
    return problem, wl.GradientFlow(integrators.RungeKutta4(STEP))


def ours(kind: str, neurons: int) -> Callable[[int], float]:
    problem, dynamics = problem_of(kind)
    rows = jax.random.normal(jax.random.key(0), (neurons, INPUTS + 2), WORDS[kind])
    start = wl.Particles(rows)

    def run(steps: int) -> float:
        tick = time.perf_counter()
        jax.block_until_ready(wl.rollout(problem, start, dynamics, steps=steps, key=jax.random.key(1)).positions)
        return time.perf_counter() - tick

    return run


def traffic(kind: str, neurons: int) -> Callable[[int], float]:
    """Reads and writes of all neurons, as often a step, and nothing else."""
    rows, passes = jnp.zeros((neurons, INPUTS + 2), WORDS[kind]), PASSES[kind]

    @jax.jit
    def many(rows: Any, steps: Any) -> Any:
        return jax.lax.fori_loop(0, steps * passes, lambda _, z: z + 1.0, rows)

    def run(steps: int) -> float:
        tick = time.perf_counter()
        jax.block_until_ready(many(rows, steps))
        return time.perf_counter() - tick

    return run


def per_step(run: Callable[[int], float], few: int, many: int) -> float:
    run(few), run(many)
    return max((run(many) - run(few)) / (many - few), 1e-12)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--neurons", type=int, nargs="+", default=[10**6, 10**7, 10**8])
    parser.add_argument("--any-device", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, default=None)
    options = parser.parse_args()
    device = jax.devices()[0]
    if device.platform != "gpu" and not options.any_device:
        print(f"bench_gpu.py: JAX sees no GPU here ({device.device_kind}); nothing is measured.")
        return
    rows = []
    for kind, word in WORDS.items():
        for neurons in options.neurons:
            mine, alone = ours(kind, neurons), traffic(kind, neurons)
            pairs = [(per_step(mine, 10, 60), per_step(alone, 10, 60)) for _ in range(options.rounds)]
            own, other = (statistics.median(side) for side in zip(*pairs, strict=True))
            moved = 2 * PASSES[kind] * neurons * (INPUTS + 2) * np.dtype(word).itemsize
            rows.append({"kind": kind, "neurons": neurons, "seconds": own, "traffic_seconds": other, "bytes": moved})
            print(
                f"{kind}, N = {neurons:,}: {1e3 * own:.3g} ms a step, {moved / own / 1e9:.0f} GB/s; the traffic alone "
                f"{1e3 * other:.3g} ms, {moved / other / 1e9:.0f} GB/s: {other / own:.2f} of it",
                flush=True,
            )
    if options.json is not None:
        made = {"how": "python benchmarks/bench_gpu.py", "rounds": options.rounds, "device": device.device_kind}
        options.json.write_text(
            json.dumps(made | {"versions": {"jax": jax.__version__}, "results": rows}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
