"""Inputs uniform on an interval, the target known on all of it."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import real_number

from ._data import AbstractOnNodes, Panels, as_numbers, label
from ._piecewise import DEGREE, piecewise

# Quadrature panels in all, at least: a unit may bend where the target does not.
_LEAST = 64

# Places at which the target is evaluated in one call, at least.
_BATCH = 1024


class Interval(AbstractOnNodes):
    r"""$x$ uniform on [lower, upper] (Lebesgue measure on [0, 1]), $y = \mathrm{target}(x)$ (yarotsky2018, 3).

    - `target`: a JAX function of a number, smooth between `breaks`.
    - `lower`, `upper`: the ends.
    - `breaks`: points inside, where the target may have kinks or jumps.

    It holds the target as polynomials on panels, right to rounding: the rounding of its largest value and of its
    argument. Against them `units.FreeKnot` is integrated exactly (`integrals.SortedKnots`). `nodes`, for all other
    units, is a composite Gauss-Legendre rule on at least 64 panels between the breaks; `batch` draws fresh inputs.

    Raises `ValueError` where the target is not finite, gives no number, or is not resolved (it is not smooth between
    the breaks), and for lower >= upper.
    """

    target: Callable[[Any], Any]
    ends: Float[Array, " E"]
    coefficients: Float[Array, "J P"]
    x: Float[Array, "Q 1"]
    y: Float[Array, " Q"]
    weights: Float[Array, " Q"]
    lower: float = eqx.field(static=True)
    upper: float = eqx.field(static=True)
    breaks: tuple[float, ...] = eqx.field(static=True)

    def __init__(self, target: Any, lower: Any = 0.0, upper: Any = 1.0, *, breaks: Any = ()) -> None:
        if not callable(target):
            raise ValueError(f"Interval(target=...): expected a function of a number, got {target!r}.")
        self.lower, self.upper = real_number(lower, "Interval(lower=...)"), real_number(upper, "Interval(upper=...)")
        if not self.lower < self.upper:
            raise ValueError(
                f"Interval(lower, upper): lower must be below upper, got {self.lower:g} and {self.upper:g}."
            )
        self.target, self.breaks = target, _breaks(breaks, self.lower, self.upper)
        _check_number(target)
        inner, sample = np.array([self.lower, *self.breaks, self.upper]), _sampled(target)
        try:
            found = piecewise(sample, inner)
        except ValueError as error:
            raise ValueError(
                f"Interval(target=...): {error}; the target must be finite on [{self.lower:g}, {self.upper:g}] and "
                "smooth between its kinks and jumps: give these as breaks=[...]."
            ) from None
        self.ends, self.coefficients = jnp.asarray(found.ends, float), jnp.asarray(found.coefficients, float)
        self.x, self.weights = _rule(found.ends, self.upper - self.lower)
        self.y = jnp.asarray(sample(np.asarray(self.x)[:, 0]), float)

    @property
    def panels(self) -> Panels:
        return Panels(self.ends, self.coefficients)

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        x = jax.random.uniform(key, (n,), self.x.dtype, self.lower, self.upper)
        return x[:, None], label(self.target, x)

    def target_at(self, x: Float[Array, "n d"], who: str) -> Float[Array, "n ..."]:
        return label(self.target, x[:, 0])


def _breaks(breaks: Any, lower: float, upper: float) -> tuple[float, ...]:
    points = np.asarray(as_numbers(breaks, "Interval(breaks=...)"), float)
    if points.ndim != 1 or not np.all((points > lower) & (points < upper)):
        raise ValueError(f"Interval(breaks=...): expected points inside ({lower:g}, {upper:g}), got {breaks!r}.")
    return tuple(np.unique(points).tolist())


def _check_number(target: Any) -> None:
    try:
        found = jax.eval_shape(target, jax.ShapeDtypeStruct((), jnp.zeros(()).dtype))
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        said = str(error).strip().splitlines()[0]
        raise ValueError(f"Interval(target=...): it fails on a number ({said}); write it with jax.numpy.") from error
    shape, kind = getattr(found, "shape", None), getattr(found, "dtype", None)
    if shape != () or kind is None or not (jnp.issubdtype(kind, jnp.floating) or jnp.issubdtype(kind, jnp.integer)):
        raise ValueError(f"Interval(target=...): expected a function that gives one real number, got {found!r}.")


def _sampled(target: Any) -> Callable[[Float[np.ndarray, " n"]], Float[np.ndarray, " n"]]:
    """The target at many places; filled up to a power of two, so that few sizes are compiled."""
    values = jax.jit(jax.vmap(target))

    def sample(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        fill = max(_BATCH, 1 << (len(x) - 1).bit_length()) - len(x)
        return np.asarray(values(np.pad(x, (0, fill), mode="edge")), float)[: len(x)]

    return sample


def _rule(ends: Float[np.ndarray, " E"], length: float) -> tuple[Float[Array, "Q 1"], Float[Array, " Q"]]:
    """Gauss-Legendre nodes on the panels, cut so that none is wider than a 64th of the interval; weights sum to 1."""
    pieces = np.ceil(np.diff(ends) / length * _LEAST - 1e-9).astype(int)
    cuts = [np.linspace(a, b, n + 1)[:-1] for a, b, n in zip(ends[:-1], ends[1:], pieces, strict=True)]
    edges = np.append(np.concatenate(cuts), ends[-1])
    u, v = np.polynomial.legendre.leggauss(DEGREE + 1)
    half = 0.5 * np.diff(edges)
    x = 0.5 * (edges[:-1] + edges[1:])[:, None] + half[:, None] * u
    return jnp.asarray(x.reshape(-1, 1), float), jnp.asarray((half[:, None] * v / length).ravel(), float)
