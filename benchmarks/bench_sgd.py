"""One-pass SGD, one sample a step: widelimit's `evolve` against PyTorch and a fused numba loop.

The problem is mei2018's: N = 800 neurons, d = 40, two centred Gaussian classes, the ramp activation, loss
(f - y)^2, float32. Every peer draws its own fresh samples. All of them run in turn, round after round, in one process,
and the figure to quote is the median over rounds of the ratio of times per step: machines are noisy, ratios less so.

    python benchmarks/bench_sgd.py [--rounds 7] [--json results/bench_sgd.json]

Needs the `bench` extra (torch, numba).
"""

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numba
import numpy as np
import torch
from race import Race

import widelimit as wl

N, DIM, STEP = 800, 40, 1e-5
PLUS, MINUS = 1.8, 0.2
NAMES = {"torch_autograd": "PyTorch autograd", "torch_by_hand": "PyTorch by hand", "numba_fused": "fused numba loop"}
WANTED = {"torch_autograd": 20.0, "torch_by_hand": 8.0, "numba_fused": 0.9}


def start() -> np.ndarray:
    return (0.8 / DIM**0.5 * np.random.default_rng(0).standard_normal((N, DIM))).astype(np.float32)


def widelimit_sgd() -> Callable[[int], float]:
    ramp = wl.activations.piecewise_linear([0.5, 1.5], [-2.5, 7.5])
    problem = wl.Problem(
        unit=wl.units.Neuron(ramp, bias=False, output_weight=False),
        data=wl.data.GaussianClasses(PLUS**2, MINUS**2, dim=DIM),
        loss=wl.losses.squared(factor=1.0),
    )
    measure = wl.Particles(start())
    sgd = wl.SGD(step=STEP, dtype=jnp.float32)
    none = (wl.observables.Penalty(),)

    def run(steps: int) -> float:
        tick = time.perf_counter()
        wl.evolve(
            problem,
            measure,
            sgd,
            t1=steps * STEP,
            save_at=[steps * STEP],
            observe=none,
            key=jax.random.key(1),
        )
        return time.perf_counter() - tick

    return run


def torch_samples(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    y = torch.where(torch.rand(count) < 0.5, 1.0, -1.0)
    x = torch.randn(count, DIM) * torch.where(y > 0, PLUS, MINUS)[:, None]
    return x, y


def torch_autograd() -> Callable[[int], float]:
    """The loop that most scripts contain: forward, backward, step."""

    def run(steps: int) -> float:
        w = torch.tensor(start(), requires_grad=True)
        optimiser = torch.optim.SGD([w], lr=STEP * N)
        tick = time.perf_counter()
        x, y = torch_samples(steps)
        for k in range(steps):
            optimiser.zero_grad()
            z = w @ x[k]
            f = torch.mean(-2.5 + 10.0 * (torch.relu(z - 0.5) - torch.relu(z - 1.5)))
            ((f - y[k]) ** 2).backward()
            optimiser.step()
        return time.perf_counter() - tick

    return run


def torch_by_hand() -> Callable[[int], float]:
    """The gradient written out, updates in place."""

    def run(steps: int) -> float:
        w = torch.tensor(start())
        tick = time.perf_counter()
        x, y = torch_samples(steps)
        with torch.no_grad():
            for k in range(steps):
                z = torch.mv(w, x[k])
                f = torch.clamp(z, 0.5, 1.5).sub_(0.75).mul_(10.0).mean()
                slope = ((z > 0.5) & (z < 1.5)).to(torch.float32).mul_(20.0 * (f - y[k]))
                w.addr_(slope, x[k], alpha=-STEP)
        return time.perf_counter() - tick

    return run


@numba.njit(fastmath=True)
def _numba_loop(w: np.ndarray, steps: int, rng: np.random.Generator) -> None:
    n, dim = w.shape
    z = np.empty(n, np.float32)
    x = np.empty(dim, np.float32)
    step = np.float32(STEP)
    for _ in range(steps):
        positive = rng.random() < 0.5
        y = np.float32(1.0) if positive else np.float32(-1.0)
        spread = np.float32(PLUS) if positive else np.float32(MINUS)
        for j in range(dim):
            x[j] = spread * np.float32(rng.standard_normal())
        total = np.float32(0.0)
        for i in range(n):
            s = np.float32(0.0)
            for j in range(dim):
                s += w[i, j] * x[j]
            z[i] = s
            total += min(max(s, np.float32(0.5)), np.float32(1.5))
        f = np.float32(10.0) * (total / np.float32(n) - np.float32(0.75))
        pull = -step * np.float32(20.0) * (f - y)
        for i in range(n):
            if np.float32(0.5) < z[i] < np.float32(1.5):
                for j in range(dim):
                    w[i, j] += pull * x[j]


def numba_fused() -> Callable[[int], float]:
    def run(steps: int) -> float:
        w = start()
        tick = time.perf_counter()
        _numba_loop(w, steps, np.random.default_rng(1))
        return time.perf_counter() - tick

    return run


PEERS: dict[str, tuple[Callable[[], Callable[[int], float]], int]] = {
    "widelimit": (widelimit_sgd, 200_000),
    "torch_autograd": (torch_autograd, 3_000),
    "torch_by_hand": (torch_by_hand, 6_000),
    "numba_fused": (numba_fused, 200_000),
}


def apart() -> float:
    """The gradient steps are the same: the largest difference of a weight after three steps on given samples."""
    x, y = (part.numpy() for part in torch_samples(3))
    w = start().astype(np.float64)
    ours = wl.Particles(start().astype(np.float64))
    ramp = wl.activations.piecewise_linear([0.5, 1.5], [-2.5, 7.5])
    for row, label in zip(x.astype(np.float64), y.astype(np.float64), strict=True):
        unit = wl.units.Neuron(ramp, bias=False, output_weight=False)
        one = wl.Problem(unit, wl.data.Samples(row[None], label[None]), wl.losses.squared(factor=1.0))
        ours = wl.rollout(one, ours, wl.SGD(step=STEP, sampling=wl.sampling.Full()), steps=1)
        z = w @ row
        f = np.mean(10.0 * (np.clip(z, 0.5, 1.5) - 0.75))
        w -= STEP * 20.0 * (f - label) * ((z > 0.5) & (z < 1.5))[:, None] * row
    return float(np.abs(np.asarray(ours.positions) - w).max())


def main() -> None:
    race = Race(__doc__, "torch", "numba")
    torch.manual_seed(0)
    runs = {name: (make(), steps) for name, (make, steps) in PEERS.items()}
    ours, many = runs.pop("widelimit")
    first, difference = ours(many), apart()
    for name, (run, steps) in runs.items():
        race.row(
            "one-pass SGD, N = 800, d = 40, one sample a step, float32, a step",
            NAMES[name],
            lambda: ours(many) / many,
            lambda run=run, steps=steps: run(steps) / steps,
            wanted=WANTED[name],
            apart=difference,
            allowed=1e-12,
            first=first,
        )
    race.end()


if __name__ == "__main__":
    main()
