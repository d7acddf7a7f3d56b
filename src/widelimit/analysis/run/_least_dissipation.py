r"""Where particles are at rest: the dissipation minimised, saddles and maxima of the objective included.

$D(\rho) = \int |P^{1/2} \nabla\psi|^2 d\rho$ is a sum of squares of $r_i = \sqrt{w_i}\,P^{1/2} \nabla\psi(\theta_i)$,
which vanishes exactly at rest. In the coordinates $u_i = \sqrt{w_i}\,P^{-1/2} \theta_i$ its Jacobian is symmetric where
P is constant: it is the Hessian of the objective in the metric of the flow, and its eigenvalues are rates.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optimistix
from jaxtyping import Array, Float

from widelimit.measure import Particles
from widelimit.numerics import Module
from widelimit.problem import Problem, moving


class Residual(Module):
    """r of the coordinates u, both [K]. Zero weights and frozen blocks have the factor 0: they stay where they are.

    - `theta`, `w`: the particles from which the search begins.
    - `factors`: sqrt(w/s) for each block that moves, s its mobility; with a P that is no constant diagonal s = 1, and r
      is sqrt(w) P grad psi: zero at the same places.
    """

    problem: Problem
    theta: Any
    w: Float[Array, " N"]
    factors: dict[str, Float[Array, " N"]]

    def __call__(self, u: Float[Array, " K"]) -> Float[Array, " K"]:
        theta = self.placed(u)
        drift = self.problem.velocity(theta, self.problem.variation(theta, self.w).gradient)
        return self.joined(drift)

    def placed(self, u: Float[Array, " K"]) -> Any:
        """The particles, inside the domain."""
        new, start = {}, 0
        for name, factor in self.factors.items():
            old = getattr(self.theta, name)
            part = u[start : start + old.size].reshape(old.shape)
            start += old.size
            wide = _wide(factor, old)
            new[name] = jnp.where(wide > 0, part / jnp.where(wide > 0, wide, 1.0), old)
        return self.problem.retract(self.theta._replace(**new))

    def joined(self, theta: Any) -> Float[Array, " K"]:
        """Blocks times their factors, in one row."""
        parts = [(_wide(f, getattr(theta, name)) * getattr(theta, name)).ravel() for name, f in self.factors.items()]
        return jnp.concatenate(parts)


def _wide(factor: Any, like: Any) -> Any:
    return factor.reshape((-1, *(1,) * (like.ndim - 1)))


def least_dissipation(problem: Problem, start: Particles, steps: int) -> Particles:
    """Particles where the dissipation is least, near a start, by Levenberg and Marquardt in at most `steps` steps."""
    residual = _residual(problem, start)
    return problem.pack(residual.placed(_search(residual, steps)), residual.w)


def rates_of(problem: Problem, measure: Particles) -> Float[np.ndarray, " K"] | None:
    """The eigenvalues of the objective's Hessian among motions of these particles, ascending; None on a wall."""
    residual = _residual(problem, measure)
    matrix, free = _jacobian(residual)
    if not bool(free):
        return None
    matrix = -np.asarray(matrix)
    kept = np.flatnonzero(np.asarray(residual.joined(jax.tree.map(jnp.ones_like, residual.theta))) > 0)
    matrix = matrix[np.ix_(kept, kept)]
    if problem.mobility.scales(residual.theta) is None:
        # P times a symmetric matrix: similar to one.
        return np.sort(np.linalg.eigvals(matrix).real)
    return np.linalg.eigvalsh(0.5 * (matrix + matrix.T))


def _residual(problem: Problem, start: Particles) -> Residual:
    theta, w = problem.unpack(start)
    scales = problem.mobility.scales(theta)
    factors = {}
    for name in moving(problem, None):
        scale = 1.0 if scales is None else float(getattr(scales, name))
        factors[name] = jnp.sqrt(w / scale) if scale > 0.0 else jnp.zeros_like(w)
    return Residual(problem, theta, w, factors)


@eqx.filter_jit
def _search(residual: Residual, steps: int) -> Float[Array, " K"]:
    solver = optimistix.LevenbergMarquardt(rtol=1e-12, atol=1e-14)
    u = residual.joined(residual.theta)
    found = optimistix.least_squares(lambda u, r: r(u), solver, u, args=residual, max_steps=steps, throw=False)
    return found.value


@eqx.filter_jit
def _jacobian(residual: Residual) -> tuple[Array, Array]:
    """dr/du, and whether no velocity is held by a wall or a surface."""
    problem, theta = residual.problem, residual.theta
    gradient = problem.variation(theta, residual.w).gradient
    free = jax.tree.map(jnp.negative, jax.vmap(problem.mobility)(theta, gradient))
    held = [jnp.any(a != b) for a, b in zip(free, problem.velocity(theta, gradient), strict=True)]
    return jax.jacfwd(residual)(residual.joined(theta)), ~jnp.any(jnp.stack(held))
