r"""A network trained on with all rows at once, by L-BFGS: how low its objective comes within so many steps.

In the coordinates $c / \sqrt{N}$, w, b of N neurons: from a usual random start c is of the size $\sqrt{N}$, so that f
depends on all of them alike, by $1/\sqrt{N}$. In the trainer's, c / N, w, b, as many steps end several times higher.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Particles, split
from widelimit.problem import Problem


class Descended(NamedTuple):
    """Where a descent came to: the objective, the measure, and the problem with the offset that goes with it."""

    objective: float
    measure: Particles
    problem: Problem


def descend(problem: Problem, measure: Particles, steps: int, *, offset: bool = True) -> Descended:
    """The network after at most so many steps of L-BFGS; with `offset`, its output bias moves as well."""
    import scipy.optimize
    from threadpoolctl import threadpool_limits

    rows = np.asarray(measure.positions, float)
    root = _root(problem, int(np.count_nonzero(np.asarray(measure.weights))))
    bias = problem.network.offset if offset else None
    start = np.concatenate([(rows / root).ravel(), [] if bias is None else np.ravel(bias)])

    def value(z: np.ndarray) -> tuple[float, np.ndarray]:
        found, slope = _graded(problem, jnp.asarray(z), jnp.asarray(root), measure.weights, offset=bias is not None)
        return float(found), np.asarray(slope)

    options = {"maxiter": steps, "maxfun": 2 * steps, "ftol": 1e-12, "gtol": 0.0}
    # Its matrices are so small that threads cost six times what they compute.
    with threadpool_limits(1, user_api="blas"):
        found: Any = scipy.optimize.minimize(value, start, jac=True, method="L-BFGS-B", options=options)
    moved = _with(problem, jnp.asarray(found.x), rows.size, there=bias is not None)
    particles = Particles(found.x[: rows.size].reshape(rows.shape) * root, measure.weights, blocks=problem.blocks)
    return Descended(float(found.fun), particles, moved)


def _root(problem: Problem, count: int) -> Float[np.ndarray, " D"]:
    """The columns of one neuron of `count` in the descent's coordinates: sqrt(N) for the output weights."""
    return np.repeat(
        [count**0.5 if b.name == problem.unit.linear else 1.0 for b in problem.blocks],
        [block.size for block in problem.blocks],
    )


def _with(problem: Problem, z: Array, size: int, *, there: bool) -> Problem:
    """The problem with the offset that is behind the rows in z."""
    old = problem.network.offset
    if not there or old is None:
        return problem
    new = z[size:].reshape(old.shape)
    return eqx.tree_at(lambda p: p.supervised.network.offset, problem, new)


@eqx.filter_jit
def _graded(problem: Problem, z: Array, root: Array, weights: Array, *, offset: bool) -> tuple[Array, Array]:
    n, size = weights.shape[0], weights.shape[0] * root.shape[0]

    def objective(z: Array) -> Array:
        own = _with(problem, z, size, there=offset)
        theta = split(problem.blocks, z[:size].reshape(n, -1) * root)
        cost = 0.0 if problem.penalty is None else jnp.sum(weights * jax.vmap(problem.penalty)(theta))
        return own.integrals.risk(theta, weights) + cost

    return jax.value_and_grad(objective)(z)
