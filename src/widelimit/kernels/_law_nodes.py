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
    if law.dim != problem.dim or law.blocks not in ((), problem.blocks):
        problem.unpack(law.quantise(1))
    return list(_parts(law, 1.0, problem.dim == 2, who))


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


def _parts(law: laws.AbstractLaw, mass: float, charge: bool, who: str) -> Iterator[Part]:
    if isinstance(law, laws.Mixture):
        for weight, each in zip(np.asarray(law.weights), law.laws, strict=True):
            if weight > 0:
                yield from _parts(each, mass * float(weight), charge, who)
        return
    factors = _factors(law)
    if factors is None or len(factors) != 1 + charge:
        raise _refusal(law, who)
    c = _two_nodes(factors[0], law, who) if charge else None
    yield from _knot_parts(factors[-1], mass, c, law, who)


def _factors(law: laws.AbstractLaw) -> tuple[laws.AbstractLaw, ...] | None:
    """The independent laws of single numbers that make the law; None where it has none that are known."""
    if isinstance(law, laws.Product):
        return law.factors if all(factor.dim == 1 for factor in law.factors) else None
    if law.dim == 1:
        return (law,)
    if isinstance(law, laws.Normal):
        return tuple(laws.Normal(m, s) for m, s in zip(np.ravel(law.mean), np.ravel(law.std), strict=True))
    if isinstance(law, laws.Uniform):
        return tuple(laws.Uniform(a, b) for a, b in zip(np.ravel(law.lower), np.ravel(law.upper), strict=True))
    return None


def _two_nodes(c: laws.AbstractLaw, law: laws.AbstractLaw, who: str) -> tuple[np.ndarray, np.ndarray]:
    """Two nodes with the mean and the second moment of c; one for an atom. Gauss rules of a known law have both."""
    if not isinstance(c, laws.Atom | laws.Empirical | laws.Uniform | laws.Normal | laws.Chi | laws.Mixture):
        raise _refusal(law, who)
    rows, w = c.gauss(8)
    mean = float(w @ rows[:, 0])
    spread = float(np.sqrt(w @ (rows[:, 0] - mean) ** 2))
    if spread == 0.0 or isinstance(c, laws.Atom):
        return np.array([mean]), np.ones(1)
    return np.array([mean - spread, mean + spread]), np.full(2, 0.5)


def _knot_parts(
    h: laws.AbstractLaw, mass: float, c: tuple[np.ndarray, np.ndarray] | None, law: laws.AbstractLaw, who: str
) -> Iterator[Part]:
    if isinstance(h, laws.Mixture):
        for weight, each in zip(np.asarray(h.weights), h.laws, strict=True):
            if weight > 0:
                yield from _knot_parts(each, mass * float(weight), c, law, who)
    elif h.n_atoms is not None:
        places, w = h.gauss(1)
        yield from (
            Part(mass * p, c, np.array([float(x)]), None) for x, p in zip(places[:, 0], w, strict=True) if p > 0
        )
    elif isinstance(h, laws.Uniform):
        edges = np.array([float(np.ravel(h.lower)[0]), float(np.ravel(h.upper)[0])])
        yield Part(mass, c, edges, np.ones_like)
    elif isinstance(h, laws.Normal):
        mean, std = float(np.ravel(h.mean)[0]), float(np.ravel(h.std)[0])
        if std == 0.0:
            yield Part(mass, c, np.array([mean]), None)
            return
        steps = np.arange(-_FAR, _FAR + _PIECE, _PIECE)
        yield Part(mass, c, mean + std * steps, lambda x: np.exp(-0.5 * ((x - mean) / std) ** 2))
    else:
        raise _refusal(law, who)


def _refusal(law: laws.AbstractLaw, who: str) -> ValueError:
    for factor in _factors(law) or ():
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
    return [float(np.mean(np.square(law.from_cube(u)))) for u in cubes]
