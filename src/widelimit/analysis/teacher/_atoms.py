"""The teacher of a problem as atoms in the student's parameters."""

import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles
from widelimit.problem import Problem


def own_teacher(problem: Problem, who: str) -> Particles:
    """rho_*, where it is a measure of the student's own unit.

    Raises `ValueError` where there is no teacher, or one of another unit.
    """
    unit, teacher = problem.two_layer(who), problem.teacher
    source = problem.data.teacher
    if source is None or source.unit != unit:
        raise ValueError(f"{who}: the teacher is made of another unit than the student; its parameters are others.")
    return teacher


def teacher_atoms(problem: Problem, who: str) -> tuple[Float[np.ndarray, "K D"], Float[np.ndarray, " K"]]:
    """Positions and weights of rho_*, atoms at one place put together, those without weight left out.

    Raises `ValueError` as `own_teacher` does.
    """
    teacher = own_teacher(problem, who)
    rows, which = np.unique(np.asarray(teacher.positions, float), axis=0, return_inverse=True)
    masses = np.bincount(which.ravel(), weights=np.asarray(teacher.weights, float), minlength=len(rows))
    # The largest first: that is the order in which they are learned.
    order = np.argsort(-masses, kind="stable")
    rows, masses = rows[order], masses[order]
    return rows[masses != 0.0], masses[masses != 0.0]
