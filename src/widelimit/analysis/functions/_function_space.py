"""A run seen in function space: the kernel that moves the prediction, beside the motion of the particles."""

import dataclasses
import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics import schedules
from widelimit.kernels import tangent_kernel
from widelimit.numerics import map_rows, whole_number
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes
from widelimit.trajectory import Trajectory

# Nodes times outputs, of which the kernel has the square.
_NODES = 4096
# Clock readings closer than this, relative to the last, are one.
_SAME = 1e-12


@dataclasses.dataclass(frozen=True, repr=False)
class FunctionSpace:
    r"""The prediction on the data's nodes along a run, and both sides of its equation. See `function_space`.

    - `times` [T]: tau = INT xi of the save points; `prediction` [T, Q, ...].
    - `moved` [T, Q, ...]: df/dtau as the particles move it, $\int \nabla\phi \cdot \dot\theta\,d\rho$.
    - `driven` [T, Q, ...]: the other side, $-\kappa^2 \int M[\rho_\tau](x, x')\,\ell'(f(x'), y')\,\mu(dx')$.
    - `difference` [T]: |moved - driven| / |driven| in L2(mu): rounding, as both are of the same state.
    - `defect` [T]: |f(tau) - f(0) - INT_0^tau driven| over the largest |f(tau) - f(0)|: of the run itself, with the
      integral of a cubic spline through the save points, so that it holds their spacing and, for SGD, its noise.
    - `fall` [T]: $\kappa^2 \iint \ell'\,\ell'\,M\,d\mu\,d\mu \ge 0$, the rate at which the risk falls (rotskoff2018
      (2.39)).
    """

    problem: Problem
    trajectory: Trajectory
    times: Float[np.ndarray, " T"]
    prediction: Float[np.ndarray, "T Q ..."]
    moved: Float[np.ndarray, "T Q ..."]
    driven: Float[np.ndarray, "T Q ..."]
    difference: Float[np.ndarray, " T"]
    defect: Float[np.ndarray, " T"]
    fall: Float[np.ndarray, " T"]

    def __repr__(self) -> str:
        return (
            f"FunctionSpace({len(self.times)} times, difference {np.max(self.difference):.2g}, "
            f"defect {np.max(self.defect):.2g})"
        )

    def kernel(self, index: int) -> Float[np.ndarray, "..."]:
        """M[rho] on the nodes at save point `index`: [Q, Q], or [Q, C, Q, C]."""
        i = whole_number(index, "FunctionSpace.kernel(index=...)", least=-len(self.times), most=len(self.times) - 1)
        return np.asarray(_kernel(self.problem, self.trajectory[i]))

    def eigenvalues(self, index: int) -> Float[np.ndarray, " r"]:
        """Those of M in L2(mu) at save point `index`, ascending: none is negative but by rounding (2.39)."""
        mu = np.asarray(require_nodes(self.problem.data, "FunctionSpace.eigenvalues").weights)
        table = self.kernel(index)
        size = math.isqrt(table.size)
        root = np.repeat(np.sqrt(mu), size // len(mu))
        return np.linalg.eigvalsh(root[:, None] * table.reshape(size, size) * root)


def function_space(problem: Problem, trajectory: Trajectory, *, schedule: Any = 1.0) -> FunctionSpace:
    r"""Check $\partial_\tau f = -\kappa^2 \int M[\rho_\tau](x, x')\,\ell'(f(x'), y')\,\mu(dx')$ along a run.

    rotskoff2018 (2.37) for any loss, mobility and output scale (its M, (2.38), is the tangent kernel with the output
    weight and the identity as mobility; its loss has l' = f - y; kappa is the factor of the scale, 1 for the mean).

    - `trajectory`: a run of the problem; of SGD, or of a flow.
    - `schedule`: xi of the run, where it recorded no tau (flows do not): times are tau = INT xi.

    The kernel has (Q C)^2 entries, Q nodes and C outputs; up to 4096 of them.

    **Raises** `ValueError` for a network that is no two-layer mean, data without nodes or with too many, a penalty and
    a domain with walls, which are in no equation for f alone.
    """
    problem.two_layer("function_space")
    if problem.penalty is not None or not problem.domain.flat:
        what = "penalty" if problem.penalty is not None else "domain with walls or constraints"
        raise ValueError(f"function_space: no equation for f alone holds with a {what}, and the problem has one.")
    nodes = require_nodes(problem.data, "function_space")
    if nodes.y.size > _NODES:
        raise ValueError(
            f"function_space: the kernel on {nodes.y.size} nodes and outputs has {nodes.y.size**2:.2g} entries; take "
            f"fewer data, at most {_NODES} nodes."
        )
    problem = problem.on_nodes()
    xi = schedules.as_schedule(schedule, "function_space(schedule=...)")
    seen = trajectory.observables.get("tau")
    tau = np.array([xi.integral(float(t)) for t in trajectory.times]) if seen is None else np.asarray(seen, float)
    states = [_sides(problem, trajectory[i], nodes) for i in range(len(trajectory))]
    f, moved, driven, fall = (np.stack([np.asarray(state[k]) for state in states]) for k in range(4))
    norm = functools.partial(_norm, np.asarray(nodes.weights))
    with np.errstate(invalid="ignore"):
        difference = np.nan_to_num(norm(moved - driven) / norm(driven), nan=0.0)
    whole = np.max(norm(f - f[0]))
    defect = norm(f - f[0] - _integral(tau, driven)) / (whole if whole > 0.0 else 1.0)
    return FunctionSpace(problem, trajectory, tau, f, moved, driven, difference, defect, fall)


def _norm(mu: Float[np.ndarray, " Q"], values: Float[np.ndarray, "T Q ..."]) -> Float[np.ndarray, " T"]:
    """|.| in L2(mu)."""
    return np.sqrt(np.sum(values.reshape(*values.shape[:2], -1) ** 2, axis=2) @ mu)


def _integral(tau: Float[np.ndarray, " T"], rate: Float[np.ndarray, "T Q ..."]) -> Float[np.ndarray, "T Q ..."]:
    """INT_0^tau of the cubic spline through the rates; of lines where there are fewer than four."""
    from scipy.interpolate import make_interp_spline

    # Where xi is 0 the clock stands still, but for rounding.
    first = np.flatnonzero(np.diff(tau, prepend=-1.0) > _SAME * max(tau[-1], 1.0))
    times = tau[first]
    if len(times) < 2:
        return np.zeros_like(rate)
    spline = make_interp_spline(times, rate[first], k=min(3, len(times) - 1)).antiderivative()
    return np.asarray(spline(tau) - spline(tau[0]))


def _kernel(problem: Problem, measure: Any) -> Array:
    return tangent_kernel(problem, measure, require_nodes(problem.data, "function_space").x)


def _sides(problem: Problem, measure: Any, nodes: Nodes) -> tuple[Array, Array, Array, Array]:
    """f, both sides of its equation, and the fall of the risk."""
    theta, w = problem.unpack(measure)
    f, slope, moved = _moved(problem, theta, w, nodes)
    kernel = _kernel(problem, measure).reshape(slope.size, slope.size)
    weighted = (nodes.weights.reshape(-1, *(1,) * (slope.ndim - 1)) * slope).ravel()
    factor = problem.scale.factor(w.shape[0]) ** 2
    pull = factor * (kernel @ weighted)
    return f, moved, -pull.reshape(slope.shape), weighted @ pull


@eqx.filter_jit
def _moved(problem: Problem, theta: Any, w: Any, nodes: Nodes) -> tuple[Array, Array, Array]:
    """f, l', and the derivative of f along the velocity of the particles."""
    task = problem.task("function_space")
    velocity = problem.velocity(theta, problem.variation(theta, w).gradient)

    def one(point: Any) -> tuple[Array, Array]:
        f, along = jax.jvp(lambda th: task.outputs(th, w, point[None]), (theta,), (velocity,))
        return f[0], along[0]

    f, moved = map_rows(one, nodes.x, task.piece(w.shape[0]))
    return f, jnp.asarray(jax.vmap(jax.grad(task.loss))(f, nodes.y)), moved
