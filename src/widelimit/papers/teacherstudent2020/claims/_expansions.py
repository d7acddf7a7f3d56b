"""Claims on 3.2, (9) and 5.2: the expansion of X^L and of the loss for small parameters."""

import math

import numpy as np

from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Finding, claim
from ..._kit._shares import apart, apart_relative, log_slope, share_allowed, table
from ..runs._series import FITTED, ORDERS, RADII, fitted_radius, one_atom_terms, second_terms, shrinking


@claim("(9), 5.2, E_(2), Sigma_2", tolerance=1.0, cost=Cost(3.0), digits=4)
def second_order_terms(bench: Bench) -> Finding:
    """X^L = X^0 + (1/L) SUM_a INT sigma(theta X^0) d rho^a + (1/L^2) SUM_(b>a) INT INT grad sigma(theta^b X^0) theta^b
    sigma(theta^a X^0) d rho^a d rho^b + ..., and with a teacher's labels E_(2) = 1/2 |Sigma_1(rho - rho_*) +
    Sigma_2(rho x rho - rho_* x rho_*)|^2.
    Compared: 1e-13 allowed each: the two terms of the library's expansion with sums over particles and pairs in NumPy
    (three levels of two, d = 2), E_(2) with that of the sums; at L = infinity pairs of one level count one half.
    Misprint: E_(2) has - y twice; Sigma_2 contains rho, not rho_*; rho(theta, eps) = (1/L) SUM_a rho^a delta_(a/L)."""
    found = bench.piece(second_terms, depth=3, width=2)
    first, second = found["by hand"]
    off = np.sum(found["by hand"] - found["teacher by hand"], axis=0)
    loss = 0.5 * float(np.mean(np.sum(off**2, axis=1)))
    parts = {
        "terms apart": apart(found["finite"], found["by hand"]),
        "E_(2) apart": abs(float(found["E_2"]) - loss),
        "terms at L = infinity apart": apart(found["deep"], [first, second + 0.5 * found["one level"]]),
    }
    computed = {"E_(2)": loss, "|first term|": np.linalg.norm(first), "|second term|": np.linalg.norm(second)}
    return Finding(computed | parts, share_allowed(*((value, 1e-13) for value in parts.values())))


@claim("3.2, after (9)", tolerance=1e-13, cost=Cost(2.0), digits=6)
def binomial_weights(bench: Bench) -> Finding:
    """For linear sigma the expansion has L terms of order theta with the weight 1/L, L (L-1)/2 of order theta^2 with
    1/L^2, and so on: the k-linear part is the binomial (L over k)/L^k, at most 1/k!.
    Compared: the library's terms 0 to 6 for L = 6, sigma(z) = z, d = 1, theta = x = 1, with the binomials. (For other
    sigma one level may stand twice in a term from the third order on.)"""
    found = bench.piece(one_atom_terms, theta=1.0, x=1.0, depth=6, activation="identity", order=6, continuous=False)
    exact = np.array([math.comb(6, k) / 6.0**k for k in range(7)])
    need = np.all(found["terms"] <= [1.0 / math.factorial(k) + 1e-15 for k in range(7)])
    return Finding(
        table("k", range(7), {"term": found["terms"]}), apart(found["terms"], exact), needs={"at most 1/k!": need}
    )


@claim("3.2, after (9), orders", tolerance=0.1, cost=Cost(12.0), digits=4)
def expansion_orders(bench: Bench) -> Finding:
    """When Theta is small the first few orders suffice: with its radius r the order k misses X^L by O(r^(k+1)), and the
    loss by O(r^(k+1)) with fixed labels, O(r^(k+2)) with those of a teacher in Theta, O(r^(2k+2)) at zero residual.
    Printed: it is sufficient to consider the first few orders.
    Compared: the exponents of r = 2^-4, ..., 2^-8 in what the library's expansion leaves out, with these, k = 1, 2, 3
    (tanh, four levels of two, d = 2, a law that is not symmetric in theta). The sum of the terms must be the network,
    and E - E_2 at r = 1/4 that of the problems, to 1e-10."""
    found = shrinking(bench)
    off, computed = [], {}
    for name, added in (("X", 1), ("fixed", 1), ("taught", 2), ("zero", None)):
        for k, values in zip(ORDERS, np.abs(found[name]).T, strict=True):
            slope = log_slope(RADII[FITTED], values[FITTED])
            computed[f"{_SAID[name]}, k = {k}"] = slope
            off.append(abs(slope - (2 * k + 2 if added is None else k + added)))
    whole = apart(found["sum"], found["network"])
    gap = abs(float(found["E - E_2"]) / float(found["fixed"][1, 1]) - 1.0)
    computed |= {"terms' sum and network apart": whole, "E - E_2 apart": gap}
    return Finding(computed, float(np.max(off)), needs={"the tails are right": max(whole, gap) < 1e-10})


_SAID = {
    "X": "exponent of X^L",
    "fixed": "of E, fixed labels",
    "taught": "of E, teacher's labels",
    "zero": "of E, zero residual",
}
_THETA, _POINT = 1.2, 0.7


def taylor(theta: float, x: float, order: int) -> np.ndarray:
    """Coefficients in s of the closed form at L = infinity, by Cauchy's integral on a circle of 0.8 of its radius."""
    radius, count = 0.8 * theory.one_atom_radius(theta, x), 512
    values = [theory.one_atom(theta, x, radius * np.exp(2j * np.pi * j / count)) for j in range(count)]
    return np.real(np.fft.fft(values))[: order + 1] / count / radius ** np.arange(order + 1)


@claim("3.2, after (9), O(1/k!)", tolerance=1.0, cost=Cost(6.0), digits=4)
def factorial_terms(bench: Bench) -> Finding:
    """The k-linear terms are O(1/k!) at fixed k as the radius of Theta shrinks, or for linear sigma; for tanh they are
    not uniformly in k: the series in s, rho -> s rho, has a finite radius of convergence R, and the terms fall as
    R^(-k).
    Compared: share of what is allowed: the library's terms up to 6 at L = infinity, d = 1, one atom theta = 2^-8, over
    theta^k x/k!, with 1: 0.01; its sizes of 20 terms at theta = 1.2, x = 0.7 with the coefficients of asinh(exp(theta
    s) sinh(theta x))/theta by Cauchy's integral: 1e-9 relative to the largest; (k! |c_k|)^(1/k) of the larger of k =
    19, 20 over the larger of k = 9, 10, with 2: 0.4, where O(1/k!) allows 1.
    Misprint: not uniformly in k, unless sigma is linear."""
    x, small = _POINT, 0.5**8
    more = {"depth": 1, "activation": "tanh", "continuous": True}
    near = bench.piece(one_atom_terms, theta=small, x=x, order=6, **more)["terms"]
    shape = near[1:] / [x * small**k / math.factorial(k) for k in range(1, 7)]
    sizes = bench.piece(fitted_radius, theta=_THETA, x=x, depth=1, count=20, continuous=True)["sizes"]
    exact = np.abs(taylor(_THETA, x, 20)[1:])
    roots = [(math.factorial(k) * size) ** (1.0 / k) for k, size in enumerate(sizes, start=1)]
    grown = max(roots[18:20]) / max(roots[8:10])
    gap = apart(sizes, exact) / float(np.max(exact))
    computed = table("k", range(1, 7), {"k! c_k/(theta^k x), theta = 2^-8": shape})
    computed |= table("k", (5, 10, 15, 20), {"(k! |c_k|)^(1/k), theta = 1.2": [roots[k - 1] for k in (5, 10, 15, 20)]})
    computed |= {"grown from k = 10 to 20 by": grown, "library and closed form apart": gap}
    return Finding(computed, share_allowed((apart(shape, 1.0), 0.01), (gap, 1e-9), (abs(grown - 2.0), 0.4)))


@claim("3.2, after (9), radius of convergence", tolerance=0.1, cost=Cost(8.0), digits=4)
def convergence_radius(bench: Bench) -> Finding:
    """The radius of convergence of the series for tanh is that of its nearest singularity: a pole at finite L, a square
    root at L = infinity.
    Printed: the decay in k is that of 1/k!, at a radius of Theta that is sufficiently small.
    Compared: radii fitted by the library to 20 terms, d = 1, one atom, relative: of the pole for L = 2, of the branch
    for L = infinity, theta = 0.6, 1.2 at x = 0.7, with those of the closed forms."""
    computed, off = {}, []
    for theta in (0.6, _THETA):
        for depth, deep in ((2, False), (1, True)):
            found = bench.piece(fitted_radius, theta=theta, x=_POINT, depth=depth, count=20, continuous=deep)
            exact = (theory.one_atom_radius if deep else theory.two_level_radius)(theta, _POINT)
            label = f"L = {'∞' if deep else depth}, theta = {theta:g}"
            radius = float(found["branch" if deep else "pole"])
            computed |= {f"{label}: fitted": radius, f"{label}: exact": exact}
            off.append(apart_relative(radius, exact))
    return Finding(computed, float(np.max(off)))
