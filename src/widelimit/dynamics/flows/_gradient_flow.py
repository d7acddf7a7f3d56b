"""The gradient flow of the particles: the mean-field limit's own dynamics at finite N."""

from typing import Any, ClassVar

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from widelimit.numerics.registry import named, several, text
from widelimit.problem import Problem, moving, named_blocks

from .. import schedules
from .._dynamics import Facts, Start, Theta, Weights, registry, start_particles
from ..integrators import AbstractIntegrator, registry as integrators
from ..kinks import KinkedNeurons, kinked_neurons
from ._flow import AbstractOnePass, Rates, particle_norm, weighted


class GradientFlow(AbstractOnePass):
    r"""$\dot\theta_i = -\xi(t)\,P\nabla\psi(\theta_i; \rho_t)$, weights constant.

    Integrated in $\tau = \int_0^t \xi$, where the flow is autonomous. Beside the particles it integrates the energy
    dissipated, $\int_0^\tau \int \nabla\psi \cdot P\nabla\psi\,d\rho$, which must equal the fall of the objective:
    `analysis.dissipation` compares the two.

    **Arguments**

    - `integrator`, `schedule`: see `AbstractFlow`.
    - `trainable`: the name or names of the blocks that move; all by default.
    """

    integrator: AbstractIntegrator | None = None
    proximal: ClassVar[bool] = True
    trainable: tuple[str, ...] | None = eqx.field(default=None, static=True, kw_only=True, converter=named_blocks)

    def start(self, problem: Problem, theta: Theta, w: Weights) -> Theta:
        return theta

    def positions(self, y: Theta) -> Theta:
        return y

    def rates(self, problem: Problem, carried: Weights, y: Theta) -> Rates:
        gradient = problem.variation(y, carried).gradient
        drift = self._moved(problem, problem.velocity(y, gradient), jax.tree.map(jnp.zeros_like, y))
        power = [
            weighted(carried, getattr(gradient, name), getattr(drift, name)) for name in moving(problem, self.trainable)
        ]
        return Rates(drift, -sum(power, jnp.zeros(())))

    def facts(self, problem: Problem) -> Facts:
        # A kink in the unit, or a wall, breaks the smoothness that a high order rests on; with exact integrals, too:
        # where two knots cross, the second derivative of the velocity jumps.
        rough = problem.integrals.kinked or not problem.domain.unconstrained
        return Facts(
            order=None if rough else self.method(problem, None).order,
            conserves=("mass", "particles"),
            decreases=("objective",),
            splits=problem.scale.mean_field and problem.levels is None,
            permutes=problem.levels is None,
            adaptive=self.method(problem, None).fixed is None,
        )

    @property
    def descends(self) -> bool:
        return True

    def placed(self, problem: Problem, start: Start) -> Any:
        moving(problem, self.trainable)
        return super().placed(problem, start)

    def neurons(self, problem: Problem, carried: Weights) -> KinkedNeurons:
        return kinked_neurons(problem, carried, self.trainable, "GradientFlow(integrator=Filippov)")

    def prox(self, problem: Problem, y: Theta, step: Float[Array, ""]) -> Theta:
        return self._moved(problem, problem.prox(y, step), y)

    def put_back(self, problem: Problem, y: Theta) -> Theta:
        return y if problem.domain.unconstrained else self._moved(problem, problem.retract(y), y)

    def norm(self, carried: Weights, scaled: Theta) -> Float[Array, ""]:
        return particle_norm(carried, [getattr(scaled, name) for name in self.trainable or scaled._fields])

    def _moved(self, problem: Problem, new: Theta, old: Theta) -> Theta:
        """The blocks that move as in `new`, the others as in `old`."""
        return old._replace(**{name: getattr(new, name) for name in moving(problem, self.trainable)})


registry.add(
    "gradient_flow",
    GradientFlow,
    particles=start_particles,
    integrator=named(integrators),
    schedule=named(schedules.registry),
    trainable=several(text),
)
