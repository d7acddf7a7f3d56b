r"""A kernel as a sum over nodes of the law, $\sum_i w_i \nabla\phi(\theta_i, x) \cdot \nabla\phi(\theta_i, x')$."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Blocks, laws, split
from widelimit.numerics import entries, map_rows, sum_chunks
from widelimit.problem.units import AbstractUnit

# Sobol sets, each scrambled on its own: their spread is the error. 3.5 standard errors are exceeded by chance one time
# in a hundred with eight of them (Student's law).
_SETS, _SURE = 8, 3.5
# A tensor of Gauss nodes for no more coordinates than this, and its check has this share of nodes a coordinate.
_TENSOR, _SHARE = 4, 0.75


class NodeSum(eqx.Module):
    """`sets` of rows [N, D] with weights [N]; the kernel is SUM_r share_r K_r.

    `factor`: the error is factor (SUM_r (K_r - K)^2)^(1/2). `scales`: factors of the columns' squares in grad phi; None
    for the kernel of phi itself.
    """

    unit: AbstractUnit
    sets: tuple[tuple[Float[Array, "_ _"], Float[Array, " _"]], ...]
    scales: Float[Array, " D"] | None
    shares: tuple[float, ...] = eqx.field(static=True)
    factor: float = eqx.field(static=True)
    blocks: Blocks = eqx.field(static=True)

    @property
    def exact(self) -> bool:
        """All atoms are no estimate."""
        return len(self.sets) == 1

    def __call__(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        used = [(share, each) for share, each in zip(self.shares, self.sets, strict=True) if share > 0.0]
        first, *rest = (share * self._sum(*each, x, other) for share, each in used)
        return sum(rest, first)

    def error(self, x: Float[Array, "n d"], other: Float[Array, "m d"]) -> Float[Array, "n m"]:
        tables = jnp.stack([self._sum(*each, x, other) for each in self.sets])
        whole = jnp.tensordot(jnp.asarray(self.shares), tables, axes=1)
        return self.factor * jnp.sqrt(jnp.sum((tables - whole) ** 2, axis=0))

    def diagonal(self, x: Float[Array, "n d"]) -> Float[Array, " n"]:
        rows, w = self.sets[0]
        return map_rows(lambda point: self._sum(rows, w, point[None], point[None])[0, 0], x, 1)

    def _sum(self, rows: Any, w: Any, x: Any, other: Any) -> Float[Array, "n m"]:
        def piece(rows: Any, w: Any) -> Any:
            left, right = (jax.vmap(lambda row, at=at: self._features(row, at))(rows) for at in (x, other))
            return jnp.einsum("i,iak,ibk,k->ab", w, left, right, jnp.ones(1) if self.scales is None else self.scales)

        width = (x.shape[0] + other.shape[0]) * (1 if self.scales is None else rows.shape[1])
        return sum_chunks(piece, (rows,), w, max(1, entries(None) // width))

    def _features(self, row: Any, points: Any) -> Float[Array, "n K"]:
        def phi(row: Any, point: Any) -> Any:
            return self.unit(split(self.blocks, row), point)

        if self.scales is not None:
            return jax.vmap(lambda point: jax.grad(phi)(row, point))(points)
        return jax.vmap(lambda point: phi(row, point)[None])(points)


def node_sum(
    unit: AbstractUnit, law: laws.AbstractLaw, blocks: Blocks, full: Any, count: int, who: str, *, scales: Any
) -> NodeSum:
    """All atoms; else a tensor of Gauss nodes for a smooth unit of few parameters; else Sobol points, `count` in all.

    `full`: rows of the law as rows of all blocks. Raises `ValueError` for a law without a map from the unit cube.
    """

    def ready(*sets: Any) -> tuple[Any, ...]:
        return tuple((jnp.asarray(full(np.asarray(rows, float))), jnp.asarray(w, float)) for rows, w in sets)

    if law.n_atoms is not None:
        return NodeSum(unit, ready(law.gauss(1)), scales, (1.0,), 0.0, blocks)
    tensor = None if unit.kinked else _tensor(law, count)
    if tensor is not None:
        return NodeSum(unit, ready(*tensor), scales, (1.0, 0.0), 1.0, blocks)
    each = max(2, count // _SETS)
    try:
        sets = [law.quantise(each, laws.Sobol(seed)) for seed in range(_SETS)]
    except ValueError as error:
        raise ValueError(
            f"{who}(law=...): {type(law).__name__} has no closed form here and no map from the unit cube ({error}); "
            "take a sample: laws.Empirical(law.sample(n, key=...).positions, blocks=law.blocks)."
        ) from None
    factor = _SURE / (_SETS * (_SETS - 1)) ** 0.5
    pairs = [(each.positions, each.weights) for each in sets]
    return NodeSum(unit, ready(*pairs), scales, (1.0 / _SETS,) * _SETS, factor, blocks)


def _tensor(law: laws.AbstractLaw, count: int) -> list[Any] | None:
    """Gauss nodes and fewer of them to check them by; None where there are none or too few a coordinate."""
    if not 1 <= law.cube_dim <= _TENSOR:
        return None
    each = int(count ** (1.0 / law.cube_dim))
    try:
        return [law.gauss(n) for n in (each, max(1, int(_SHARE * each)))]
    except ValueError:
        return None
