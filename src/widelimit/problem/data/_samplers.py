"""Data that is drawn afresh for every batch: one-pass SGD."""

from collections.abc import Callable
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import laws
from widelimit.numerics import leaf

from ._data import AbstractData, Rotations, as_numbers, groups_of, label, traceable
from ._teacher import Teacher, taught


class FromLaw(AbstractData):
    """x drawn from a law, y = target(x).

    - `law`: of x, from `widelimit.laws`.
    - `target`: a function of one input x [d] -> () or (C,), for instance a `Teacher`.
    """

    law: laws.AbstractLaw
    target: Any

    @property
    def inputs(self) -> int:
        return self.law.dim

    @property
    def outputs(self) -> tuple[int, ...]:
        one = jax.ShapeDtypeStruct((self.inputs,), jnp.zeros(()).dtype)
        return traceable(lambda: jax.eval_shape(self.target, one)).shape

    @property
    def teacher(self) -> Teacher | None:
        return taught(self.target)

    @property
    def input_law(self) -> laws.AbstractLaw:
        return self.law

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        x = self.law.sample(n, key=key).positions
        return x, label(self.target, x)

    def target_at(self, x: Float[Array, "n d"], who: str) -> Float[Array, "n ..."]:
        return label(self.target, x)


def uniform_sphere(dim: int, target: Any, *, radius: float = 1.0) -> FromLaw:
    """Inputs uniform on the sphere of radius `radius` in R^dim."""
    return FromLaw(laws.Sphere(dim, radius=radius), target)


def uniform_box(dim: int, target: Any, *, lower: Any = 0.0, upper: Any = 1.0) -> FromLaw:
    """Inputs uniform on a box in R^dim."""
    return FromLaw(laws.Uniform(lower, upper, dim=dim), target)


class FromKey(AbstractData):
    """Any function of a key: `draw(key) -> (x [d], y)` gives one sample. It must be written in JAX."""

    draw: Callable[[PRNGKeyArray], Any]

    @property
    def _shapes(self) -> Any:
        return traceable(lambda: jax.eval_shape(lambda: self.draw(jax.random.key(0))))

    @property
    def inputs(self) -> int:
        shape = self._shapes[0].shape
        if len(shape) != 1:
            raise ValueError(f"FromKey(draw=...): x of one sample must have shape [d], got {shape}.")
        return shape[0]

    @property
    def outputs(self) -> tuple[int, ...]:
        return self._shapes[1].shape

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        return jax.vmap(self.draw)(jax.random.split(key, n))


class GaussianClasses(AbstractData):
    r"""Two classes: y = +1 with x ~ N(m_+, C_+), y = -1 with x ~ N(m_-, C_-); mei2018's data.

    - `plus`, `minus`: the covariances: a number (times the identity; then give `dim`), a vector [d] (diagonal), or
      a symmetric positive definite matrix [d, d].
    - `mean_plus`, `mean_minus`: a number or a vector [d].
    - `dim`: d, needed when no argument shows it.
    - `fraction`: the probability of y = +1.

    Raises `ValueError` for a covariance that is not one, and for shapes that do not fit.
    """

    factors: Float[Array, "2 d"] | Float[Array, "2 d d"]
    means: Float[Array, "2 d"]
    fraction: Float[Array, ""]
    is_centred: bool = eqx.field(static=True)
    outputs: ClassVar[tuple[int, ...]] = ()
    advice = " Or reduce the problem by its symmetry: problem.reduced()."

    def __init__(
        self,
        plus: Any,
        minus: Any,
        *,
        mean_plus: Any = 0.0,
        mean_minus: Any = 0.0,
        dim: int | None = None,
        fraction: float = 0.5,
    ) -> None:
        named = {"plus": plus, "minus": minus, "mean_plus": mean_plus, "mean_minus": mean_minus}
        given = [np.asarray(as_numbers(v, f"GaussianClasses({n}=...)"), float) for n, v in named.items()]
        for name, mean in zip(("mean_plus", "mean_minus"), given[2:], strict=True):
            if mean.ndim > 1 or not np.all(np.isfinite(mean)):
                raise ValueError(f"GaussianClasses({name}=...): expected a finite number or vector, got {mean}.")
        sizes = {array.shape[0] for array in given if array.ndim} | ({dim} if dim is not None else set())
        if len(sizes) != 1 or min(sizes) < 1:
            raise ValueError(
                f"GaussianClasses: the arguments show the dimensions {sorted(sizes)}; exactly one is needed "
                "(give dim=... when covariances and means are numbers)."
            )
        self.fraction = leaf(fraction, "GaussianClasses(fraction=...)", above=0.0, below=1.0)
        d = sizes.pop()
        factors = [_factor(given[0], d, "plus"), _factor(given[1], d, "minus")]
        if any(f.ndim == 2 for f in factors):
            factors = [f if f.ndim == 2 else np.diag(f) for f in factors]
        self.factors = jnp.asarray(np.stack(factors), float)
        self.means = jnp.asarray(np.stack([np.broadcast_to(m, (d,)) for m in given[2:]]), float)
        self.is_centred = not np.any(given[2]) and not np.any(given[3])

    @property
    def inputs(self) -> int:
        return self.means.shape[-1]

    def rotations(self, who: str) -> Rotations:
        return groups_of(np.asarray(self.means), np.asarray(self.factors), float(self.fraction), who)

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        key_class, key_x = jax.random.split(key)
        dtype = self.means.dtype
        plus = jax.random.uniform(key_class, (n,), dtype) < self.fraction
        z = jax.random.normal(key_x, (n, self.inputs), dtype)
        index = jnp.where(plus, 0, 1)
        if self.factors.ndim == 3:
            x = jnp.where(plus[:, None], z @ self.factors[0].T, z @ self.factors[1].T)
        else:
            x = z * self.factors[index]
        if not self.is_centred:
            x = x + self.means[index]
        return x, jnp.where(plus, jnp.ones((), dtype), -jnp.ones((), dtype))


def _factor(covariance: np.ndarray, d: int, name: str) -> np.ndarray:
    """A square root of the covariance: a vector [d] for a diagonal one, else a triangular matrix [d, d]."""
    what = f"GaussianClasses({name}=...)"
    if not np.all(np.isfinite(covariance)):
        raise ValueError(f"{what}: entries must be finite.")
    if covariance.ndim < 2:
        if np.any(covariance <= 0) or (covariance.ndim == 1 and covariance.shape != (d,)):
            raise ValueError(f"{what}: variances must be positive, one or {d} of them, got {covariance}.")
        return np.sqrt(np.broadcast_to(covariance, (d,)))
    if covariance.shape != (d, d) or not np.allclose(covariance, covariance.T):
        raise ValueError(f"{what}: expected a symmetric matrix of shape ({d}, {d}), got {covariance.shape}.")
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        raise ValueError(f"{what}: the matrix is not positive definite.") from None
