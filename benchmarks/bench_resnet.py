"""A gradient step of a wide residual network: widelimit's `evolve` against PyTorch's batched matrix products.

The network has d = 2, L = 16 levels, N = 200 particles a level, tanh, 64 samples; gradient descent on the whole batch,
in float64 and float32, one thread each. All run in turn, round after round, in one process; the figures to quote are
the medians over rounds of the ratios of times per step. With `--scaling` also the time of a step for other L, N and Q,
which must grow as L N Q.

    python benchmarks/bench_resnet.py [--rounds 7] [--scaling] [--json results/bench_resnet.json]

Needs the `bench` extra (torch).
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import time
from collections.abc import Callable

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
if hasattr(os, "sched_setaffinity"):
    # One thread: the compiler's own pool asks how many cores there are.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp
import numpy as np
import torch

import widelimit as wl

DIM, DEPTH, WIDTH, SAMPLES, STEP = 2, 16, 200, 64, 0.01
WANTED = {"float64": 3.0, "float32": 5.0}


def inputs(samples: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((samples, DIM))


def matrices(depth: int, width: int) -> np.ndarray:
    return 0.5 * np.random.default_rng(0).standard_normal((depth, width, DIM, DIM))


def ours(dtype: str, depth: int = DEPTH, width: int = WIDTH, samples: int = SAMPLES) -> Callable[[int], float]:
    x = inputs(samples)
    problem = wl.problems.wide_resnet(
        wl.data.Samples(x, np.tanh(x[:, ::-1])), depth=depth, activation=wl.activations.tanh
    )
    levels = np.repeat(np.arange(depth), width)[:, None]
    start = wl.Particles(np.concatenate([matrices(depth, width).reshape(-1, DIM * DIM), levels], axis=1))
    sgd = wl.SGD(step=STEP, sampling=wl.sampling.Full(), dtype=jnp.dtype(dtype))
    none = (wl.observables.Penalty(),)

    def run(steps: int) -> float:
        tick = time.perf_counter()
        end = steps * STEP
        wl.evolve(problem, start, sgd, t1=end, save_at=[end], observe=none, key=jax.random.key(0))
        return time.perf_counter() - tick

    return run


def torch_matmul(dtype: str) -> Callable[[int], float]:
    """The loop that most scripts contain, a batched product a level, by autograd."""
    kind = getattr(torch, dtype)

    def run(steps: int) -> float:
        x = torch.tensor(inputs(SAMPLES), dtype=kind)
        y = torch.tanh(x.flip(1))
        theta = torch.tensor(matrices(DEPTH, WIDTH), dtype=kind, requires_grad=True)
        optimiser = torch.optim.SGD([theta], lr=STEP * DEPTH * WIDTH)
        tick = time.perf_counter()
        for _ in range(steps):
            optimiser.zero_grad()
            state = x
            for level in theta:
                state = state + torch.tanh(torch.matmul(state, level.transpose(1, 2))).sum(0) / (DEPTH * WIDTH)
            (0.5 * ((state - y) ** 2).sum(1).mean()).backward()
            optimiser.step()
        return time.perf_counter() - tick

    return run


def per_step(run: Callable[[int], float], few: int, many: int) -> float:
    """Milliseconds a step, without what a run costs before its first."""
    return 1e3 * (run(many) - run(few)) / (many - few)


def scaling() -> dict[str, float]:
    """Time a step in units of that of the standard size, beside L N Q in the same units."""
    sizes = {"standard": {}, "2 L": {"depth": 2 * DEPTH}, "4 N": {"width": 4 * WIDTH}, "4 Q": {"samples": 4 * SAMPLES}}
    runs = {name: ours("float64", **size) for name, size in sizes.items()}
    for run in runs.values():
        run(20)
    times = {name: min(per_step(run, 20, 220) for _ in range(3)) for name, run in runs.items()}
    return {name: value / times["standard"] for name, value in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--json", type=pathlib.Path, default=None)
    options = parser.parse_args()
    torch.set_num_threads(1)
    report = {}
    for dtype, wanted in WANTED.items():
        mine, peer = ours(dtype), torch_matmul(dtype)
        print(f"first call of widelimit in {dtype} (compiles): {mine(20):.2f} s")
        peer(3)
        pairs = [(per_step(mine, 20, 320), per_step(peer, 5, 45)) for _ in range(options.rounds)]
        ratios = [theirs / own for own, theirs in pairs]
        report[dtype] = {
            "ms_per_step_median": statistics.median(own for own, _ in pairs),
            "torch_ms_per_step_median": statistics.median(theirs for _, theirs in pairs),
            "times_ours_median": statistics.median(ratios),
            "times_ours_range": [min(ratios), max(ratios)],
        }
        print(
            f"{dtype}: {report[dtype]['ms_per_step_median']:.2f} ms a step, PyTorch "
            f"{report[dtype]['torch_ms_per_step_median']:.2f} ms: {statistics.median(ratios):.2f} x "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]   (wanted: at least {wanted:g})"
        )
    if options.scaling:
        report["scaling"] = scaling()
        print("time a step in units of the standard size:", {k: round(v, 2) for k, v in report["scaling"].items()})
    if options.json is not None:
        made = {"how": "python benchmarks/bench_resnet.py", "rounds": options.rounds, "machine": platform.machine()}
        versions = {"jax": jax.__version__, "torch": torch.__version__}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(made | {"versions": versions, "results": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
