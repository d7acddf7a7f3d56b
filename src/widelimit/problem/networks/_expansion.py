"""The wide residual network as a power series in its measure, cut off at any order."""

import math
from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.jet import jet
from jaxtyping import Array, Float

from widelimit.measure import Blocks
from widelimit.numerics import Count, Module, map_rows, whole_number

from ..activations import Activation
from ..units import ResNetBranch
from ._levels import Levels
from ._network import AbstractNetwork
from ._states import OnStates, on_states, propagated, residual_blocks

# 170! is the largest factorial of a double; those of the series are of this order.
_MOST = 100


class Series(Module):
    """Taylor coefficients [..., m, q] of sigma(z(s)) from those of z(s)."""

    activation: Activation
    entrywise: ClassVar[bool] = False

    def __call__(self, z: Float[Array, "... m q"]) -> Float[Array, "... m q"]:
        shape, terms = z[..., 0, :].shape, z.shape[-2]
        parts = [z[..., j, :].ravel() for j in range(terms)]
        if terms == 1:
            return jax.vmap(self.activation)(parts[0]).reshape(z.shape)
        # `jet` speaks of derivatives, the j-th coefficient times j!.
        sizes = [float(math.factorial(j)) for j in range(terms)]
        given = [size * part for size, part in zip(sizes[1:], parts[1:], strict=True)]
        first, rest = jet(jax.vmap(self.activation), (parts[0],), (given,))
        made = [first, *(term / size for size, term in zip(sizes[1:], rest, strict=True))]
        return jnp.stack([term.reshape(shape) for term in made], axis=-2)


class Truncated(Module):
    """One level: X(s) + s F(X(s)), the coefficients of X up to the order."""

    def __call__(self, mean: Any, state: Any, push: Any) -> Any:
        inputs = state[:, :-1, None]
        moved = mean(inputs) if push is None else mean(inputs) + push
        return state + _raised(moved)[:, :, 0], inputs


class Spread(Module):
    r"""One level whose mass is spread over its depth: the flow of $dX/du = s F(X)$ from u = 0 to 1, up to the order.

    The coefficient of s^j is a polynomial of degree j in u. F is integrated through `order` - 1 Gauss nodes in u, exact
    for its degrees up to `order` - 1, and each pass of Picard makes one more coefficient right.
    """

    order: int

    def __call__(self, mean: Any, state: Any, push: Any) -> Any:
        to_nodes, to_end = _collocation(max(1, self.order - 1))
        start = state[:, :, None]

        def integral(inputs: Any, own: Any) -> Any:
            return mean(inputs) if own is None else mean(inputs) + own

        def pass_(nodes: Any, own: Any) -> tuple[Any, Any]:
            inputs = nodes[:, :-1]
            moved = jnp.einsum("ab,dmbq->dmaq", to_nodes.astype(state.dtype), integral(inputs, own))
            return start + _raised(moved), inputs

        before, last = None, None
        if push is not None:
            each = jnp.moveaxis(push.reshape(*push.shape[:2], self.order, -1, push.shape[3]), 2, 0)
            before, last = each[:-1], each[-1]
        nodes = jnp.repeat(start, to_end.size, axis=2)
        nodes, inputs = jax.lax.scan(pass_, nodes, before, length=self.order - 1)
        end = jnp.einsum("b,dmbq->dmq", to_end.astype(state.dtype), integral(nodes[:, :-1], last))
        inputs = jnp.concatenate([inputs, nodes[None, :, :-1]])
        inputs = jnp.moveaxis(inputs, 0, 2)
        return state + _raised(end), inputs.reshape(*inputs.shape[:2], -1, inputs.shape[-1])


def _raised(moved: Any) -> Any:
    """s times a series: its coefficients one place further."""
    return jnp.pad(moved, [(0, 0), (1, 0)] + [(0, 0)] * (moved.ndim - 2))


def _collocation(n: int) -> tuple[Array, Array]:
    """Integrals from 0 to each of n Gauss nodes of [0, 1], and to 1, of the polynomial through values at the nodes."""
    x, w = np.polynomial.legendre.leggauss(n)
    # Coefficients in Legendre polynomials by the discrete orthogonality, exact up to degree n - 1.
    values = np.polynomial.legendre.legvander(x, n - 1)
    coefficients = (values * w[:, None]).T * (2.0 * np.arange(n)[:, None] + 1.0) / 2.0
    up_to = np.stack(
        [np.polynomial.legendre.legval(x, np.polynomial.legendre.legint(row, lbnd=-1)) for row in np.eye(n)]
    )
    return jnp.asarray(0.5 * up_to.T @ coefficients), jnp.asarray(0.5 * w)


class Expansion(AbstractNetwork):
    r"""$f = \sum_{j \le k} c_j(x)$, where $X^L(s) = \sum_j c_j s^j$ is the wide residual network of the measure s rho.

    $c_0 = x$, $c_1 = \int \sigma(\theta x)\,\rho$, and c_2 the double integral over $b > a$ of teacherstudent2020 (9)
    (whose sum carries $1/L^2$: NOTATION). The risk of order k is the paper's $E_{(k)}$.

    - `activation`, `depth`: as in `WideResNet`, the activation smooth and zero at zero.
    - `order`: k >= 1.
    - `continuous`: the network at L = infinity: the mass of each level spread over [l/L, (l+1)/L) of the depth, so that
      pairs of one level count 1/2.

    Raises `ValueError` for an activation with kinks, without a rule for Taylor series, or that is not 0 at 0.
    """

    activation: Activation
    depth: int = eqx.field(static=True)
    order: int = eqx.field(static=True)
    continuous: bool = eqx.field(static=True)

    def __init__(self, activation: Activation, depth: int, order: Count, *, continuous: bool = False) -> None:
        check_series(activation)
        self.activation, self.depth = activation, depth
        self.order = whole_number(order, "expansion(order=...)", least=1, most=_MOST)
        self.continuous = bool(continuous)

    @property
    def levels(self) -> Levels:
        return Levels(self.depth)

    @property
    def marginal(self) -> ResNetBranch | None:
        # x + INT sigma(theta x): the levels commute at the first order.
        return ResNetBranch(1, self.activation) if self.order == 1 else None

    @property
    def kinked(self) -> bool:
        return False

    def blocks(self, inputs: int, outputs: tuple[int, ...]) -> Blocks:
        return residual_blocks("Expansion", inputs, outputs)

    def components(self, outputs: tuple[int, ...]) -> int:
        return outputs[0] * (self.order + 1) * (max(1, self.order - 1) if self.continuous else 1)

    def __call__(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]) -> Float[Array, "q d"]:
        return jnp.sum(self.terms(theta, w, x), axis=0)

    def terms(self, theta: Any, w: Float[Array, " N"], x: Float[Array, "q d"]) -> Float[Array, "terms q d"]:
        """c_0, ..., c_k at the inputs."""
        start = jnp.zeros((x.shape[1], self.order + 1, x.shape[0]), x.dtype).at[:, 0].set(x.T)
        return jnp.transpose(propagated(self._step, Series(self.activation), self.depth, theta, w, start), (1, 2, 0))

    def dual(self, theta: Any, w: Float[Array, " N"], x: Any, slope: Any, piece: int) -> OnStates:
        start = jnp.zeros((*x.shape, self.order + 1), x.dtype).at[:, :, 0].set(x)
        # f is the sum of the coefficients.
        pairs = start, jnp.broadcast_to(slope[:, :, None], start.shape)
        return on_states(self._step, Series(self.activation), self.depth, theta, w, pairs, piece)

    def expansion(self, order: Count, *, continuous: bool | None) -> "Expansion":
        spread = self.continuous if continuous is None else continuous
        return Expansion(self.activation, self.depth, order, continuous=spread)

    @property
    def _step(self) -> Any:
        return Spread(self.order) if self.continuous else Truncated()


def check_series(activation: Activation) -> None:
    """Raise `ValueError` for an activation whose networks are no power series in the measure, or not one in theta."""
    who = f"expansion: activation {activation.name!r}"
    if activation.kinks:
        raise ValueError(f"{who} has kinks; a series needs a smooth one.")
    at_zero = activation(jnp.zeros(()))
    if not abs(float(at_zero)) <= 1e-12:
        raise ValueError(
            f"{who} is {float(at_zero):.3g} at 0, not 0; then the terms of higher order do not become small with the "
            "parameters, and cutting them off is no approximation near theta = 0."
        )
    try:
        eqx.filter_jit(Series(activation))(jnp.zeros((3, 1)))
    except (KeyError, NotImplementedError) as error:
        # `jet` looks a primitive up among its rules.
        raise ValueError(f"{who} has no rule for Taylor series: {error}") from error
    except jax.errors.UnexpectedTracerError as error:
        # It takes a derivative of the user's own (custom_jvp), in which it leaves its tracers.
        raise ValueError(f"{who} has no rule for Taylor series: its derivative is one of its own.") from error


class Radius(eqx.Module):
    """The radius of convergence of the series in s, fitted to the sizes of its coefficients; see `Problem.radius`."""

    pole: float
    branch: float
    used: tuple[int, ...]
    coefficients: Float[np.ndarray, " K"]
    reason: str


def radius_of(
    network: Expansion, theta: Any, w: Any, x: Float[Array, "Q d"], mu: Float[Array, " Q"], piece: int
) -> Radius:
    """The radius of the series of a network, from all its terms but c_0."""
    sizes = np.asarray(_sizes(network, theta, w, x, mu, piece))
    if not np.all(np.isfinite(sizes)):
        raise ValueError("radius(measure): the coefficients of the series are not finite.")
    if not network.continuous and (network.depth == 1 or network.activation.entire):
        why = "there is one level" if network.depth == 1 else "the activation is entire and the depth finite"
        return Radius(math.inf, math.inf, (), sizes, f"infinite: {why}")
    last = len(sizes)
    used = tuple(k for k in range(-(-last // 2), last + 1) if sizes[k - 1] > 0)
    if len(used) < 3:
        return Radius(math.inf, math.inf, used, sizes, "infinite: the last coefficients vanish")
    k, logs = np.array(used, float), np.log(sizes[np.array(used) - 1])
    pole, branch = (math.exp(-np.polyfit(k, logs + power * np.log(k), 1)[0]) for power in (0.0, 1.5))
    return Radius(pole, branch, used, sizes, "fitted")


@eqx.filter_jit
def _sizes(network: Expansion, theta: Any, w: Any, x: Any, mu: Any, piece: int) -> Float[Array, " K"]:
    terms = map_rows(lambda point: network.terms(theta, w, point[None])[1:, 0], x, piece)
    return jnp.sqrt(jnp.einsum("q,qkd->k", mu, terms**2))
