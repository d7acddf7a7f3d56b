"""A gradient step of a wide residual network: widelimit's `evolve` against PyTorch's batched matrix products.

The network has d = 2, L = 16 levels, N = 200 particles a level, tanh, 64 samples; gradient descent on the whole batch,
in float64 and float32, one thread each. With `--scaling` also the exponents of L, N and Q in the processor time of a
step and in the memory of its compiled program, which must be 1.

    python benchmarks/bench_resnet.py [--rounds 7] [--scaling] [--json results/bench_resnet.json]

Needs the `bench` extra (torch).
"""

import os
import time
from collections.abc import Callable
from typing import Any

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
if hasattr(os, "sched_setaffinity"):
    # One thread: the compiler's own pool asks how many cores there are.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import jax
import jax.numpy as jnp
import numpy as np
import torch
from race import Race, per_step

import widelimit as wl

DIM, DEPTH, WIDTH, SAMPLES, STEP = 2, 16, 200, 64, 0.01
Clock = Callable[[], float]
WANTED = {"float64": 3.0, "float32": 5.0}


def inputs(samples: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((samples, DIM))


def matrices(depth: int, width: int) -> np.ndarray:
    return 0.5 * np.random.default_rng(0).standard_normal((depth, width, DIM, DIM))


def particles(depth: int, width: int) -> wl.Particles:
    levels = np.repeat(np.arange(depth), width)[:, None]
    return wl.Particles(np.concatenate([matrices(depth, width).reshape(-1, DIM * DIM), levels], axis=1))


def ours(
    dtype: str, depth: int = DEPTH, width: int = WIDTH, samples: int = SAMPLES, clock: Clock = time.perf_counter
) -> Callable[[int], float]:
    x = inputs(samples)
    problem = wl.problems.wide_resnet(
        wl.data.Samples(x, np.tanh(x[:, ::-1])), depth=depth, activation=wl.activations.tanh
    )
    start = particles(depth, width)
    sgd = wl.SGD(step=STEP, sampling=wl.sampling.Full(), dtype=jnp.dtype(dtype))
    none = (wl.observables.Penalty(),)

    def run(steps: int) -> float:
        tick = clock()
        end = steps * STEP
        run.end = wl.evolve(problem, start, sgd, t1=end, save_at=[end], observe=none, key=jax.random.key(0)).final
        return clock() - tick

    return run


def torch_matmul(dtype: str) -> Callable[[int], float]:
    """The loop that most scripts contain, a batched product a level, by autograd."""
    kind = getattr(torch, dtype)

    def run(steps: int) -> float:
        x = torch.tensor(inputs(SAMPLES), dtype=kind)
        y = torch.tanh(x.flip(1))
        theta = torch.tensor(matrices(DEPTH, WIDTH), dtype=kind, requires_grad=True)
        optimiser = torch.optim.SGD([theta], lr=STEP * DEPTH * WIDTH)
        tick = time.perf_counter()
        for _ in range(steps):
            optimiser.zero_grad()
            state = x
            for level in theta:
                state = state + torch.tanh(torch.matmul(state, level.transpose(1, 2))).sum(0) / (DEPTH * WIDTH)
            (0.5 * ((state - y) ** 2).sum(1).mean()).backward()
            optimiser.step()
        run.end = theta.detach().numpy()
        return time.perf_counter() - tick

    return run


def memory(depth: int = DEPTH, width: int = WIDTH, samples: int = SAMPLES) -> int:
    """Bytes that the compiled risk and gradient need beside arguments and results, in float64.

    All samples at once: by default more of them are cut into pieces of a bounded size.
    """
    x = inputs(samples)
    labels = wl.data.Samples(x, np.tanh(x[:, ::-1]))
    problem = wl.problems.wide_resnet(labels, depth=depth, activation=wl.activations.tanh, budget=2**40)
    theta, w = problem.unpack(particles(depth, width))
    program = jax.jit(lambda z, mass: problem.variation(z, mass)).lower(theta, w).compile()
    analysis: Any = program.memory_analysis()
    return int(analysis.temp_size_in_bytes)


# Each from the standard size on, where what a step costs besides no longer counts.
GROWN = {
    "L": [{"depth": DEPTH * k} for k in (1, 2, 4)],
    "N": [{"width": WIDTH * k} for k in (1, 2, 4)],
    "Q": [{"samples": SAMPLES * k} for k in (1, 2, 4)],
}


def scaling() -> dict[str, Any]:
    """Exponents of L, N and Q, 1 to 4 times the standard size, in time and memory of a gradient step."""
    found = {}
    for name, sizes in GROWN.items():
        # Of the processor: other work on the machine does not count.
        runs = [ours("float64", **size, clock=time.process_time) for size in sizes]
        for run in runs:
            run(20)
        # In turn; the least of several is the least disturbed.
        times = np.min([[per_step(run, 20, 120) for run in runs] for _ in range(7)], axis=0)
        peak = [memory(**size) for size in sizes]
        found[name] = {
            "seconds_per_step": list(times),
            "time": exponent(times),
            "peak_bytes": peak,
            "memory": exponent(peak),
        }
    return found


def exponent(values: list[int] | np.ndarray) -> float:
    """The slope of log(values) on log 1, log 2, log 4."""
    return float(np.polyfit(np.log([1.0, 2.0, 4.0]), np.log(values), 1)[0])


def apart(dtype: str) -> float:
    """The largest difference of the matrices after five steps."""
    mine, theirs = ours(dtype), torch_matmul(dtype)
    mine(5), theirs(5)
    rows = np.asarray(mine.end.positions)[:, : DIM * DIM]
    return float(np.abs(rows - theirs.end.reshape(rows.shape)).max())


def main() -> None:
    race = Race(__doc__, "torch", flags=("--scaling",))
    torch.set_num_threads(1)
    for dtype, wanted in WANTED.items():
        difference, mine, peer = apart(dtype), ours(dtype), torch_matmul(dtype)
        race.row(
            f"wide residual network, d = 2, L = 16, N = 200 a level, 64 samples, {dtype}, a step",
            "PyTorch, a batched product a level",
            lambda mine=mine: per_step(mine, 20, 320),
            lambda peer=peer: per_step(peer, 5, 45),
            wanted=wanted,
            apart=difference,
            allowed={"float64": 1e-12, "float32": 1e-5}[dtype],
        )
    more = {}
    if race.options.scaling:
        more["scaling"] = scaling()
        for name, one in more["scaling"].items():
            print(f"exponent of {name}: time {one['time']:.2f}, memory {one['memory']:.2f}   (wanted: 1)")
    race.end(**more)


if __name__ == "__main__":
    main()
