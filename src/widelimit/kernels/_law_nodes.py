r"""Laws of (c, h) as Gauss nodes, exact for what a free-knot spline's kernel asks of them.

The kernel is an integral over h of piecewise polynomials times the density of h, and sees c through E[c | h] and
E[c^2 | h] alone. So a law of independent c and h becomes Gauss-Legendre nodes on pieces on which both are smooth,
times two nodes of c with its mean and variance.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles, laws
from widelimit.problem import Problem

# Standard deviations after which a normal density is below rounding, and the width of a piece of it.
_FAR, _PIECE = 9.0, 1.5
# More nodes than the polynomials need, for a density that is not constant on a piece.
_FOR_DENSITY = 24


class Part(NamedTuple):
    """mass x (law of c) x (law of h): nodes of c, and h as an atom or as a density that is smooth between `edges`."""

    mass: float
    c: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]] | None
    edges: Float[np.ndarray, " E"]
    density: Callable[[np.ndarray], np.ndarray] | None


def parts_of(problem: Problem, law: laws.AbstractLaw, who: str) -> list[Part]:
    """The law of a `FreeKnot`'s parameters in parts. Raises `ValueError` for a law that this cannot integrate."""
    problem.check_columns(law)
    return [part for mass, each in law.components() for part in _parts(each, mass, who)]


def edges_of(parts: list[Part]) -> Float[np.ndarray, " E"]:
    """All places where the law of h is not smooth."""
    return np.unique(np.concatenate([part.edges for part in parts]))


def nodes_of(problem: Problem, parts: list[Part], splits: np.ndarray, degree: int) -> Particles:
    """The law as particles that integrate polynomials in h of degree 2 `degree`, smooth between `splits`."""
    rows, weights = [], []
    for part in parts:
        h, w = _knots(part, splits, degree)
        c, v = (np.zeros(1), np.ones(1)) if part.c is None else part.c
        rows.append(np.stack([np.repeat(c, len(h)), np.tile(h, len(c))], axis=1))
        weights.append(part.mass * np.outer(v, w).ravel())
    positions = np.concatenate(rows)[:, 2 - problem.dim :]
    return Particles(positions, np.concatenate(weights), blocks=problem.blocks)


def _knots(part: Part, splits: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    if part.density is None:
        return part.edges, np.ones(1)
    a, b = part.edges[0], part.edges[-1]
    cuts = np.unique(np.concatenate([part.edges, splits[(splits > a) & (splits < b)]]))
    t, v = np.polynomial.legendre.leggauss(degree + 1 + _FOR_DENSITY)
    half = 0.5 * np.diff(cuts)[:, None]
    h = (cuts[:-1, None] + half * (1.0 + t)).ravel()
    w = (half * v).ravel() * part.density(h)
    return h, w / w.sum()


def _parts(law: laws.AbstractLaw, mass: float, who: str) -> Iterator[Part]:
    columns = law.marginals()
    if columns is None:
        raise _refusal(law, who)
    c, h = (_two_nodes(columns[0], law, who) if len(columns) == 2 else None), columns[-1]
    if h.n_atoms is not None:
        places, w = h.gauss(1)
        yield from (Part(mass * p, c, place, None) for place, p in zip(places.astype(float), w, strict=True) if p > 0)
        return
    line = h.line()
    if line is None:
        raise _refusal(law, who)
    yield Part(mass, c, line.edges, line.density)


def _two_nodes(c: laws.AbstractLaw, law: laws.AbstractLaw, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Two nodes with the mean and the second moment of c; one for an atom."""
    mean, variance = c.mean(), c.covariance()
    if mean is None or variance is None:
        raise _refusal(law, who)
    middle, spread = float(mean[0]), float(variance[0, 0]) ** 0.5
    if spread == 0.0:
        return np.array([middle]), np.ones(1)
    return np.array([middle - spread, middle + spread]), np.full(2, 0.5)


def _refusal(law: laws.AbstractLaw, who: str) -> ValueError:
    for factor in law.marginals() or ():
        squares = _mean_squares(factor)
        # A second moment is a limit that is approached: the steps towards it fall, by n^(-1/3) with three moments.
        if squares is not None and squares[2] - squares[1] > 0.5 * abs(squares[1] - squares[0]) > 1e-3 * squares[0]:
            return ValueError(
                f"{who}: the tangent kernel diverges: the law {type(factor).__name__} has no second moment (its mean "
                f"square is {squares[0]:.3g}, {squares[1]:.3g}, {squares[2]:.3g} on 2^8, 2^12, 2^16 midpoints)."
            )
    return ValueError(
        f"{who}: the law {type(law).__name__} is not integrated exactly here (independent c and h are, h uniform, "
        "normal or made of atoms, and mixtures of such); quantise it: law.quantise(n), or sample it: "
        "law.sample(n, key=...)."
    )


def _mean_squares(law: laws.AbstractLaw) -> list[float] | None:
    """E[theta^2] by 2^8, 2^12 and 2^16 midpoints."""
    if law.cube_dim != 1:
        return None
    cubes = ((np.arange(2**k) + 0.5)[:, None] / 2**k for k in (8, 12, 16))
    try:
        return [float(np.mean(np.square(law.from_cube(u)))) for u in cubes]
    except ValueError:
        # A law without a map from the cube.
        return None
