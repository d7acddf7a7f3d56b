r"""What is left of a univariate ReLU neuron when the freedom to rescale its weights is divided out (williams2019, 2.2).

With the factor $k = N/\alpha(N)$ of the full problem's output scale,

$$r = k\,c\,|(a, b)|,\quad (\cos\vartheta, \sin\vartheta) = (a, b)/|(a, b)|,\quad \delta = k\,(c^2 - a^2 - b^2),$$

and the flow of (r, angle) under `mobilities.Lifted` is that of (a, b, c), with its time multiplied by k.
"""

from typing import Any, ClassVar

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks, Particles, row_size, split

from ..scales import AbstractScale
from ..units._canonical import lifted
from ._abstract import AbstractSymmetry


class Rescaling(AbstractSymmetry):
    r"""$(a, b, c) \mapsto (k a, k b, c/k)$, k > 0, divided out of a problem of univariate ReLU neurons.

    - `full`, `reduced`: the blocks of both problems; `scale`: the full problem's.
    - `delta`: of the particles of a start, one number or [N]; None where it is infinite, or not a part of the problem.
    - `why`: where there is no delta, why a measure has no full parameters.
    """

    full: Blocks = eqx.field(static=True)
    reduced: Blocks = eqx.field(static=True)
    scale: AbstractScale
    delta: Float[Array, "..."] | None
    why: str = eqx.field(static=True)
    hides: ClassVar[bool] = False

    def project(self, measure: Any) -> Particles:
        """Full particles as canonical ones, each with its own delta; a neuron with a = b = 0 gets the angle 0.

        Raises `ValueError` for a law: sample it.
        """
        theta = split(self.full, _particles(measure, "project").arranged(self.full).positions)
        k = self.scale.factor(len(measure))
        a, b, c = theta.weight[:, 0], theta.bias, theta.output
        square = a**2 + b**2
        # 2 pi - 1e-17 is 2 pi in floats, which is 0 again.
        turn = jnp.mod(jnp.arctan2(b, a), 2.0 * jnp.pi)
        angle = jnp.where(turn < 2.0 * jnp.pi, turn, 0.0)
        found = {"r": k * c * jnp.sqrt(square), "angle": angle, "delta": k * (c**2 - square)}
        return self._packed(self.reduced, measure, found)

    def lift(self, measure: Particles, *, key: PRNGKeyArray | None = None) -> Particles:
        """Canonical particles and their delta as full ones, with c >= 0 where r = 0; it needs no key.

        Raises `ValueError` for a problem without a finite delta.
        """
        if self.delta is None:
            raise ValueError(f"lift: {self.why}")
        theta = split(self.reduced, _particles(measure, "lift").arranged(self.reduced).positions)
        charge, length = lifted(theta.r, theta.delta)
        unscaled = 1.0 / jnp.sqrt(self.scale.factor(len(measure)))
        a, b = length * jnp.cos(theta.angle) * unscaled, length * jnp.sin(theta.angle) * unscaled
        return self._packed(self.full, measure, {"output": charge * unscaled, "weight": a[:, None], "bias": b})

    def log_volume(self, theta: Any) -> Float[Array, ""]:
        raise ValueError("the canonical problem has no temperature: noise acts on a, b and c; take the full problem.")

    def completed(self, measure: Particles) -> Particles:
        """Particles (r, angle) with the problem's delta. Raises `ValueError` where there are not as many deltas."""
        if self.delta is None or measure.dim == row_size(self.reduced):
            return measure
        named = measure.arranged(self.reduced[:2])
        if self.delta.ndim and self.delta.shape != (len(measure),):
            raise ValueError(f"start: the problem has {self.delta.shape[0]} deltas, the start {len(measure)} neurons.")
        column = jnp.broadcast_to(self.delta, (len(measure),)).astype(named.positions.dtype)
        return Particles(jnp.column_stack([named.positions, column]), measure.weights, blocks=self.reduced)

    def _packed(self, blocks: Blocks, measure: Particles, found: dict[str, Array]) -> Particles:
        return Particles(jnp.column_stack([found[block.name] for block in blocks]), measure.weights, blocks=blocks)


def deltas(delta: Any) -> tuple[Float[Array, "..."] | None, float]:
    """The finite deltas (one or [N]), or None and +-infinity. Raises `ValueError` for others, and for a mixture."""
    if isinstance(delta, Tracer):
        return delta, 0.0
    values = np.asarray(delta, float)
    if values.ndim > 1 or values.size == 0 or np.any(np.isnan(values)):
        raise ValueError(f"canonical_relu(delta=...): expected a number or one number a neuron, got {delta!r}.")
    infinite = np.isinf(values)
    if not infinite.any():
        return jnp.asarray(values), 0.0
    if not infinite.all() or len(set(values.ravel())) > 1:
        raise ValueError(
            "canonical_relu(delta=...): finite and infinite delta together have no common time (at infinity it is "
            "delta t); take all finite, all +infinity or all -infinity."
        )
    return None, float(values.ravel()[0])


def _particles(measure: Any, who: str) -> Particles:
    if not isinstance(measure, Particles):
        raise ValueError(f"{who}(measure): expected Particles, got {type(measure).__name__}; sample or quantise it.")
    return measure
