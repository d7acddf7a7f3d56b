"""A step of a flow on the whole data, 10,000 neurons on 1,000 samples: against its two matrix products alone.

D = 52: 50 weights, a bias, an output weight; ReLU. A classical Runge-Kutta step has four velocities; each needs the
product of weights and samples and that of slopes and samples, which the peer computes, and nothing else, by NumPy's
BLAS on as many threads.

    python benchmarks/bench_flow.py [--rounds 7] [--json results/bench_flow.json]
"""

import time
from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from race import Race, per_step

import widelimit as wl

N, SAMPLES, DIM, STEP = 10_000, 1_000, 50, 1e-3
RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((SAMPLES, DIM)), RNG.standard_normal(SAMPLES)
ROWS = np.concatenate([RNG.standard_normal((N, 1)), RNG.standard_normal((N, DIM)) / DIM**0.5, np.zeros((N, 1))], 1)


def ours(dtype: str) -> tuple[wl.Problem, wl.Particles, Callable[[int], float]]:
    kind = jnp.dtype(dtype)
    problem = wl.Problem(wl.units.Neuron(wl.activations.relu), wl.data.Samples(X, Y))
    start, sgd = wl.Particles(ROWS), wl.SGD(step=STEP, sampling=wl.sampling.Full(), dtype=kind)
    none = (wl.observables.Penalty(),)

    def run(steps: int) -> float:
        tick = time.perf_counter()
        end = steps * STEP
        run.end = wl.evolve(problem, start, sgd, t1=end, save_at=[end], observe=none).final
        return time.perf_counter() - tick

    return problem, start, run


def products(dtype: str) -> Callable[[], float]:
    x, w = X.astype(dtype), np.ascontiguousarray(ROWS[:, 1:-1].astype(dtype))
    slopes = RNG.standard_normal((N, SAMPLES)).astype(dtype)

    def run() -> float:
        tick = time.perf_counter()
        for _ in range(5):
            w @ x.T
            slopes @ x
        return (time.perf_counter() - tick) / 5

    return run


def by_hand(dtype: str) -> np.ndarray:
    """One gradient step in NumPy."""
    c, w, b = (part.astype(dtype) for part in (ROWS[:, 0], ROWS[:, 1:-1], ROWS[:, -1]))
    x = X.astype(dtype)
    z = w @ x.T + b[:, None]
    residual = c @ np.maximum(z, 0) / N - Y.astype(dtype)
    slopes = c[:, None] * (z > 0) * residual / SAMPLES
    moved = (np.maximum(z, 0) @ residual / SAMPLES, slopes @ x, slopes.sum(1))
    return np.column_stack([old - STEP * g for old, g in zip((c, w, b), moved, strict=True)])


def main() -> None:
    race = Race(__doc__)
    for dtype, allowed in (("float64", 1e-12), ("float32", 1e-5)):
        _, _, run = ours(dtype)
        first = run(1)
        difference = float(np.abs(np.asarray(run.end.positions) - by_hand(dtype)).max())
        race.row(
            f"full-batch step, N = 10,000, Q = 1,000, D = 52, {dtype}",
            "its two matrix products alone, NumPy's BLAS",
            lambda run=run: per_step(run, 4, 24),
            products(dtype),
            wanted=0.85,
            apart=difference,
            allowed=allowed,
            first=first,
        )
    race.end()


if __name__ == "__main__":
    main()
