"""The flow of 512 particles on the digits to t = 20: against SciPy's RK45 and torchdiffeq on the same right-hand side.

The classes 3 and 8, 64 inputs, tanh neurons, float64. Every solver takes the largest tolerance, a power of ten, at
which its risk at t = 20 is within 1e-6 of that of a run at 1e-11: the same error for all.

    python benchmarks/bench_digits.py [--rounds 3] [--json results/bench_digits.json]

Needs the `bench` extra (torch, torchdiffeq).
"""

import warnings
from collections.abc import Callable

import jax
import numpy as np
import scipy.integrate
import torch
import torchdiffeq
from race import Race, seconds

import widelimit as wl

N, T1, ERROR = 512, 20.0, 1e-6


def velocity(x: np.ndarray, y: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, float]:
    """-grad psi and the risk, written out in NumPy."""
    c, w, b = rows[:, 0], rows[:, 1:-1], rows[:, -1]
    h = np.tanh(w @ x.T + b[:, None])
    residual = c @ h / N - y
    slopes = c[:, None] * (1.0 - h**2) * (residual / len(y))
    moved = np.column_stack([h @ residual / len(y), slopes @ x, slopes.sum(1)])
    return -moved, float(0.5 * np.mean(residual**2))


def in_torch(x: np.ndarray, y: np.ndarray) -> Callable[..., torch.Tensor]:
    xs, ys = torch.tensor(x), torch.tensor(y)

    def rate(_: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        c, w, b = rows[:, 0], rows[:, 1:-1], rows[:, -1]
        h = torch.tanh(w @ xs.T + b[:, None])
        residual = (c @ h / N - ys) / len(ys)
        slopes = c[:, None] * (1.0 - h**2) * residual
        return -torch.column_stack([h @ residual, slopes @ xs, slopes.sum(1)])

    return rate


def main() -> None:
    race = Race(__doc__, "scipy", "torch", "torchdiffeq", rounds=3)
    with warnings.catch_warnings():
        # Pixels that are always empty.
        warnings.simplefilter("ignore", wl.data.DataNotice)
        x, y = wl.data.load("sklearn:digits", classes=(3, 8))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, y))
    law = {"output": wl.laws.Normal(0.0, 1.0), "weight": wl.laws.Normal(0.0, 0.125, dim=64), "bias": wl.laws.Atom(0.0)}
    start = wl.laws.Product(**law).sample(N, key=jax.random.key(0))
    rows = np.asarray(problem.arranged(start).positions)
    rate = in_torch(x, y)

    def ours(tolerance: float) -> np.ndarray:
        flow = wl.GradientFlow(wl.dynamics.integrators.Tsit5(tolerance, tolerance))
        return np.asarray(wl.evolve(problem, start, flow, t1=T1, save_at=[T1], progress=False).positions[-1])

    def by_scipy(tolerance: float) -> np.ndarray:
        def flat(_: float, z: np.ndarray) -> np.ndarray:
            return velocity(x, y, z.reshape(N, -1))[0].ravel()

        found = scipy.integrate.solve_ivp(flat, (0.0, T1), rows.ravel(), rtol=tolerance, atol=tolerance)
        return found.y[:, -1].reshape(N, -1)

    def by_torchdiffeq(tolerance: float) -> np.ndarray:
        times = torch.tensor([0.0, T1], dtype=torch.float64)
        options = {"rtol": tolerance, "atol": tolerance, "method": "dopri5"}
        return torchdiffeq.odeint(rate, torch.tensor(rows), times, **options)[-1].numpy()

    first = seconds(lambda: ours(1e-6))
    best = velocity(x, y, ours(1e-11))[1]

    def at_error(solve: Callable[[float], np.ndarray]) -> tuple[float, float]:
        """The largest power of ten that keeps the error, and that error."""
        for power in range(2, 11):
            error = abs(velocity(x, y, solve(10.0**-power))[1] - best)
            if error <= ERROR:
                return 10.0**-power, error
        raise SystemExit("bench_digits.py: no tolerance keeps the error.")

    own, own_error = at_error(ours)
    for name, solve in (("SciPy, RK45", by_scipy), ("torchdiffeq, dopri5", by_torchdiffeq)):
        tolerance, error = at_error(solve)
        race.row(
            f"flow of 512 particles on the digits to t = 20, error {ERROR:g} (tolerance {own:g})",
            f"{name} (tolerance {tolerance:g})",
            lambda: seconds(lambda: ours(own)),
            lambda solve=solve, tolerance=tolerance: seconds(lambda: solve(tolerance)),
            wanted=5.0,
            apart=max(error, own_error),
            allowed=ERROR,
            first=first,
        )
    race.end()


if __name__ == "__main__":
    main()
