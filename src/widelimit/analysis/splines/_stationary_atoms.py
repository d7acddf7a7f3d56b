"""The stationary distributions of finitely many knots of a free-knot spline."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from widelimit.measure import fields_of
from widelimit.numerics import whole_number
from widelimit.problem import Problem

from ._atom_family import AtomFamily, StationaryAtoms
from ._knot_search import Found, Knots, Shape, by_search, by_shooting, in_closed_form, quadratic
from ._target import Target, target_of

_GRID = 2049
_MOST = 200


def stationary_atoms(problem: Problem, count: int, *, starts: int = 200) -> StationaryAtoms:
    r"""The stationary distributions with `count` knots in [A, B), of yarotsky2018 A.5, for any target.

    At a knot with c != 0 the error f_rho - f is orthogonal to linear functions on [h, B]. So f_rho is the linear
    regression of f between neighbouring knots and on the last interval, and continuous; it is zero left of the first
    knot where there is no mass at h < A, and the regression on [A, h_1] where there is (A.5, cases 1 and 2). For
    f = x^2 on [0, 1] these are knots with the spacing 1/(M + 1/sqrt 6) and 1/(M + 1).

    All are found, and called so ("all"), where f'' is constant, by a closed form, and where f'' has one sign and log
    |f''| is concave, with one more condition for case 1 (f' f'' >= f f''' where f f'' > 0): `_knot_search` has the
    proof; its conditions are checked on a grid. Otherwise they are those that a search found ("found"): all roots of a
    scan where f'' has one sign, else Newton's method from many starts, which returns isolated families only.

    **Arguments**

    - `count`: M, from 1 to 200.
    - `starts`: of that search, for each case.

    **Returns** a sequence of `AtomFamily`, without mass at h < A first, each case from left to right; empty where there
    is none. Knots, masses and risk are right to about 1e-14 of their size times M.

    **Raises** `ValueError` for a problem that is not c (x - h)_+ on an interval with a squared loss, free parameters
    and no penalty; for a target that is affine, whose stationary distributions are not isolated; and for a count out of
    range.
    """
    target = _checked(problem, count, starts)
    parts = quadratic(target)
    if parts is not None and parts[2] == 0.0:
        raise ValueError(
            "stationary_atoms(problem=...): the target is affine, so any knots of total charge zero are stationary."
        )
    shape = None if parts is not None else _shape(problem, target)
    families: list[AtomFamily] = []
    words, everything = [], True
    for left in (False, True):
        if parts is not None:
            found = in_closed_form(target, parts, count, left)
        elif shape is not None:
            found = by_shooting(target, shape, count, left)
        else:
            found = by_search(target, count, left, starts)
        families += [_family(problem, target, knots, left, found) for knots in found.knots]
        everything &= found.everything
        words.append(_say(found, target, left))
    return StationaryAtoms(tuple(families), "all" if everything else "found", " ".join(words))


def _say(found: Found, target: Target, left: bool) -> str:
    n, case = len(found.knots), "with" if left else "without"
    return (
        f"{case.capitalize()} mass at h < {target.lower:g}: {n} {'family' if n == 1 else 'families'}, "
        f"{'all there are' if found.everything else 'found, not all for certain'}: {found.reason}."
    )


def _family(problem: Problem, target: Target, knots: Knots, left: bool, found: Found) -> AtomFamily:
    """Masses, errors and risk from the regression lines between the knots."""
    edges = np.concatenate([[target.lower] if left else [], knots, [target.upper]])
    lines = target.lines(edges)
    slopes = lines.slope if left else np.concatenate([[0.0], lines.slope])
    square = float(lines.square.sum())
    if not left and knots[0] > target.lower:
        # Left of the first knot f_rho is zero.
        x, w = target.rule(np.array([target.lower, knots[0]]))
        square += float(np.sum(w * target(x) ** 2))
    factor = float(problem.integrals.spline("stationary_atoms").slope)
    errors = lines.start_error[1:] if left else lines.start_error
    return AtomFamily(
        knots=knots,
        masses=np.diff(slopes),
        has_left_mass=left,
        left_mass=float(slopes[0]),
        left_moment=float(slopes[0] * target.lower - lines.start[0]) if left else 0.0,
        risk=0.5 * factor * square / target.length,
        errors=errors,
        complete="all" if found.everything else "found",
        lower=target.lower,
        upper=target.upper,
        slope=factor,
        size=target.size,
        mobility=float(_scales(problem).h),
        blocks=problem.blocks,
    )


def _shape(problem: Problem, target: Target) -> Shape | None:
    """The signs that the proofs need, on a grid; None where f'' changes its sign or the target has breaks."""
    data = problem.data
    if getattr(data, "breaks", ()):
        return None
    # By automatic differentiation: the third derivative of an interpolant would have lost half of the digits.
    orders = [getattr(data, "target")]  # noqa: B009
    for _ in range(3):
        orders.append(jax.grad(orders[-1]))
    x = jnp.asarray(target.lower + target.length * np.linspace(0.0, 1.0, _GRID)[1:-1])
    f, first, second, third = (np.asarray(jax.vmap(g)(x), float) for g in orders)
    if not np.all(np.isfinite([f, first, second, third])):
        return None
    sign = 1 if np.all(second > 0.0) else -1 if np.all(second < 0.0) else 0
    if sign == 0:
        return None
    slope = third / second
    falls = np.diff(slope) <= 1e-9 * (np.abs(slope[1:]) + np.abs(slope[:-1]) + 1.0 / target.length)
    rises = (first * second - f * third) >= -1e-9 * (np.abs(first * second) + np.abs(f * third))
    return Shape(sign, bool(np.all(falls)), bool(np.all(rises[sign * f > 0.0])))


def _checked(problem: Problem, count: int, starts: int) -> Target:
    who = "stationary_atoms"
    target = target_of(problem, who)
    whole_number(count, f"{who}(count=...)", least=1, most=_MOST)
    whole_number(starts, f"{who}(starts=...)", least=1, most=10**6)
    if problem.penalty is not None:
        raise ValueError(f"{who}(problem=...): a penalty moves the knots; leave it out.")
    if not problem.domain.unconstrained:
        raise ValueError(f"{who}(problem=...): walls hold particles that the error does not; leave the domain out.")
    scales = _scales(problem)
    if scales is None:
        raise ValueError(f"{who}(problem=...): the mobility must be one number a block (mobilities.Diagonal).")
    frozen = [name for name, value in scales._asdict().items() if value == 0.0]
    if frozen:
        raise ValueError(f"{who}(problem=...): the mobility freezes {', '.join(frozen)}, so more points are at rest.")
    return target


def _scales(problem: Problem) -> Any:
    """P, one number a block."""
    return problem.mobility.scales(fields_of(problem.blocks))
