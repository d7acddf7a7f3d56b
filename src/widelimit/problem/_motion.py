"""How particles may move: along -P grad psi, within a domain, through the proximal maps of rough penalties."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from . import domains, mobilities, penalties


class Motion(NamedTuple):
    """What of a problem holds its particles and scales their steps."""

    penalty: penalties.AbstractPenalty | None
    domain: domains.Product
    mobility: mobilities.AbstractMobility

    @property
    def smooth(self) -> bool:
        """Whether no penalty needs a proximal map."""
        return self.penalty is None or self.penalty.smooth

    def velocity(self, theta: Any, gradient: Any) -> Any:
        """-P grad psi, projected onto the tangent cone of the domain."""
        drift = jax.tree.map(jnp.negative, jax.vmap(self.mobility)(theta, gradient))
        if self.domain.unconstrained:
            return drift
        inside = self.domain.projected(theta, drift)
        if self.smooth:
            return inside
        # Before a proximal map a wall must not be felt: the penalty may pull a particle off it. `prox` clips after.
        # Walls that bend are felt: no such penalty touches their blocks, and a step off them would turn short.
        boxed = [name for name, wall in self._walls(theta).items() if wall.box]
        return inside._replace(**{name: getattr(drift, name) for name in boxed})

    def prox(self, theta: Any, step: Any) -> Any:
        """The proximal map of non-smooth penalties and walls, for time `step`, in the metric of the mobility."""
        if self.smooth:
            return theta
        for term in penalties.parts(self.penalty):
            if not term.smooth:
                scaled = type(theta)(*(step * scale for scale in self.mobility.scales(theta) or ()))
                theta = jax.vmap(term.prox, in_axes=(0, None))(theta, scaled)
        walls = self._walls(theta).items()
        return theta._replace(**{name: jax.vmap(wall.retract)(getattr(theta, name)) for name, wall in walls})

    def _walls(self, theta: Any) -> dict[str, domains.AbstractDomain]:
        return {name: self.domain.of(name) for name in theta._fields if self.domain.of(name).walls}
