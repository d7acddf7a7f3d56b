"""What a user gives a problem, checked: whether the parts fit together, one clear `ValueError` a mistake."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from widelimit.measure import Blocks, GridDensity, Measure, Particles, columns_of, describe, laws, row_size, split
from widelimit.numerics import compiled_quickly, whole_number

from . import losses, scales
from .data import AbstractData
from .domains import Product
from .integrals import Supervised
from .mobilities import AbstractMobility
from .networks import AbstractNetwork, Levels, TwoLayer
from .penalties import AbstractPenalty, parts
from .units import AbstractUnit, feature

if TYPE_CHECKING:
    from ._problem import Problem

# Fresh samples whose targets are looked at.
_LOOKED_AT = 256

# What a user's function raises on arguments of the wrong shape.
_MISFITS = (TypeError, ValueError, AttributeError, IndexError)


def check_kind(name: str, value: Any, kind: Any) -> None:
    """Raise `ValueError` unless `value` is None or of a kind."""
    if value is not None and not isinstance(value, kind):
        raise ValueError(f"Problem({name}=...): expected one of widelimit's, got {value!r}.")


def supervised(network: Any, unit: Any, data: Any, loss: Any, scale: Any, budget: Any) -> Supervised:
    """The parts that the risk is made of, from what a user gave. Raises `ValueError` where they do not fit together."""
    if (network is None) == (unit is None):
        raise ValueError(
            "Problem(...): give one network from widelimit.networks or one unit from widelimit.units; without data, "
            "loss and scale, integrals may stand for all of them."
        )
    network = unit if network is None else network
    if not isinstance(network, AbstractNetwork | AbstractUnit):
        raise ValueError(f"Problem(unit=...): expected one of widelimit.units or widelimit.networks, got {network!r}.")
    if not isinstance(data, AbstractData):
        raise ValueError(f"Problem(data=...): expected one of widelimit.data, got {type(data).__name__}.")
    budget = None if budget is None else whole_number(budget, "Problem(budget=...)", least=1)
    check_kind("scale", scale, scales.AbstractScale)
    loss = losses.squared() if loss is None else loss
    if not callable(loss):
        raise ValueError(f"Problem(loss=...): expected one of widelimit.losses or a function, got {loss!r}.")
    function: Any = loss
    task = Supervised(
        TwoLayer(network) if isinstance(network, AbstractUnit) else network,
        data,
        loss if isinstance(loss, losses.AbstractLoss) else losses.Loss(function),
        scales.MeanField() if scale is None else scale,
        budget,
    )
    check_output(task)
    if task.network.unit is not None:
        check_facts(task.network.unit, task.blocks, data.inputs, data.outputs)
    return task


def arranged(measure: Measure, blocks: Blocks) -> Measure:
    """The measure with its columns in the order of the blocks. Raises `ValueError` as `check_columns` does."""
    if not isinstance(measure, Particles | GridDensity):
        raise ValueError(f"measure: expected Particles or a GridDensity, got {type(measure).__name__}.")
    if measure.dim == row_size(blocks) and columns_of(measure.blocks or blocks, blocks) is not None:
        return measure.arranged(blocks)
    check_columns(measure, blocks)
    return measure


def check_columns(start: Measure | laws.AbstractLaw, blocks: Blocks) -> None:
    """Raise `ValueError` unless the columns of a measure or a law are the blocks, in their order."""
    if start.dim != row_size(blocks):
        raise ValueError(f"the measure has {start.dim} columns, the unit needs {row_size(blocks)}: {describe(blocks)}.")
    # A law of one number makes a block of shape (), where the unit may have (1,).
    names, needed = ([(block.name, block.size) for block in some] for some in (start.blocks, blocks))
    if names and names != needed:
        raise ValueError(
            f"the measure's blocks are {describe(start.blocks)}; the unit's are {describe(blocks)}, in this order."
        )


def check_motion(
    blocks: Blocks,
    levels: Levels | None,
    penalty: AbstractPenalty | None,
    mobility: AbstractMobility,
    domain: Product,
) -> None:
    """Raise `ValueError` where a proximal map or a wall meets a mobility in whose metric it is not known."""
    mobility.check(blocks)
    diagonal = mobility.scales(like(blocks)) is not None
    if penalty is not None:
        penalty.check(blocks)
        if levels is not None:
            _check_free_of(penalty, levels.block.name, movable(blocks, levels))
        check_number("penalty", lambda: eqx.filter_eval_shape(penalty, like(blocks)))
    if penalty is not None and not penalty.smooth and not diagonal:
        raise ValueError(
            "Problem(penalty=..., mobility=...): a non-smooth penalty is stepped by its proximal map in the "
            "metric of the mobility, which needs a mobility of one number a block (mobilities.Diagonal)."
        )
    for name, factor in domain.factors:
        rough = [term for term in parts(penalty) if not term.smooth and term.touches(name)]
        if rough and factor.walls and not factor.box:
            raise ValueError(
                f"Problem(penalty=..., domain=...): the proximal map of {type(rough[0]).__name__} within "
                f"{factor!r}, the domain of {name!r}, is not known; take a domains.Box, or a smooth penalty."
            )
    if not diagonal and not domain.flat:
        raise ValueError(
            "Problem(mobility=..., domain=...): walls and spheres project in the metric of the mobility, which needs "
            "one number a block (mobilities.Diagonal)."
        )


def _check_free_of(penalty: AbstractPenalty, name: str, others: Blocks) -> None:
    """Raise `ValueError` where a penalty is known to cost of a block that never moves."""
    for term in parts(penalty):
        cost = term.cost(name)
        if cost is not None and (cost.size > 0 or cost.square > 0):
            raise ValueError(
                f"Problem(penalty=...): {name!r} says on which level a particle stands and is not penalised; name the "
                f"blocks, say penalties.l2(0.1, {others[0].name!r})."
            )


def check_output(task: Supervised) -> None:
    """Raise `ValueError` unless network, loss and data have the same shapes, and the unit is what it says it is."""
    blocks, data, network = task.blocks, task.data, task.network
    dtype = jnp.zeros(()).dtype
    try:
        shape = _output_shape(network, like(blocks), jax.ShapeDtypeStruct((data.inputs,), dtype))
    except _MISFITS as error:
        raise ValueError(
            f"Problem(unit=...): the unit fails on blocks {describe(blocks)} and x of shape ({data.inputs},): {error}"
        ) from error
    if shape != data.outputs:
        raise ValueError(
            f"Problem(unit=..., data=...): the unit's output has shape {shape}, the targets have {data.outputs}."
        )
    target = jax.ShapeDtypeStruct(shape, dtype)
    if network.offset is not None:
        _check_offset(network.offset, shape)
    check_number("loss", lambda: eqx.filter_eval_shape(task.loss, target, target))
    y = None if data.nodes is None else data.nodes.y
    if y is None and task.loss.labels:
        y = data.batch(jax.random.key(0), _LOOKED_AT)[1]
    if y is not None and not isinstance(y, Tracer):
        task.loss.check(y)


def _check_offset(offset: Any, outputs: tuple[int, ...]) -> None:
    """Raise `ValueError` unless an offset can be added to the outputs, and is finite."""
    if offset.shape not in ((), outputs):
        raise ValueError(f"TwoLayer(offset=...): expected a number or shape {outputs}, got shape {offset.shape}.")
    if not isinstance(offset, Tracer) and not np.all(np.isfinite(np.asarray(offset))):
        raise ValueError("TwoLayer(offset=...): must be finite.")


def _output_shape(network: AbstractNetwork, theta: Any, x: Any) -> tuple[int, ...]:
    """The shape of one output: of the unit, where the network is its mean; else of one particle, or one a level."""
    if network.unit is not None:
        return eqx.filter_eval_shape(network.unit, theta, x).shape
    rows = 1 if network.levels is None else network.levels.count
    many = jax.tree.map(lambda field: jax.ShapeDtypeStruct((rows, *field.shape), field.dtype), theta)
    w, points = jax.ShapeDtypeStruct((rows,), x.dtype), jax.ShapeDtypeStruct((1, *x.shape), x.dtype)
    return eqx.filter_eval_shape(network, many, w, points).shape[1:]


def like(blocks: Blocks) -> Any:
    """The shapes of one particle."""
    return jax.eval_shape(lambda: split(blocks, jnp.zeros(row_size(blocks))))


def check_number(what: str, shape_of: Callable[[], Any]) -> None:
    """Raise `ValueError` unless the function gives one number."""
    try:
        shape = getattr(shape_of(), "shape", None)
    except _MISFITS as error:
        raise ValueError(f"Problem({what}=...): it fails on one data point or particle: {error}") from error
    if shape != ():
        raise ValueError(f"Problem({what}=...): expected a function that gives one number, got shape {shape}.")


def check_facts(unit: AbstractUnit, blocks: Blocks, inputs: int, outputs: tuple[int, ...]) -> None:
    """Raise `ValueError` where a unit is not linear in its linear block, not of the degree or above the bound it says.

    Where it has no value at any of the places that are tried, nothing it says can be believed.
    """
    if unit.linear is not None and dict(blocks).get(unit.linear) != outputs:
        raise ValueError(
            f"Problem(unit=...): the linear block {unit.linear!r} has shape {dict(blocks).get(unit.linear)}, it must "
            f"have that of the targets, {outputs}."
        )
    if unit.linear is None and unit.homogeneity is None and unit.bound is None:
        return
    wrong = _wrong_facts(unit, blocks, inputs)
    if isinstance(wrong[0], Tracer):
        return
    if bool(wrong[3]):
        raise ValueError(
            "Problem(unit=...): the unit has no finite value at any of six places, so that what it says of itself "
            "(linear, homogeneity, bound) cannot be checked; leave these out."
        )
    if bool(wrong[2]):
        raise ValueError(
            f"Problem(unit=...): the unit goes beyond the bound={float(unit.bound or 0.0):g} that it says."
        )
    if bool(wrong[0]):
        raise ValueError(
            f"Problem(unit=...): the unit is not {unit.linear!r} times one number phi~(w, x), as "
            f"linear={unit.linear!r} says."
        )
    if bool(wrong[1]):
        raise ValueError(f"Problem(unit=...): the unit has not the degree homogeneity={unit.homogeneity} that it says.")


@compiled_quickly
def _wrong_facts(unit: AbstractUnit, blocks: Blocks, inputs: int) -> tuple[Any, Any, Any, Any]:
    """Whether linearity, degree or bound fail somewhere, and whether there is no value anywhere; compiled once for all
    units of a structure."""
    rows, points = (_places(size, seed) for size, seed in ((row_size(blocks), 0), (inputs, 1)))

    def at(row: Any, x: Any) -> tuple[Any, Any, Any, Any]:
        theta, twice = split(blocks, row), split(blocks, 2.0 * row)
        whole = unit(theta, x)
        if unit.linear is None:
            product, value, scaled = whole, whole, unit(twice, x)
        else:
            value, scaled = feature(unit, theta, x), feature(unit, twice, x)
            product = getattr(theta, unit.linear) * value
        degree = 0.0 if unit.homogeneity is None else unit.homogeneity
        grown = scaled if unit.homogeneity is None else 2.0**degree * value
        beyond = False if unit.bound is None else jnp.any(jnp.abs(value) > unit.bound * (1.0 + 1e-6) + 1e-9)
        return _differ(whole, product), _differ(scaled, grown), beyond, jnp.any(jnp.isfinite(whole))

    *wrong, seen = jax.vmap(at)(rows, points)
    return *map(jnp.any, wrong), ~jnp.any(seen)


def _places(size: int, seed: int) -> Float[Array, "n d"]:
    """Two normal rows, two of positive numbers and two inside (0, 1): a logarithm, say, is nowhere else."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(2, size))
    return jnp.asarray(np.concatenate([rows, np.abs(rows), rng.uniform(0.1, 0.9, size=(2, size))]))


def _differ(a: Any, b: Any) -> Any:
    """Whether two values differ. A unit that has no value there (a logarithm, say) cannot be checked there."""
    # A comparison with what is not a number is false, hence the negation.
    return jnp.any(jnp.isfinite(a) & ~(jnp.abs(a - b) <= 1e-9 + 1e-6 * jnp.abs(b)))


def named_blocks(trainable: Any) -> tuple[str, ...] | None:
    """`trainable` as a tuple of names. Raises `ValueError` where it is neither a name nor a list of names."""
    if trainable is None:
        return None
    names = (trainable,) if isinstance(trainable, str) else trainable
    if not isinstance(names, list | tuple) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"trainable: expected a list of names of blocks, got {trainable!r}.")
    return tuple(names)


def movable(blocks: Blocks, levels: Levels | None) -> Blocks:
    """The blocks that can move: a level never does."""
    return tuple(block for block in blocks if levels is None or block != levels.block)


def moving(problem: "Problem", trainable: tuple[str, ...] | None) -> tuple[str, ...]:
    """The names of the blocks that move; all that can by default. Raises `ValueError` for another name."""
    names = tuple(block.name for block in movable(problem.blocks, problem.levels))
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
