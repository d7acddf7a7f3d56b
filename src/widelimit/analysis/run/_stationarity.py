r"""How far a measure is from rest, by each of the three conditions of yarotsky2018, Proposition 1.

$$1)\ \frac{d}{dt}\,\mathrm{objective} = 0,\qquad 2)\ P\nabla\psi = 0\ \text{on supp}\,\rho,\qquad
  3)\ \partial_t \rho = 0:\ \frac{d}{dt}\int g\,d\rho = \int \nabla g \cdot v\,d\rho = 0\ \text{for all } g.$$

Each is measured against the size of its parts. A component of grad psi is an integral of loss'(f, y) times a component
of grad phi; by Cauchy and Schwarz it is at most

$$s_{id} = \Big(\int \max(|\mathrm{loss}'(f, y)|, |\mathrm{loss}'(0, y)|)^2\,d\mu\Big)^{1/2}
  \Big(\int |\partial_d \phi(\theta_i, x)|^2\,d\mu\Big)^{1/2},$$

where loss'(0, y) keeps the size of what cancels in f - y from vanishing with it. For a network that is no mean of units
$\partial_d \phi$ is the derivative of f in theta_i over the weight of the particle.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Measure, join, laws
from widelimit.numerics import entries, real_number, sum_chunks
from widelimit.problem import Problem, penalties
from widelimit.problem.data import Nodes, require_nodes

# Time over which a proximal step measures the least-norm velocity: exact unless a charge smaller than this times its
# velocity crosses zero in it.
_SHORT = 1e-6
_FEATURES = 32
# Numbers grad phi(theta_i, x_q) that are computed for the sizes; of more nodes every n-th is taken.
_MOST = 2**26


class Stationarity(NamedTuple):
    """The size of the velocity on the support: zero exactly at a stationary measure.

    - `norms`: [N], |v(theta_i)|; `rms`: root mean square over rho; `largest`: the maximum over particles that
      carry weight.
    - `dissipation`: INT grad psi . P grad psi d rho = -d objective/dt.
    - `conditions`: (3,), the three conditions of Proposition 1 relative to the size of their parts: the root of the
      dissipation, the largest component of grad psi on the support, the largest d/dt INT g d rho over monomials
      theta_d, theta_d^2 and 32 random cosines g.
    - `is_stationary`: True or False where the three agree; None where they do not.
    - `verdict`: in words.
    """

    norms: Float[Array, " N"]
    rms: float
    largest: float
    dissipation: float
    conditions: Float[np.ndarray, "3"]
    is_stationary: bool | None
    verdict: str

    def __repr__(self) -> str:
        return (
            f"Stationarity(rms={self.rms:.3g}, largest={self.largest:.3g}, {len(self.norms)} particles, "
            f"is_stationary={self.is_stationary})"
        )


def stationarity(problem: Problem, measure: Any, *, tolerance: float = 1e-6) -> Stationarity:
    r"""$v = -P\nabla\psi$ on the support, projected onto the tangent cone of the domain; Proposition 1 of yarotsky2018.

    For a non-smooth penalty v is the velocity of least norm in the subdifferential, so a charge that rests at zero
    counts as at rest.

    - `tolerance`: below which a condition, relative to its parts, counts as met.

    Raises `ValueError` for a law, for data without nodes and for a tolerance outside (0, 1).
    """
    if isinstance(measure, laws.AbstractLaw):
        raise ValueError(
            "stationarity(measure=...): a law is no measure; take law.sample(n, key=...) or law.quantise(n); "
            "analysis.orthogonality judges laws of free-knot splines."
        )
    nodes = require_nodes(problem.data, "stationarity")
    real_number(tolerance, "stationarity(tolerance=...)", above=0.0, below=1.0)
    norms, dissipation, conditions = _measured(problem, measure, _thinned(problem, measure, nodes))
    w = measure.weights
    rms = float(jnp.sqrt(jnp.sum(w * norms**2) / jnp.sum(w)))
    found = np.asarray(conditions, float)
    rests, verdict = _verdict(found, tolerance)
    largest = float(jnp.max(jnp.where(w > 0, norms, 0.0)))
    return Stationarity(norms, rms, largest, float(dissipation), found, rests, verdict)


def _verdict(found: Float[np.ndarray, "3"], tolerance: float) -> tuple[bool | None, str]:
    names = ("the objective's rate", "grad psi on the support", "d_t rho against test functions")
    parts = ", ".join(f"{name} {value:.2g}" for name, value in zip(names, found, strict=True))
    held = found <= tolerance
    if held.all():
        return True, f"Stationary: {parts}, of their parts (tolerance {tolerance:.2g})."
    if not held.any():
        return False, f"Not stationary: {parts}, of their parts (tolerance {tolerance:.2g})."
    met = ", ".join(f"{i + 1})" for i in np.flatnonzero(held))
    return None, (
        f"Nearly stationary: {parts}, of their parts; within {tolerance:.2g} only {met}. The conditions are equivalent "
        "at zero; close to it, little mass in motion shows in grad psi and not in the averages."
    )


@eqx.filter_jit
def _measured(problem: Problem, measure: Measure, nodes: Nodes) -> tuple[Array, Array, Array]:
    measure = problem.arranged(measure)
    theta, w = problem.unpack(measure)
    gradient = problem.variation(theta, w).gradient
    v, spent = _velocity(problem, theta, gradient)
    sizes = _sizes(problem, measure, theta, nodes)
    slow = jax.tree.map(jnp.abs, jax.vmap(problem.mobility)(theta, sizes))
    velocity, size, speed = (join(problem.blocks, part) for part in (v, sizes, slow))
    carries = (w > 0)[:, None]
    rate = jnp.sqrt(_ratio(jnp.sum(w * spent), jnp.sum(w[:, None] * size * speed)))
    pointwise = jnp.max(jnp.where(carries, _ratio(jnp.abs(velocity), speed), 0.0))
    rows = jnp.asarray(measure.positions)
    moving, parts = _tested(rows, w, velocity, speed)
    norms = jnp.sqrt(jnp.sum(velocity**2, axis=1))
    return norms, jnp.sum(w * spent), jnp.stack([rate, pointwise, jnp.max(_ratio(jnp.abs(moving), parts))])


def _velocity(problem: Problem, theta: Any, gradient: Any) -> tuple[Any, Array]:
    """v, and how fast the objective falls by the motion of each particle [N]."""
    v = problem.velocity(theta, gradient)
    fall = jnp.zeros(())
    if not problem.smooth:
        ahead = problem.prox(jax.tree.map(lambda z, dz: z + _SHORT * dz, theta, v), _SHORT)
        v = jax.tree.map(lambda a, b: (a - b) / _SHORT, ahead, theta)
        rough = [term for term in penalties.parts(problem.penalty) if not term.smooth]
        fall = sum((jax.vmap(term)(theta) - jax.vmap(term)(ahead) for term in rough), fall) / _SHORT
    power = [jnp.sum((g * dz).reshape(g.shape[0], -1), axis=1) for g, dz in zip(gradient, v, strict=True)]
    return v, jnp.maximum(fall - sum(power[1:], power[0]), 0.0)


def _sizes(problem: Problem, measure: Measure, theta: Any, nodes: Nodes) -> Any:
    """s of the module's formula and |grad penalty|, in blocks [N, *shape]."""
    factor = problem.scale.factor(measure.weights.shape[0])
    f = problem.predict(measure, nodes.x)
    slope = jax.vmap(jax.grad(problem.loss))
    both = jnp.maximum(jnp.abs(slope(f, nodes.y)), jnp.abs(slope(jnp.zeros_like(f), nodes.y)))
    square = jnp.sum(nodes.weights * jnp.sum(both.reshape(f.shape[0], -1) ** 2, axis=1))

    network, w = problem.network, measure.weights

    def piece(x: Any, mu: Any) -> Any:
        def slopes(point: Any) -> Any:
            # The cotangent of theta leaves out the particle's weight: d f/d theta_i over w_i, for a mean grad phi.
            return jax.jacrev(lambda z: network(z, w, point[None])[0])(theta)

        return jax.tree.map(lambda part, z: _squares(part, mu, z), jax.vmap(slopes)(x), theta)

    chunk = max(1, entries(problem.budget) // (measure.positions.size * max(1, f[0].size)))
    squares = sum_chunks(piece, (nodes.x,), nodes.weights, chunk)
    sizes = jax.tree.map(lambda part: factor * jnp.sqrt(square * part), squares)
    for term in penalties.parts(problem.penalty):
        if term.smooth:
            sizes = jax.tree.map(lambda s, g: s + jnp.abs(g), sizes, jax.vmap(jax.grad(term))(theta))
    return sizes


def _squares(part: Any, mu: Any, like: Any) -> Any:
    """SUM_q mu_q SUM_out part^2 for derivatives [q, *out, *shape of the block]."""
    outs = tuple(range(1, part.ndim - like.ndim))
    return jnp.tensordot(mu, jnp.sum(part**2, axis=outs), axes=1)


def _tested(rows: Any, w: Any, velocity: Any, speed: Any) -> tuple[Array, Array]:
    """d/dt INT g d rho and the same with absolute values, for monomials and random cosines."""
    mean = jnp.sum(w[:, None] * rows, axis=0) / jnp.sum(w)
    spread = jnp.sqrt(jnp.sum(w[:, None] * (rows - mean) ** 2, axis=0) / jnp.sum(w))
    scale = jnp.where(spread > 0, spread, 1.0)
    key, other = jax.random.split(jax.random.key(0))
    waves = jax.random.normal(key, (_FEATURES, rows.shape[1])) / scale
    phases = jax.random.uniform(other, (_FEATURES,), maxval=2.0 * jnp.pi)
    turned = w[:, None] * jnp.sin((rows - mean) @ waves.T + phases)
    moving = [w @ velocity, w @ (2.0 * rows * velocity), jnp.sum(turned * (velocity @ waves.T), axis=0)]
    parts = [
        w @ speed,
        w @ (2.0 * jnp.abs(rows) * speed),
        jnp.sum(jnp.abs(turned) * (speed @ jnp.abs(waves).T), axis=0),
    ]
    return jnp.concatenate(moving), jnp.concatenate(parts)


def _ratio(part: Any, whole: Any) -> Any:
    """part/whole, 0 where both are 0: nothing moves where there is nothing to cancel."""
    return jnp.where(whole > 0, part / jnp.where(whole > 0, whole, 1.0), jnp.where(part > 0, jnp.inf, 0.0))


def _thinned(problem: Problem, measure: Measure, nodes: Nodes) -> Nodes:
    """Every n-th node, where the table of derivatives would be long; sizes are scales."""
    q = nodes.weights.shape[0]
    stride = -(-(q * measure.positions.size) // _MOST)
    if stride <= 1:
        return nodes
    weights = nodes.weights[::stride]
    return Nodes(nodes.x[::stride], nodes.y[::stride], weights / jnp.sum(weights))
