"""SGD on batches of 32, 512 neurons of 64 inputs: widelimit's `evolve` against PyTorch, eager and compiled.

Batches are drawn from 4,096 fixed samples with replacement; tanh, squared loss, float32 and float64, one thread each.

    python benchmarks/bench_batch.py [--rounds 7] [--json results/bench_batch.json]

Needs the `bench` extra (torch); torch.compile needs a C++ compiler.
"""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
if hasattr(os, "sched_setaffinity"):
    # One thread: the compiler's own pool asks how many cores there are.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import torch
from race import Race, per_step

import widelimit as wl

N, DIM, BATCH, SAMPLES, STEP = 512, 64, 32, 4096, 0.01
RNG = np.random.default_rng(0)
X = RNG.standard_normal((SAMPLES, DIM))
Y = np.sin(X[:, 0])
ROWS = np.concatenate([RNG.standard_normal((N, 1)), RNG.standard_normal((N, DIM)) / DIM**0.5, np.zeros((N, 1))], 1)


def ours(dtype: str, *, whole: bool = False) -> Callable[[int], float]:
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(X, Y))
    start = wl.Particles(ROWS)
    how = {"sampling": wl.sampling.Full()} if whole else {"batch": BATCH}
    sgd = wl.SGD(step=STEP, dtype=jnp.dtype(dtype), **how)
    none = (wl.observables.Penalty(),)

    def run(steps: int) -> float:
        tick = time.perf_counter()
        end = steps * STEP
        run.end = wl.evolve(problem, start, sgd, t1=end, save_at=[end], observe=none, key=jax.random.key(0)).final
        return time.perf_counter() - tick

    return run


def peer(dtype: str, *, compiled: bool, whole: bool = False) -> Callable[[int], float]:
    """The loop that most scripts contain; its forward and loss compiled where asked."""
    kind = getattr(torch, dtype)
    x, y = torch.tensor(X, dtype=kind), torch.tensor(Y, dtype=kind)

    def loss(
        c: torch.Tensor, w: torch.Tensor, b: torch.Tensor, rows: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        f = torch.tanh(rows @ w.T + b) @ c / N
        return 0.5 * torch.mean((f - labels) ** 2)

    loss_of = torch.compile(loss) if compiled else loss

    def run(steps: int) -> float:
        parts = [torch.tensor(p, dtype=kind, requires_grad=True) for p in (ROWS[:, 0], ROWS[:, 1:-1], ROWS[:, -1])]
        optimiser = torch.optim.SGD(parts, lr=STEP * N)
        tick = time.perf_counter()
        for _ in range(steps):
            optimiser.zero_grad()
            chosen = slice(None) if whole else torch.randint(SAMPLES, (BATCH,))
            loss_of(*parts, x[chosen], y[chosen]).backward()
            optimiser.step()
        run.end = np.concatenate([p.detach().numpy().reshape(N, -1) for p in parts], axis=1)
        return time.perf_counter() - tick

    return run


def apart(dtype: str) -> float:
    """Ten steps on the whole data, where nothing is random: the largest difference of a parameter."""
    mine, theirs = ours(dtype, whole=True), peer(dtype, compiled=False, whole=True)
    mine(10), theirs(10)
    return float(np.abs(np.asarray(mine.end.positions) - theirs.end).max())


def main() -> None:
    race = Race(__doc__, "torch")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    for dtype, allowed in (("float32", 1e-5), ("float64", 1e-12)):
        mine, difference = ours(dtype), apart(dtype)
        first = mine(20)
        for name, compiled, wanted in (("PyTorch autograd", False, 5.0), ("PyTorch, torch.compile", True, 2.0)):
            theirs = peer(dtype, compiled=compiled)
            race.row(
                f"SGD, N = 512, d = 64, batch 32, {dtype}, a step",
                name,
                lambda mine=mine: per_step(mine, 200, 4200),
                lambda theirs=theirs: per_step(theirs, 20, 420),
                wanted=wanted,
                apart=difference,
                allowed=allowed,
                first=first,
            )
    race.end()


if __name__ == "__main__":
    main()
