"""PyTorch's initialisations, and the laws that they are of a neuron's blocks."""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from widelimit.measure import laws
from widelimit.numerics import real_number
from widelimit.results import one_of

from ._groups import Group

_NAMES = ("default", "xavier_uniform", "xavier_normal", "kaiming_uniform", "kaiming_normal", "zeros")
_KINDS = ("uniform", "normal", "constant")


class Init(NamedTuple):
    """Independent numbers: uniform on [-size, size], normal of this deviation, or all this constant."""

    kind: str
    size: float

    def __str__(self) -> str:
        if self.size == 0.0:
            return "0"
        return {"uniform": "U(±{:.4g})", "normal": "N(0, {:.4g}²)", "constant": "{:.4g}"}[self.kind].format(self.size)

    def times(self, factor: float) -> "Init":
        return Init(self.kind, factor * self.size)

    def law(self, shape: tuple[int, ...]) -> laws.AbstractLaw:
        """The law of a block."""
        dim = shape or 1
        if self.size == 0.0 or self.kind == "constant":
            return laws.Atom(jnp.full(shape, self.size))
        return laws.Uniform(-self.size, self.size, dim) if self.kind == "uniform" else laws.Normal(0.0, self.size, dim)

    def sample(self, shape: tuple[int, ...], key: Array) -> Array:
        """One block."""
        return self.law(shape).sample(1, key=key).positions[0].reshape(shape)


def inits_of(given: Any, fans: Mapping[str, tuple[int, int]], what: str) -> dict[str, Init]:
    """The start of each group: `fans` has (inputs, outputs) of the layer of each that is there.

    Raises `ValueError` for a name or a group that is not known.
    """
    said = {} if given is None else given if isinstance(given, Mapping) else dict.fromkeys(_matrices(fans), given)
    for name in said:
        if name not in fans:
            raise ValueError(f"{what}: there is no group {name!r}; the network has {', '.join(fans)}.")
    return {name: _init(said.get(name, "default"), name, *fan, f"{what}: {name}") for name, fan in fans.items()}


def _matrices(fans: Mapping[str, Any]) -> list[str]:
    return [name for name in fans if name in ("weight", "output")]


def _init(said: Any, name: str, inputs: int, outputs: int, what: str) -> Init:
    if isinstance(said, tuple) and len(said) == 2:
        one_of(said[0], _KINDS, what)
        return Init(said[0], real_number(said[1], what, **({} if said[0] == "constant" else {"least": 0.0})))
    if not isinstance(said, str):
        return Init("constant", real_number(said, what))
    one_of(said, _NAMES, what)
    if said in ("default", "zeros"):
        # Linear.reset_parameters: kaiming_uniform_(weight, a=sqrt(5)) is this bound as well.
        return Init("uniform", 1.0 / math.sqrt(inputs)) if said == "default" else Init("constant", 0.0)
    if name in ("bias", "offset"):
        raise ValueError(f"{what}: {said} is for matrices; a bias takes 'default', 'zeros', a number or a pair.")
    # kaiming: the gain of ReLU and the fan of the inputs, as torch.nn.init has them by default.
    std = math.sqrt(2.0 / (inputs + outputs if said.startswith("xavier") else inputs))
    return Init("normal", std) if said.endswith("normal") else Init("uniform", math.sqrt(3.0) * std)


def start_law(
    inits: Mapping[str, Init], groups: Mapping[str, Group], shapes: Mapping[str, tuple[int, ...]]
) -> laws.AbstractLaw:
    """The law of a neuron. The output bias is one number: where it is random, its mean, which is what a limit has."""
    mean = {"offset": Init("constant", 0.0)} if "offset" in inits and inits["offset"].kind != "constant" else {}
    said = {**inits, **mean}
    return laws.product(**{name: said[name].times(groups[name].factor).law(shape) for name, shape in shapes.items()})
