"""How long a step of explicit descent may be."""

import jax
import jax.numpy as jnp
from jaxtyping import Array

from widelimit.measure import Particles, fields_of
from widelimit.problem import Problem, penalties


def stable_step(problem: Problem, measure: Particles, rate: float) -> float | None:
    """A step of explicit descent that does not diverge from `measure`: an eighth of the limit; None without or unknown.

    The limit is 2 / (xi (p M + 2 lambda)): p the largest mobility, M the curvature below, 2 lambda the bend of the
    penalty. The curvature at the start is what training has to survive; later it changes, hence the margin.
    """
    if problem.supervised is None:
        # An energy of the particles has no data whose curvature bounds that of all.
        return None
    scales = problem.mobility.scales(fields_of(problem.blocks))
    mobility = max((float(scale) for scale in scales), default=1.0) if scales is not None else 1.0
    names = tuple(block.name for block in problem.blocks)
    bends = [term.bend(names) for term in penalties.parts(problem.penalty)]
    decay = sum(bend.most for bend in bends if bend is not None)
    stiffness = rate * mobility * (largest_curvature(problem, measure) + decay)
    return 0.25 / stiffness if stiffness > 0 else None


def largest_curvature(problem: Problem, measure: Particles) -> float:
    r"""$\max_q \ell''(f_q)\,M(x_q, x_q)$, M the tangent kernel: a step above 2 over it diverges for one sample.

    It also bounds the largest eigenvalue that the full batch sees, as a trace bounds a norm. At most 256 data points
    are used.
    """
    network, data = problem.network, problem.data
    nodes = data.nodes
    # The first nodes of an interval are those at its left end.
    if nodes is None or problem.integrals.exact:
        x, y = data.batch(jax.random.key(0), 256)
    else:
        x, y = nodes.x[:256], nodes.y[:256]
    theta, w = problem.unpack(measure)
    scale = problem.scale.factor(w.shape[0])

    def one(point: Array, target: Array) -> Array:
        # By the rule of `integrate` without the factor w: [outputs, N, *shape] a block, grad phi for a two-layer mean.
        slopes = jax.jacrev(lambda th: scale * jnp.ravel(network(th, w, point[None])))(theta)
        size = sum(jnp.sum(jnp.tensordot(leaf**2, w, axes=((1,), (0,)))) for leaf in jax.tree.leaves(slopes))
        f = problem.predict(measure, point)
        bend = jnp.max(jnp.abs(jax.hessian(problem.loss)(f, target)))
        return bend * size

    return float(jnp.max(jax.lax.map(lambda pair: one(*pair), (x, y))))
