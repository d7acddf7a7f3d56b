"""Rules that quantise a law: points of the unit cube, or Gauss nodes."""

import functools
import math
from typing import ClassVar

import equinox as eqx
import numpy as np
from jaxtyping import Float

Nodes = tuple[Float[np.ndarray, "_ _"], Float[np.ndarray, " _"]]
"""Positions [m, D] and weights [m]."""
Rows = Float[np.ndarray, "n D"]
"""Particles, on the host."""

MAX_NODES = 10**6
MAX_SOBOL = 21_201


class Midpoint(eqx.Module):
    """The points (i + 1/2)/n of [0, 1], carried to the quantiles of a law with one cube coordinate."""

    tensor: ClassVar[bool] = False
    """Whether the points are all combinations of nodes a coordinate, so that only some numbers of them there are."""

    def points(self, n: int, cube_dim: int) -> Float[np.ndarray, "n c"]:
        if cube_dim != 1:
            raise ValueError(
                f"quantise(rule=Midpoint()): the law has {cube_dim} cube coordinates, this rule serves one; "
                "use Sobol()."
            )
        return ((np.arange(n) + 0.5) / n)[:, None]


class Sobol(eqx.Module):
    """The first n scrambled Sobol points of the cube. The same seed gives the same points.

    For smooth functions of few coordinates the error falls nearly as 1/n, at powers of two faster.
    """

    tensor: ClassVar[bool] = False
    seed: int = eqx.field(static=True, default=0)

    def points(self, n: int, cube_dim: int) -> Float[np.ndarray, "n c"]:
        from scipy.stats import qmc

        if cube_dim > MAX_SOBOL:
            raise ValueError(
                f"quantise(rule=Sobol()): the law has {cube_dim} cube coordinates, Sobol points have at most "
                f"{MAX_SOBOL}; use sample()."
            )
        engine = qmc.Sobol(cube_dim, scramble=True, rng=np.random.default_rng(self.seed))
        # A power of two is drawn and cut: points are the same for every n, and no warning about balance.
        return engine.random_base2((n - 1).bit_length())[:n]


class Gauss(eqx.Module):
    """m Gauss nodes a coordinate (Gauss-Hermite, Gauss-Legendre), as a tensor product: n = m^D particles in all.

    Integrates polynomials of degree 2m - 1 in each coordinate exactly. For few coordinates: at most 10^6
    particles. Other n are refused, with the nearest ones that are allowed; a law of atoms gives all of them.
    """

    tensor: ClassVar[bool] = True


Rule = Midpoint | Sobol | Gauss


def normal_quantile(u: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n c"]:
    """The quantile function of N(0, 1), cut off at 8.2, where u is as near to 0 or 1 as floats can tell."""
    from scipy.special import ndtri

    return ndtri(np.clip(u, 2.0**-53, 1 - 2.0**-53))


def hermite(n: int) -> Nodes:
    """Nodes and weights of N(0, 1). Far nodes may have weight 0 (underflow), never NaN."""
    from scipy.special import roots_hermitenorm

    nodes, weights = roots_hermitenorm(n)
    return nodes[:, None], weights / weights.sum()


def legendre(n: int) -> Nodes:
    """Nodes and weights of the uniform law on [0, 1]."""
    from scipy.special import roots_legendre

    nodes, weights = roots_legendre(n)
    return (nodes[:, None] + 1) / 2, weights / weights.sum()


def tensor(parts: list[Nodes]) -> Nodes:
    """The tensor product of rules: columns side by side, weights multiplied."""
    total = math.prod(len(weights) for _, weights in parts)
    if total > MAX_NODES:
        shown = str(total) if total < 10**18 else f"about 10^{math.log10(total):.0f}"
        raise ValueError(
            f"quantise(rule=Gauss()): the tensor product has {shown} nodes, allowed are {MAX_NODES}; "
            "take a smaller n or Sobol()."
        )
    return functools.reduce(_outer, parts)


def _outer(left: Nodes, right: Nodes) -> Nodes:
    (x, v), (y, w) = left, right
    positions = np.concatenate([np.repeat(x, len(w), axis=0), np.tile(y, (len(v), 1))], axis=1)
    return positions, np.outer(v, w).ravel()
