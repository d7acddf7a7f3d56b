"""Where a random-feature interpolant is a cubic spline, and how far it is from the natural one."""

import itertools
from typing import Any

import numpy as np

from widelimit.numerics import require_x64

from ._interpolate import Interpolant
from ._knots import Knots, knots_of

# Two values of nu that differ by less, relatively, are one: rounding of sums.
_SAME = 1e-12
# Places in each gap between samples at which two functions are compared.
_PLACES = 64


def cubic_pieces(law: Any) -> list[tuple[float, float]]:
    r"""The intervals of x on which every interpolant of the kernel of $(a x + b)_+$ is a cubic spline, one input.

    There $f'' = \nu_+(x) \sum_j \alpha_j (x_j - x)_+ + \nu_-(x) \sum_j \alpha_j (x - x_j)_+$ with
    $\nu_\pm(x) = \int_{\pm a > 0} |a|^3 \mu(-a x)\,q(da)$: f is a cubic between neighbouring samples, and f'' is
    continuous, where nu_+ and nu_- are constant (williams2019, Theorem 5). It is never exactly the natural spline.

    - `law`: of `weight` and `bias`, independent; the bias with a density.

    **Returns** [(lower, upper), ...], ascending, each as long as can be; where there are no knots at all f is linear,
    and that is not listed. Empty for a normal bias or weight.

    **Raises** `ValueError` for another law.
    """
    require_x64("cubic_pieces")
    knots = knots_of(law, "cubic_pieces", output=False)
    cuts = np.concatenate([[-np.inf], _cuts(knots), [np.inf]])
    pieces: list[tuple[float, float]] = []
    before = np.zeros(2)
    for low, high in itertools.pairwise(cuts):
        middle = _inside(low, high)
        nu = knots.nu(np.array([middle]), 3)[:, 0]
        known = nu if _constant(knots, middle) else np.zeros(2)
        if np.any(known > 0.0):
            joined = np.allclose(known, before, rtol=_SAME, atol=0.0)
            pieces.append((pieces.pop()[0] if joined else float(low), float(high)))
        before = known
    return pieces


def natural_spline_distance(interpolant: Interpolant) -> float:
    """The largest |f - s| between the samples, s the natural cubic spline through them, on 64 places in each gap.

    For weights 1 and -1 and a bias uniform on (-B, B) it falls as 1/B, and is never 0 (williams2019, Fig. 4).

    **Raises** `ValueError` for more than one input and fewer than two samples.
    """
    from scipy.interpolate import CubicSpline

    x, y = np.asarray(interpolant.x), np.asarray(interpolant.y)
    if x.shape[1] != 1 or len(x) < 2:
        raise ValueError(f"natural_spline_distance: needs one input and two samples or more, got shape {x.shape}.")
    order = np.argsort(x[:, 0])
    x, y = x[order, 0], y[order]
    spline = CubicSpline(x, y, bc_type="natural")
    places = (x[:-1, None] + np.diff(x)[:, None] * (np.arange(1, _PLACES + 1) / (_PLACES + 1))).ravel()
    return float(np.max(np.abs(np.asarray(interpolant(places)) - spline(places))))


def _cuts(knots: Knots) -> np.ndarray:
    """All places at which a part of nu may begin to change."""
    ends = [
        -np.asarray(part.weight.offset.edges) / a
        for part in knots.parts
        for support in part.weight.supports
        for a in support
        if a != 0.0 and np.isfinite(a)
    ]
    return np.unique(np.concatenate([np.zeros(1), *ends]))


def _inside(low: float, high: float) -> float:
    if np.isinf(low):
        return high - 1.0
    return low + 1.0 if np.isinf(high) else 0.5 * (low + high)


def _constant(knots: Knots, u: float) -> bool:
    """Whether each a of a part sees one cell of constant density of its b, -a u, near u."""
    for part in knots.parts:
        edges = np.asarray(part.weight.offset.edges)
        for support in part.weight.supports:
            low, high = sorted(-a * u for a in support)
            one = np.searchsorted(edges, low, side="right") == np.searchsorted(edges, high, side="left")
            if not (part.weight.offset.flat and one):
                return False
    return True
