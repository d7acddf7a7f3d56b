"""What lets objects that hold arrays go where Python or `jax.jit` asks for a hash."""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import jax
import numpy as np
from jax.core import Tracer

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


def same_module(self: Any, other: object) -> bool:
    """Equality of modules: class, static fields and all numbers. On the host, so that it may be asked inside `jax.jit`.

    Where a number is traced, only the same object is the same.
    """
    if self is other:
        return True
    if type(self) is not type(other):
        return False
    (mine, structure), (theirs, known) = jax.tree.flatten(self), jax.tree.flatten(other)
    return structure == known and all(map(_same, mine, theirs))


def module_hash(self: Any) -> int:
    """What modules share that are the same: all but the numbers themselves, which may be many, or traced."""
    leaves, structure = jax.tree.flatten(self)
    return hash((structure, tuple((np.shape(leaf), str(getattr(leaf, "dtype", type(leaf)))) for leaf in leaves)))


def _same(a: Any, b: Any) -> bool:
    if a is b or isinstance(a, Tracer) or isinstance(b, Tracer):
        return a is b
    if np.shape(a) != np.shape(b) or getattr(a, "dtype", type(a)) != getattr(b, "dtype", type(b)):
        return False
    return bool(np.all(np.asarray(a) == np.asarray(b)))
