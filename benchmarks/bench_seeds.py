"""One-pass SGD of 32 seeds at once: `evolve_many` against 32 single runs of `evolve`.

The problem is mei2018's: N = 800 neurons, d = 40, one fresh sample a step, float32.

    python benchmarks/bench_seeds.py [--rounds 5] [--json results/bench_seeds.json]
"""

import jax
import jax.numpy as jnp
import numpy as np
from race import Race, seconds

import widelimit as wl

N, DIM, STEP, SEEDS, STEPS = 800, 40, 1e-5, 32, 20_000


def main() -> None:
    race = Race(__doc__, rounds=5)
    problem = wl.problems.isotropic_gaussians(delta=0.8, dim=DIM)
    start = wl.Particles((0.8 / DIM**0.5 * np.random.default_rng(0).standard_normal((N, DIM))).astype(np.float32))
    sgd, end = wl.SGD(step=STEP, dtype=jnp.float32), STEPS * STEP
    options = {"observe": (wl.observables.Penalty(),)}
    keys = jax.random.split(jax.random.key(0), SEEDS)

    def together(t1: float = end) -> list[wl.Trajectory]:
        return wl.evolve_many(problem, [start] * SEEDS, sgd, keys=list(keys), t1=t1, save_at=[t1], **options)

    def apart(t1: float = end) -> list[wl.Trajectory]:
        return [wl.evolve(problem, start, sgd, key=key, t1=t1, save_at=[t1], **options) for key in keys]

    first = seconds(together)
    # Of few steps: many of them carry a rounding in float32 across the kinks.
    pairs = zip(together(100 * STEP), apart(100 * STEP), strict=True)
    difference = max(float(np.abs(a.positions[-1] - b.positions[-1]).max()) for a, b in pairs)
    race.row(
        "32 seeds at once, SGD, N = 800, d = 40, 20,000 steps, float32",
        "32 single runs",
        lambda: seconds(together),
        lambda: seconds(apart),
        wanted=2.0,
        apart=difference,
        allowed=1e-4,
        first=first,
    )
    race.end()


if __name__ == "__main__":
    main()
