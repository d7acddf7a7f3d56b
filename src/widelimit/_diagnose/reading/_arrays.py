"""Weights as arrays with names: a PyTorch `state_dict` or `Sequential`, Flax and Equinox trees, plain dicts.

No framework is imported: a tensor is what can become a NumPy array, a layer what has a `weight`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from widelimit.numerics import real_number
from widelimit.problem import losses

from ._network import Decay, TrainedNetwork

_ROLES = ("weight", "bias", "output", "offset")
# PyTorch's layers by the names of their classes, for the library's activations.
_LAYERS = {
    "Tanh": "tanh",
    "ReLU": "relu",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Identity": "identity",
}


def array_of(tensor: Any) -> np.ndarray | None:
    """The numbers of a tensor, an array or a parameter; None for what is none."""
    for name in ("detach", "cpu"):
        tensor = getattr(tensor, name, lambda tensor=tensor: tensor)()
    if hasattr(tensor, "numpy") and callable(tensor.numpy):
        tensor = tensor.numpy()
    if not hasattr(tensor, "shape") or not hasattr(tensor, "dtype"):
        return None
    found = np.asarray(tensor)
    # bfloat16 and its kind are numbers that NumPy does not count as such.
    return found if found.dtype.kind in "fiu" else found.astype(float) if found.dtype.kind == "V" else None


def named_arrays(model: Any) -> dict[str, np.ndarray]:
    """Name -> array, in the model's own order; nothing where it holds none."""
    if callable(getattr(model, "state_dict", None)):
        model = model.state_dict()
    return dict(_walk(model, ""))


def _walk(tree: Any, path: str) -> Iterator[tuple[str, np.ndarray]]:
    found = array_of(tree)
    if found is not None:
        yield path, found
    elif isinstance(tree, Mapping):
        for name, part in tree.items():
            yield from _walk(part, f"{path}.{name}" if path else str(name))
    elif isinstance(tree, list | tuple):
        for i, part in enumerate(tree):
            yield from _walk(part, f"{path}.{i}" if path else str(i))
    elif hasattr(tree, "__dataclass_fields__"):
        # Modules of Equinox and of flax.struct.
        for name in tree.__dataclass_fields__:
            yield from _walk(getattr(tree, name, None), f"{path}.{name}" if path else name)


def read(
    model: Any, x: Any, y: Any, *, activation: str | None, loss: Any, weight_decay: Any, names: Any, source: str = ""
) -> TrainedNetwork:
    """The network in a model's arrays. Raises `ValueError` where they are none of a two-layer network."""
    arrays = named_arrays(model)
    said = activation_of(model)
    if activation is None and said is None:
        raise ValueError(
            "diagnose(activation=...): these weights do not say their activation; give it by name, for instance "
            'activation="tanh".'
        )
    inputs, outputs = _columns(x), _columns(y)
    if names is None and {"weight", "output"} <= set(arrays) <= set(_ROLES):
        names = {role: role for role in arrays}
    found = _found(arrays, inputs, outputs) if names is None else _named(arrays, names)
    output, offset = found["output"], found["offset"]
    single = output.shape[1] == 1 and np.ndim(y) == 1
    half = 0.5 * real_number(weight_decay, "diagnose(weight_decay=...)", least=0.0)
    return TrainedNetwork(
        weight=found["weight"],
        bias=found["bias"],
        output=output[:, 0] if single else output,
        offset=None if offset is None else np.asarray(offset[0]) if single else offset,
        activation=str(activation or said),
        loss=losses.squared() if loss is None else loss,
        decay=Decay(half, half, half),
        source=source or f"the {type(model).__name__}",
        reference=_call(model),
    )


def activation_of(model: Any, who: str = "diagnose(model=...)") -> str | None:
    """The activation of a `Sequential` of layers; None where the model does not say it.

    Raises `ValueError` for layers between which there are others.
    """
    if isinstance(model, Mapping | list | tuple) or not hasattr(model, "state_dict") or not hasattr(model, "__iter__"):
        return None
    between = [type(layer).__name__ for layer in model if not hasattr(layer, "weight")]
    known = [name for name in between if name in _LAYERS]
    other = [name for name in between if name not in _LAYERS and name not in ("Flatten", "Dropout")]
    if other or len(known) != 1:
        raise ValueError(
            f"{who}: a Sequential of Linear, one of {', '.join(_LAYERS)} and Linear is supported; this "
            f"one has {', '.join(between) or 'no activation'}."
        )
    return _LAYERS[known[0]]


def _call(model: Any) -> Any:
    """What the model itself predicts, where it is a `Sequential` whose parameters make tensors."""
    if activation_of(model) is None:
        return None
    first = next(layer.weight for layer in model if hasattr(layer, "weight"))
    if not hasattr(first, "new_tensor"):
        return None
    return lambda x: array_of(model(first.new_tensor(x)))


def _columns(table: Any) -> int:
    shape = np.shape(table)
    return shape[1] if len(shape) == 2 else 1


def _named(arrays: dict[str, np.ndarray], names: dict[str, str]) -> dict[str, Any]:
    """The arrays that a user named, the matrices turned to [N, d] and [N, C] where only that fits."""
    wrong = set(names) - set(_ROLES)
    if wrong or not {"weight", "output"} <= set(names):
        raise ValueError(f"diagnose(names=...): expected names for {', '.join(_ROLES)} (weight, output at least).")
    for name in names.values():
        if name not in arrays:
            raise ValueError(f"diagnose(names=...): there is no array {name!r}; there are {_listed(arrays)}.")
    found = {role: arrays[names[role]] if role in names else None for role in _ROLES}
    weight, output = found["weight"], found["output"]
    assert weight is not None
    assert output is not None
    output = output[:, None] if output.ndim == 1 else output
    if weight.ndim != 2 or output.ndim != 2:
        raise ValueError("diagnose(names=...): weight and output must be matrices.")
    bias = found["bias"]
    widths = set(weight.shape) & set(output.shape) if bias is None else {bias.size}
    if len(widths) != 1 or not widths <= set(weight.shape) & set(output.shape):
        raise ValueError(
            f"diagnose(names=...): the matrices {weight.shape} and {output.shape} have no one width in common."
        )
    n = widths.pop()
    return {
        "weight": weight if weight.shape[0] == n else weight.T,
        "bias": None if bias is None else bias.ravel(),
        "output": output if output.shape[0] == n else output.T,
        "offset": None if found["offset"] is None else np.atleast_1d(found["offset"]),
    }


def _found(arrays: dict[str, np.ndarray], inputs: int, outputs: int) -> dict[str, Any]:
    """Which array is which, by their shapes, their order, and where both leave doubt by the names of the layers."""
    matrices = {name: a for name, a in arrays.items() if a.ndim == 2}
    vectors = {name: a for name, a in arrays.items() if a.ndim == 1}
    if len(matrices) != 2:
        deep = f"{len(matrices) - 1} hidden layers" if len(matrices) > 2 else f"{len(matrices)} matrices"
        raise ValueError(
            f"diagnose(model=...): these weights are of {deep} ({_listed(arrays)}); one hidden layer, two matrices, is "
            "supported."
        )
    ways = _ways(matrices, inputs, outputs)
    if len(ways) > 1:
        ways = [way for way in ways if way.by_name] or ways
    if not ways:
        shapes = ", ".join(f"{name} {a.shape}" for name, a in matrices.items())
        raise ValueError(
            f"diagnose(model=...): the matrices {shapes}, inner weights first, are none of a network of {inputs} "
            f"inputs and {outputs} outputs, which the table has."
        )
    if len(ways) > 1:
        raise ValueError(
            f"diagnose(names=...): the shapes of {_listed(arrays)} leave doubt which is which; say it: "
            'names={"weight": ..., "bias": ..., "output": ..., "offset": ...}.'
        )
    weight, output = ways[0].weight, ways[0].output
    width = len(weight)
    bias = [name for name, a in vectors.items() if a.size == width]
    offset = [name for name, a in vectors.items() if a.size == outputs and name not in bias[:1]]
    if len(bias[:1]) + len(offset[:1]) != len(vectors):
        raise ValueError(
            f"diagnose(names=...): the shapes of {_listed(vectors)} fit no biases of {width} neurons and {outputs} "
            "outputs; say which they are by names=...."
        )
    return {
        "weight": weight,
        "bias": vectors[bias[0]] if bias else None,
        "output": output,
        "offset": vectors[offset[0]] if offset else None,
    }


class _Way(NamedTuple):
    """A reading of two matrices: `weight` [N, d], `output` [N, C]; and whether both lie as their names say."""

    weight: np.ndarray
    output: np.ndarray
    by_name: bool


def _ways(matrices: dict[str, np.ndarray], inputs: int, outputs: int) -> list[_Way]:
    """All readings that fit a table, the inner weights first."""
    (one, w), (two, v) = matrices.items()
    out = []
    for turned, weight in ((True, w), (False, w.T)):
        for also, output in ((True, v.T), (False, v)):
            if weight.shape[1] == inputs and output.shape == (len(weight), outputs):
                out.append(_Way(weight, output, _lies(one) in (None, turned) and _lies(two) in (None, also)))
    return out


def _lies(name: str) -> bool | None:
    """Whether a matrix is [out, in] by its name: PyTorch's and Equinox's `weight` is, Flax's `kernel` is not."""
    return True if name.endswith("weight") else False if name.endswith("kernel") else None


def _listed(arrays: dict[str, Float[np.ndarray, "..."]]) -> str:
    return ", ".join(f"{name} {a.shape}" for name, a in arrays.items()) or "none"
