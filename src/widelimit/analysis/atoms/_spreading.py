"""In which directions a narrow cloud of particles around a point widens."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import Blocks, Particles
from widelimit.problem import Problem
from widelimit.problem.data import as_numbers

from .._measures import check_mean
from ._linearisation import Linearisation, linearise
from ._stability import check


@dataclasses.dataclass(frozen=True)
class Spreading:
    r"""$H = -\nabla^2 \psi(b; \delta_b)$ at a point b, and what (29) makes of it.

    - `hessian`: H [D, D], in the sign of yarotsky2018: a positive eigenvalue expands.
    - `rates`: [K], eigenvalues of P H, the largest first; the variance along the k-th direction grows as
      exp(2 rates[k] tau). `directions`: [K, D], the unit vectors; what the mobility freezes or a wall holds has none.
    - `expansive`: how many rates are above zero, by more than the tolerance.
    - `is_stationary`, `residual`: |grad psi| at b, relative to the same integral with absolute values.
    - `coupling`: the largest |H| in the rows of the linear block, which (30) says is zero at a stationary point with a
      charge that is not zero; None for a unit without a linear block.
    - `verdict`: in words.
    """

    hessian: Float[np.ndarray, "D D"] = dataclasses.field(repr=False)
    rates: Float[np.ndarray, " K"]
    directions: Float[np.ndarray, "K D"] = dataclasses.field(repr=False)
    expansive: int
    is_stationary: bool
    residual: float
    coupling: float | None
    verdict: str
    point: Float[np.ndarray, " D"]
    blocks: Blocks = dataclasses.field(repr=False)

    def block(self, row: str, column: str) -> Float[np.ndarray, "a b"]:
        """The part of H between two blocks, such as `block("h", "h")`. Raises `ValueError` for an unknown name."""
        return self.hessian[np.ix_(_columns(self.blocks, row), _columns(self.blocks, column))]


def spreading(problem: Problem, point: Any, *, tolerance: float = 1e-6) -> Spreading:
    r"""Whether a narrow cloud around b stays narrow (yarotsky2018, 2.7): $\dot A = P H A + A H P$, (29).

    Where phi is linear in a block c and b is stationary with c not zero, H has no part in c:
    $H = \begin{pmatrix} 0 & 0 \\ 0 & H_{ww} \end{pmatrix}$, (30), so that only the other parameters spread. For
    free-knot splines H comes from exact integrals: $H_{hh} = -k' c\,r(h)/(B - A)$, which is c f(h) for a single atom.

    **Arguments**

    - `point`: b, [D], in the order of the unit's blocks.
    - `tolerance`: below which a gradient (relative to the same integral with absolute values) and a rate (relative to
      the largest entry) count as zero.

    **Raises** `ValueError` for a point of another shape and for what `stability` refuses.
    """
    check_mean(problem, "spreading")
    check(problem, tolerance, 0.0, "spreading")
    b = np.asarray(as_numbers(point, "spreading(point=...)"), float)
    if b.shape != (problem.dim,) or not np.all(np.isfinite(b)):
        raise ValueError(f"spreading(point=...): expected {problem.dim} finite numbers, got {point!r}.")
    found = linearise(problem, Particles(jnp.asarray(b[None]), blocks=problem.blocks), tolerance)
    hessian = -found.expansion.hessian[0]
    rates, directions = _modes(found)
    zero = tolerance * max(float(np.max(np.abs(found.local))), float(np.max(np.abs(hessian))))
    expansive = int(np.sum(rates > zero))
    rests, mixed, blocks = found.residual <= tolerance, _coupling(problem, hessian), problem.blocks
    words = _verdict(rates, directions, zero, rests, blocks)
    return Spreading(hessian, rates, directions, expansive, rests, found.residual, mixed, words, b, blocks)


def _modes(found: Linearisation) -> tuple[Float[np.ndarray, " K"], Float[np.ndarray, "K D"]]:
    """With P = F F^T, P H has the eigenvalues of F^T H F and the eigenvectors F u."""
    moves = found.moves[0]
    values, vectors = np.linalg.eigh(-found.local[0][np.ix_(moves, moves)])
    directions = (found.frames[0][:, moves] @ vectors).T[::-1]
    lengths = np.linalg.norm(directions, axis=1, keepdims=True)
    return values[::-1], directions / np.where(lengths > 0, lengths, 1.0)


def _columns(blocks: Blocks, name: str) -> np.ndarray:
    found = np.flatnonzero(np.repeat([block.name == name for block in blocks], [block.size for block in blocks]))
    if len(found):
        return found
    raise ValueError(f"Spreading.block: the unit has no block {name!r}; it has {', '.join(b.name for b in blocks)}.")


def _coupling(problem: Problem, hessian: Float[np.ndarray, "D D"]) -> float | None:
    name = problem.unit.linear
    if name is None:
        return None
    return float(np.max(np.abs(hessian[_columns(problem.blocks, name)]), initial=0.0))


def _verdict(rates: Any, directions: Any, zero: float, stationary: bool, blocks: Blocks) -> str:
    where = "around this stationary point" if stationary else "around this point, which is not stationary and moves,"
    if len(rates) == 0:
        return "Nothing moves here."
    if rates[0] <= zero:
        flat = int(np.sum(np.abs(rates) <= zero))
        kept = f" {flat} of {len(rates)} directions are neutral." if flat else ""
        what = "Neutral" if flat == len(rates) else "Contractive"
        return f"{what}: a narrow cloud {where} does not widen in any direction.{kept}"
    along = ", ".join(f"{name} {value:.3g}" for name, value in zip(_names(blocks), directions[0], strict=True))
    count = int(np.sum(rates > zero))
    return (
        f"Expansive in {count} of {len(rates)} directions: a narrow cloud {where} widens, its variance as "
        f"exp({2.0 * rates[0]:.4g} tau) along ({along})."
    )


def _names(blocks: Blocks) -> list[str]:
    return [f"{b.name}[{i}]" if b.shape else b.name for b in blocks for i in range(b.size)]
