"""The risk of the wide limit to t = 2, without the network: `Quantiles` against training 800 neurons to t = 2.

mei2018's isotropic Gaussians, Delta = .8, d = 40, a step of 1e-5, 200,000 steps of one sample: PyTorch by hand (its
time a step, times the steps) and our own SGD. The network's risk is that of the limit up to what width and step do,
about a thousandth; the limit's own error is below 1e-6.

    python benchmarks/bench_wide.py [--rounds 5] [--json results/bench_wide.json]

Needs the `bench` extra (torch).
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
import torch
from race import Race, seconds

import widelimit as wl

N, DIM, STEP, T1, DELTA, STD = 800, 40, 1e-5, 2.0, 0.8, 0.8 / 40**0.5
FEW = 4_000


def by_hand(steps: int) -> float:
    """Seconds of PyTorch with the gradient written out, updates in place."""
    w = torch.tensor((STD * np.random.default_rng(0).standard_normal((N, DIM))).astype(np.float32))
    tick = time.perf_counter()
    y = torch.where(torch.rand(steps) < 0.5, 1.0, -1.0)
    x = torch.randn(steps, DIM) * (1.0 + DELTA * y)[:, None]
    with torch.no_grad():
        for k in range(steps):
            z = torch.mv(w, x[k])
            f = torch.clamp(z, 0.5, 1.5).sub_(0.75).mul_(10.0).mean()
            slope = ((z > 0.5) & (z < 1.5)).to(torch.float32).mul_(20.0 * (f - y[k]))
            w.addr_(slope, x[k], alpha=-STEP)
    return time.perf_counter() - tick


def main() -> None:
    race = Race(__doc__, "torch", rounds=5)
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
