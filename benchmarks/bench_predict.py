"""The band of networks of width 128 on the digits, to first order, and the same band from trained networks.

64 inputs, 286 rows, tanh neurons, SGD in epochs of batches of 10, to t = 20: 32 directions of 256 particles. The peer
is what the band replaces: 200 networks trained by our own SGD, all seeds in one compiled loop; 20 are timed. The
prediction is timed with compilation, as a user waits for it, and again without.

    python benchmarks/bench_predict.py [--json results/bench_predict.json]
"""

import argparse
import json
import os
import pathlib
import platform
import time
from typing import Any

import jax
import numpy as np
from sklearn.datasets import load_digits

import widelimit as wl

WIDTH, NETWORKS, TIMED, WANTED, T1 = 128, 200, 20, 30.0, 20.0


def setting() -> tuple[wl.Problem, Any]:
    x, y = load_digits(return_X_y=True)
    kept = np.isin(y, [3, 8])
    x, y = x[kept][:286], np.where(y[kept][:286] == 3, -1.0, 1.0)
    spread = x.std(axis=0)
    x = (x - x.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    law = wl.laws.product(
        output=wl.laws.Normal(0.0, 1.0), weight=wl.laws.Normal(0.0, 0.125, dim=64), bias=wl.laws.Atom(0.0)
    )
    return wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, y)), law


def predicted() -> wl.analysis.Prediction:
    problem, law = setting()
    return wl.predict(
        problem,
        law,
        width=WIDTH,
        step=0.01,
        batch=10,
        sampling=wl.sampling.Epochs(),
        t1=T1,
        order=1,
        key=jax.random.key(0),
    )


def trained(networks: int) -> np.ndarray:
    problem, law = setting()
    keys = jax.random.split(jax.random.key(1), 2 * networks)
    starts = [law.sample(WIDTH, key=key) for key in keys[:networks]]
    moves = wl.SGD(0.01, batch=10, sampling=wl.sampling.Epochs())
    runs = wl.evolve_many(problem, starts, moves, t1=T1, keys=keys[networks:], save_at=[0.0, T1])
    return np.array([float(run.risk[-1]) for run in runs])


def timed(run: Any, *arguments: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    found = run(*arguments)
    return time.perf_counter() - began, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=pathlib.Path)
    options = parser.parse_args()
    first, band = timed(predicted)
    again, _ = timed(predicted)
    trained(TIMED)
    seconds, risks = timed(trained, TIMED)
    inside = float(np.mean((risks >= band.lower[-1]) & (risks <= band.upper[-1])))
    whole = seconds * NETWORKS / TIMED
    print(f"first-order band {first:.1f} s with compilation, {again:.1f} s without (wanted below {WANTED:.0f} s)")
    print(f"{NETWORKS} trained networks {whole:.1f} s: {whole / again:.1f} times as long")
    print(f"{inside:.0%} of {TIMED} networks end in the band, {band.lower[-1]:.5f} to {band.upper[-1]:.5f}")
    if options.json:
        report = {
            "made_by": "python benchmarks/bench_predict.py",
            "width": WIDTH,
            "seconds": {"first": first, "again": again, "trained_200": whole},
            "wanted_seconds": WANTED,
            "band": [float(band.lower[-1]), float(band.upper[-1])],
            "inside": inside,
            "networks": TIMED,
            "cpus": os.cpu_count(),
            "versions": {"jax": jax.__version__, "numpy": np.__version__},
            "machine": platform.machine(),
        }
        options.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
