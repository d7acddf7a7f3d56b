"""What a unit is: the function one particle contributes, and the facts it declares."""

import abc
import math
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import Module, Number, sphere_mean_table, sphere_means
from widelimit.numerics.registry import Registry

from ..activations import Activation, Pieces

if TYPE_CHECKING:
    from .spherical._neuron import SphericalNeuron

registry = Registry("unit")


class Ridge(NamedTuple):
    """phi = charge sigma(weight x + bias): charge () or (C,), the others numbers."""

    charge: Float[Array, "..."]
    weight: Float[Array, "..."]
    bias: Float[Array, "..."]


class Plane(NamedTuple):
    r"""phi = charge sigma(w . (x, 1)) of one input; d charge/dt = -rate d psi/d charge, dw/dt = -metric d psi/dw.

    charge and rate (), w [2], metric [2, 2], symmetric and not negative.
    """

    charge: Float[Array, "..."]
    w: Float[Array, "... 2"]
    rate: Number
    metric: Float[Array, "... 2 2"]


class Ramp(NamedTuple):
    r"""$\tilde\phi = \sigma(w \cdot x + s\,b)$ with one kink, at 0: sigma(z) = l_1 z_+ - l_0 (-z)_+.

    - `weight`, `bias`: the names of the blocks of w and b; None for w = 1 (of one input) and for b = 0.
    - `sign`: s, 1 or -1; `slopes`: (l_0, l_1).
    """

    weight: str | None
    bias: str | None
    sign: float
    slopes: tuple[Number, Number]


class Profile(NamedTuple):
    """phi~ = sigma(w . x + b): the activation sigma, and the names of the blocks of w and b; None for b = 0."""

    activation: Activation
    weight: str
    bias: str | None


class Exponent(NamedTuple):
    r"""$\tilde\phi(y, x) = e^{\kappa\,x \cdot y - \eta(|x|^2 + |y|^2)/2}$ with y the block `center`, and what it is on
    inputs uniform on the sphere of radius sqrt(d) (NOTATION, rotskoff2018).

    - `rate`: kappa > 0; `damping`: eta >= 0.

    With q(y) = `weight` and $t = |y + y'|^2/2$

    $$\int \tilde\phi(y, x)\,\tilde\phi(y', x)\,\mu(dx) = q(y)\,q(y')\,e^{-2 \eta d}\,M_d(2 \kappa^2 d\,t),\qquad
    \int Y_k(x)\,\tilde\phi(y, x)\,\mu(dx) = \lambda_k(y)\,Y_k(y)$$

    for every y in R^d, where M_d is `numerics.sphere_mean` and Y_k a homogeneous harmonic polynomial of degree k.
    """

    rate: Number
    damping: Number

    def weight(self, y: Float[Array, " d"]) -> Float[Array, ""]:
        """q: 1 on the sphere."""
        return jnp.exp(-0.5 * self.damping * (jnp.dot(y, y) - y.shape[0]))

    def value(self, dim: int, product: Float[Array, "..."]) -> Float[Array, "..."]:
        """phi~(y, x)/(q(y) q(x)) of x . y."""
        return jnp.exp(self.rate * product - self.damping * dim)

    def iterated(self, dim: int, half_square: Float[Array, "..."]) -> Float[Array, "..."]:
        """INT phi~ phi~' d mu/(q(y) q(y')) of a table of t."""
        return sphere_mean_table(dim, 2.0 * self.rate**2 * dim * half_square, 2.0 * self.damping * dim)

    def multipliers(self, degrees: tuple[int, ...], y: Float[Array, " d"]) -> list[Float[Array, ""]]:
        r"""$\lambda_k(y)$ for some k; on the sphere, the eigenvalues."""
        damped = self.weight(y)
        return [damped * value for value in self._multipliers(degrees, y.shape[0], jnp.dot(y, y))]

    def eigenvalue(self, degree: int, dim: int) -> Float[Array, ""]:
        r"""$\lambda_k = \Gamma(d/2)\,(2/(\kappa d))^{d/2-1}\,I_{k+d/2-1}(\kappa d)\,e^{-\eta d}$, on the sphere."""
        return self._multipliers((degree,), dim, jnp.asarray(float(dim)))[0]

    def _multipliers(self, degrees: tuple[int, ...], dim: int, square: Float[Array, ""]) -> list[Float[Array, ""]]:
        # (2/s)^(d/2-1) I_(k+d/2-1)(s) Gamma(d/2) is (s/2)^k Gamma(d/2)/Gamma(k+d/2) M_(d+2k)(s^2).
        least, most = min(degrees), max(degrees)
        argument, shift = self.rate**2 * dim * square, self.damping * dim
        means = sphere_means(dim + 2 * least, most - least + 1, argument, shift)
        sizes = [math.prod([dim / (dim + 2 * j) for j in range(k)]) for k in degrees]
        return [size * self.rate**k * means[k - least] for size, k in zip(sizes, degrees, strict=True)]


class AbstractUnit(Module):
    """phi(theta, x), written for one particle and one input; the library vmaps and chunks.

    A new unit writes `blocks` and `__call__`, nothing else. The other members are facts that solvers and certificates
    rely on; the tests check them for every unit, and `Problem` checks `linear`. One that is left out is not known,
    which makes the library more careful.
    """

    kinked: ClassVar[bool] = True
    """Whether grad_theta phi may jump somewhere (then no Hessian by autodiff)."""
    linear: ClassVar[str | None] = None
    """The block in which phi is linear (phi = c . phi~(w, x)), if there is one."""
    homogeneity: ClassVar[float | None] = None
    """k when phi~ (or phi, without a linear block) has degree k in all the other blocks together."""
    bound: ClassVar[Number | None] = None
    """sup |phi~| (or |phi|, without a linear block) over all theta and x, where finite."""
    free_knot: ClassVar[bool] = False
    """Whether phi is (x - h)_+ of one input, times c where there is a block c; the knot is the block h."""
    pieces: ClassVar[Pieces | None] = None
    """sigma, where phi = c sigma(a x + b) of one input with a piecewise-linear sigma; `ridge` gives c, a and b."""
    ramp: ClassVar[Ramp | None] = None
    """How phi~ (or phi, without a linear block) is a kinked line in w . x + b, where it is."""
    profile: ClassVar[Profile | None] = None
    """The activation and its argument, where phi~ (or phi, without a linear block) is sigma(w . x + b)."""
    inner: ClassVar["AbstractUnit | None"] = None
    """phi without its block `offset`, where phi is a unit and such a block that is added to it."""
    exponent: ClassVar[Exponent | None] = None
    """The exponent of phi~, where phi = charge phi~(center, x) is an exponential or a Gaussian."""
    averages: ClassVar[int] = 0
    """How many values `mean_square` takes, where phi is a mean over directions itself; else 0."""

    @abc.abstractmethod
    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        """The named blocks of theta for inputs in R^inputs and outputs of shape () or (C,).

        Raises `ValueError` when the unit cannot have such inputs or outputs.
        """

    @abc.abstractmethod
    def __call__(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        """phi(theta, x): shape () or (C,). `theta` has one field a block."""

    def ridge(self, theta: Any) -> Ridge:
        """c, a and b of one particle with phi = c sigma(a x + b), for a unit that has `pieces`."""
        raise ValueError(f"units.{type(self).__name__} is not known to be a piecewise-linear neuron of one input.")

    def balance(self, theta: Any) -> tuple[Array, Array] | None:
        r"""$c^2$ and $|w|^2/p$ of one particle, phi~ of degree p: a gradient flow in which all blocks move alike keeps
        their difference (williams2019 (18)). None where phi~ has no degree."""
        if self.linear is None or not self.homogeneity:
            return None
        squares = {name: jnp.sum(block**2) for name, block in theta._asdict().items()}
        outer = squares.pop(self.linear)
        return outer, sum(squares.values(), jnp.zeros_like(outer)) / self.homogeneity

    def plane(self, theta: Any, scales: Any) -> Plane | None:
        """One particle of a unit that has `pieces`, where each block moves by minus its gradient times its scale.

        None where the two numbers of w cannot both be had.
        """
        return None

    def from_plane(self, theta: Any, charge: Float[Array, ""], w: Float[Array, "2"]) -> Any:
        """theta, moved to where `plane` would give this charge and w."""
        raise ValueError(f"units.{type(self).__name__} has no plane.")

    def averaged(self, dims: tuple[float, ...]) -> "SphericalNeuron | None":
        """The mean over uniform directions of the block `weight` in groups of d_g coordinates, in their lengths.

        Its blocks have `radius` in the place of `weight`. None for a unit without a direction to average over.
        """
        return None

    def mean_square(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
        """|phi|^2; its mean over the directions, where phi is a mean over directions."""
        return jnp.sum(self(theta, x) ** 2)

    def fold(self, x: Float[Array, " d"]) -> Float[Array, " m"] | None:
        """The normal n of the one plane n . w = 0 beside which phi~(w, x) is linear in all blocks but the linear one.

        None where phi~ is not of this kind, as a ReLU neuron is.
        """
        return None

    def lipschitz(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        """A bound on |grad phi~(w, x)| in all blocks but the linear one, for every w; None if there is none."""
        return None

    def curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        """A bound on the operator norm of the Hessian of phi~(w, x) in all blocks but the linear one, for every w.

        None if there is none: a kinked unit has none.
        """
        return None

    def outer_curvature(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        """A bound on |d^2/dy^2 phi~(1/y, x)| for all y > 0, of a unit with one parameter r >= 0 (a linear block aside).

        Such a unit has a limit at r = infinity, and gives it for r = infinity. None for all other units.
        """
        return None

    def rough_curvature(self, x: Float[Array, " d"]) -> Float[Array, "2"] | None:
        """Of a unit with one parameter r >= 0, H with |phi~'(a) - phi~'(b)| <= H |a - b|^(1/2): in r, and in 1/r.

        For what has no `curvature`; the second is infinite where it is not known.
        """
        return None

    def straight_below(self, x: Float[Array, " d"]) -> Float[Array, ""] | None:
        """Of a unit with one parameter r >= 0, an r below which phi~(r, x) is linear in r; None where not known."""
        return None

    def smooth_between(self, x: Float[Array, " d"]) -> tuple[Float[Array, " m"], Float[Array, ""]] | None:
        """Of a unit with one parameter (a linear block aside), its places where phi~(., x) has kinks, and a bound on
        the second derivative between them; None where not known."""
        return None

    def rounding(self, theta: Any, x: Float[Array, " d"]) -> Float[Array, "..."]:
        """A bound on the rounding error of phi(theta, x), to first order; certificates add it to what they bound.

        By default what a relative error of eps in every parameter, every input and the value does. A unit whose formula
        cancels inside says more, as does one that is steep beside where it is flat.
        """

        def moved(at: Any) -> Any:
            parts = jax.tree.map(lambda slope, z: jnp.abs(slope * z), jax.jacfwd(lambda a: self(*a))(at), at)
            known = [jnp.where(jnp.isfinite(part), part, 0.0) for part in jax.tree.leaves(parts)]
            return sum(jnp.sum(part.reshape(*value.shape, -1), axis=-1) for part in known)

        value = self(theta, x)
        return float(jnp.finfo(value.dtype).eps) * (4.0 + x.size) * (jnp.abs(value) + moved((theta, x)))


def feature(unit: AbstractUnit, theta: Any, x: Float[Array, " d"]) -> Float[Array, ""]:
    """phi~(w, x) of a unit that is linear in a block: phi with a one in that block; a number.

    For a vector output phi = c phi~, so one component of c = (1, ..., 1) shows it.
    """
    assert unit.linear is not None
    ones = jnp.ones_like(getattr(theta, unit.linear))
    return jnp.ravel(unit(theta._replace(**{unit.linear: ones}), x))[0]
