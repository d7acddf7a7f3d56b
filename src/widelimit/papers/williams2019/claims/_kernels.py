"""Claims on the kernel side: Theorem 5, Corollary 6, (22)-(28)."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

from widelimit import kernels
from widelimit.measure import laws
from widelimit.theory import williams2019 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, apart_relative, largest, log_slope, share_allowed, share_needed, table
from ..runs._features import RELU, features_fit, signs_law, slices_of, weights
from ..runs._networks import square_wave

_X, _Y = [-0.6, 0.1, 0.5, 0.9], [1.0, -0.5, 0.2, 0.7]
# Of b: the density of the uniform law on (-1, 1).
_ENDS = (-1.0, 1.0)


def _density(b: float) -> float:
    return 0.5 if _ENDS[0] < b < _ENDS[1] else 0.0


def curvature(a: list[float]) -> Data:
    """Of the random-feature interpolant for a of these values and b ~ U(-1, 1): |f|^2 by the samples, by the library's
    Theorem 5, by the theory's quadrature, and INT f''^2/nu with the printed nu."""
    law = laws.product(weight=weights(*a), bias=laws.Uniform(*_ENDS))
    f = kernels.interpolate(kernels.random_features(RELU, law), np.array(_X), np.array(_Y))
    second = jax.jit(jax.grad(jax.grad(f)))
    values, share = np.array(a), np.full(len(a), 1.0 / len(a))
    reach = 1.0 / np.min(np.abs(values))

    def printed(u: float) -> float:
        nu = float(np.sum(share * np.abs(values) * [_density(s * u) for s in values]))
        return float(second(u)) ** 2 / nu if nu > 0.0 else 0.0

    breaks = sorted({*_X, *(side / s for s in a for side in _ENDS)})
    quad: Any = integrate.quad(printed, -reach, reach, points=breaks, limit=200)
    norm = kernels.random_feature_norm(f, law, lower=-reach, upper=reach, breaks=np.asarray(f.x)[:, 0])
    exact = theory.curvature_norm(
        lambda x: float(f(x)), lambda x: float(second(x)), (-0.3, 0.4), values, share, _density, _ENDS, tuple(_X)
    )
    return {"samples": f.norm_squared, "library": norm.squared, "quadrature": exact, "printed": quad[0]}


@claim("Theorem 5, (25)", tolerance=1.0, cost=Cost(25.0), digits=9)
def theorem_5(bench: Bench) -> Finding:
    """The interpolant (24) minimises INT f''^2/nu + beta^T M^-1 beta, nu(u) = INT |a|^3 mu_a(a u) dq(a), beta the line
    that knots of both signs of a make for a price of their own.
    Printed: INT f''^2/nu with nu(u) = INT |a| mu_a(a u) dq(a), no line.
    Compared: share of what is allowed, a of -2, -0.5, 0.5, 2, and of 0.5, 2, b ~ U(-1, 1), four samples: relative
    error 1e-8 between alpha^T K alpha, the library's norm of f on an interval and adaptive quadrature over the whole
    line; the printed integral must be off by 10 %.
    Misprint: the weight is |a|^3, and with both signs of a there is an affine term."""
    off, slips, computed = [], [], {}
    for name, a in (("both signs", [-2.0, -0.5, 0.5, 2.0]), ("a > 0", [0.5, 2.0])):
        found = bench.piece(curvature, a=a)
        off += [apart_relative(found[way], found["samples"]) for way in ("library", "quadrature")]
        slips.append(abs(float(found["printed"] / found["samples"]) - 1.0))
        computed |= {f"|f|^2, {name}": found["samples"], f"as printed, {name}": found["printed"]}
    computed["largest relative difference"] = largest(off)
    return Finding(computed, share_allowed((off, 1e-8), (share_needed(slips, 0.1), 1.0)))


def cubics() -> Data:
    """Where interpolants are cubic splines by the library, and their fourth differences inside and outside."""
    cases = {
        "a = +-1, b ~ U(-1, 1)": signs_law(1.0),
        "a, b ~ U(-1, 1)": laws.product(weight=laws.Uniform(-1.0, 1.0), bias=laws.Uniform(-1.0, 1.0)),
        "a, b ~ N(0, 1)": laws.product(weight=laws.Normal(0.0, 1.0), bias=laws.Normal(0.0, 1.0)),
    }
    found = {}
    for name, law in cases.items():
        f = kernels.interpolate(kernels.random_features(RELU, law), np.array(_X), np.array(_Y))
        pieces = kernels.cubic_pieces(law)
        third = jax.jit(jax.vmap(jax.grad(jax.grad(jax.grad(f)))))
        # Within gaps of the samples, and beyond |x| = 1.
        inside, outside = np.linspace(0.15, 0.45, 7), np.linspace(1.1, 1.6, 7)
        spread = [float(np.ptp(third(jnp.asarray(at)))) for at in (inside, outside)]
        size = float(np.max(np.abs(third(jnp.asarray(inside)))))
        found[name] = {
            "pieces": np.array(pieces).reshape(-1, 2),
            "inside": spread[0] / size,
            "outside": spread[1] / size,
        }
    return found


@claim("Theorem 5, after (25)", tolerance=1.0, cost=Cost(10.0), digits=4)
def cubic_splines(bench: Bench) -> Finding:
    """With b uniform given a, the interpolant is a cubic spline where the densities of knots of either sign of a are
    constant: for a = +-1 and b ~ U(-1, 1) wherever there are knots, for a, b ~ U(-1, 1) on |x| <= 1 only; for
    Gaussian a and b nowhere.
    Printed: b uniform given a: (22) is a cubic spline.
    Compared: share of what is allowed: within a gap of the samples f''' may vary by 1e-8 of its size for the two
    uniform laws; it must vary by 1 % of that for the Gaussian, and for a, b ~ U(-1, 1) beyond |x| = 1; the library's
    intervals must be these.
    Misprint: that b is uniform given a is not enough where a is not constant in size: nu changes with x where a x
    leaves the support of b."""
    found = bench.piece(cubics)
    signs, box, normal = found.values()
    small, large = [signs["inside"], box["inside"]], [normal["inside"], box["outside"]]
    computed = {f"f''' varies by, {name}, inside": one["inside"] for name, one in found.items()}
    computed["f''' varies by, a, b ~ U(-1, 1), |x| > 1"] = box["outside"]
    needs = {
        "the intervals are (-1, 1), (-1, 1) and none": np.array_equal(box["pieces"], [[-1.0, 1.0]])
        and np.array_equal(signs["pieces"], [[-1.0, 1.0]])
        and len(normal["pieces"]) == 0
    }
    return Finding(computed, share_allowed((small, 1e-8), (share_needed(large, 1e-2), 1.0)), needs=needs)


def natural(halves: list[float]) -> Data:
    """The distance of the interpolant to the natural cubic spline, a = +-1, b uniform on (-B, B); ten samples."""
    x, y = square_wave(10)
    fits = [kernels.interpolate(kernels.random_features(RELU, signs_law(half)), x, y) for half in halves]
    return {"distance": [kernels.natural_spline_distance(f) for f in fits], "condition": [f.condition for f in fits]}


@claim("3.3 and 4, Cubic Splines (Fig. 4)", tolerance=0.1, cost=Cost(5.0), digits=4)
def natural_spline(bench: Bench) -> Finding:
    """The interpolant of a = +-1, b ~ U(-B, B) is a cubic spline, but never exactly the natural one: the distance is
    O(1/B).
    Printed: a cubic spline with vanishing second derivative at its endpoints.
    Compared: the exponent of B in the largest distance between the samples, B = 8 to 64, ten samples, against -1.
    Misprint: f'' at the outermost samples vanishes in the limit of wide biases only."""
    halves = [8.0, 16.0, 32.0, 64.0]
    found = bench.piece(natural, halves=halves)["distance"]
    slope = log_slope(halves, found)
    return Finding(table("B", halves, {"distance": found}) | {"exponent": slope}, apart(slope, -1.0))


def tangent_price(squares: float) -> Data:
    """The NTK interpolant for a = 1, b ~ U(-1, 1), E c^2 = `squares`, taken apart into its three features: y^T K^-1 y,
    the library's and the theory's Corollary 6 of those parts, and the printed one."""
    law = laws.product(output=laws.Normal(0.0, math.sqrt(squares)), weight=weights(1.0), bias=laws.Uniform(*_ENDS))
    x, y = np.array(_X), np.array(_Y)
    f = kernels.interpolate(kernels.neural_tangent(RELU, law), x, y)
    alpha, at = np.asarray(f.coefficients), np.asarray(f.x)[:, 0]

    # K_RF, and the probability that both are active, for a = 1 and -b uniform on (-1, 1), beyond -1.
    def first(u: Any) -> Any:
        low, apart_by = jnp.minimum(u, at) + 1.0, jnp.abs(u - at)
        return jnp.sum(alpha * 0.5 * low**2 * (2.0 * low + 3.0 * apart_by) / 6.0)

    def second(u: Any) -> Any:
        return squares * jnp.sum(alpha * 0.5 * (jnp.minimum(u, at) + 1.0))

    def third(u: Any) -> Any:
        return squares * u * jnp.sum(alpha * at * 0.5 * (jnp.minimum(u, at) + 1.0))

    norm = kernels.neural_tangent_norm((first, second, third), law, lower=-1.0 + 1e-9, upper=1.0, breaks=at)
    bend, slope2, slope3 = (jax.jit(g) for g in (jax.grad(jax.grad(first)), jax.grad(second), jax.grad(third)))

    def printed(u: float) -> float:
        inner = float(slope2(u)) ** 2 + (u * float(slope3(u)) - float(third(u))) ** 2 / u**2
        return (float(jax.grad(first)(u)) ** 2 + squares * inner) / 0.5

    exact = theory.tangent_norm(
        lambda u: float(bend(u)),
        (lambda u: float(slope2(u)), lambda u: float(slope3(u))),
        lambda u: float(third(u)),
        np.array([1.0]),
        np.array([1.0]),
        _density,
        _ENDS,
        squares,
        tuple(_X),
    )
    quad: Any = integrate.quad(printed, -1.0, 1.0, points=[*_X, 0.0], limit=200)
    return {"samples": f.norm_squared, "library": norm.squared, "quadrature": exact, "printed": quad[0]}


@claim("Corollary 6, (28)", tolerance=1.0, cost=Cost(20.0), digits=9)
def corollary_6(bench: Bench) -> Finding:
    """The norm of K_NTK is the infimum of INT f_1''^2/nu_3 + (1/E c^2) INT [f_2'^2 + (u f_3' - f_3)^2/u^4]/nu_1 over f
    = f_1 + f_2 + f_3 (a > 0; nu_p = INT a^p mu_a(a u) dq).
    Printed: f_1' in place of f_1'', E(c^2) in place of 1/E(c^2), u^2 in place of u^4.
    Compared: share of what is allowed, a = 1, b ~ U(-1, 1), E c^2 = 0.4, four samples: the interpolant taken apart
    as its kernel is attains the infimum, so the price of its parts must be y^T K^-1 y to 1e-7, by the library and by
    adaptive quadrature; the printed price must be off by 10 %.
    Misprint: f_1', E(c^2) and u^2 in (28) are f_1'', 1/E(c^2) and u^4, and the weights are nu_3 and nu_1."""
    found = bench.piece(tangent_price, squares=0.4)
    off = [apart_relative(found[way], found["samples"]) for way in ("library", "quadrature")]
    slip = abs(float(found["printed"] / found["samples"]) - 1.0)
    computed = {
        "y^T K^-1 y": found["samples"],
        "as printed": found["printed"],
        "largest relative difference": largest(off),
    }
    return Finding(computed, share_allowed((off, 1e-7), (share_needed(slip, 0.1), 1.0)))


def radial(places: list[float]) -> Data:
    """K_RF of standard normal a and b by the library, [n, n], and by quadrature over the angle."""
    law = laws.product(weight=laws.Normal(0.0, 1.0), bias=laws.Normal(0.0, 1.0))
    x = np.array(places)

    def quadrature(p: float, q: float) -> float:
        def inside(angle: float) -> float:
            u, v = np.cos(angle), np.sin(angle)
            return max(u * p + v, 0.0) * max(u * q + v, 0.0) / np.pi

        low, high = sorted((p, q))
        # Both are active from -arctan(low) to pi - arctan(high), and E r^2 is 2.
        found: Any = integrate.quad(inside, -np.arctan(low), np.pi - np.arctan(high), epsabs=1e-13)
        return found[0]

    return {
        "x": x,
        "library": kernels.random_features(RELU, law)(x, x),
        "quadrature": [[quadrature(p, q) for q in places] for p in places],
    }


def _printed_radial(x: np.ndarray, z: np.ndarray) -> np.ndarray:
    """(26), C = 2."""
    first = (np.pi - np.arctan(z) + np.arctan(x)) * (x * z + 1.0)
    second = (z / (1.0 + z**2) - x / (1.0 + x**2)) * (x * z - 1.0)
    return (first + second + (x + z) * (z**2 / (1.0 + z**2) - x**2 / (1.0 + x**2))) / (2.0 * np.pi)


@claim("(26), (40)", tolerance=1.0, cost=Cost(4.0), digits=4)
def radial_kernel(bench: Bench) -> Finding:
    """For radial (a, b) K_RF = C/(4 pi) ((pi - |atan x - atan x'|)(1 + x x') + |x - x'|), C = E[a^2 + b^2].
    Printed: (26), with (x'/(1 + x'^2) - x/(1 + x^2)) (x x' - 1) + (x + x') (x'^2/(1 + x'^2) - x^2/(1 + x^2)).
    Compared: share of what is allowed, Gaussian a and b, seven places: 1e-12 for the library's kernel against the
    formula and against quadrature of (23) over the angle; (26) as printed must be off by 0.1 away from the diagonal,
    and by nothing (1e-12) on it.
    Misprint: the second term of (26) has the wrong sign, and the formula holds for x <= x' only."""
    places = [-2.0, -1.0, -0.3, 0.0, 0.4, 1.0, 3.0]
    found = bench.piece(radial, places=places)
    x, z = found["x"][:, None], found["x"]
    off = [apart(found["library"], theory.radial_kernel(x, z)), apart(found["library"], found["quadrature"])]
    printed = _printed_radial(x, z) - found["library"]
    wrong, right = largest(np.abs(printed)), largest(np.abs(np.diag(printed)))
    computed = {"largest difference": largest(off), "of the printed formula": wrong, "on the diagonal": right}
    return Finding(computed, share_allowed((off, 1e-12), (right, 1e-12), (share_needed(wrong, 0.1), 1.0)))


@claim("(27), Fig. 3", tolerance=5.0, cost=Cost(15.0), digits=4)
def tangent_slices(bench: Bench) -> Finding:
    """At alpha = sqrt m the tangent kernel tends to K_RF(x, x') + (x x' + 1) E(c^2) P(a x > b, a x' > b).
    Compared: both terms of 25,000 sampled neurons, summed by the library, at x' = 0.5 and 81 places from -2 to 2,
    with its limit in closed form, in standard errors of each mean; uniform and Gaussian a, b. The largest of 324
    numbers, which hang together, may be 5."""
    computed, most = {}, []
    for name, found in zip(("uniform", "Gaussian"), slices_of(bench), strict=True):
        for term in ("features", "inner"):
            error = found[f"error {term}"]
            off = np.abs(found[f"sampled {term}"] - found[term])[error > 0.0] / error[error > 0.0]
            computed |= {f"{name}, {term}: largest, in errors": largest(off)}
            most.append(largest(off))
            # Where no neuron is seen both must be 0.
            most.append(0.0 if not np.any(error == 0.0) else 1e6 * largest(np.abs(found[term])[error == 0.0]))
    return Finding(computed, largest(most))


@claim("(22), (24)", tolerance=1.0, cost=Cost(10.0), digits=4)
def minimum_norm(bench: Bench) -> Finding:
    """With a and b fixed, the flow of c from 0 ends at the interpolant of least |c|, for every width.
    Compared: share of what is allowed, 200 and 2000 neurons, ten samples: 1e-5 between the library's linear flow at
    t = 1e9 and least squares of least norm in NumPy, at 201 places (the kernel's condition is about 1e5, and SVD
    loses its square root)."""
    off = {}
    for width in (200, 2000):
        found = bench.piece(features_fit, width=width, seed=41, time=math.inf)
        off[f"largest difference, m = {width}"] = apart(found["f"], found["least"])
    return Finding(off, share_allowed((list(off.values()), 1e-5)))


@claim("3.3, last paragraph", tolerance=1.0, cost=Cost(10.0), digits=4)
def early_stopping(bench: Bench) -> Finding:
    """Ending the flow early regularises: at time t the mode of eigenvalue s of K is fitted to 1 - exp(-s t).
    Compared: share of what is allowed: 64,000 neurons trained to t = 5 against kernels.interpolate(time=5) at
    infinite width, at 201 places, may be apart by 0.02 (1/sqrt(m) is 0.004); the interpolant must be away by 0.1."""
    found = bench.piece(features_fit, width=64000, seed=42, time=5.0)
    whole = bench.piece(features_fit, width=2000, seed=41, time=math.inf)
    off, away = apart(found["f"], found["limit"]), apart(found["limit"], whole["limit"])
    computed = {"largest difference": off, "distance to the interpolant": away}
    return Finding(computed, share_allowed((off, 0.02), (share_needed(away, 0.1), 1.0)))


@claim("4, Cubic Splines, Fig. 4", tolerance=0.15, cost=Cost(20.0), digits=4)
def width_convergence(bench: Bench) -> Finding:
    """The network that trains c alone tends to the random-feature interpolant as m grows, as 1/sqrt(m).
    Compared: the exponent of m in the largest difference at 201 places, mean over 8 draws of logs, m = 400 to
    25,600, against -1/2; the spread of 4 draws leaves about 0.07."""
    widths = [400, 1600, 6400]
    off = []
    for width in widths:
        runs = [bench.piece(features_fit, width=width, seed=seed, time=math.inf) for seed in range(50, 54)]
        off.append(np.exp(np.mean([np.log(apart(one["f"], one["limit"])) for one in runs])))
    slope = log_slope(widths, off)
    return Finding(table("m", widths, {"difference": off}) | {"exponent": slope}, apart(slope, -0.5))
