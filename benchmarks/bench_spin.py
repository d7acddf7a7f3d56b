"""rotskoff2018's two networks on the 3-spin function, against PyTorch.

- One SGD step of the sigmoid network (4.10): d = 10, n = 256, a batch of 51 fresh points of the sphere, float64.
- One step of the RBF network (4.5), without samples: d = 5, n = 256, alpha = 1, float64, explicit Euler and projection;
  in the space of the kernel, as (4.5) is, and in L2, where K is a Bessel function (at d = 5 an elementary one).

Peers are the loops that most scripts contain: autograd, and the gradients written out. All run in turn, round after
round, in one process; the figure to quote is the median over rounds of the ratio of times a step.

    python benchmarks/bench_spin.py [--rounds 7] [--json results/bench_spin.json]

Needs the `bench` extra (torch).
"""

import argparse
import json
import pathlib
import platform
import statistics
import time
from collections.abc import Callable

import jax
import numpy as np
import torch

import widelimit as wl

N, BATCH, STEP, ALPHA = 256, 51, 1e-3, 1.0
SIGMOID_DIM, RBF_DIM = 10, 5
NONE = (wl.observables.Penalty(),)
Step = Callable[[int], float]


def coefficients(d: int) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(d, d, d))


def sigmoid_start() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(N, SIGMOID_DIM + 2))


def rbf_start() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    y = rng.normal(size=(N, RBF_DIM))
    return rng.normal(size=N), RBF_DIM**0.5 * y / np.linalg.norm(y, axis=1, keepdims=True)


def evolving(problem: wl.Problem, start: wl.Particles, sgd: wl.SGD) -> Step:
    def run(steps: int) -> float:
        tick = time.perf_counter()
        t1 = steps * STEP
        wl.evolve(problem, start, sgd, t1=t1, save_at=[t1], observe=NONE, key=jax.random.key(1))
        return time.perf_counter() - tick

    return run


def widelimit_sigmoid() -> Step:
    problem = wl.problems.three_spin(coefficients(SIGMOID_DIM), unit=wl.units.Neuron(wl.activations.sigmoid))
    return evolving(problem, wl.Particles(sigmoid_start()), wl.SGD(STEP, batch=BATCH))


def widelimit_rbf(norm: str) -> Callable[[], Step]:
    def make() -> Step:
        problem = wl.problems.three_spin(coefficients(RBF_DIM), wl.kernels.exponential(ALPHA), norm=norm)
        charge, center = rbf_start()
        start = wl.Particles(np.column_stack([charge, center]), blocks=problem.blocks)
        return evolving(problem, start, wl.SGD(STEP, sampling=wl.sampling.Full()))

    return make


def timed(loop: Callable[[int], None]) -> Step:
    """With one thread and with all of them; the faster counts: on a busy machine threads wait for one another."""

    def once(steps: int, threads: int) -> float:
        torch.set_num_threads(threads)
        tick = time.perf_counter()
        loop(steps)
        return time.perf_counter() - tick

    most = torch.get_num_threads()
    return lambda steps: min(once(steps, threads) for threads in {1, most})


def torch_sigmoid() -> Step:
    """Forward, backward, step; the derivative of the loss times n is that of the mean-field time."""
    a = torch.tensor(coefficients(SIGMOID_DIM))
    d = SIGMOID_DIM

    def loop(steps: int) -> None:
        first = torch.tensor(sigmoid_start())
        c, w, b = (part.clone().requires_grad_() for part in (first[:, 0], first[:, 1:-1], first[:, -1]))
        optimiser = torch.optim.SGD([c, w, b], lr=STEP * N)
        for _ in range(steps):
            x = torch.randn(BATCH, d, dtype=torch.float64)
            x = d**0.5 * x / x.norm(dim=1, keepdim=True)
            y = torch.einsum("pqr,np,nq,nr->n", a, x, x, x) / d
            optimiser.zero_grad()
            f = torch.sigmoid(x @ w.T + b) @ c / N
            (0.5 * torch.mean((f - y) ** 2)).backward()
            optimiser.step()

    return timed(loop)


class Torch3Spin:
    """The target and its L2 average F = lambda_1 f_1 + lambda_3 f_3, with numbers made once."""

    def __init__(self, d: int) -> None:
        a = torch.tensor(coefficients(d))
        orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        self.d, self.sym = d, torch.stack([a.permute(order) for order in orders]).mean(dim=0)
        self.slope = 3 / (d + 2) * torch.einsum("iij->j", self.sym)
        kernel = wl.kernels.exponential(ALPHA)
        self.one, self.three = (float(kernel.eigenvalue(k, d)) for k in (1, 3))

    def twice(self, y: torch.Tensor) -> torch.Tensor:
        outer = (y[:, :, None] * y[:, None, :]).reshape(y.shape[0], -1)
        return outer @ self.sym.reshape(self.d, -1).T / self.d

    def average(self, y: torch.Tensor, f: torch.Tensor) -> torch.Tensor:
        return self.three * f + (self.one - self.three) * (y @ self.slope)


def rbf_loop(rates: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, torch.Tensor]]) -> Step:
    """Euler's step and the projection onto the sphere."""
    d = RBF_DIM

    def loop(steps: int) -> None:
        c, y = map(torch.tensor, rbf_start())
        for _ in range(steps):
            moved, pull = rates(c, y)
            pull = pull - torch.sum(pull * y, dim=1, keepdim=True) / d * y
            c, y = c + STEP * moved, y + STEP * pull
            y = d**0.5 * y / y.norm(dim=1, keepdim=True)

    return timed(loop)


def torch_autograd_rbf(norm: str) -> Callable[[], Step]:
    def make() -> Step:
        spin, d = Torch3Spin(RBF_DIM), RBF_DIM

        def rates(c: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            c, y = c.detach().requires_grad_(), y.detach().requires_grad_()
            pull = torch.sum(spin.twice(y) * y, dim=1)
            if norm == "l2":
                s = torch.sqrt(2 * ALPHA**2 * d * (d + y @ y.T))
                pull, table = spin.average(y, pull), 3 * (s * torch.cosh(s) - torch.sinh(s)) / s**3
            else:
                table = torch.exp(ALPHA * (y @ y.T))
            energy = -torch.sum(c * pull) + 0.5 / N * torch.dot(c, table @ c)
            by_charge, by_center = torch.autograd.grad(energy, (c, y))
            return -by_charge, -by_center

        return rbf_loop(rates)

    return make


def torch_by_hand_rbf(norm: str) -> Callable[[], Step]:
    def make() -> Step:
        spin, d = Torch3Spin(RBF_DIM), RBF_DIM

        def native(c: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            slope = spin.twice(y)
            table = torch.exp(ALPHA * (y @ y.T))
            pull = 3 * slope - ALPHA / N * (table @ (c[:, None] * y))
            return torch.sum(slope * y, dim=1) - table @ c / N, c[:, None] * pull

        def in_l2(c: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            slope = spin.twice(y)
            average = spin.average(y, torch.sum(slope * y, dim=1))
            square = 2 * ALPHA**2 * d * (d + y @ y.T)
            s = torch.sqrt(square)
            up = torch.exp(s)
            down = 1 / up
            sinh, cosh = 0.5 * (up - down), 0.5 * (up + down)
            table = 3 * (s * cosh - sinh) / (square * s)
            bent = ALPHA**2 * d * 3 * (sinh / s - table) / square
            direct = 3 * spin.three * slope + (spin.one - spin.three) * spin.slope
            pull = direct - bent @ (c[:, None] * y) / N
            return average - table @ c / N, c[:, None] * pull

        return rbf_loop(in_l2 if norm == "l2" else native)

    return make


# Of each study: who, how many steps a round, and how many times our time they should take at least.
STUDIES: dict[str, dict[str, tuple[Callable[[], Step], int, float]]] = {
    "sigmoid": {"widelimit": (widelimit_sigmoid, 20_000, 1.0), "torch_autograd": (torch_sigmoid, 500, 5.0)},
    **{
        f"rbf_{norm}": {
            "widelimit": (widelimit_rbf(norm), 2_000, 1.0),
            "torch_autograd": (torch_autograd_rbf(norm), 100, 5.0),
            "torch_by_hand": (torch_by_hand_rbf(norm), 200, 2.0),
        }
        for norm in ("rkhs", "l2")
    },
}


def study(name: str, rounds: int) -> dict[str, dict[str, object]]:
    """Times a step of all peers, and their ratios to ours."""
    runs = {who: (make(), steps, wanted) for who, (make, steps, wanted) in STUDIES[name].items()}
    first = {who: run(steps) for who, (run, steps, _) in runs.items()}
    print(f"{name}: first call of widelimit (compiles): {first['widelimit']:.2f} s")
    times: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, (run, steps, _) in runs.items():
            times[who].append(1e6 * run(steps) / steps)
    report = {}
    for who, values in times.items():
        ratios = [value / own for value, own in zip(values, times["widelimit"], strict=True)]
        middle = statistics.median(ratios)
        report[who] = {
            "us_per_step_median": statistics.median(values),
            "times_ours_median": middle,
            "times_ours_range": [min(ratios), max(ratios)],
        }
        print(
            f"  {who:16s} {statistics.median(values):9.2f} us a step   {middle:6.2f} x widelimit's time "
            f"[{min(ratios):.2f}, {max(ratios):.2f}]   (wanted: at least {runs[who][2]:g})"
        )
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=pathlib.Path, default=None)
    options = parser.parse_args()
    torch.manual_seed(0)
    report = {name: study(name, options.rounds) for name in STUDIES}
    if options.json is not None:
        made = {"how": "python benchmarks/bench_spin.py", "rounds": options.rounds, "machine": platform.machine()}
        versions = {"jax": jax.__version__, "torch": torch.__version__}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(made | {"versions": versions, "results": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
