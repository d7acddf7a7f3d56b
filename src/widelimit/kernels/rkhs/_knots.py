r"""Where the kinks of univariate ReLU neurons are: their law as the integrals of the RKHS norms see it.

The neuron $(a x + b)_+$ has its knot at u = -b/a, and is active to the right of it for a > 0, to the left for a < 0.
With q the law of a and mu that of b

$$\nu^p_\pm(u) = \int_{\pm a > 0} |a|^p\,\mu(-a u)\,q(da),$$

so that $\nu^1 = \nu^1_+ + \nu^1_-$ is the density of knots.
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import laws
from widelimit.problem import activations
from widelimit.problem.units import Neuron

from ..wide import WeightAtoms, WeightLine, fit, independent, offset, second_moments, weighted

# The slopes of a ReLU, and its unit.
_SLOPES, _UNIT = (0.0, 1.0), Neuron(activations.relu)


# Places that are seen at once.
_BLOCK = 256


def in_blocks(function: Callable[[Any], Any], u: Float[np.ndarray, " n"]) -> np.ndarray:
    """function(u) [..., n] on blocks of one length: compiled once, however many panels there are."""
    padded = np.pad(u, (0, -len(u) % _BLOCK), mode="edge")
    blocks = [np.asarray(function(block)) for block in padded.reshape(-1, _BLOCK)]
    return np.concatenate(blocks, axis=-1)[..., : len(u)]


class Part(eqx.Module):
    """`mass` times independent a and b: `weight` integrates over a, `density` is the law of b; or made of atoms."""

    mass: Float[Array, ""]
    weight: WeightAtoms | WeightLine
    bias: laws.AbstractLaw

    def nu(self, u: Any, power: int) -> Float[Array, "2"]:
        """nu_+ and nu_- at one place."""
        a, mass = self.weight.rule(u)
        each = mass * jnp.abs(a) ** power * jnp.exp(self.bias.log_density((-a * u)[:, None]))
        return self.mass * jnp.stack([jnp.sum(jnp.where(a > 0.0, each, 0.0)), jnp.sum(jnp.where(a < 0.0, each, 0.0))])

    def active(self, lower: Any, upper: Any) -> tuple[Float[Array, "2 2"], Float[Array, ""]]:
        """E (a, b)(a, b)^T and the probability, over the neurons that are active on all of (lower, upper)."""
        a, mass = self.weight.rule(lower, upper)
        t = jnp.minimum(a * lower, a * upper)
        share, ramp, square = self.weight.offset.part(t)
        # b = z - t with z = b + t > 0.
        first, second = ramp - t * share, square - 2.0 * t * ramp + t * t * share
        m = jnp.array([[mass @ (a * a * share), mass @ (a * first)], [mass @ (a * first), mass @ second]])
        return self.mass * m, self.mass * (mass @ share)

    def edges(self) -> np.ndarray:
        """The places where nu is not smooth: an end of b's density seen from an atom or from an end of a's density."""
        if not (self.weight.flat and self.weight.offset.flat):
            return np.zeros(0)
        a = np.asarray(self.weight.ends)
        return (-np.asarray(self.weight.offset.edges)[:, None] / a[a != 0.0]).ravel()


class Knots(eqx.Module):
    """The law of (a, b), a mixture of parts.

    `sizes`: diag(E a^2, E b^2); `squares`: E c^2, where the law has an output weight.
    """

    parts: tuple[Part, ...]
    sizes: Float[Array, "2 2"]
    squares: Float[Array, ""]

    def nu(self, u: Float[np.ndarray, " n"], power: int) -> Float[np.ndarray, "2 n"]:
        """nu_+ and nu_- at places u."""
        return in_blocks(lambda block: _nu(self, block, power), u)

    def active(self, lower: float, upper: float) -> tuple[Float[np.ndarray, "2 2"], float]:
        """As of a part."""
        matrix, share = _active(self, np.asarray(lower), np.asarray(upper))
        return np.asarray(matrix), float(share)

    def edges(self) -> np.ndarray:
        return np.unique(np.concatenate([part.edges() for part in self.parts]))


@eqx.filter_jit
def _active(knots: Knots, lower: Any, upper: Any) -> tuple[Float[Array, "2 2"], Float[Array, ""]]:
    (matrix, share), *others = (part.active(lower, upper) for part in knots.parts)
    return sum((each for each, _ in others), matrix), sum((each for _, each in others), share)


@eqx.filter_jit
def _nu(knots: Knots, u: Any, power: int) -> Float[Array, "2 n"]:
    return jax.vmap(lambda at: jnp.sum(jnp.stack([part.nu(at, power) for part in knots.parts]), axis=0), out_axes=1)(u)


def knots_of(law: Any, who: str, *, output: bool) -> Knots:
    """The law of `weight`, `bias` (and `output`) of univariate neurons.

    Raises `ValueError` for other blocks and inputs, for a bias without a density, for laws that are not independent or
    not known to be, and without second moments.
    """
    fitted = fit(_UNIT, law, who, without=None if output else "output")
    if fitted.inputs != 1:
        raise ValueError(f"{who}(law=...): the norm is known for one input, the law's weight has {fitted.inputs}.")
    parts, squares, sizes = [], [], []
    for mass, each in law.components():
        known = independent(each, fitted.blocks)
        if second_moments(each) is None:
            raise ValueError(f"{who}(law=...): the second moments of {type(law).__name__} are infinite or not known.")
        part = None if known is None else _part(mass, known["weight"], known["bias"])
        if known is None or part is None:
            raise ValueError(
                f"{who}(law=...): needs independent weight and bias, the bias uniform or normal (a density of knots), "
                f"the weight such or made of atoms, and mixtures of these; got {type(each).__name__}."
            )
        parts.append(part)
        sizes.append([mass * _square(known[name]) for name in ("weight", "bias")])
        squares.append(_square(known["output"]) if output else 1.0)
    return Knots(tuple(parts), jnp.diag(jnp.sum(jnp.asarray(sizes), axis=0)), _one(squares, who))


def _square(law: laws.AbstractLaw) -> float:
    """The mean square of one number."""
    moments = second_moments(law)
    assert moments is not None
    return float(moments[0, 0])


def _one(squares: list[float], who: str) -> Any:
    if np.ptp(squares) > 0.0 or not squares[0] > 0.0:
        raise ValueError(f"{who}(law=...): E c^2 must be one positive number in all parts of the law, got {squares}.")
    return jnp.asarray(squares[0])


def _part(mass: float, weight: laws.AbstractLaw, bias: laws.AbstractLaw) -> Part | None:
    seen = offset(bias, 1.0)
    if seen is None or seen.law is None:
        return None
    over = weighted(weight, seen, _SLOPES)
    return None if over is None else Part(jnp.asarray(mass), over, seen.law)
