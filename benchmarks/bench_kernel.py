"""The empirical tangent kernel of 4,096 neurons on 1,000 samples of 20 inputs: against gradients and one product.

    python benchmarks/bench_kernel.py [--rounds 5] [--json results/bench_kernel.json]

Needs the `bench` extra (torch).
"""

import numpy as np
import torch
from race import Race, seconds

import widelimit as wl

N, SAMPLES, DIM = 4096, 1000, 20
RNG = np.random.default_rng(0)
X = RNG.standard_normal((SAMPLES, DIM))
ROWS = np.concatenate([RNG.standard_normal((N, 1)), RNG.standard_normal((N, DIM)), RNG.standard_normal((N, 1))], 1)


def peer() -> np.ndarray:
    """torch.func: the gradient of the output with respect to all parameters, a row a sample, and one product."""
    c, w, b = (torch.tensor(part) for part in (ROWS[:, 0], ROWS[:, 1:-1], ROWS[:, -1]))

    def output(parts: tuple[torch.Tensor, ...], x: torch.Tensor) -> torch.Tensor:
        c, w, b = parts
        return torch.tanh(w @ x + b) @ c / N**0.5

    gradients = torch.func.vmap(torch.func.grad(output), (None, 0))((c, w, b), torch.tensor(X))
    rows = torch.cat([g.reshape(SAMPLES, -1) for g in gradients], dim=1)
    return (rows @ rows.T).numpy()


def main() -> None:
    race = Race(__doc__, "torch", rounds=5)
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(X, X[:, 0]))
    measure = wl.Particles(ROWS)

    def ours() -> np.ndarray:
        return np.asarray(wl.kernels.tangent_kernel(problem, measure, X))

    first = seconds(ours)
    difference = float(np.abs(ours() - peer()).max() / np.abs(ours()).max())
    race.row(
        "empirical tangent kernel, N = 4096, Q = 1000, d = 20, float64",
        "torch.func gradients and one product",
        lambda: seconds(ours),
        lambda: seconds(peer),
        wanted=3.0,
        apart=difference,
        allowed=1e-12,
        first=first,
    )
    race.end()


if __name__ == "__main__":
    main()
