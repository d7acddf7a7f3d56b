r"""How far apart two measures are, in their even and odd parts, their moments and their spherical harmonics.

The size of a signed measure nu is $(\iint k\,d\nu\,d\nu)^{1/2}$ with the positive kernel
$k(a, b) = (|a| + |b| - |a - b|)/2$ of the energy distance (Szekely, Rizzo 2013): 0 only for a multiple of the atom at
0. Its even and odd parts are

$$k_e = \tfrac14 (2|a| + 2|b| - |a - b| - |a + b|),\qquad k_o = \tfrac14 (|a + b| - |a - b|),\qquad k = k_e + k_o.$$

For units of degree 1 only the radial moment $m(u) = \int |\theta|\,\nu$ in the direction u counts. By the addition
theorem its harmonics of degree k have the size $(\iint |a||b|\,P_k(\hat a \cdot \hat b)\,d\nu\,d\nu)^{1/2}$, P_k the
Gegenbauer polynomial of R^d, P_k(1) = 1 (for d = 2, cos(k t)).
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

# Rows of a table of pairs that are held at once.
_ROWS = 256


class Charged(NamedTuple):
    """A signed measure in the parameters w of phi~: `rows` [n, d], and `charges` [n, C], weight times output weight."""

    rows: Float[np.ndarray, "n d"]
    charges: Float[np.ndarray, "n C"]

    def minus(self, other: "Charged") -> "Charged":
        return Charged(np.concatenate([self.rows, other.rows]), np.concatenate([self.charges, -other.charges]))


def size(nu: Charged, kernel: Callable[..., np.ndarray]) -> float:
    """The root of INT INT kernel d nu d nu, summed over outputs."""
    rows, charges = nu
    total = 0.0
    for k in range(0, len(rows), _ROWS):
        table = kernel(rows[k : k + _ROWS], rows)
        total += float(np.sum(charges[k : k + _ROWS] * (table @ charges)))
    return float(np.sqrt(max(total, 0.0)))


def _apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a[:, None, :] - b[None], axis=2)


def _lengths(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.norm(a, axis=1)[:, None] + np.linalg.norm(b, axis=1)[None]


def whole(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 0.5 * (_lengths(a, b) - _apart(a, b))


def even(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 0.25 * (2.0 * _lengths(a, b) - _apart(a, b) - _apart(a, -b))


def odd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return 0.25 * (_apart(a, -b) - _apart(a, b))


def harmonic(degree: int) -> Callable[..., np.ndarray]:
    """|a| |b| P_k of the cosine between a and b."""

    def kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        lengths = np.linalg.norm(a, axis=1)[:, None] * np.linalg.norm(b, axis=1)[None]
        cosine = np.divide(a @ b.T, lengths, out=np.zeros_like(lengths), where=lengths > 0.0)
        return lengths * gegenbauer(degree, a.shape[1], np.clip(cosine, -1.0, 1.0))

    return kernel


def gegenbauer(degree: int, dim: int, x: Any) -> Any:
    """P_k of R^d, P_k(1) = 1: (k + d - 2) P_(k+1) = (2 k + d - 2) x P_k - k P_(k-1); for d = 1 it is 1 or x."""
    before, now = np.ones_like(x), x
    if degree == 0 or dim == 1:
        return before if degree == 0 else (now if degree == 1 else np.zeros_like(x))
    for k in range(1, degree):
        before, now = now, ((2 * k + dim - 2) * x * now - k * before) / (k + dim - 2)
    return now


class Quantity(NamedTuple):
    """A part of a measure: its name, its `size` in a `Charged`, and a bound on it, `scale`, that does not vanish.

    `degree`: that of the harmonics of m(u) that it is, if it is that.
    """

    name: str
    size: Callable[[Charged], float]
    scale: Callable[[Charged], float]
    degree: int | None = None


def _norm(value: np.ndarray) -> float:
    return float(np.linalg.norm(value))


def _mass(nu: Charged) -> float:
    return _norm(nu.charges.sum(axis=0))


def _first(nu: Charged) -> float:
    return _norm(nu.charges.T @ nu.rows)


def _second(nu: Charged) -> float:
    return _norm(np.einsum("nc,nd,ne->cde", nu.charges, nu.rows, nu.rows))


def _absolute(power: int) -> Callable[[Charged], float]:
    """INT |theta|^power d|nu|."""

    def scale(nu: Charged) -> float:
        return float(np.linalg.norm(nu.charges, axis=1) @ np.linalg.norm(nu.rows, axis=1) ** power)

    return scale


def _whole(nu: Charged) -> float:
    return size(nu, whole)


mass = Quantity("the total weight", _mass, _absolute(0))
first = Quantity("the first moment INT theta", _first, _absolute(1), 1)
second = Quantity("the second moment INT theta theta^T", _second, _absolute(2))
even_part = Quantity("the even part", lambda nu: size(nu, even), _whole)
odd_part = Quantity("the odd part", lambda nu: size(nu, odd), _whole)


def degrees(ks: Any) -> Iterator[Quantity]:
    """Harmonics of the radial moment m(u)."""
    for k in ks:
        yield Quantity(f"m(u), degree {k}", lambda nu, k=k: size(nu, harmonic(k)), _absolute(1), k)


def shown_by_ramp(degree: int, dim: int, eigenvalue: float, square: float) -> float:
    r"""$(E f_k^2)^{1/2}$ of the function of a part of degree k and size 1, the law of x invariant under rotations.

    $f(x) = |x| \int \sigma(u \cdot v)\,m(dv)$ has the part $f_k = |x| \lambda_k m_k(u)$ of degree k. With the
    number N_k of harmonics and the area |S| the addition theorem makes the size s the norm
    $\int m_k^2 = s^2 N_k / |S|$, so that $E f_k^2 = E|x|^2\,\lambda_k^2\,s^2 N_k / |S|^2$; parts of different degree
    are orthogonal. `square`: E |x|^2.
    """
    area = 2.0 * math.pi ** (0.5 * dim) / math.gamma(0.5 * dim)
    if dim == 1:
        count = 1
    else:
        count = math.comb(degree + dim - 1, degree) - (math.comb(degree + dim - 3, degree - 2) if degree > 1 else 0)
    return abs(eigenvalue) * math.sqrt(square * count) / area
