"""What data is to a problem: nodes (a finite measure), fresh batches, or both."""

import abc
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import Count, Module, own_array, random_key, whole_number

T = TypeVar("T")


class Nodes(NamedTuple):
    """A finite data measure: inputs [Q, d], targets [Q] or [Q, C], weights [Q] that sum to 1."""

    x: Float[Array, "Q d"]
    y: Float[Array, "Q ..."]
    weights: Float[Array, " Q"]


class Panels(NamedTuple):
    """A target known on an interval, for inputs uniform there: `ends` [P + 1], `coefficients` [p + 1, P] of the
    monomials in u = (x - centre)/half of each panel."""

    ends: Float[Array | np.ndarray, " E"]
    coefficients: Float[Array | np.ndarray, "J P"]

    def at(self, x: Any) -> Any:
        """y at places of the interval, by Horner's rule; beyond the ends, the polynomials of the outer panels.

        On the host where all three are NumPy's: a compilation takes longer than the sum.
        """
        ends, rows = self
        xp = jnp if isinstance(x, jax.Array) else np
        panel = xp.clip(xp.searchsorted(ends, x, side="right") - 1, 0, rows.shape[1] - 1)
        u = (2.0 * x - ends[panel] - ends[panel + 1]) / (ends[panel + 1] - ends[panel])
        out = xp.zeros_like(u)
        for row in rows[::-1]:
            out = out * u + row[panel]
        return out


class Harmonic(NamedTuple):
    r"""A homogeneous harmonic polynomial $Y_k$ on R^d: `degree` k, `value(x)` at one point, and `norm_squared()`,
    $\int Y_k^2 d\mu$ over the sphere of radius sqrt(d)."""

    degree: int
    value: Callable[[Float[Array, " d"]], Float[Array, ""]]
    norm_squared: Callable[[], Float[Array, ""]]


class Rotations(NamedTuple):
    """Two centred normal classes that rotations of groups of coordinates leave as they are.

    `groups` of coordinates (or () at d = infinity), their `dims`, `std` [2, G] of the classes, and P(y = +1).
    """

    groups: tuple[tuple[int, ...], ...]
    dims: tuple[float, ...]
    std: np.ndarray
    fraction: float


class AbstractData(Module):
    """The law mu of (x, y), known through `nodes`, through `batch`, or both.

    Risks, flows and potentials need `nodes`; one-pass SGD needs `batch`. Data without nodes is turned into data with
    nodes by `freeze`.
    """

    nodes: ClassVar[Nodes | None] = None
    """The data as a finite measure, or None where there are only fresh samples."""
    panels: ClassVar[Panels | None] = None
    """The target as polynomials, where x is uniform on an interval; None where it is not so or not known."""
    harmonics: ClassVar[tuple[Harmonic, ...] | None] = None
    """The harmonics whose sum is the target, where x is uniform on the sphere of radius sqrt(d); None for all else."""
    teacher: ClassVar[Any | None] = None
    """The `Teacher` whose output the labels are, noise aside; None where they come from elsewhere."""
    input_law: ClassVar[Any | None] = None
    """The law of x, where it is known as one of `widelimit.laws`."""
    advice: ClassVar[str] = ""
    """What else to do where nodes are needed and there are none, as a sentence; or nothing."""

    @property
    @abc.abstractmethod
    def inputs(self) -> int:
        """d."""

    @property
    @abc.abstractmethod
    def outputs(self) -> tuple[int, ...]:
        """The shape of one target: () or (C,)."""

    def rotations(self, who: str) -> Rotations:
        """The rotations that the law of x, given y, is invariant under. Raises `ValueError` that says why not."""
        raise ValueError(
            f"{who}: the data ({type(self).__name__}) are not known to be invariant under rotations; "
            "needs data.GaussianClasses."
        )

    def target_at(self, x: Float[Array, "n d"], who: str) -> Float[Array, "n ..."]:
        """The target at inputs [n, d]. Raises `ValueError` where no function of x is known."""
        raise ValueError(f"{who}: the data ({type(self).__name__}) know their targets at the samples alone.")

    def target_norm_squared(self, who: str) -> Float[Array, ""]:
        """E |y|^2, where it is known exactly; on nodes, over them. Raises `ValueError` where it is not."""
        if self.nodes is not None:
            return jnp.sum(self.nodes.weights * jnp.sum((self.nodes.y**2).reshape(self.nodes.y.shape[0], -1), axis=1))
        if self.harmonics is not None:
            return sum((part.norm_squared() for part in self.harmonics), jnp.zeros(()))
        raise ValueError(f"{who}: it is not known for {type(self).__name__}; freeze samples: data.freeze(n, key=...).")

    @abc.abstractmethod
    def batch(self, key: PRNGKeyArray, n: int) -> tuple[Float[Array, "n d"], Float[Array, "n ..."]]:
        """n independent samples (x [n, d], y [n] or [n, C]); a pure function of the key."""

    def relabelled(self, change: Callable[[Array], Array]) -> "AbstractData | None":
        """The same inputs with `change` of all their labels; None where labels are no numbers but a function of x."""
        return None

    def finer(self, most: int) -> "AbstractData":
        """Data whose nodes, at most so many, are nearer to the law that `batch` draws from.

        Itself where its nodes are that law, as those of samples are, and where nothing nearer is known.
        """
        return self

    def freeze(self, n: Count, *, key: PRNGKeyArray) -> "AbstractData":
        """n samples drawn once, as data with nodes."""
        from ._samples import Samples

        n = whole_number(n, "freeze(n=...)", least=1)
        return Samples(*self.batch(random_key(key, "freeze(key=...)"), n))


class AbstractOnNodes(AbstractData):
    """Data that hold their nodes: inputs `x`, targets `y`, `weights` that sum to 1."""

    x: eqx.AbstractVar[Float[Array, "Q d"]]
    y: eqx.AbstractVar[Float[Array, "Q ..."]]
    weights: eqx.AbstractVar[Float[Array, " Q"]]

    @property
    def inputs(self) -> int:
        return self.x.shape[1]

    @property
    def outputs(self) -> tuple[int, ...]:
        return self.y.shape[1:]

    @property
    def nodes(self) -> Nodes:
        return Nodes(self.x, self.y, self.weights)


def require_nodes(data: AbstractData, who: str) -> Nodes:
    """The nodes of `data`; where there are none, a `ValueError` that says what to do."""
    nodes = data.nodes
    if nodes is None:
        raise ValueError(
            f"{who} needs data with nodes; {type(data).__name__} only gives fresh samples. "
            f"Freeze some: data.freeze(10_000, key=jax.random.key(0)).{data.advice}"
        )
    return nodes


def label(target: Any, x: Float[Array, "n ..."]) -> Float[Array, "n ..."]:
    """The targets of inputs x: `target` is a function of one input (a teacher, say), vmapped here.

    Raises `ValueError` for a function that JAX cannot trace.
    """
    return jnp.asarray(traceable(lambda: jax.vmap(target)(x))).astype(x.dtype)


def traceable(evaluate: Callable[[], T]) -> T:
    """What a user's target gives. Raises `ValueError` that says what to do where it is written in NumPy."""
    try:
        return evaluate()
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        said = str(error).strip().splitlines()[0]
        raise ValueError(
            f"target: JAX cannot trace this function ({said}); write it with jax.numpy, without float() or `if`, or "
            "give data.Samples the values themselves, y=[n]."
        ) from None


def as_inputs(x: Any, who: str) -> Float[Array, "n d"]:
    """Inputs as a float array [n, d]; [n] counts as [n, 1]."""
    x = _as_float(x, f"{who}(x=...)")
    if x.ndim == 1:
        x = x[:, None]
    if x.ndim != 2 or x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"{who}(x=...): expected [n, d] with n, d >= 1, got shape {x.shape}.")
    return x


def as_targets(y: Any, n: int, who: str) -> Float[Array, "n ..."]:
    """Targets as a float array [n] or [n, C]."""
    y = _as_float(y, f"{who}(y=...)")
    if y.ndim not in (1, 2) or y.shape[0] != n:
        raise ValueError(f"{who}(y=...): expected shape ({n},) or ({n}, C), as x has {n} rows; got {y.shape}.")
    return y


def as_weights(weights: Any, n: int, dtype: Any, who: str) -> Float[Array, " n"]:
    """Nonnegative weights, scaled to sum to 1; uniform where None."""
    if weights is None:
        return jnp.full(n, 1.0 / n, dtype)
    weights = _as_float(weights, f"{who}(weights=...)").astype(dtype)
    if weights.shape != (n,):
        raise ValueError(f"{who}(weights=...): expected shape ({n},), got {weights.shape}.")
    # NumPy: each JAX operation outside a compiled function would compile for itself.
    given = np.asarray(weights)
    if not np.all(given >= 0) or not given.sum() > 0:
        raise ValueError(f"{who}(weights=...): must not be negative, and not all zero.")
    return jnp.asarray(given / given.sum(), given.dtype)


def as_numbers(value: Any, what: str) -> Array:
    """A float array of what a user gave, and his no more. Raises `ValueError` naming `what` where it is not one."""
    given = own_array(value, what)
    return jnp.asarray(given, given.dtype if jnp.issubdtype(given.dtype, jnp.floating) else float)


def as_points(value: Any, inputs: int, what: str) -> Array:
    """Inputs [n, d] of what a user gave; [n] counts as [n, 1]. Raises `ValueError` for another shape."""
    points = as_numbers(value, what)
    points = points[:, None] if points.ndim == 1 and inputs == 1 else points
    if points.ndim != 2 or points.shape[1] != inputs:
        raise ValueError(f"{what}: expected [n, {inputs}], got shape {jnp.shape(value)}.")
    return points


def _as_float(value: Any, what: str) -> Array:
    array = as_numbers(value, what)
    try:
        finite = np.isfinite(np.asarray(array))
    except jax.errors.TracerArrayConversionError:
        # Inside a compiled function there are no values to check.
        return array
    if not finite.all():
        where = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise ValueError(f"{what}: not finite at index {where} ({int((~finite).sum())} such entries).")
    return array


def groups_of(means: np.ndarray, factors: np.ndarray, fraction: float, who: str) -> Rotations:
    """The groups of coordinates with the same two variances; the one in which the classes differ comes first.

    `means` [2, d], `factors` [2, d] or [2, d, d]. Raises `ValueError` that says what singles out a direction.
    """
    for name, mean in zip(("+1", "-1"), means, strict=True):
        if np.any(mean):
            raise ValueError(f"{who}: the mean of class y = {name} is not zero, which singles out a direction.")
    if factors.ndim == 3:
        for name, factor in zip(("+1", "-1"), factors, strict=True):
            if np.any(factor - np.diag(np.diagonal(factor))):
                raise ValueError(
                    f"{who}: the covariance of class y = {name} is not diagonal; rotate the inputs to its axes."
                )
        factors = np.stack([np.diagonal(factor) for factor in factors])
    # Equal but for rounding: variances may come out of a computation.
    rounded = np.round(np.log(factors.T), 11)
    _, first, which = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
    pairs = factors.T[first]
    if len(pairs) > 2:
        raise ValueError(
            f"{who}: the coordinates have {len(pairs)} different pairs of variances; the reduction knows one group "
            "of coordinates or two."
        )
    order = sorted(range(len(pairs)), key=lambda g: (pairs[g, 0] == pairs[g, 1], first[g]))
    groups = tuple(tuple(map(int, np.flatnonzero(which.ravel() == g))) for g in order)
    alone = [g for group in groups if len(group) < 2 for g in group]
    if alone:
        raise ValueError(
            f"{who}: coordinate {alone[0]} is alone in its group; a group needs two or more coordinates to have "
            "rotations."
        )
    return Rotations(groups, tuple(float(len(g)) for g in groups), pairs[order].T, fraction)
