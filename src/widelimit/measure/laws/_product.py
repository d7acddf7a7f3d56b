"""Independent named blocks."""

import itertools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import known, split_key

from .._blocks import Block, Blocks, row_size
from ._arguments import checked_name
from ._cube import Nodes, Rows, tensor
from ._law import AbstractLaw

# More products than this are not worth taking a product of mixtures apart.
_MOST_PARTS = 4096


class Product(AbstractLaw):
    r"""Independent factors $\rho_1 \otimes \rho_2 \otimes \dots$, each a named block; built by `product`."""

    factors: tuple[AbstractLaw, ...] = ()
    shape: tuple[int, ...] = eqx.field(static=True, default=())
    blocks: Blocks = eqx.field(static=True, default=())

    def __init__(self, **laws: AbstractLaw) -> None:
        if not laws:
            raise ValueError("product(): at least one named law is needed, such as weight=Normal(0.0, 1.0).")
        for name, law in laws.items():
            checked_name(name, "product")
            if not isinstance(law, AbstractLaw):
                raise ValueError(f"product({name}=...): must be a law, got {law!r}; a constant is Atom(...).")
        self.factors = tuple(laws.values())
        self.blocks = tuple(Block(name, law.shape) for name, law in laws.items())
        self.shape = (row_size(self.blocks),)

    @property
    def cube_dim(self) -> int:
        return sum(law.cube_dim for law in self.factors)

    @property
    def n_atoms(self) -> int | None:
        counts = known([law.n_atoms for law in self.factors])
        return None if counts is None else math.prod(counts)

    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        keys = split_key(key, len(self.factors))
        return jnp.concatenate([law.draw(n, k) for law, k in zip(self.factors, keys, strict=True)], axis=1)

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        parts, start = [], 0
        for law in self.factors:
            parts.append(law.from_cube(u[:, start : start + law.cube_dim]))
            start += law.cube_dim
        return np.concatenate(parts, axis=1)

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        parts = zip(self.factors, self._columns(lower), self._columns(upper), strict=True)
        return np.prod([law.box_probability(a, b) for law, a, b in parts], axis=0)

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        logs = [law.log_density(part) for law, part in zip(self.factors, self._columns(x), strict=True)]
        return sum(logs[1:], logs[0])

    @property
    def normal(self) -> bool:
        return all(law.normal for law in self.factors)

    def mean(self) -> Float[Array, " D"] | None:
        means = known([law.mean() for law in self.factors])
        return None if means is None else jnp.concatenate(means)

    def covariance(self) -> Float[Array, "D D"] | None:
        spreads = known([law.covariance() for law in self.factors])
        return None if spreads is None else jax.scipy.linalg.block_diag(*spreads)

    def components(self) -> tuple[tuple[float, AbstractLaw], ...]:
        parts = [law.components() for law in self.factors]
        count = math.prod(len(part) for part in parts)
        if not 1 < count <= _MOST_PARTS:
            return ((1.0, self),)
        names = [block.name for block in self.blocks]
        return tuple(
            (math.prod(p for p, _ in chosen), Product(**dict(zip(names, (law for _, law in chosen), strict=True))))
            for chosen in itertools.product(*parts)
        )

    def marginals(self) -> tuple[AbstractLaw, ...] | None:
        parts = known([law.marginals() for law in self.factors])
        return None if parts is None else tuple(itertools.chain(*parts))

    def _columns(self, rows: Any) -> list[Any]:
        """The columns of each factor."""
        ends = np.cumsum([law.dim for law in self.factors])
        return [rows[:, end - law.dim : end] for law, end in zip(self.factors, ends, strict=True)]

    def gauss_size(self, n: int) -> int:
        return math.prod(law.gauss_size(n) for law in self.factors)

    def gauss(self, n: int) -> Nodes:
        return tensor([law.gauss(n) for law in self.factors])


def product(**laws: AbstractLaw) -> Product:
    """The law of independent blocks, named by the keywords, in the order given:

        product(output=Normal(0.0, 1.0), weight=Normal(0.0, 0.125, dim=64), bias=Atom(0.0))

    A factor built with dim=1 is a block of shape (); for shape (1,) say `dim=(1,)`.

    Raises `ValueError` for no law at all, for what is not a law, and for names that cannot name a block.
    """
    return Product(**laws)
