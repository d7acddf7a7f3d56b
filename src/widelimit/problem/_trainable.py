"""Which blocks move: `trainable` names them."""

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._problem import Problem


def named_blocks(trainable: Any) -> tuple[str, ...] | None:
    """`trainable` as a tuple of names. Raises `ValueError` where it is neither a name nor a list of names."""
    if trainable is None:
        return None
    names = (trainable,) if isinstance(trainable, str) else trainable
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"trainable: expected a list of names of blocks, got {trainable!r}.")
    return tuple(names)


def moving(problem: "Problem", trainable: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names of the blocks that move; all of them by default. Raises `ValueError` for an unknown name."""
    names = tuple(block.name for block in problem.blocks)
    if trainable is None:
        return names
    for name in trainable:
        if name not in names:
            raise ValueError(f"trainable: the unit has no block {name!r}; it has {', '.join(names)}.")
    if not trainable:
        raise ValueError(f"trainable: names no block; the unit has {', '.join(names)}.")
    return tuple(name for name in names if name in trainable)


def moving_columns(problem: "Problem", trainable: Any) -> tuple[int, ...]:
    """The columns of a row of parameters that move. Raises `ValueError` as `named_blocks` and `moving` do."""
    names, out, start = moving(problem, named_blocks(trainable)), [], 0
    for block in problem.blocks:
        size = math.prod(block.shape)
        if block.name in names:
            out.extend(range(start, start + size))
        start += size
    return tuple(out)
