"""The fixed point next to a measure that a flow has brought close to one."""

import numpy as np
from jaxtyping import Float

from widelimit.measure import Measure, Particles
from widelimit.numerics import Line, line_search_on_host
from widelimit.problem import Problem

from .._measures import check_mean
from ._atoms import atoms
from ._linearisation import Linearisation, linearise
from ._stability import check

_MOST_STEPS = 50
# A step is halved until the force falls; after so many halvings it never will.
_MOST_HALVINGS = 10


def fixed_point(problem: Problem, measure: Measure, *, tolerance: float = 1e-12, merge: float = 1e-2) -> Particles:
    r"""The atoms $\theta_i$ with the weights of `measure` with $\nabla\psi(\theta_i; \rho) = 0$, near where they are.

    A plateau of a flow passes by a fixed point without resting there; Newton's method on the positions of all atoms
    finds it, stable or not, with the linearised motion of `stability`. Weights stay. Atoms pushed against a wall stay
    there, those at infinity as well.

    **Arguments**

    - `measure`: particles that have come together to atoms.
    - `tolerance`: of the force, relative to the same integral with absolute values.
    - `merge`: particles closer than this, times 1 + |theta|, become one atom; parameters as close to a wall are put on
      it.

    **Raises** `ValueError` where there is none near, and for what `stability` refuses.
    """
    check_mean(problem, "fixed_point")
    check(problem, tolerance, merge, "fixed_point")
    rho = atoms(problem, measure, merge, "fixed_point")
    found = linearise(problem, rho, tolerance)
    for _ in range(_MOST_STEPS):
        if found.residual <= tolerance:
            return rho
        line = _step(problem, rho, found, tolerance)
        if not line.found:
            break
        rho, found = line.point
    raise ValueError(
        f"fixed_point(measure=...): none was found near this measure, the force is {found.residual:.2g} of its parts "
        "still; run the flow longer, or put fewer particles together (merge=...)."
    )


def _step(problem: Problem, rho: Particles, found: Linearisation, tolerance: float) -> Line:
    """Newton's step, halved until the force falls."""
    shift = _shift(rho, found)

    def trial(share: float) -> tuple[tuple[Particles, Linearisation], float, float]:
        moved = Particles(rho.positions + share * shift, rho.weights, blocks=rho.blocks)
        moved = atoms(problem, moved, 1e-12, "fixed_point")
        there = linearise(problem, moved, tolerance)
        return (moved, there), there.residual, -share * found.residual

    return line_search_on_host(trial, None, found.residual, most=_MOST_HALVINGS)


def _shift(rho: Particles, found: Linearisation) -> Float[np.ndarray, "N D"]:
    """delta_i = -A_i u_i / sqrt(p_i) with S u = sqrt(p) A^T grad psi."""
    root = np.sqrt(np.asarray(rho.weights))[:, None]
    force = root * np.einsum("nak,na->nk", found.frames, found.expansion.gradient)
    move = np.zeros_like(force)
    move[found.moves] = np.linalg.lstsq(found.matrix, force[found.moves], rcond=1e-14)[0]
    shift = -np.einsum("nak,nk->na", found.frames, move) / root
    return np.where(found.far, 0.0, shift)
