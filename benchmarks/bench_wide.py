"""The risk of the wide limit to t = 2, without the network: `Quantiles` against training 800 neurons to t = 2.

mei2018's isotropic Gaussians, Delta = .8, d = 40, a step of 1e-5, 200,000 steps of one sample: PyTorch by hand (its
time a step, times the steps) and our own SGD. The network's risk is that of the limit up to what width and step do,
about a thousandth; the limit's own error is below 1e-6.

    python benchmarks/bench_wide.py [--rounds 5] [--json results/bench_wide.json]

Needs the `bench` extra (torch).
"""

import jax
import jax.numpy as jnp
from bench_sgd import DIM, STEP, N, torch_by_hand
from race import Race, seconds

import widelimit as wl

T1, DELTA, STD = 2.0, 0.8, 0.8 / DIM**0.5
FEW = 4_000


def main() -> None:
    race = Race(__doc__, "torch", rounds=5)
    by_hand = torch_by_hand()
    problem = wl.problems.isotropic_gaussians(delta=DELTA, dim=DIM)
    small, law = problem.reduced(), wl.laws.Normal(0.0, STD, dim=DIM)
    sgd = wl.SGD(step=STEP, dtype=jnp.float32)
    risk = (wl.observables.Risk(),)

    def limit() -> wl.Trajectory:
        return wl.evolve(small, small.project(law), wl.Quantiles(), t1=T1, save_at=[T1], observe=risk)

    def network() -> wl.Trajectory:
        start = law.sample(N, key=jax.random.key(0))
        return wl.evolve(problem, start, sgd, t1=T1, save_at=[T1], observe=risk, key=jax.random.key(1))

    first = seconds(limit)
    apart = abs(float(limit().risk[-1] - network().risk[-1]))
    work = "the wide limit of isotropic Gaussians to t = 2, d = 40"
    options = {"apart": apart, "allowed": 0.02, "first": first}
    race.row(
        work,
        "training N = 800 at step 1e-5, PyTorch by hand",
        lambda: seconds(limit),
        lambda: by_hand(FEW) * (T1 / STEP / FEW),
        wanted=100.0,
        **options,
    )
    race.row(
        work,
        "training N = 800 at step 1e-5, our own SGD",
        lambda: seconds(limit),
        lambda: seconds(network),
        wanted=10.0,
        **options,
    )
    race.end()


if __name__ == "__main__":
    main()
