"""Ready-made problems of the papers."""

import math
from typing import Any

import numpy as np

from widelimit.numerics import real_number, whole_number

from . import activations, losses, mobilities
from ._problem import Problem
from ._teacher_student import teacher_student as teacher_student
from .activations import Activation
from .data import GaussianClasses, Interval, Rotations, Samples, ThreeSpin
from .domains import Circle, Product, Sphere, product
from .integrals import SphereL2, SphereRKHS
from .networks import WideResNet
from .symmetry._reduction import parts_of
from .symmetry._rescaling import Rescaling, deltas
from .units import AbstractUnit, CanonicalReLU, FreeKnot, Neuron

ramp: Activation = activations.piecewise_linear([0.5, 1.5], [-2.5, 7.5])
"""mei2018's activation: -2.5 below 0.5, 7.5 above 1.5, linear between."""


def isotropic_gaussians(
    delta: float,
    dim: float,
    activation: Activation = ramp,
    *,
    bias: bool = False,
    output_weight: bool = False,
    loss: Any = None,
    penalty: Any = None,
) -> Problem:
    r"""Two centred Gaussians: $y = \pm1$ with $x \sim N(0, (1 \pm \Delta)^2 I_d)$ (mei2018).

    - `delta`: Delta in (0, 1).
    - `dim`: d >= 2, or `math.inf`, where only the reduced problem exists and is what is returned.
    - `activation`, `bias`, `output_weight`: the neuron; `ramp` without either by default.
    - `loss`, `penalty`: as in `Problem`, the loss $(f - y)^2$ by default.

    Raises `ValueError` for other values. `problem.reduced()` is the problem in r = |w|.
    """
    _check("isotropic_gaussians", delta, dim)
    unit = Neuron(activation, bias=bias, output_weight=output_weight)
    std = np.array([1.0 + delta, 1.0 - delta])
    if dim == math.inf:
        return _infinite(unit, Rotations(((),), (math.inf,), std[:, None], 0.5), loss, penalty)
    data = GaussianClasses(std[0] ** 2, std[1] ** 2, dim=int(dim))
    return Problem(unit, data, losses.squared(1.0) if loss is None else loss, penalty=penalty)


def anisotropic_gaussians(
    delta: float,
    dim: float,
    relevant: int | None = None,
    activation: Activation = ramp,
    *,
    bias: bool = False,
    output_weight: bool = False,
    loss: Any = None,
    penalty: Any = None,
) -> Problem:
    r"""Two centred Gaussians that differ in the first s_0 of d coordinates only (mei2018).

    $y = \pm1$ with $x_i \sim N(0, (1 \pm \Delta)^2)$ for $i \le s_0$ and $x_i \sim N(0, 1)$ for the others.

    - `delta`: Delta in (0, 1).
    - `dim`: d, or `math.inf`, where only the reduced problem exists and is what is returned.
    - `relevant`: s_0, 1 <= s_0 < d; left out at d = infinity.
    - the others as in `isotropic_gaussians`.

    Raises `ValueError` for other values. `problem.reduced()` is the problem in (r_1, r_2), the lengths of the two
    parts of w.
    """
    _check("anisotropic_gaussians", delta, dim)
    unit = Neuron(activation, bias=bias, output_weight=output_weight)
    if dim == math.inf:
        if relevant is not None:
            raise ValueError("anisotropic_gaussians(relevant=...): leave it out at d = infinity.")
        std = np.array([[1.0 + delta, 1.0], [1.0 - delta, 1.0]])
        return _infinite(unit, Rotations(((), ()), (math.inf, math.inf), std, 0.5), loss, penalty)
    inside = np.arange(int(dim)) < whole_number(
        relevant, "anisotropic_gaussians(relevant=...)", least=1, most=int(dim) - 1
    )
    plus, minus = (np.where(inside, (1.0 + side * delta) ** 2, 1.0) for side in (1.0, -1.0))
    return Problem(unit, GaussianClasses(plus, minus), losses.squared(1.0) if loss is None else loss, penalty=penalty)


def free_knot_spline(
    target: Any,
    *,
    lower: float = 0.0,
    upper: float = 1.0,
    charge: bool = True,
    breaks: Any = (),
    loss: Any = None,
    penalty: Any = None,
    domain: Any = None,
) -> Problem:
    r"""Free-knot linear splines, $f = \int c\,(x - h)_+\,d\rho$, on an interval (yarotsky2018, section 3).

    The blocks are `c` and `h`. Everything is integrated exactly, by sorted knots: see `integrals.SortedKnots`.

    - `target`: y, a JAX function of a number, smooth between `breaks`.
    - `lower`, `upper`: x is uniform between them; Lebesgue measure on [0, 1] by default.
    - `charge`: False leaves c out: the unit is $(x - h)_+$.
    - `loss`, `penalty`, `domain`: as in `Problem`, the loss $(f - y)^2/2$ by default. A loss that is not squared is
      summed over the nodes of `data.Interval`.

    Raises `ValueError` as `data.Interval` and `Problem` do.
    """
    data = Interval(target, lower, upper, breaks=breaks)
    return Problem(FreeKnot(charge), data, loss, penalty=penalty, domain=domain)


def univariate_relu(
    x: Any, y: Any, *, weights: Any = None, loss: Any = None, penalty: Any = None, scale: Any = None
) -> Problem:
    r"""ReLU neurons of one input on samples, $f = \frac{N}{\alpha(N)} \int c\,(a x + b)_+\,d\rho$ (williams2019).

    The blocks are `output` (c), `weight` (a) and `bias` (b, minus the paper's).

    - `x`, `y`, `weights`: [s], as in `data.Samples`.
    - `loss`: by default $\frac s2 (f - y)^2$: the weights of samples sum to 1, so that the risk is the paper's sum.
    - `penalty`, `scale`: as in `Problem`.
    """
    data = Samples(x, y, weights)
    if data.inputs != 1:
        raise ValueError(f"univariate_relu(x=...): expected one input, [s], got {data.inputs}.")
    loss = losses.squared(0.5 * data.x.shape[0]) if loss is None else loss
    return Problem(Neuron(activations.relu), data, loss, penalty=penalty, scale=scale)


def canonical_relu(
    x: Any, y: Any, *, delta: Any = None, weights: Any = None, loss: Any = None, penalty: Any = None, scale: Any = None
) -> Problem:
    r"""`univariate_relu` in canonical parameters, $f = \int r\,(\cos(\vartheta)\,x + \sin(\vartheta))_+\,d\rho$.

    - `delta`: $c^2 - a^2 - b^2$ of the full weights, one number or one a neuron; it says how fast neurons turn beside
      how fast they grow. Far below 0 training is a kernel method (the angles rest), far above 0 the knots move. With
      a finite delta the flow is that of `univariate_relu` in the same time; at -+infinity time is multiplied by
      |delta|. None: the flat metric of (r, angle), williams2019's (7), (12), (13).
    - `scale`: alpha(N) of the full problem, for `project` and `lift` (see `Rescaling`); the canonical one has the mean.
    - the others as in `univariate_relu`.

    `problem.start(law, width, key=key)` adds the frozen delta; `project` and `lift` go from the full weights and back.

    Raises `ValueError` for a delta that is not a number, and for finite and infinite ones together.
    """
    full = univariate_relu(x, y, weights=weights, loss=loss, scale=scale)
    finite, infinite = (None, 0.0) if delta is None else deltas(delta)
    unit = CanonicalReLU(delta=finite is not None)
    if finite is not None:
        mobility = mobilities.Lifted()
    elif infinite > 0:
        mobility = mobilities.Polar()
    else:
        mobility = mobilities.Diagonal(angle=0.0) if infinite < 0 else mobilities.Identity()
    what = "the flat metric has no delta, and so" if infinite == 0.0 else f"delta = {infinite:g} has"
    why = f"{what} no full weights; take a finite delta."
    symmetry = Rescaling(full.blocks, unit.blocks(1, ()), full.scale, finite, why)
    domain = product(angle=Circle())
    return Problem(unit, full.data, full.loss, penalty=penalty, domain=domain, mobility=mobility, symmetry=symmetry)


def wide_resnet(
    samples: Any,
    *,
    depth: int,
    activation: Any,
    loss: Any = None,
    penalty: Any = None,
    domain: Any = None,
    budget: int | None = None,
) -> Problem:
    r"""A wide residual network, $X^{l+1} = X^l + \int_{\mathrm{depth}=l} \sigma(\theta X^l)\,d\rho$, on data
    (teacherstudent2020, section 3.2).

    `start(law, width=N, key=key)` puts N particles on each level, of a law of theta's rows written one after another.

    - `samples`: from `widelimit.data`; x in R^d and y in R^d ([n, 1] for d = 1).
    - `depth`: L; `activation`: sigma. See `networks.WideResNet`.
    - `loss`, `penalty`, `domain`, `budget`: as in `Problem`, the loss $|f - y|^2/2$ by default; a penalty names its
      block, `penalties.l2(0.1, "theta")`.

    Raises `ValueError` as `networks.WideResNet` and `Problem` do.
    """
    network = WideResNet(activation, depth)
    return Problem(network, samples, loss, penalty=penalty, domain=domain, budget=budget)


def three_spin(
    coefficients: Any,
    kernel: Any = None,
    *,
    unit: AbstractUnit | None = None,
    norm: str = "l2",
    loss: Any = None,
    penalty: Any = None,
) -> Problem:
    r"""The spherical 3-spin function, $f(x) = \frac1d \sum a_{pqr} x_p x_q x_r$ on |x|^2 = d (rotskoff2018, section 4).

    Inputs are uniform on the sphere of radius sqrt(d); `target(x)` and `target_norm_squared` of the problem are exact.

    - `coefficients`: a, [d, d, d]; see `data.ThreeSpin`.
    - `kernel`: `kernels.exponential(alpha)` or `kernels.gaussian(alpha)`, phi, for the network $\int c\,\phi\,d\rho$
      with blocks `charge` () and `center` (d,), the centres on the same sphere. Risk and flow are exact, without
      samples; SGD draws fresh ones, of the L2 risk.
    - `unit`: instead of a kernel, any unit, `Neuron(activations.sigmoid)` say (4.9), in all of R^D: trained by SGD.
    - `norm`: what the risk is with a kernel: "l2", $\frac12 \int (f - f_n)^2 d\mu$; or "rkhs", $\frac12 |f - f_n|_H^2$
      in the space of the kernel, whose gradient flow is (4.5). Then `l2_risk` of the problem is the other.
    - `loss`, `penalty`: as in `Problem`; a kernel needs a squared loss, $(f - y)^2/2$ by default.

    Raises `ValueError` for coefficients that are not a cube, a kernel that is neither, and another norm.
    """
    data = ThreeSpin(coefficients)
    if (kernel is None) == (unit is None):
        raise ValueError("three_spin(...): give either kernel=kernels.exponential(alpha) or unit=.")
    if norm not in ("l2", "rkhs"):
        raise ValueError(f'three_spin(norm=...): must be "l2" or "rkhs", got {norm!r}.')
    if kernel is None:
        if norm == "rkhs":
            raise ValueError('three_spin(norm="rkhs"): the norm is that of a kernel; give kernel= instead of unit=.')
        return Problem(unit, data, loss, penalty=penalty)
    basis = getattr(kernel, "unit", None)
    if getattr(basis, "exponent", None) is None:
        raise ValueError(
            f"three_spin(kernel=...): expected kernels.exponential(alpha) or kernels.gaussian(alpha), got {kernel!r}."
        )
    domain = product(center=Sphere(math.sqrt(data.inputs)))
    integrals = SphereRKHS if norm == "rkhs" else SphereL2
    return Problem(basis, data, loss, penalty=penalty, domain=domain, integrals=integrals)


def _infinite(unit: Neuron, classes: Rotations, loss: Any, penalty: Any) -> Problem:
    parts = parts_of(unit, classes, domain=Product(()), penalty=penalty, mobility=mobilities.Identity())
    return Problem(loss=losses.squared(1.0) if loss is None else loss, **parts._asdict())


def _check(who: str, delta: Any, dim: Any) -> None:
    real_number(delta, f"{who}(delta=...)", above=0.0, below=1.0)
    if dim != math.inf and real_number(dim, f"{who}(dim=...)", least=2) != int(dim):
        raise ValueError(f"{who}(dim=...): must be a whole number of at least 2, or math.inf; got {dim!r}.")
