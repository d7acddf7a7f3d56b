"""What lets objects that hold arrays go where Python or `jax.jit` asks for a hash."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

# Up to so many numbers are part of a hash.
_FEW = 64
F = TypeVar("F", bound=Callable[..., Any])


class _Bound:
    """A method and its object, compared by identity; equinox's own hold arrays, and `jax.jit` needs a hash."""

    def __init__(self, function: Callable[..., Any], owner: Any) -> None:
        # Not the annotations, which cannot be pickled.
        functools.update_wrapper(self, function, ("__module__", "__name__", "__qualname__", "__doc__"), ())
        self.function, self.owner = function, owner

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(self.owner, *args, **kwargs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Bound) and self.owner is other.owner and self.function is other.function

    def __hash__(self) -> int:
        return hash((id(self.owner), self.function))


class _Jittable:
    """A method that `jax.jit` takes as it is, `jax.jit(problem.risk)`: the arrays of the object are constants there."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function

    def __get__(self, owner: Any, kind: Any = None) -> Any:
        return self.function if owner is None else _Bound(self.function, owner)


if TYPE_CHECKING:

    def jittable(function: F) -> F: ...

else:
    jittable = _Jittable


class Module(eqx.Module):
    """A frozen record that may be a static argument, a key, and a function of `jax.jit`, as may its methods.

    Equal are two of one class, with equal static fields and numbers. This is asked on the host, so that it holds inside
    compiled functions; of traced numbers only the same object is the same.
    """

    def __eq__(self, other: object) -> bool:  # pyright: ignore[reportIncompatibleMethodOverride]
        if self is other:
            return True
        if type(self) is not type(other):
            return False
        (mine, structure), (theirs, known) = jax.tree.flatten(self), jax.tree.flatten(other)
        return structure == known and all(map(_same, mine, theirs))

    def __hash__(self) -> int:
        leaves, structure = jax.tree.flatten(self)
        return hash((structure, tuple(map(_mark, leaves))))


def _mark(leaf: Any) -> Any:
    """What equal leaves share: of a few numbers these, of many or of traced ones their shape and kind alone."""
    kind = np.shape(leaf), str(getattr(leaf, "dtype", type(leaf)))
    if isinstance(leaf, Tracer) or not hasattr(leaf, "dtype") or np.size(leaf) > _FEW:
        return kind
    # Of -0 and 0, which are equal, one.
    return kind, (_numbers(leaf) + 0).tobytes()


def _same(a: Any, b: Any) -> bool:
    if a is b or isinstance(a, Tracer) or isinstance(b, Tracer):
        return a is b
    if np.shape(a) != np.shape(b) or getattr(a, "dtype", type(a)) != getattr(b, "dtype", type(b)):
        return False
    return bool(np.all(_numbers(a) == _numbers(b)))


def _numbers(leaf: Any) -> np.ndarray:
    """On the host; a random key as its data."""
    if jnp.issubdtype(getattr(leaf, "dtype", np.dtype(object)), jax.dtypes.prng_key):
        with jax.ensure_compile_time_eval():
            leaf = jax.random.key_data(leaf)
    return np.asarray(leaf)
