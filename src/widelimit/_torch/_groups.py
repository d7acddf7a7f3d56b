r"""One SGD step in both parametrisations.

PyTorch's network of width N and output scale gamma, this library's with the output scale kappa = N / alpha(N):

$$f = \gamma \Big(\sum_i v_i\,\sigma(w_i \cdot x + b_i) + o\Big) = \kappa \Big(\frac1N \sum_i c_i\,\sigma(w_i \cdot x +
b_i) + \frac1N \sum_i a_i\Big).$$

Each block z of the library is a multiple of a parameter p of PyTorch, z = m p, which is one of n = N neurons, or the
one bias that all neurons' equal offsets are (n = 1):

    weight, bias    m = 1              n = N
    output          m = gamma N/kappa  n = N
    offset          m = gamma/kappa    n = 1

grad psi in z is n/m times the derivative of the risk in p (a neuron's mass is 1/N; the N offsets move together). So
p -> p - eta (dR/dp + delta p), SGD with learning rate eta and weight decay delta, is
z -> z - s P (grad psi + 2 lambda z) with

$$s P = \eta\,\frac{m^2}{n},\qquad \lambda = \frac{\delta}{2}\,\frac{n}{m^2}.$$
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from widelimit.numerics import real_number

GROUPS = ("weight", "bias", "output", "offset")
"""Weight and bias of the first Linear, weight and bias of the second; the library's blocks have the same names."""


class Group(NamedTuple):
    """How the parameters of a group belong to the library's block: z = `factor` p, shared by `count` neurons."""

    factor: float
    count: int

    @property
    def mobility(self) -> float:
        """s P for the learning rate 1."""
        return self.factor**2 / self.count


def groups_of(width: int, output_scale: float, scale: float) -> dict[str, Group]:
    """The groups at a width N; `output_scale`: gamma, `scale`: kappa."""
    return {
        "weight": Group(1.0, width),
        "bias": Group(1.0, width),
        "output": Group(output_scale * width / scale, width),
        "offset": Group(output_scale / scale, 1),
    }


def by_group(value: Any, there: tuple[str, ...], what: str, default: float | None = None) -> dict[str, float]:
    """A number for every group that is there: the same for all, or by name. Raises `ValueError`."""
    if not isinstance(value, Mapping):
        return dict.fromkeys(there, real_number(value, what, least=0.0))
    for name in value:
        if name not in there:
            raise ValueError(f"{what}: there is no group {name!r}; the network has {', '.join(there)}.")
    missing = [name for name in there if name not in value]
    if missing and default is None:
        raise ValueError(f"{what}: says nothing of {', '.join(missing)}; 0 freezes a group.")
    return {name: real_number(value.get(name, default), f"{what}: {name}", least=0.0) for name in there}
