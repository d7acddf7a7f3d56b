"""The 2-Wasserstein distance of 2,000 particles each, two and ten parameters: against POT's exact `emd2`.

    python benchmarks/bench_wasserstein.py [--rounds 5] [--json results/bench_wasserstein.json]

Needs the `test` extra (POT).
"""

import numpy as np
import ot
from race import Race, seconds

import widelimit as wl

N = 2000


def main() -> None:
    race = Race(__doc__, "pot", rounds=5)
    rng = np.random.default_rng(0)
    for dim in (2, 10):
        a, b = rng.standard_normal((N, dim)), 0.5 + 1.5 * rng.standard_normal((N, dim))
        for weights in ("equal", "unequal"):
            u, v = (np.full((2, N), 1.0 / N)) if weights == "equal" else rng.dirichlet(np.full(N, 2.0), 2)
            left, right = wl.Particles(a, weights=u), wl.Particles(b, weights=v)

            def ours(left: wl.Particles = left, right: wl.Particles = right) -> float:
                return float(wl.measure.wasserstein2(left, right))

            def theirs(a: np.ndarray = a, b: np.ndarray = b, u: np.ndarray = u, v: np.ndarray = v) -> float:
                return float(np.sqrt(ot.emd2(u, v, ot.dist(a, b), numItermax=10**7)))

            race.row(
                f"Wasserstein distance, 2,000 particles, D = {dim}, {weights} weights",
                "POT, emd2",
                lambda ours=ours: seconds(ours),
                lambda theirs=theirs: seconds(theirs),
                wanted=1.0,
                apart=abs(ours() - theirs()) / theirs(),
                allowed=1e-9,
            )
    race.end()


if __name__ == "__main__":
    main()
