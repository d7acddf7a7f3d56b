"""A convex quadratic on the simplex, by an active set: weights that are zero are exactly zero."""

import numpy as np

# A ridge, relative to the largest diagonal entry: of two equal columns one is then taken.
_RIDGE = 1e-13


def quadratic_on_simplex(matrix: np.ndarray, slope: np.ndarray, start: np.ndarray) -> np.ndarray:
    r"""$\arg\min \tfrac12 p^T H p + c^T p$ over p >= 0, SUM p = 1, for a positive semi-definite H.

    - `matrix`: H [n, n]; `slope`: c [n]; `start`: [n], a point of the simplex.

    Weights leave the support when the minimum over its affine hull would make them negative, and enter it one at a
    time, that of the most negative multiplier (Lawson and Hanson's scheme with the sum kept).
    """
    n = len(slope)
    size = float(np.max(np.diag(matrix))) or float(np.max(np.abs(slope))) or 1.0
    matrix, slope = matrix / size + _RIDGE * np.eye(n), slope / size
    p = np.where(start > 0, start, 0.0)
    p = p / p.sum()
    # More visits than this mean that rounding decides.
    for _ in range(10 * n):
        p, level = _settle(matrix, slope, p)
        excess = np.where(p > 0, 0.0, matrix @ p + slope - level)
        new = int(np.argmin(excess))
        if excess[new] >= -1e-14 * max(1.0, float(np.max(np.abs(slope)))):
            break
        entered = _enter(matrix, slope, p, new)
        if entered is None:
            break
        p = entered
    return p


def _settle(matrix: np.ndarray, slope: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, float]:
    """The minimum on a face that holds p, reached by dropping weights; and the multiplier of the sum."""
    while True:
        kept = np.flatnonzero(p > 0)
        target, level = _on_face(matrix[np.ix_(kept, kept)], slope[kept])
        if np.all(target > 0):
            p = np.zeros_like(p)
            p[kept] = target
            return p / p.sum(), level
        p = _towards(p, kept, target)


def _enter(matrix: np.ndarray, slope: np.ndarray, p: np.ndarray, new: int) -> np.ndarray | None:
    """p moved towards the minimum on its face with the weight `new` added; None where that weight would not grow."""
    kept = np.sort(np.append(np.flatnonzero(p > 0), new))
    target, _ = _on_face(matrix[np.ix_(kept, kept)], slope[kept])
    if target[np.flatnonzero(kept == new)[0]] <= 0:
        return None
    if np.all(target > 0):
        p = np.zeros_like(p)
        p[kept] = target
        return p
    return _towards(p, kept, target)


def _on_face(matrix: np.ndarray, slope: np.ndarray) -> tuple[np.ndarray, float]:
    """The minimum over SUM p = 1 without signs, and the multiplier."""
    n = len(slope)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n], system[:n, n], system[n, :n] = matrix, -1.0, 1.0
    found = np.linalg.solve(system, np.append(-slope, 1.0))
    return found[:n], float(found[n])


def _towards(p: np.ndarray, kept: np.ndarray, target: np.ndarray) -> np.ndarray:
    """As far from p to `target` (on `kept`) as the signs allow; the weight that stops it becomes exactly zero."""
    now = p[kept]
    # A weight that is zero and is to fall stops at once.
    falling = np.where(target <= 0, now / np.where(target <= 0, np.maximum(now - target, 1e-300), 1.0), np.inf)
    stop = int(np.argmin(falling))
    moved = np.maximum(now + min(1.0, float(falling[stop])) * (target - now), 0.0)
    moved[stop] = 0.0
    p = np.zeros_like(p)
    p[kept] = moved
    return p / p.sum()
