"""The tangent kernel of a measure, and the gradients that it is made of."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import GridDensity, Particles, join, laws, split
from widelimit.numerics import entries, map_rows, sum_chunks
from widelimit.problem import Problem, moving_columns
from widelimit.problem.data import as_points

# A mobility that couples what moves with what does not by more than this has no tangent kernel; nor has one with
# eigenvalues below minus this.
_ROUNDING = 1e-10


def tangent_kernel(
    problem: Problem, measure: Any, x: Any, other: Any = None, *, trainable: Any = None
) -> Float[Array, "..."]:
    r"""$M[\rho](x, x') = \int \nabla\phi(\theta, x) \cdot P(\theta)\,\nabla\phi(\theta, x')\,\rho(d\theta)$.

    Along the gradient flow $\dot f(x) = -\kappa^2 \int M(x, x')\,\ell'(f(x'), y')\,\mu(dx')$ with kappa the factor of
    the output scale (1 for the mean). With only the linear block trainable it is the random-feature kernel.

    - `measure`: rho; particles or a density on a grid.
    - `x`, `other`: inputs [n, d] and [m, d] ([n] for d = 1); `other` is `x` if left out.
    - `trainable`: the name or names of the blocks that move; all by default.

    **Returns** [n, m]; [n, C, m, C] for outputs of shape (C,). The particles are summed in pieces.

    **Raises** `ValueError` for inputs of another shape, unknown blocks, and a mobility that is not positive.
    """
    problem.two_layer("tangent_kernel")
    columns = moving_columns(problem, trainable)
    rows, w = rows_of(problem, measure, "tangent_kernel(measure=...)")
    left = inputs_of(problem, x, "tangent_kernel(x=...)")
    right = left if other is None else inputs_of(problem, other, "tangent_kernel(other=...)")
    root = mobility_root(problem, rows, columns)
    kernel = _kernel if problem.unit.profile is None or root.ndim == 3 else _kernel_of_profile
    out = kernel(problem, jnp.asarray(rows), jnp.asarray(w), jnp.asarray(root), left, right, columns)
    shape = problem.data.outputs
    return out.reshape(left.shape[0], *shape, right.shape[0], *shape)


def rows_of(problem: Problem, measure: Any, what: str) -> tuple[Float[np.ndarray, "N D"], Float[np.ndarray, " N"]]:
    """Rows and weights on the host, in float64. Raises `ValueError` for what is no measure of the unit's parameters."""
    if isinstance(measure, laws.AbstractLaw):
        raise ValueError(
            f"{what}: the law {type(measure).__name__} is not integrated exactly on this problem; quantise it: "
            "law.quantise(n), or sample it: law.sample(n, key=...)."
        )
    if not isinstance(measure, Particles | GridDensity):
        raise ValueError(f"{what}: expected particles, a density or a law, got {type(measure).__name__}.")
    measure = problem.arranged(measure)
    if np.any(np.isnan(np.asarray(measure.positions))):
        raise ValueError(f"{what}: a particle's position is not a number.")
    return np.asarray(measure.positions, float), np.asarray(measure.weights, float)


def inputs_of(problem: Problem, x: Any, what: str) -> Float[Array, "n d"]:
    return as_points(x, problem.data.inputs, what).astype(float)


def mobility_root(problem: Problem, rows: np.ndarray, columns: tuple[int, ...]) -> np.ndarray:
    """P^(1/2) on the columns that move: [K] where P is one number a block, else [N, K, K]."""
    theta = split(problem.blocks, jnp.asarray(rows[:1]))
    scales = problem.mobility.scales(theta)
    if scales is not None:
        sizes = [block.size for block in problem.blocks]
        return np.sqrt(np.repeat(np.asarray(scales, float), sizes))[list(columns)]
    p = np.asarray(_mobilities(problem, jnp.asarray(rows)))
    moves = p[:, list(columns)]
    own = moves[:, :, list(columns)]
    size = np.max(np.abs(own), initial=0.0)
    others = np.delete(moves, list(columns), axis=2)
    values, vectors = np.linalg.eigh(own)
    if np.max(np.abs(others), initial=0.0) > _ROUNDING * size:
        raise ValueError("trainable: the mobility couples blocks that move with blocks that do not.")
    if not np.min(values, initial=0.0) >= -_ROUNDING * size or not np.allclose(own, own.transpose(0, 2, 1)):
        raise ValueError("Problem(mobility=...): a tangent kernel needs a symmetric, non-negative mobility.")
    return np.einsum("nak,nk,nbk->nab", vectors, np.sqrt(np.maximum(values, 0.0)), vectors)


def scaled(root: Any, gradients: Any) -> Any:
    """P^(1/2) g for g [N, K, ...]."""
    if root.ndim == 1:
        return gradients * root.reshape((1, -1, *(1,) * (gradients.ndim - 2)))
    product = np.einsum if isinstance(gradients, np.ndarray) else jnp.einsum
    return product("nab,nb...->na...", root, gradients)


def unit_gradients(problem: Problem, rows: Any, x: Any, columns: tuple[int, ...]) -> Float[Array, "N K Q C"]:
    """The derivatives of phi(theta_i, x_q) in the columns that move, each output on its own."""

    def one(row: Any, point: Any) -> Any:
        slope = jax.jacrev(lambda z: jnp.ravel(problem.unit(split(problem.blocks, z), point)))(row)
        return slope[:, jnp.asarray(columns)].T

    table = jax.vmap(lambda row: jax.vmap(lambda point: one(row, point))(x))(rows)
    return jnp.swapaxes(table, 1, 2)


@eqx.filter_jit
def features(problem: Problem, rows: Any, root: Any, x: Any, columns: tuple[int, ...]) -> Float[Array, "N K Q C"]:
    """P^(1/2) grad phi(theta_i, x_q) for all particles, in pieces over the data."""

    def piece(point: Any) -> Any:
        return scaled(root, unit_gradients(problem, rows, point[None], columns))[:, :, 0]

    chunk = max(1, entries(problem.budget) // rows.size)
    return jnp.moveaxis(map_rows(piece, x, chunk), 0, 2)


@eqx.filter_jit
def _kernel(problem: Problem, rows: Any, w: Any, root: Any, x: Any, other: Any, columns: tuple[int, ...]) -> Any:
    whole = root if root.ndim == 3 else jnp.zeros((rows.shape[0], 0, 0))

    def piece(rows: Any, part: Any, w: Any) -> Any:
        p = part if root.ndim == 3 else root
        left = scaled(p, unit_gradients(problem, rows, x, columns))
        right = scaled(p, unit_gradients(problem, rows, other, columns))
        flat = [side.reshape(side.shape[0], side.shape[1], -1) for side in (left, right)]
        return jnp.einsum("n,nka,nkb->ab", w, *flat)

    outputs = int(np.prod(problem.data.outputs))
    size = max(1, entries(problem.budget) // ((x.shape[0] + other.shape[0]) * outputs * rows.shape[1]))
    return sum_chunks(piece, (rows, whole), w, size)


@eqx.filter_jit
def _kernel_of_profile(
    problem: Problem, rows: Any, w: Any, root: Any, x: Any, other: Any, columns: tuple[int, ...]
) -> Float[Array, "a b"]:
    r"""The same for $\phi = c\,\sigma(z)$, $z = w \cdot x + b$, and P one number a block:

    $$M_{ab}(x, x') = P_c\,\delta_{ab} \int \sigma(z)\,\sigma(z')\,\rho
        + (P_w\,x \cdot x' + P_b) \int c_a c_b\,\sigma'(z)\,\sigma'(z')\,\rho,$$

    two products where the general form has one a column. P is 0 for blocks that do not move.
    """
    profile, linear, blocks = problem.unit.profile, problem.unit.linear, problem.blocks
    assert profile is not None
    columns_of = np.repeat(np.arange(len(blocks)), [block.size for block in blocks])[list(columns)].tolist()
    names = [block.name for block in blocks]
    p = {name: root[columns_of.index(i)] ** 2 if i in columns_of else 0.0 for i, name in enumerate(names)}
    inner = p[profile.weight] * (x @ other.T) + (0.0 if profile.bias is None else p[profile.bias])
    outputs = int(np.prod(problem.data.outputs))

    def piece(rows: Any, w: Any) -> Any:
        theta = split(blocks, rows)
        weight = getattr(theta, profile.weight)
        bias = 0.0 if profile.bias is None else getattr(theta, profile.bias)[:, None]
        charge = jnp.ones((len(rows), 1)) if linear is None else getattr(theta, linear).reshape(len(rows), outputs)

        def along(points: Any) -> tuple[Any, Any]:
            z = weight @ points.T + bias
            sigma = jax.vmap(jax.value_and_grad(profile.activation))
            value, slope = sigma(z.ravel())
            return value.reshape(z.shape), (charge[:, None, :] * slope.reshape(z.shape)[:, :, None]).reshape(len(z), -1)

        (value, slope), (others, other_slope) = along(x), along(other)
        return (w[:, None] * slope).T @ other_slope, (w[:, None] * value).T @ others

    size = max(1, entries(problem.budget) // ((x.shape[0] + other.shape[0]) * outputs))
    slopes, values = sum_chunks(piece, (rows,), w, size)
    shape = (x.shape[0], outputs, other.shape[0], outputs)
    out = slopes.reshape(shape) * inner[:, None, :, None]
    if linear is not None:
        out += p[linear] * jnp.eye(outputs)[:, None, :] * values[:, None, :, None]
    return out.reshape(x.shape[0] * outputs, -1)


@eqx.filter_jit
def _mobilities(problem: Problem, rows: Any) -> Float[Array, "N D D"]:
    def one(row: Any) -> Any:
        theta = split(problem.blocks, row)
        return jax.jacfwd(lambda g: join(problem.blocks, problem.mobility(theta, split(problem.blocks, g))))(
            jnp.zeros_like(row)
        )

    return jax.vmap(one)(rows)
