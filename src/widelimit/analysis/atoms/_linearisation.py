r"""The motion of a measure of atoms near a fixed point, linearised.

$\dot\theta_i = -P \nabla\psi(\theta_i; \rho)$ with $\rho = \sum_j p_j \delta_{\theta_j}$. Moving atom j by $\delta_j$
changes the prediction by $p_j \nabla\phi(\theta_j) \cdot \delta_j$, so at a fixed point

$$\dot\delta_i = -P_i \Big[ H_i \delta_i + \sum_j p_j K_{ij} \delta_j \Big],\qquad
H_i = \nabla^2\psi(\theta_i; \rho),\quad
K_{ij} = \int \nabla\phi(\theta_i, x)\, \ell''(f_\rho, y)\, \nabla\phi(\theta_j, x)^T \mu(dx).$$

A cloud of mass p_i around atom i has the same law for its mean, while its spread feels H_i alone: the prediction does
not change to first order when a cloud widens. With $P_i = A_i A_i^T$ on the directions that can move and
$\delta_i = A_i u_i / \sqrt{p_i}$ the matrix becomes symmetric,

$$S_{ij} = \delta_{ij} A_i^T H_i A_i + \sqrt{p_i p_j}\, A_i^T K_{ij} A_j,$$

with the same eigenvalues.
"""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from widelimit.measure import Particles, join, split
from widelimit.problem import Problem

from ._atoms import walls

Rows = Float[np.ndarray, "N D"]
Matrices = Float[np.ndarray, "N D D"]
Moves = Bool[np.ndarray, "N D"]


class Expansion(NamedTuple):
    """psi [N], its gradient [N, D] and Hessian [N, D, D] at the atoms, and the coupling K [N, D, N, D].

    `size` [N, D] is the gradient's integral with absolute values everywhere: what its zero is compared with.
    `mobility` [N, D, D]: P.
    """

    psi: Any
    gradient: Any
    hessian: Any
    coupling: Any
    size: Any
    mobility: Any


class Linearisation(NamedTuple):
    """The directions in which atoms move, and the motion in them.

    - `frames`: A [N, D, D]; a column that is not in `moves` [N, D] is zero.
    - `held`: [N, D], the parameters pushed against a wall; `far`: [N, D], those at infinity.
    - `local`: A_i^T H_i A_i [N, D, D]; `matrix`: S [K, K], over the columns that move.
    - `residual`: the largest |A_i^T grad psi| over the largest integral of absolute values.
    """

    expansion: Expansion
    frames: Matrices
    moves: Moves
    held: Moves
    far: Moves
    local: Matrices
    matrix: Float[np.ndarray, "K K"]
    residual: float


def linearise(problem: Problem, measure: Particles, tolerance: float) -> Linearisation:
    """The linearised motion of the atoms of `measure`, whose weights are positive.

    A wall holds an atom that is pushed against it by more than `tolerance` of the gradient's size.
    """
    rows, p = np.asarray(measure.positions), np.asarray(measure.weights)
    far = ~np.isfinite(rows)
    expansion = _known(_expand(problem, measure), far)
    scale = float(np.max(expansion.size))
    held = _pushed(problem, rows, expansion.gradient, tolerance * scale)
    frames, moves = _frames(problem, rows, expansion.mobility, held | far)
    curved = expansion.hessian + _bending(problem, rows, expansion.gradient)
    local = np.einsum("nak,nab,nbl->nkl", frames, curved, frames, optimize=True)
    mixed = np.sqrt(p)[:, None, None] * frames
    joint = np.einsum("iak,iajb,jbl->ikjl", mixed, expansion.coupling, mixed, optimize=True)
    n = np.arange(len(p))
    joint[n, :, n, :] += local
    kept = moves.ravel()
    matrix = joint.reshape(kept.size, kept.size)[np.ix_(kept, kept)]
    slope = np.linalg.norm(np.einsum("nak,na->nk", frames, expansion.gradient), axis=1)
    whole = np.linalg.norm(np.einsum("nak,na->nk", np.abs(frames), expansion.size), axis=1)
    residual = float(slope.max() / whole.max()) if whole.max() > 0 else 0.0
    return Linearisation(expansion, frames, moves, held, far, local, matrix, residual)


def _known(found: Expansion, far: Moves) -> Expansion:
    """On the host, with zeros for what belongs to a parameter at infinity: psi is flat there.

    Raises `ValueError` for what is not finite otherwise.
    """
    psi, gradient, hessian, coupling, size, mobility = (np.asarray(leaf) for leaf in found)
    either = far[:, :, None] | far[:, None, :]
    known = Expansion(
        psi,
        np.where(far, 0.0, gradient),
        np.where(either, 0.0, hessian),
        np.where(far[:, :, None, None] | far[None, None], 0.0, coupling),
        np.where(far, 0.0, size),
        mobility,
    )
    if not all(np.all(np.isfinite(leaf)) for leaf in known):
        raise ValueError("measure: psi or a derivative of it is not finite at one of its atoms.")
    return known


def _pushed(problem: Problem, rows: Rows, gradient: Rows, least: float) -> Moves:
    lower, upper = walls(problem)
    return ((rows <= lower) & (gradient > least)) | ((rows >= upper) & (gradient < -least) & np.isfinite(rows))


def _frames(problem: Problem, rows: Rows, mobility: Matrices, fixed: Moves) -> tuple[Matrices, Moves]:
    """A with A A^T = P on the tangent space: columns of eigenvectors times roots of eigenvalues."""
    free = np.where(fixed, 0.0, 1.0)[:, :, None] * np.eye(rows.shape[1])
    for block in _spheres(problem):
        normal = rows[:, block] / np.linalg.norm(rows[:, block], axis=1, keepdims=True)
        free[:, block, block] -= normal[:, :, None] * normal[:, None, :]
    values, vectors = np.linalg.eigh(free @ mobility @ free)
    moves = values > 1e-12 * np.max(values, axis=1, keepdims=True, initial=0.0)
    return vectors * np.sqrt(np.where(moves, values, 0.0))[:, None, :], moves


def _bending(problem: Problem, rows: Rows, gradient: Rows) -> Matrices:
    """What a sphere adds to a Hessian: -(grad psi . z) / |z|^2 on its block."""
    out = np.zeros((*rows.shape, rows.shape[1]))
    for block in _spheres(problem):
        z, g = rows[:, block], gradient[:, block]
        radial = np.sum(z * g, axis=1) / np.sum(z * z, axis=1)
        out[:, block, block] = -radial[:, None, None] * np.eye(z.shape[1])
    return out


def _spheres(problem: Problem) -> list[slice]:
    """The columns of the blocks that live on a sphere."""
    found, stop = [], 0
    for block in problem.blocks:
        domain, start, stop = problem.domain.of(block.name), stop, stop + block.size
        if not domain.flat and domain.sphere is None:
            raise ValueError(f"problem: how {domain!r}, the domain of {block.name!r}, bends is not known.")
        if domain.sphere is not None:
            found.append(slice(start, stop))
    return found


@eqx.filter_jit
def _expand(problem: Problem, measure: Particles) -> Expansion:
    theta, w = problem.unpack(measure)
    found, second = problem.integrals.variation(theta, w), problem.integrals.curvature(theta, w)
    own = jax.vmap(lambda row: _penalty_part(problem, row))(measure.positions)
    parts = (found.psi, jax.vmap(lambda one: join(problem.blocks, one))(found.gradient), second.hessian, second.size)
    psi, gradient, hessian, size = (a + b for a, b in zip(parts, own, strict=True))
    mobility = jax.vmap(lambda row: _mobility(problem, row))(measure.positions)
    return Expansion(psi, gradient, hessian, second.kernel, size, mobility)


def _penalty_part(problem: Problem, row: Any) -> Any:
    def penalty(row: Any) -> Any:
        return jnp.zeros(()) if problem.penalty is None else problem.penalty(split(problem.blocks, row))

    slope = jax.grad(penalty)(row)
    return penalty(row), slope, jax.hessian(penalty)(row), jnp.abs(slope)


def _mobility(problem: Problem, row: Any) -> Any:
    """The matrix P(theta)."""

    def product(g: Any) -> Any:
        return join(problem.blocks, problem.mobility(split(problem.blocks, row), split(problem.blocks, g)))

    return jax.jacfwd(product)(jnp.zeros_like(row))
