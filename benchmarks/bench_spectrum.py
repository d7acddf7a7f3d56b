"""The first ten eigenvalues of yarotsky2018's K~ (36): `analysis.spectrum` against Nystroem with NumPy.

The kernel is that of c (x - h)_+ with h uniform on [0, 1] and the charge alone trainable; exact are zeta_k = xi_k^-4
with cosh xi cos xi = -1. The peer is what one would write: the kernel's closed form at Gauss-Legendre nodes in h,
weighted, and `numpy.linalg.eigh`. The kernel's third derivative jumps on the diagonal, so its error falls slowly with
the nodes.

Both run in turn, round after round, in one process; the first call of each is shown apart.

    python benchmarks/bench_spectrum.py [--rounds 7] [--json results/bench_spectrum.json]
"""

import argparse
import json
import pathlib
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import scipy.optimize

import widelimit as wl

COUNT, WANTED = 10, 1.0
NODES = (200, 1000)


def exact() -> np.ndarray:
    """zeta_k by roots of cos xi + 1/cosh xi."""
    out = []
    for k in range(COUNT):
        middle = (k + 0.5) * np.pi
        out.append(
            scipy.optimize.brentq(lambda xi: np.cos(xi) + 1.0 / np.cosh(xi), middle - 0.8, middle + 0.8, xtol=1e-15)
        )
    return np.array(out) ** -4.0


def ours() -> np.ndarray:
    problem = wl.problems.free_knot_spline(target=lambda x: x**2)
    start = wl.laws.product(c=wl.laws.Atom(0.0), h=wl.laws.Uniform(0.0, 1.0))
    return wl.analysis.spectrum(problem, start, trainable=("c",)).eigenvalues[:COUNT]


def nystroem(nodes: int) -> np.ndarray:
    u, v = np.polynomial.legendre.leggauss(nodes)
    h, w = 0.5 * (u + 1.0), np.sqrt(0.5 * v)
    large, small = np.maximum.outer(h, h), np.minimum.outer(h, h)
    kernel = (1.0 - large) ** 3 / 3.0 + (large - small) * (1.0 - large) ** 2 / 2.0
    return np.linalg.eigh(w[:, None] * kernel * w)[0][::-1][:COUNT]


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    tick = time.perf_counter()
    out = run()
    return time.perf_counter() - tick, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path, default=None)
    options = parser.parse_args()
    runs: dict[str, Callable[[], Any]] = {"widelimit": ours}
    runs |= {f"nystroem, {n} nodes": lambda n=n: nystroem(n) for n in NODES}
    first = {name: timed(run) for name, run in runs.items()}
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):
        for name, run in runs.items():
            seconds[name].append(timed(run)[0])
    known, report = exact(), {}
    for name, (spent, found) in first.items():
        report[name] = {
            "first_seconds": spent,
            "seconds": statistics.median(seconds[name]),
            "largest_relative_error": float(np.max(np.abs(found / known - 1.0))),
        }
        row = report[name]
        wanted = f"   (wanted: below {WANTED:g} s, 1e-12)" if name == "widelimit" else ""
        print(
            f"{name:22s} {row['seconds']:.3f} s, first call {row['first_seconds']:.3f} s, error "
            f"{row['largest_relative_error']:.1e}{wanted}"
        )
    if options.json is not None:
        made = {"how": "python benchmarks/bench_spectrum.py", "rounds": options.rounds, "machine": platform.machine()}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        full = made | {"versions": {"jax": jax.__version__, "numpy": np.__version__}, "results": report}
        options.json.write_text(json.dumps(full, indent=1) + "\n")


if __name__ == "__main__":
    main()
