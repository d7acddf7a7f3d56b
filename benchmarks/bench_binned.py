"""Risk and all gradients of 100,000 ReLU neurons of one input on 1,000 samples: by binned knots, and by dense sums.

The loss is (f - y)^2 / 2, all in float64. The peers sum over all pairs: NumPy in pieces that stay in the cache, PyTorch
by autograd in pieces, and the dense form compiled by JAX (`integrals.Dense`). All run in turn, round after round, in
one process; the figure to quote is the median over rounds of the ratio of times. All may use all threads there are.

    python benchmarks/bench_binned.py [--rounds 5] [--json results/bench_binned.json]
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

import equinox as eqx
import jax
import numpy as np
import torch

import widelimit as wl

N, S, PIECE = 100_000, 1_000, 500
WANTED = {"numpy_dense": 100.0, "torch_autograd": 100.0, "jax_dense": 50.0}

Found = tuple[float, np.ndarray]


def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.uniform(-1.0, 1.0, size=S)
    return x, np.sin(4.0 * x)


def start() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((N, 3))


def compiled(**options: Any) -> Callable[[], Found]:
    problem = wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples(*samples()), **options)
    theta, w = problem.unpack(wl.Particles(start()))
    run = eqx.filter_jit(lambda problem, theta, w: problem.variation(theta, w))

    def call() -> Found:
        found = run(problem, theta, w)
        gradient = found.gradient
        rows = np.stack([np.asarray(gradient.output), np.asarray(gradient.weight[:, 0]), np.asarray(gradient.bias)], 1)
        return float(found.risk), rows

    return call


def numpy_dense() -> Callable[[], Found]:
    (x, y), rows = samples(), start()

    def call() -> Found:
        f = np.zeros(S)
        for i in range(0, N, PIECE):
            c, a, b = rows[i : i + PIECE].T
            f += (c / N) @ np.maximum(np.outer(a, x) + b[:, None], 0.0)
        g = (f - y) / S
        out = np.empty((N, 3))
        for i in range(0, N, PIECE):
            c, a, b = rows[i : i + PIECE].T
            z = np.outer(a, x) + b[:, None]
            seen = z > 0.0
            out[i : i + PIECE, 0] = (z * seen) @ g
            out[i : i + PIECE, 1] = c * (seen @ (g * x))
            out[i : i + PIECE, 2] = c * (seen @ g)
        return 0.5 * float(np.mean((f - y) ** 2)), out

    return call


def torch_autograd() -> Callable[[], Found]:
    (x, y), rows = (tuple(map(torch.tensor, samples())), torch.tensor(start(), requires_grad=True))

    def call() -> Found:
        rows.grad = None
        # Pieces of the data: the whole table would take 800 MB.
        with torch.no_grad():
            f = torch.cat([values(rows, part) for part in x.split(PIECE // 5)])
        for part, dual in zip(x.split(PIECE // 5), ((f - y) / S).split(PIECE // 5), strict=True):
            values(rows, part).backward(dual)
        return 0.5 * float(torch.mean((f - y) ** 2)), (N * rows.grad).numpy()

    return call


def values(rows: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    c, a, b = rows.T
    return (c / N) @ torch.relu(a[:, None] * x + b[:, None])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    runs = {
        "binned": compiled(),
        "jax_dense": compiled(integrals=wl.integrals.Dense),
        "numpy_dense": numpy_dense(),
        "torch_autograd": torch_autograd(),
    }
    first = {}
    for name, run in runs.items():
        began = time.perf_counter()
        first[name] = (*run(), time.perf_counter() - began)
    for name, (risk, rows, _) in first.items():
        off = np.max(np.abs(rows - first["numpy_dense"][1]))
        assert off < 1e-11, (name, off)
        assert abs(risk - first["numpy_dense"][0]) < 1e-11, name
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            # Ours is short: the mean of ten.
            count = 10 if name == "binned" else 1
            began = time.perf_counter()
            for _ in range(count):
                run()
            times[name].append((time.perf_counter() - began) / count)
    ratios = {name: [peer / ours for peer, ours in zip(times[name], times["binned"], strict=True)] for name in WANTED}
    result = {
        "made_by": "python benchmarks/bench_binned.py",
        "neurons": N,
        "samples": S,
        "rounds": options.rounds,
        "threads": {"cpus": os.cpu_count(), "torch": torch.get_num_threads()},
        "median_seconds": {name: statistics.median(values) for name, values in times.items()},
        "first_call_seconds": {name: seconds for name, (_, _, seconds) in first.items()},
        "ratio_to_binned": {
            name: {"median": statistics.median(r), "least": min(r), "most": max(r), "wanted": WANTED[name]}
            for name, r in ratios.items()
        },
        "versions": {"jax": jax.__version__, "numpy": np.__version__, "torch": torch.__version__},
        "machine": platform.machine(),
    }
    for name, seconds in result["median_seconds"].items():
        print(f"{name:15} {1e3 * seconds:9.1f} ms   first call {result['first_call_seconds'][name]:.2f} s")
    for name, r in result["ratio_to_binned"].items():
        spread = f"{r['least']:.0f} to {r['most']:.0f}; wanted {r['wanted']:.0f}"
        print(f"{name:15} takes {r['median']:.0f} times as long ({spread})")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
