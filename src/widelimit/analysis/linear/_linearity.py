"""How far a run has left the region where a linear theory holds."""

import math
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.dynamics import schedules
from widelimit.kernels import LinearTheory, linear_theory, tangent_kernel
from widelimit.measure import Particles
from widelimit.numerics import real_number
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes
from widelimit.trajectory import Trajectory

# Data nodes on which kernels are compared.
_NODES = 128


class Linearity(NamedTuple):
    r"""A run beside a linear theory of its start, with the kernel frozen at $\rho_*$ (the start, or `at`).

    - `times`: [T].
    - `kernel_change`: [T], $|M[\rho_t] - M[\rho_*]| / |M[\rho_*]|$, Hilbert-Schmidt norms in L2(mu).
    - `gap`: [T], $|f_t - f^{lin}_t| / |f_t - y|$ in L2(mu).
    - `left_at`: the first save time at which `gap` is above the tolerance; infinite where there is none.
    - `verdict`: that in words.
    """

    times: Float[np.ndarray, " T"]
    kernel_change: Float[np.ndarray, " T"]
    gap: Float[np.ndarray, " T"]
    left_at: float
    verdict: str

    def __repr__(self) -> str:
        return f"Linearity(left_at={self.left_at:.4g}, {self.verdict!r})"


def linearity(
    problem: Problem,
    trajectory: Trajectory,
    *,
    at: Any = None,
    trainable: Any = None,
    schedule: Any = 1.0,
    tolerance: float = 0.1,
) -> Linearity:
    r"""Does a linear theory describe this run?

    It compares the run's tangent kernel with the frozen one, and its prediction with `TangentFlow`'s from its start.

    **Arguments**

    - `trajectory`: a run of particles (`GradientFlow`, `SGD`, ...).
    - `at`: where the theory freezes its kernel, as in `TangentFlow`: the start by default (the lazy regime); a global
      minimiser, such as the end of a long run, asks how well yarotsky2018 (15)-(18) describe it.
    - `trainable`, `schedule`: as in the run; the clock of a run that recorded its `tau` (`SGD`) is taken from there.
    - `tolerance`: of `gap`, in (0, infinity).

    **Raises** `ValueError` for a tolerance that is not positive, and as `TangentFlow` does.
    """
    real_number(tolerance, "linearity(tolerance=...)", above=0.0)
    clock = schedules.as_schedule(schedule, "linearity(schedule=...)")
    runs = [(rho := trajectory[i]).atoms(len(rho)) for i in range(len(trajectory))]
    theory = linear_theory(problem, runs[0], at=at, trainable=trainable, who="linearity")
    tau = trajectory.observables.get("tau", np.array([clock.integral(float(t)) for t in trajectory.times]))
    gap = _gap(problem, theory, runs, tau)
    change = kernel_change(problem, runs, theory.found.measure, trainable)
    above = np.flatnonzero(~(gap <= tolerance))
    left = float(trajectory.times[above[0]]) if len(above) else math.inf
    return Linearity(trajectory.times, change, gap, left, _verdict(trajectory.times, change, gap, above, tolerance))


def linear_prediction(theory: LinearTheory, tau: float) -> Float[np.ndarray, "Q ..."]:
    """f of the linear theory on the data's nodes, after the time tau."""
    modes = theory.found.on_nodes() * theory.seen.coefficients
    return theory.seen.prediction + modes @ np.expm1(-theory.rates * tau)


def _gap(problem: Problem, theory: LinearTheory, runs: list[Particles], tau: np.ndarray) -> np.ndarray:
    nodes = require_nodes(problem.data, "linearity")
    mu, y = np.asarray(nodes.weights), np.asarray(nodes.y, float)
    out = []
    for rho, time in zip(runs, tau, strict=True):
        f = np.asarray(problem.predict(rho, nodes.x))
        linear = linear_prediction(theory, time)
        off, rest = (np.sqrt(mu @ np.sum(z.reshape(len(mu), -1) ** 2, axis=1)) for z in (f - linear, f - y))
        out.append(off / rest if off > 0 else 0.0)
    return np.array(out)


def kernel_change(problem: Problem, runs: list[Particles], frozen: Particles, trainable: Any) -> np.ndarray:
    """How far the tangent kernel of each is from that of `frozen`, relative to it, in L2(mu); on at most 128 nodes."""
    nodes = require_nodes(problem.data, "linearity")
    mu = np.asarray(nodes.weights)
    some = np.unique(np.linspace(0, len(mu) - 1, min(len(mu), _NODES)).astype(int))
    x, root = jnp.asarray(nodes.x)[some], np.sqrt(mu[some])

    def weighted(rho: Particles) -> np.ndarray:
        table = np.asarray(tangent_kernel(problem, rho, x, trainable=trainable))
        outputs = math.prod(problem.data.outputs)
        table = table.reshape(len(some), outputs, len(some), outputs)
        return table * root[:, None, None, None] * root[:, None]

    first = weighted(frozen)
    size = float(np.linalg.norm(first)) or 1.0
    return np.array([float(np.linalg.norm(weighted(rho) - first)) / size for rho in runs])


def _verdict(times: np.ndarray, change: np.ndarray, gap: np.ndarray, above: np.ndarray, tolerance: float) -> str:
    if not len(above):
        return (
            f"The linear theory holds to t = {times[-1]:.4g}: its prediction is off by at most "
            f"{np.max(gap):.2g} of the residual (tolerance {tolerance:.2g}); the tangent kernel changed by "
            f"{np.max(change):.2g}."
        )
    i = int(above[0])
    return (
        f"The linear theory is left at t = {times[i]:.4g}: there its prediction is off by {gap[i]:.2g} of "
        f"the residual (tolerance {tolerance:.2g}); the tangent kernel has changed by {change[i]:.2g}, by "
        f"{change[-1]:.2g} at the end."
    )
