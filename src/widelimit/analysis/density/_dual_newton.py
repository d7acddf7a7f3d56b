r"""The Gibbs fixed point on a grid, as the minimum of a convex function of few numbers.

Minimise $F(m) = R(\Phi^T m) + \langle \mathrm{pen}, m\rangle + T \sum m_i \log(m_i/V_i)$ over masses m. The prediction
$f = \Phi^T m$ has few degrees of freedom: with $\Phi = A B$ of rank r and $a = A^T m$ the risk is $R(B^T a)$, and

$$h(a) = \langle a, g\rangle - R(B^T a) + T \log Z,\qquad g = \nabla_a R(B^T a),\quad
Z = \sum_i V_i\, e^{-((A g)_i + \mathrm{pen}_i)/T}$$

is the dual function, written in a: -h(a) <= min F for every a, with equality where $a = A^T m(a)$, m(a) the masses in
Z. With H the Hessian of R(B^T a) and C the covariance of the rows of A under m(a),

$$\nabla h = H\,(a - A^T m(a)),\qquad \delta = -(1 + C H / T)^{-1} (a - A^T m(a))$$

is Newton's step for the equation. It descends on h: with $v = H^{1/2} (a - A^T m(a))$,
$\langle\nabla h, \delta\rangle = -\langle v, (1 + H^{1/2} C H^{1/2}/T)^{-1} v\rangle$. Halving the step until h falls
makes it converge from any start. The temperature comes down by factors, as in an interior-point method, so that every
solve starts near its solution.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import line_search
from widelimit.problem.data import Nodes

# Newton's decrement over T below which the next temperature is tried: there Newton converges quadratically.
_CLOSE = 0.01
_COOLING = 0.25


class Dual(eqx.Module):
    """The parts of h: `rows` A [N, r], `columns` B [r, Q * C], the data, the penalty and log V on the cells."""

    loss: Any
    rows: Float[Array, "N r"]
    columns: Float[Array, "r _"]
    nodes: Nodes
    penalty: Float[Array, " N"]
    log_v: Float[Array, " N"]

    def risk(self, a: Float[Array, " r"]) -> Float[Array, ""]:
        f = (a @ self.columns).reshape(self.nodes.y.shape)
        return jnp.sum(self.nodes.weights * jax.vmap(self.loss)(f, self.nodes.y))

    def logits(self, g: Float[Array, " r"], temperature: Any) -> Float[Array, " N"]:
        return self.log_v - (self.rows @ g + self.penalty) / temperature

    def value(self, a: Float[Array, " r"], temperature: Any) -> Float[Array, ""]:
        """h(a)."""
        risk, g = jax.value_and_grad(self.risk)(a)
        return a @ g - risk + temperature * jax.nn.logsumexp(self.logits(g, temperature))


class Iterate(NamedTuple):
    """`a`, the temperature reached, how far log m was from log Gibbs[m] before the last step, whether rounding stops
    it, whether h no longer falls along a step that promises more than rounding, steps done."""

    a: Float[Array, " r"]
    temperature: Float[Array, ""]
    residual: Float[Array, ""]
    stuck: Any
    lost: Any
    count: Any


class Solved(NamedTuple):
    """The masses m(a), the steps, and whether the residual met the tolerance or the rounding error."""

    masses: Float[Array, " N"]
    iterations: Any
    converged: Any


@eqx.filter_jit
def solve(dual: Dual, temperature: Any, tolerance: Any, most: Any) -> Solved:
    """Newton's method down to the temperature, until log m differs from log Gibbs[m] by `tolerance` at most."""
    zero = jnp.zeros(dual.rows.shape[1])
    psi = dual.rows @ jax.grad(dual.risk)(zero) + dual.penalty
    first = jnp.maximum(temperature, jnp.max(psi) - jnp.min(psi))
    no = jnp.asarray(False)
    start = Iterate(zero, first, jnp.asarray(jnp.inf), no, no, jnp.zeros((), jnp.int64))

    def done(it: Iterate) -> Any:
        return (it.temperature <= temperature) & ((it.residual <= tolerance) | it.stuck)

    def running(it: Iterate) -> Any:
        return ~done(it) & ~it.lost & (it.count < most)

    last = jax.lax.while_loop(running, lambda it: _step(dual, temperature, it), start)
    g = jax.grad(dual.risk)(last.a)
    return Solved(jax.nn.softmax(dual.logits(g, temperature)), last.count, done(last))


def _step(dual: Dual, end: Any, it: Iterate) -> Iterate:
    t, a = it.temperature, it.a
    g, hessian = jax.grad(dual.risk)(a), jax.hessian(dual.risk)(a)
    m = jax.nn.softmax(dual.logits(g, t))
    mean = m @ dual.rows
    centred = dual.rows - mean
    covariance = centred.T @ (m[:, None] * centred)
    defect = a - mean
    move = -jnp.linalg.solve(jnp.eye(a.shape[0]) + covariance @ hessian / t, defect)
    slope = defect @ hessian @ move
    here = dual.value(a, t)
    line = line_search(
        lambda s: (a + s * move, dual.value(a + s * move, t), s * slope),
        a,
        here,
        slack=1e-14 * (jnp.abs(here) + jnp.abs(dual.risk(a)) + t),
    )
    # psi at Gibbs[m] minus psi at m, to first order: what the two logarithms differ by, times T.
    residual = jnp.max(jnp.abs(dual.rows @ (hessian @ defect))) / t
    close = -slope <= _CLOSE * t
    # At the last temperature quadratic convergence ends where the residual no longer halves: that is rounding.
    blind = -slope <= 1e-12 * t
    stuck = (t <= end) & blind & (residual > 0.5 * it.residual)
    cooler = jnp.where(close, jnp.maximum(end, _COOLING * t), t)
    # A residual is that of its own temperature.
    residual = jnp.where(cooler < t, jnp.inf, residual)
    return Iterate(line.point, cooler, residual, stuck, ~line.found & ~blind, it.count + 1)
