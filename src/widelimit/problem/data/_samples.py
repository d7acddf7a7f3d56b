"""Finite data: samples with weights, and quadratures of a law."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import laws
from widelimit.numerics import whole_number

from ._data import AbstractOnNodes, as_inputs, as_targets, as_weights, label
from ._teacher import Teacher, taught


class Samples(AbstractOnNodes):
    """A finite set of (x, y), each with a weight.

    - `x`: [n, d]; [n] counts as [n, 1].
    - `y`: [n] or [n, C]; or a function of one input x [d], for instance a `Teacher`.
    - `weights`: [n], not negative, scaled to sum to 1; uniform if left out.

    `nodes` are the samples; `batch` draws them with replacement, by weight.
    Raises `ValueError` for shapes that do not fit and for entries that are not finite.
    """

    x: Float[Array, "n d"]
    y: Float[Array, "n ..."]
    weights: Float[Array, " n"]
    is_uniform: bool = eqx.field(static=True)
    teacher: Teacher | None = eqx.field()

    def __init__(self, x: Any, y: Any, weights: Any = None) -> None:
        self.x = as_inputs(x, "Samples")
        n = self.x.shape[0]
        self.teacher = taught(y)
        y = label(y, self.x) if callable(y) else y
        self.y = as_targets(y, n, "Samples").astype(self.x.dtype)
        self.weights = as_weights(weights, n, self.x.dtype, "Samples")
        self.is_uniform = weights is None

    def relabelled(self, change: Callable[[Array], Array]) -> "Samples":
        return eqx.tree_at(lambda samples: samples.y, self, change(self.y))

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        if self.is_uniform:
            index = jax.random.randint(key, (n,), 0, self.x.shape[0])
        else:
            # Inverse distribution function: O(log n) a draw, no n-vector of Gumbel numbers.
            total = jnp.cumsum(self.weights)
            index = jnp.searchsorted(total, jax.random.uniform(key, (n,), total.dtype) * total[-1], side="right")
            # Rounding may lead to the end: the last row that adds to the sum, for those behind it have no weight.
            index = jnp.minimum(index, jnp.searchsorted(total, total[-1]))
        return self.x[index], self.y[index]


# More Gauss nodes a coordinate take long to find and integrate nothing better.
_MOST_GAUSS = 256


class Quadrature(AbstractOnNodes):
    r"""A law of inputs known through quadrature nodes; targets are a function of the input.

    - `law`: of x, from `widelimit.laws`.
    - `n`: nodes in all, as many as `law.quantise(n, rule)` takes.
    - `target`: a function of one input x [d] -> () or (C,), for instance a `Teacher`.
    - `rule`: `laws.Gauss()` (default), `laws.Midpoint()`, `laws.Sobol()`.

    `nodes` are the quadrature; `batch` draws fresh samples of the law itself. See `gauss_hermite`, `gauss_legendre`.
    """

    law: laws.AbstractLaw
    target: Any
    x: Float[Array, "Q d"]
    y: Float[Array, "Q ..."]
    weights: Float[Array, " Q"]
    n: int = eqx.field(static=True)
    rule: laws.Rule

    def __init__(self, law: laws.AbstractLaw, n: int, target: Any, rule: Any = None) -> None:
        self.law, self.target = law, target
        self.rule = laws.Gauss() if rule is None else rule
        rho = law.quantise(n, self.rule)
        self.n = int(n)
        self.x, self.weights = rho.positions, rho.weights / jnp.sum(rho.weights)
        self.y = as_targets(label(target, self.x), self.x.shape[0], "Quadrature")

    @property
    def teacher(self) -> Teacher | None:
        return taught(self.target)

    @property
    def input_law(self) -> laws.AbstractLaw:
        return self.law

    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        x = self.law.sample(n, key=key).positions.astype(self.x.dtype)
        return x, label(self.target, x)

    def target_at(self, x: Float[Array, "n d"], who: str) -> Float[Array, "n ..."]:
        return label(self.target, x)

    def finer(self, most: int) -> "Quadrature":
        n = self.law.gauss_size(min(self.law.gauss_order(most), _MOST_GAUSS)) if self.rule.tensor else most
        return self if n <= self.n else Quadrature(self.law, n, self.target, self.rule)


def gauss_hermite(n: int, target: Any, *, mean: Any = 0.0, std: Any = 1.0, dim: int = 1) -> Quadrature:
    """Normal inputs: n Gauss-Hermite nodes a coordinate (n^dim in all), exact for polynomials of degree 2n - 1.

    For other rules: `Quadrature(laws.Normal(...), n, target, laws.Sobol())`.
    """
    law, n = laws.Normal(mean, std, dim=dim), whole_number(n, "gauss_hermite(n=...)", least=1)
    return Quadrature(law, law.gauss_size(n), target)


def gauss_legendre(n: int, target: Any, *, lower: Any = 0.0, upper: Any = 1.0, dim: int = 1) -> Quadrature:
    """Uniform inputs on a box: n Gauss-Legendre nodes a coordinate (n^dim in all), exact for degree 2n - 1.

    For other rules: `Quadrature(laws.Uniform(...), n, target, laws.Sobol())`.
    """
    law, n = laws.Uniform(lower, upper, dim=dim), whole_number(n, "gauss_legendre(n=...)", least=1)
    return Quadrature(law, law.gauss_size(n), target)
