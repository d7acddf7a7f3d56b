"""The certified minimum of mei2018's isotropic Gaussians over all measures, d = 40: `minimise` against NNLS on a grid.

The peer is what one would write: the atoms sit on a grid of r = 3t/(1 - t), t = 0 and t = 1 (r = infinity) included,
and their weights are the least squares with nonnegative weights of sum 1, by scipy's NNLS (the sum is a row of its own,
weighted by 1e3). It has no certificate; its excess is measured against the certified minimum.

`minimise` compiles in its first call; then both run in turn over a range of Delta, round after round, in one process.

    python benchmarks/bench_minimise.py [--rounds 5] [--json results/bench_minimise.json]
"""

import argparse
import json
import pathlib
import platform
import statistics
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import widelimit as wl

DIM, CELLS = 40, 1000
DELTAS = (0.1, 0.3, 0.5, 0.7, 0.9)
WANTED = 1.0


def table_on_grid(problem: wl.Problem) -> tuple[np.ndarray, np.ndarray]:
    """phi at the nodes [Q, CELLS + 1] and the labels [Q], so that the risk of weights p is |table p - y|^2."""
    t = np.linspace(0.0, 1.0, CELLS + 1)
    with np.errstate(divide="ignore"):
        radii = 3.0 * t / (1.0 - t)
    nodes = problem.data.nodes
    assert nodes is not None
    rows = jax.vmap(lambda r: problem.predict(wl.Particles(r[None, None]), nodes.x))(jnp.asarray(radii))
    root = np.sqrt(np.asarray(nodes.weights))
    return np.asarray(rows).T * root[:, None], np.asarray(nodes.y) * root


def on_grid(problem: wl.Problem) -> float:
    """The least risk of weights on the grid."""
    table, y = table_on_grid(problem)
    weights, _ = scipy.optimize.nnls(np.vstack([table, np.full(CELLS + 1, 1e3)]), np.append(y, 1e3))
    return float(np.sum((table @ (weights / weights.sum()) - y) ** 2))


def timed(function: Any, argument: Any) -> tuple[float, Any]:
    tick = time.perf_counter()
    out = function(argument)
    return time.perf_counter() - tick, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=pathlib.Path, default=None)
    options = parser.parse_args()
    problems = {delta: wl.problems.isotropic_gaussians(delta=delta, dim=DIM).reduced() for delta in DELTAS}
    first, _ = timed(wl.minimise, problems[DELTAS[0]])
    print(f"first call of minimise (compiles): {first:.1f} s")
    for problem in problems.values():
        wl.minimise(problem), on_grid(problem)
    report: dict[str, Any] = {}
    for delta, problem in problems.items():
        ours = [timed(wl.minimise, problem) for _ in range(options.rounds)]
        grid = [timed(on_grid, problem) for _ in range(options.rounds)]
        best = ours[0][1]
        row = {
            "seconds": statistics.median(spent for spent, _ in ours),
            "grid_seconds": statistics.median(spent for spent, _ in grid),
            "certified": bool(best.certified),
            "gap": float(best.gap),
            "grid_excess": grid[0][1] - float(best.risk),
        }
        report[f"delta {delta:g}"] = row
        print(
            f"delta {delta:g}: {row['seconds']:.3f} s (wanted: {WANTED:g}), gap {row['gap']:.1e}, certified "
            f"{row['certified']}; NNLS on {CELLS + 1} points: {row['grid_seconds']:.3f} s, "
            f"{row['grid_excess']:.1e} above it"
        )
    if options.json is not None:
        made = {"how": "python benchmarks/bench_minimise.py", "rounds": options.rounds, "machine": platform.machine()}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        full = made | {"versions": {"jax": jax.__version__, "scipy": scipy.__version__}, "results": report}
        options.json.write_text(json.dumps(full, indent=1) + "\n")


if __name__ == "__main__":
    main()
