"""The Gaussian kernel and the exponential of the inner product, and what they are on a sphere."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics import leaf, whole_number
from widelimit.problem.units import AbstractUnit, Exponent, Exponential, RadialBasis

from ._abstract import AbstractKernel


class ExponentialKernel(AbstractKernel):
    r"""$\varphi(x, y) = e^{\alpha\,x \cdot y - \eta(|x|^2 + |y|^2)/2}$; made by `exponential` and `gaussian`.

    `kernel(x, other)`: of two numbers a number, of [n] or [n, d] and [m] or [m, d] a table [n, m]. JAX operations.
    `unit`: the unit that is a charge times the kernel, for networks of it (`problems.three_spin`).

    On the sphere of radius sqrt(d) in R^d, with its uniform probability, it is zonal: `eigenvalue` and `iterated`.
    """

    unit: AbstractUnit

    @property
    def exponent(self) -> Exponent:
        """alpha and eta."""
        found = self.unit.exponent
        assert found is not None
        return found

    def table(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        return jnp.exp(_exponents(self, x, other))

    def errors(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        # Each of d products in an exponent is rounded, and each sum of them.
        rate, damping = self.exponent
        size = rate * jnp.abs(x) @ jnp.abs(other).T + damping * (_square(x)[:, None] + _square(other))
        return float(jnp.finfo(float).eps) * ((x.shape[1] + 4.0) * size + 2.0) * self.table(x, other)

    def eigenvalue(self, degree: int, dim: int) -> Float[Array, ""]:
        r"""$\lambda_k = \Gamma(d/2)\,(2/(\alpha d))^{d/2-1}\,I_{k+d/2-1}(\alpha d)$ of the harmonics of degree k on the
        sphere of radius sqrt(d) in R^d, times $e^{-\alpha d}$ for the Gaussian (NOTATION, rotskoff2018).

        - `degree`: k >= 0; `dim`: d >= 2.
        """
        degree = whole_number(degree, "eigenvalue(degree=...)", least=0)
        return self.exponent.eigenvalue(degree, whole_number(dim, "eigenvalue(dim=...)", least=2))

    def iterated(self, x: Any, other: Any) -> Float[Array, "..."]:
        r"""$\int \varphi(x, z)\,\varphi(z, x')\,\mu(dz)$ over the sphere of radius sqrt(d), in the shapes of K.

        $\Gamma(d/2)\,(2/s)^{d/2-1}\,I_{d/2-1}(s)$ with $s = \alpha\sqrt d\,|x + x'|$, 1 at s = 0, times what damps the
        three points of a Gaussian; for any x, x' in R^d (NOTATION, rotskoff2018).
        """
        (left, first), (right, second) = self.both(x, other)
        d = left.shape[1]
        sizes, others = _square(left)[:, None], _square(right)
        means = self.exponent.iterated(d, jnp.maximum(left @ right.T + 0.5 * (sizes + others), 0.0))
        damped = jnp.exp(-0.5 * self.exponent.damping * (sizes + others - 2.0 * d))
        return (damped * means).reshape(first + second)


def exponential(alpha: Any) -> ExponentialKernel:
    r"""$\varphi(x, y) = e^{\alpha\,x \cdot y}$, alpha > 0 (rotskoff2018 (4.3), with the sign corrected).

    On the sphere of radius sqrt(d) it is $e^{\alpha d}$ times `gaussian(alpha)`: the same functions, of charges that
    many times smaller, and another training.

    Raises `ValueError` for an alpha that is not positive.
    """
    return ExponentialKernel(Exponential(leaf(alpha, "exponential(alpha=...)", above=0.0)))


def gaussian(alpha: Any) -> ExponentialKernel:
    r"""$\varphi(x, y) = e^{-\alpha|x - y|^2/2}$, alpha > 0 (rotskoff2018 (4.2)).

    Raises `ValueError` for an alpha that is not positive.
    """
    return ExponentialKernel(RadialBasis(leaf(alpha, "gaussian(alpha=...)", above=0.0) ** -0.5))


def _square(rows: Float[Array, "n d"]) -> Float[Array, " n"]:
    return jnp.sum(rows * rows, axis=1)


@eqx.filter_jit
def _exponents(kernel: ExponentialKernel, x: Any, other: Any) -> Float[Array, "n m"]:
    rate, damping = kernel.exponent
    return rate * (x @ other.T) - 0.5 * damping * (_square(x)[:, None] + _square(other))
