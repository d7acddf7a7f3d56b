"""Claims on the operator with kernel (36): its spectrum and its eigenfunctions (A.6)."""

import math

import numpy as np
import scipy.integrate
import scipy.optimize
from jaxtyping import Float

from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, apart_relative, largest, table
from ..figures._fig4 import spectrum_of
from ..runs._splines import wave_problem

_PRINTED = {
    "xi_0": 1.87510,
    "xi_1": 4.69409,
    "xi_2": 7.85475,
    "zeta_0": 0.08089,
    "zeta_1": 0.002059,
    "zeta_2": 0.0002627,
}
_PLACE = dict(xi_0=1e-5, xi_1=1e-5, xi_2=1e-5, zeta_0=1e-5, zeta_1=1e-6, zeta_2=1e-7)
"""One unit in the last printed place."""


def _roots(count: int) -> Float[np.ndarray, " n"]:
    """cosh xi cos xi = -1 by bisection between the extrema of the cosine, independent of theory/."""

    def left(x: float) -> float:
        return math.cos(x) + 1.0 / math.cosh(x)

    brackets = [(max(k, 0.5) * math.pi, (k + 1) * math.pi) for k in range(count)]
    return np.array([scipy.optimize.brentq(left, *pair, xtol=1e-15) for pair in brackets])


@claim("A.6", tolerance=1e-12, cost=Cost(1.0), digits=12)
def zeta_ten_digits(bench: Bench) -> Finding:
    """The eigenvalues of the operator with kernel (36) are zeta_k = xi_k^-4, cosh xi cos xi = -1: the library's
    spectrum of the tangent kernel in c, k < 10.
    Compared: the largest relative difference of xi_k and zeta_k from roots found by bisection."""
    zeta, roots, k = spectrum_of(bench)["zeta"][:10], _roots(10), range(10)
    computed = {f"xi_{n}": zeta[n] ** -0.25 for n in k} | {f"zeta_{n}": zeta[n] for n in k}
    return Finding(computed, largest(apart_relative(zeta**-0.25, roots), apart_relative(zeta, roots**-4.0)))


@claim("A.6; 3.2 has zeta_k to two digits", printed=_PRINTED, tolerance=1.0, cost=Cost(1.0))
def zeta_printed(bench: Bench) -> Finding:
    """The first three xi_k and zeta_k.
    Compared: in units of the last printed place: the print cuts off xi_2 and zeta_1 instead of rounding them."""
    zeta = spectrum_of(bench)["zeta"]
    values = {f"xi_{k}": zeta[k] ** -0.25 for k in range(3)} | {f"zeta_{k}": zeta[k] for k in range(3)}
    return Finding(values, largest([abs(values[name] - _PRINTED[name]) / _PLACE[name] for name in values]))


@claim("A.6", tolerance=4.0, cost=Cost(1.0), digits=4)
def xi_asymptotics(bench: Bench) -> Finding:
    """xi_k = pi/2 + pi k + 2 (-1)^k exp(-pi/2 - pi k) (1 + o(1)); the remainder is O(exp(-pi/2 - pi k)).
    Printed: 1 + o(1).
    Compared: the largest of |remainder| exp(pi/2 + pi k), k <= 10 (k <= 2 by the spectrum): it tends to 2 and is
    largest where a few k are left out."""
    # d = xi - lead: sin d = sigma / cosh(lead + d), where nothing cancels; |d/d_0 - 1| e^lead is bounded.
    found = spectrum_of(bench)["zeta"] ** -0.25
    k = np.arange(len(found))
    lead, sign = np.pi * (k + 0.5), 1.0 - 2.0 * (k % 2)
    first = 2.0 * sign * np.exp(-lead)
    d = np.zeros(len(found))
    for _ in range(60):
        d = np.arcsin(sign / np.cosh(lead + d))
    remainder = np.abs(d / first - 1.0) * np.exp(lead)
    # The spectrum's own roots, where rounding leaves something to see.
    library = np.abs((found - lead)[:5] / first[:5] - 1.0) * np.exp(lead[:5])
    shown, seen = [0, 1, 4, 10], [0, 1, 4]
    computed = table("k", shown, {"remainder over its order": remainder[shown]})
    computed |= table("k", seen, {"by the spectrum": library[seen]})
    far = apart_relative(found[1:], (lead + first)[1:])
    computed["largest relative distance of xi_k from the formula, 1 <= k <= 40"] = far
    return Finding(computed, largest(remainder[:11], library[:3]))


def printed_form(k: int, h: Float[np.ndarray, " H"]) -> Float[np.ndarray, " H"]:
    """(50) as it stands."""
    x = float(theory.xi(k))
    ratio = (math.cosh(x) + math.cos(x)) / (math.sinh(x) + math.sin(x))
    return np.cosh(x * h) + np.cos(x * h) - ratio * (np.sinh(x * h) + np.sin(x * h))


@claim("(50)", tolerance=1e-9, cost=Cost(1.0), digits=2)
def eigenfunctions_stable(bench: Bench) -> Finding:
    """The eigenfunctions (50), in a form without cancellation, are those of the library's spectrum for k <= 40.
    Compared: largest difference on 401 places; the spectrum's functions have 1e-16 over the gap of eigenvalues.
    Misprint: (50) as printed is a difference of numbers of size exp(xi_k): in double precision it is off by 4e-4 at k =
    9 and by more than 1 from k = 12 on."""
    data = spectrum_of(bench)
    h, s = data["h"], data["s"]
    gap = np.max(np.abs(theory.eigenfunction(np.arange(41)[:, None], h) - s), axis=1)
    shown, cancelled = [0, 10, 20, 40], [3, 6, 9, 12]
    lost = [apart(printed_form(n, h), s[n]) for n in cancelled]
    computed = table("k", shown, {"stable form against the spectrum": gap[shown]})
    computed |= table("k", cancelled, {"(50) as printed": lost})
    return Finding(computed, largest(gap), needs={"the printed form is off at k = 12": lost[-1] > 1e-3})


@claim("A.6, last display; 3.2", tolerance=1.0, cost=Cost(1.0), digits=3)
def eigenfunctions_bulk(bench: Bench) -> Finding:
    """s_k(h) = sqrt2 cos(xi_k h + pi/4) up to exp(-xi_k h) + exp(-xi_k (1 - h)): in the bulk only.
    Printed: s_k(h) ~ sqrt2 cos(xi_k h + pi/4).
    Compared: the largest difference on [1/4, 3/4] over 2 exp(-xi_k/4).
    Misprint: the terms left out are 1 at both ends for every k: the formula fails there."""
    data, computed = spectrum_of(bench), {}
    inside = (data["h"] >= 0.25) & (data["h"] <= 0.75)
    bulk, ends = [], []
    for k in (2, 5, 10, 20):
        root = data["zeta"][k] ** -0.25
        gap = np.abs(data["s"][k] - math.sqrt(2.0) * np.cos(root * data["h"] + math.pi / 4.0))
        # e^(-xi h) and e^(-xi (1 - h)) are what is left out.
        bulk.append(np.max(gap[inside]) / (2.0 * math.exp(-0.25 * root) + 1e-9))
        ends += [gap[0], gap[-1]]
        computed |= {f"in [1/4, 3/4], k = {k}": np.max(gap[inside]), f"at h = 0, k = {k}": gap[0]}
        computed[f"at h = 1, k = {k}"] = gap[-1]
    return Finding(computed, largest(bulk), needs={"the formula fails at both ends": np.min(ends) > 0.9})


def _kernel_gaps(places: int) -> Data:
    """(36) in closed form, of the oracle and of the library, against adaptive quadrature of the integral."""

    def integral(a: float, b: float) -> float:
        return scipy.integrate.quad(lambda x: (x - a) * (x - b), max(a, b), 1.0)[0]

    h = (np.arange(places) + 0.5) / places
    return {
        "direct": [[integral(a, b) for b in h] for a in h],
        "formula": theory.kernel(h[:, None], h),
        "library": wave_problem(1.0, 1).integrals.spline("the eigenfunctions").kernel(h[:, None], h),
    }


@claim("(36)", tolerance=1e-14, cost=Cost(1.0), digits=2)
def kernel_closed_form(bench: Bench) -> Finding:
    """The integral (36) is (1 - M)^3/3 + (M - m)(1 - M)^2/2, M and m the larger and the smaller knot.
    Compared: largest difference from adaptive quadrature over the largest value."""
    data = bench.piece(_kernel_gaps, places=12)
    scale = np.max(np.abs(data["direct"]))
    gaps = {name: apart(data[name], data["direct"]) / scale for name in ("formula", "library")}
    return Finding({f"largest relative difference, {name}": gap for name, gap in gaps.items()}, largest(*gaps.values()))
