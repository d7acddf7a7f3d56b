r"""H_ij = E[grad phi(c_i, x) . grad phi(c_j, x)], summed over outputs: over nodes, or in closed form for ReLU.

With a, b of length 1 at the angle t and z standard normal in R^d, the two halfspaces a . z > 0 and b . z > 0 meet in a
wedge of angle pi - t around m = (a + b)/|a + b|. In its plane E |z|^2 = 2, and the integral of the projection onto
(cos s, sin s) over |s| < (pi - t)/2 is ((pi - t) 1 + sin t (m m^T - n n^T))/2 with n = (a - b)/|a - b|; orthogonal to
it the mean is the wedge's probability. Together

$$M(a, b) = E[1_{a \cdot z > 0}\,1_{b \cdot z > 0}\,z z^T]
  = \frac{(\pi - t)\,1 + \sin t\,(m m^T - n n^T)}{2\pi}.$$

sigma has the slopes l_0, l_1 on the two sides of 0, and sigma(z) = sigma'(z) z: all other means follow from M.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import join, split
from widelimit.numerics import entries, sum_chunks
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes


def gradient_covariance(problem: Problem, rows: np.ndarray, who: str) -> tuple[Float[np.ndarray, "K D K D"], bool]:
    """H at the parameters `rows` [K, D], and whether it is in closed form.

    Raises `ValueError` for data without nodes where no closed form is known, and for a ReLU with its kink everywhere.
    """
    root = _root(problem)
    if root is not None:
        return _closed(problem, rows, root, who), True
    require_nodes(problem.data, who)
    return np.asarray(_on_nodes(problem, jnp.asarray(rows)), float), False


@eqx.filter_jit
def _on_nodes(problem: Problem, rows: Float[Array, "K D"]) -> Float[Array, "K D K D"]:
    nodes = require_nodes(problem.data, "gradient_covariance")
    outputs = int(np.prod(problem.data.outputs, dtype=int))

    def slopes(x: Any) -> Float[Array, "K O D"]:
        def value(row: Any) -> Any:
            return jnp.reshape(problem.unit(split(problem.blocks, row), x), (outputs,))

        return jax.vmap(jax.jacfwd(value))(rows)

    def piece(x: Any, mu: Any) -> Any:
        table = jax.vmap(slopes)(x)
        return jnp.einsum("qkod,q,qlop->kdlp", table, mu, table)

    chunk = max(1, entries(problem.budget) // (rows.size * outputs))
    return sum_chunks(piece, (nodes.x,), nodes.weights, chunk)


def _root(problem: Problem) -> np.ndarray | None:
    """A with x distributed like A z, as far as M needs it, for a ReLU without bias; None where not known."""
    law = problem.data.input_law
    if law is None or plain_ramp(problem) is None:
        return None
    mean, cov = law.mean(), law.covariance()
    if mean is None or cov is None or np.any(np.asarray(mean)):
        return None
    # Of a law that rotations leave as it is, M sees E |x|^2 alone.
    if not law.normal and law.radial((tuple(range(law.dim)),)) is None:
        return None
    values, vectors = np.linalg.eigh(np.asarray(cov, float))
    return vectors * np.sqrt(np.maximum(values, 0.0))


def plain_ramp(problem: Problem) -> tuple[str, tuple[float, float]] | None:
    """The name of the block w and the slopes (l_0, l_1) of a unit sigma(w . x), perhaps times a weight; else None."""
    unit, ramp = problem.unit, problem.unit.ramp
    if ramp is None or ramp.weight is None or ramp.bias is not None:
        return None
    others = {block.name for block in problem.blocks} - {ramp.weight, unit.linear}
    return None if others else (ramp.weight, (float(ramp.slopes[0]), float(ramp.slopes[1])))


def wedge(a: Float[np.ndarray, " d"], b: Float[np.ndarray, " d"]) -> Float[np.ndarray, "d d"]:
    """M(a, b) of the module's formula, for a and b of any length but 0."""
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    plus, minus = a + b, a - b
    p, q = np.linalg.norm(plus), np.linalg.norm(minus)
    # Exact at both ends, where arccos is not.
    t = 2.0 * np.arctan2(q, p)
    found = (np.pi - t) * np.eye(len(a))
    if p > 0.0 and q > 0.0:
        found += np.sin(t) * (np.outer(plus, plus) / p**2 - np.outer(minus, minus) / q**2)
    return found / (2.0 * np.pi)


def _closed(problem: Problem, rows: np.ndarray, root: np.ndarray, who: str) -> np.ndarray:
    found = plain_ramp(problem)
    assert found is not None
    name, slopes = found
    unit, theta = problem.unit, split(problem.blocks, jnp.asarray(rows))
    weights = np.asarray(getattr(theta, name), float)
    inner = weights @ root
    if np.any(np.linalg.norm(inner, axis=1) == 0.0):
        raise ValueError(f"{who}: an atom of the teacher has weight 0, where the unit has a kink for every input.")
    charges = None
    if unit.linear is not None:
        charges = np.asarray(getattr(theta, unit.linear), float).reshape(len(rows), -1)
    found = np.empty((*rows.shape, *rows.shape))
    for i in range(len(rows)):
        for j in range(len(rows)):
            m = sum(
                left * right * wedge(s * inner[i], r * inner[j])
                for s, left in zip((-1.0, 1.0), slopes, strict=True)
                for r, right in zip((-1.0, 1.0), slopes, strict=True)
            )
            pair = None if charges is None else (charges[i], charges[j])
            found[i, :, j, :] = _pair(problem, root @ m @ root.T, weights[i], weights[j], pair)
    return found


def _pair(problem: Problem, m: np.ndarray, a: np.ndarray, b: np.ndarray, charges: Any) -> np.ndarray:
    """H_ij from M in the coordinates of x, in the blocks' order: grad phi = (sigma an output, c sigma' x)."""
    if charges is None:
        return m
    c, e = charges
    parts = {
        problem.unit.linear: {problem.unit.linear: a @ m @ b * np.eye(len(c)), "w": np.outer(e, a @ m)},
        "w": {problem.unit.linear: np.outer(m @ b, c), "w": c @ e * m},
    }
    names = [block.name if block.name == problem.unit.linear else "w" for block in problem.blocks]
    return np.block([[parts[p][q] for q in names] for p in names])


def mobility_at(problem: Problem, rows: Float[np.ndarray, "K D"], who: str) -> Float[np.ndarray, "K D D"]:
    """P at each row, with the projection onto the domain's tangent space.

    Raises `ValueError` where a row sits on a wall or outside, where nothing moves, and for a P that is not symmetric.
    """
    count, dim = rows.shape
    theta = split(problem.blocks, jnp.repeat(jnp.asarray(rows), dim, axis=0))
    unit = jnp.tile(jnp.eye(dim), (count, 1))
    ahead, back = (
        np.asarray(join(problem.blocks, problem.velocity(theta, split(problem.blocks, sign * unit))), float)
        for sign in (-1.0, 1.0)
    )
    if not np.allclose(ahead, -back, rtol=1e-12, atol=1e-12):
        raise ValueError(
            f"{who}: an atom of the teacher lies on a wall of the domain or beyond it, where the flow is not linear."
        )
    # Row j of a particle is P e_j.
    found = ahead.reshape(count, dim, dim).transpose(0, 2, 1)
    if not np.allclose(found, found.transpose(0, 2, 1), rtol=1e-10, atol=1e-10):
        raise ValueError(
            f"{who}: the mobility on the domain's tangent space is not symmetric: its rates may be complex."
        )
    return found
