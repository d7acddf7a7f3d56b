"""The expansion (9): what the orders 1 to 3 leave out as Theta shrinks, and how large its terms are."""

import math

import numpy as np

from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Axes, Sheet, curve, logarithmic, marks, title
from ..._kit._shares import log_slope
from ..runs._series import FITTED, LEVELS, ORDERS, RADII, WIDTH, fitted_radius, shrinking

_THETA, _POINT = 1.2, 0.7
PARAMETERS = (
    Parameter("levels", LEVELS, "of the network", 1, 16),
    Parameter("width", WIDTH, "particles a level", 1, 16),
    Parameter("theta", _THETA, "where the one atom of the right panel is", 0.1, 3.0),
    Parameter("point", _POINT, "its input x", 0.1, 3.0),
)
_LOOKS = {"fixed": ("-", "fixed labels"), "taught": ("--", "teacher in Θ"), "zero": (":", "zero residual")}


def _compute(bench: Bench) -> Data:
    found = shrinking(bench)
    theta, point = bench.value("theta", _THETA), bench.value("point", _POINT)
    sizes = bench.piece(fitted_radius, theta=theta, x=point, depth=1, count=20, continuous=True)
    return {
        **{name: np.abs(found[name]) for name in ("X", "fixed", "taught", "zero")},
        "radius": RADII,
        "sizes": sizes["sizes"],
        **{"theta": theta, "point": point, "convergence": theory.one_atom_radius(theta, point)},
    }


def _slopes(data: Data, name: str) -> str:
    values = data[name][FITTED]
    return ", ".join(f"{log_slope(RADII[FITTED], values[:, k]):.2f}" for k in range(len(ORDERS)))


def _caption(data: Data) -> str:
    return (
        "What the sums of the expansion (9) up to k = 1, 2, 3 leave out as the radius r of Theta shrinks (tanh, four "
        "levels of two matrices, d = 2, a law that is not symmetric), from the summed tail. Exponents fitted over r <= "
        f"1/16, k = 1, 2, 3. Left: X^L: {_slopes(data, 'X')}. Middle: the loss with fixed labels "
        f"{_slopes(data, 'fixed')}, with those of a teacher of the same radius {_slopes(data, 'taught')}, at zero "
        f"residual {_slopes(data, 'zero')}; where an error changes its sign it dips. Right: sizes of the k-linear "
        f"terms at L = infinity, d = 1, one atom theta = {_THETA:g}, x = {_POINT:g}: they fall as R^(-k) k^(-3/2), for "
        f"the nearest singularity is a square root, R = {float(data['convergence']):.3f} by the closed form, with dips "
        "where the terms change their sign; not as theta^k x/k!, those of linear sigma."
    )


def _alt(data: Data) -> str:
    return (
        "Left: three nearly straight lines of slopes 2, 3 and 4 on logarithmic axes. Middle: nine such lines of slopes "
        f"2 to 8, one with a dip. Right: dots that fall from {data['sizes'][0]:.1g} to {data['sizes'][-1]:.1g} in "
        "zigzags about a nearly straight line, while another curve bends down ever more steeply."
    )


def _losses(axes: Axes, data: Data) -> None:
    for name, (dash, said) in _LOOKS.items():
        for k in range(len(ORDERS)):
            curve(axes, data["radius"], data[name][:, k], k, ls=dash)
        curve(axes, [], [], "black", ls=dash, label=said)


@figure(_compute, caption=_caption, alt=_alt, size=(10.5, 4.2), cost=Cost(6.0), parameters=PARAMETERS)
def expansion_errors(sheet: Sheet, data: Data) -> None:
    """Expansions of the wide ResNet in small parameters"""
    left, middle, right = sheet.subplots(1, 3)
    logarithmic(left, "xy", "radius r of Θ", "$|X^L - X_{(k)}|$ in $L^2(\\mu)$")
    logarithmic(middle, "xy", "radius r of Θ", "$|E - E_{(k)}|$")
    for k, order in enumerate(ORDERS):
        curve(left, data["radius"], data["X"][:, k], k, marker="os^"[k], label=f"order k = {order}")
    _losses(middle, data)
    right.set(yscale="log", xlabel="k", ylabel="size of the k-linear term")
    sizes = data["sizes"]
    k = np.arange(1, len(sizes) + 1)
    marks(right, k, sizes, 3, "D", ms=5, label="tanh, one atom, L = ∞")
    curve(right, k, sizes[0] * float(data["convergence"]) ** (1.0 - k) / k**1.5, 3, ls="--", label="$R^{-k} k^{-3/2}$")
    factorial = [float(data["point"]) * float(data["theta"]) ** int(j) / math.factorial(j) for j in k]
    curve(right, k, factorial, "black", ls="-.", label="$\\theta^k x/k!$")
    shown = np.append(sizes, factorial)
    right.set_ylim(0.1 * min(float(np.min(sizes)), 1e-15), 3.0 * float(np.max(shown)))
    right.set_xticks([5, 10, 15, 20])
    title(left, "the network")
    title(middle, "the loss (colours as left)")
    title(right, "the terms")
    for axes in (left, middle, right):
        axes.legend(fontsize=9.5)
