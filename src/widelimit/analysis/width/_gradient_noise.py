"""The covariance of one sample's gradient: the noise of SGD."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.dynamics.sampling import multinomial_noise
from widelimit.kernels import rows_of
from widelimit.measure import Measure, join, laws, split
from widelimit.numerics import entries, own_array, random_key, sum_chunks, whole_number
from widelimit.problem import Problem
from widelimit.problem.data import Nodes, require_nodes

# Numbers in a table that is returned whole.
_ENTRIES = 2**26


@dataclasses.dataclass(frozen=True, repr=False)
class GradientNoise:
    r"""$R_{ij} = \int g_i\,g_j^T\,d\mu - \int g_i\,d\mu \int g_j^T d\mu$, $g_i(x, y) = \ell'(f(x), y)\,
    \nabla\phi(\theta_i, x)$.

    For N particles of D parameters R is an (ND) x (ND) matrix of rank below Q, the number of nodes; it is applied and
    factorised, and written down only in parts. See `gradient_noise`.

    - `mean`: [N, D], $\int g\,d\mu$: grad psi, without the penalties, whose gradient is no noise.
    - `trace`: tr R, the mean square of the noise summed over all particles.
    - `rows` [N, D], `weights` [N]: the particles.
    """

    problem: Problem
    nodes: Nodes
    rows: Float[np.ndarray, "N D"]
    weights: Float[np.ndarray, " N"]
    mean: Float[np.ndarray, "N D"]
    trace: float

    def __repr__(self) -> str:
        return f"GradientNoise(N = {len(self.rows)}, D = {self.rows.shape[1]}, trace {self.trace:.4g})"

    def apply(self, direction: Any) -> Float[np.ndarray, "N D"]:
        """R v for a direction v [N, D], in one pass over the data."""
        v = _numbers(direction, self.rows.shape, "GradientNoise.apply(direction=...)")
        return np.asarray(_applied(self.problem, self.nodes, *self._centred, jnp.asarray(v)))

    def sample(self, key: PRNGKeyArray) -> Float[np.ndarray, "N D"]:
        """A centred Gaussian with covariance R: what a batch of B samples adds to grad psi, times sqrt(B)."""
        mu = self.nodes.weights
        normal = jax.random.normal(random_key(key, "GradientNoise.sample(key=...)"), mu.shape)
        return np.asarray(_gradient(self.problem, self.nodes, *self._arrays, multinomial_noise(mu, normal)))

    def blocks(self, first: int, second: int | None = None) -> Float[np.ndarray, "D D"]:
        """R_ij for the particles i = `first` and j = `second` (`first` if left out), of rotskoff2018 (3.11)."""
        n = len(self.rows) - 1
        i = whole_number(first, "GradientNoise.blocks(first=...)", least=0, most=n)
        j = i if second is None else whole_number(second, "GradientNoise.blocks(second=...)", least=0, most=n)
        return np.asarray(_block(self.problem, self.nodes, *self._centred, jnp.asarray([i, j])))

    def factor(self) -> Float[np.ndarray, "N D Q"]:
        """L with R = L L^T: sqrt(mu_q) (g(x_q, y_q) - mean). Raises `ValueError` where it is too large a table."""
        size = self.rows.size * len(self.nodes.weights)
        _check_size(size, "GradientNoise.factor", f"{self.rows.size} parameters x {len(self.nodes.weights)} nodes")
        g = np.asarray(_samples(self.problem, self.nodes, *self._arrays))
        return np.moveaxis(np.sqrt(np.asarray(self.nodes.weights))[:, None, None] * (g - self.mean), 0, 2)

    def dense(self) -> Float[np.ndarray, "N D N D"]:
        """R itself. Raises `ValueError` where it is too large a table: see `apply`, `blocks`, `factor`."""
        _check_size(self.rows.size**2, "GradientNoise.dense", f"{self.rows.size} x {self.rows.size} parameters")
        root = self.factor().reshape(self.rows.size, -1)
        return (root @ root.T).reshape(*self.rows.shape, *self.rows.shape)

    @property
    def _arrays(self) -> tuple[Array, Array]:
        return jnp.asarray(self.rows), jnp.asarray(self.weights)

    @property
    def _centred(self) -> tuple[Array, Array, Array]:
        return *self._arrays, jnp.asarray(self.mean)


def gradient_noise(problem: Problem, measure: Measure | laws.AbstractLaw) -> GradientNoise:
    r"""The covariance of one sample's gradient at a measure, rotskoff2018 (3.10)-(3.12), for any loss and network.

    SGD with batches of B fresh samples adds to grad psi a noise of covariance R/B; over steps of dt it makes the
    diffusion `SGDDiffusion`, $dZ = -P\nabla\psi\,dt + \sqrt{dt/B}\,P\,dB$ with $\langle dB, dB\rangle = R\,dt$. For the
    loss (f - y)^2/2 and a unit $c\,\phi(x, y)$ a block is made of A_0 (charges), c_i A_1 and c_i c_j A_2 of (3.12).

    - `measure`: particles, or a density on a grid as its cells.

    **Raises** `ValueError` for data without nodes, a problem without data, a law, and a gradient that is not finite.
    """
    nodes = require_nodes(problem.task("gradient_noise").data, "gradient_noise")
    rows, weights = rows_of(problem, measure, "gradient_noise(measure=...)")
    arrays = jnp.asarray(rows), jnp.asarray(weights)
    mean = np.asarray(_gradient(problem, nodes, *arrays, nodes.weights))
    trace = float(_trace(problem, nodes, *arrays, jnp.asarray(mean)))
    if not math.isfinite(trace):
        raise ValueError("gradient_noise: the gradient of a sample is not finite at this measure.")
    return GradientNoise(problem, nodes, rows, weights, mean, trace)


def _numbers(value: Any, shape: tuple[int, ...], what: str) -> Float[np.ndarray, "..."]:
    given = np.asarray(own_array(value, what), float)
    if given.shape != shape or not np.all(np.isfinite(given)):
        raise ValueError(f"{what}: expected finite numbers of shape {shape}, got shape {given.shape}.")
    return given


def _check_size(size: int, who: str, what: str) -> None:
    if size > _ENTRIES:
        raise ValueError(f"{who}: {what} are more than the {_ENTRIES:.2g} numbers of a table; take apply or blocks.")


def _gradient_of(problem: Problem, rows: Any, w: Any, x: Any, y: Any, mu: Any) -> Float[Array, "N D"]:
    """SUM_q mu_q g(x_q, y_q): by the rule of `integrate` the gradient of the risk *is* grad psi."""
    theta = split(problem.blocks, rows)
    return join(problem.blocks, jax.grad(lambda th: problem.batch_risk(th, w, x, y, mu))(theta))


@eqx.filter_jit
def _gradient(problem: Problem, nodes: Nodes, rows: Any, w: Any, mu: Any) -> Float[Array, "N D"]:
    def piece(x: Any, y: Any, mu: Any) -> Array:
        return _gradient_of(problem, rows, w, x, y, mu)

    return sum_chunks(piece, (nodes.x, nodes.y), mu, problem.task("gradient_noise").piece(w.shape[0]))


def _of_one(problem: Problem, rows: Any, w: Any) -> Callable[[Any, Any], Float[Array, "N D"]]:
    """g of one sample at all particles."""
    return lambda x, y: _gradient_of(problem, rows, w, x[None], y[None], jnp.ones(1))


def _over(problem: Problem, nodes: Nodes, rows: Any, w: Any, mean: Any, function: Callable[[Any], Any]) -> Any:
    """SUM_q mu_q function(g_q - mean), in pieces whose gradients fit into a table."""

    def piece(x: Any, y: Any, mu: Any) -> Any:
        values = jax.vmap(lambda x, y: function(_of_one(problem, rows, w)(x, y) - mean))(x, y)
        return jnp.tensordot(mu, values, axes=1)

    return sum_chunks(piece, (nodes.x, nodes.y), nodes.weights, max(1, entries(problem.budget) // rows.size))


@eqx.filter_jit
def _applied(problem: Problem, nodes: Nodes, rows: Any, w: Any, mean: Any, v: Any) -> Float[Array, "N D"]:
    return _over(problem, nodes, rows, w, mean, lambda g: jnp.sum(g * v) * g)


@eqx.filter_jit
def _trace(problem: Problem, nodes: Nodes, rows: Any, w: Any, mean: Any) -> Array:
    return _over(problem, nodes, rows, w, mean, lambda g: jnp.sum(g**2))


@eqx.filter_jit
def _block(problem: Problem, nodes: Nodes, rows: Any, w: Any, mean: Any, pair: Any) -> Float[Array, "D D"]:
    return _over(problem, nodes, rows, w, mean, lambda g: jnp.outer(g[pair[0]], g[pair[1]]))


@eqx.filter_jit
def _samples(problem: Problem, nodes: Nodes, rows: Any, w: Any) -> Float[Array, "Q N D"]:
    return jax.lax.map(lambda pair: _of_one(problem, rows, w)(*pair), (nodes.x, nodes.y))
