"""Particles that carry the density along: the transport equation by the method of characteristics."""

from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from widelimit.measure import Particles, join, laws, split
from widelimit.numerics import entries, map_rows, whole_number
from widelimit.numerics.registry import named, whole
from widelimit.problem import Problem

from .. import schedules
from .._dynamics import Facts, Noise, Start, Theta, Weights, registry, require_mean
from ..clocks import Reading
from ..integrators import AbstractIntegrator, Tsit5, registry as integrators
from ._flow import AbstractOnePass, FlowState, Rates, drift_along, weighted


class Carrier(NamedTuple):
    """Particles and log rho_t [N] at them."""

    theta: Theta
    log_density: Float[Array, " N"]


class Masses(NamedTuple):
    """Weights [N], and whether a particle has left the domain."""

    weights: Weights
    left: Bool[Array, ""]


class Characteristics(AbstractOnePass):
    r"""The transport equation at temperature 0 along its characteristics, which carry the density,

    $$\dot X = -\xi P\nabla\psi(X; \rho_t), \qquad
    \frac{d}{dt}\log\rho_t(X(t)) = \xi\,\mathrm{div}(P\nabla\psi)(X(t); \rho_t).$$

    The particles stand for rho in psi as those of `GradientFlow` do, and their number sets the error; the divergence is
    an exact trace of derivatives at the particle, D products each, with the rest of rho held. It observes:

    - `log_density`: [N], log rho_t at each particle, a density in the parameters of this problem (of a reduced one: in
      the reduced parameters).
    - `entropy`: $-\int \rho_t \log\rho_t$, as the mean over the particles.
    - `dissipated`: see `GradientFlow`.

    It starts from a law that has a density, or from a density on a grid. At a wall mass has no density, so that a run
    stops when a particle reaches one.

    **Arguments**

    - `particles`: how many stand for a law, placed by the law's default rule.
    - `integrator`: `Tsit5(1e-8, 1e-10)` by default; `schedule`: see `AbstractFlow`.

    Raises `ValueError` for other values, and in a run for a rough problem (`Problem.rough`; the density of a kinked
    unit jumps), a non-smooth penalty, a sphere as domain and a start without density.
    """

    particles: int = eqx.field(
        default=1024, static=True, converter=lambda n: whole_number(n, "Characteristics(particles=...)", least=1)
    )

    def start(self, problem: Problem, theta: Theta, w: Weights) -> Carrier:
        """Log densities relative to those of the start, which particles do not have."""
        return Carrier(theta, jnp.zeros_like(w))

    def positions(self, y: Carrier) -> Theta:
        return y.theta

    def begin(self, problem: Problem, measure: Start, end: Float[Array, ""]) -> tuple[Carrier, Masses]:
        rows, weights, logs = _density(problem, measure, self.particles)
        if not problem.domain.unconstrained and not bool(jnp.all(_starts_inside(problem, rows))):
            raise ValueError(
                "evolve(measure=...): some of the start's mass lies outside the problem's domain, or on its wall, "
                "where Characteristics has no density to carry."
            )
        y = self.start(problem, split(problem.blocks, rows), weights)
        return y._replace(log_density=logs), Masses(weights, jnp.asarray(False))

    def rates(self, problem: Problem, carried: Masses, y: Carrier) -> Rates:
        """Walls are not felt: a run ends at them."""
        potential = problem.potential(problem.pack(problem.retract(y.theta), carried.weights))
        # A particle takes its D derivatives on all the data at once.
        size = max(1, entries(problem.budget) // (potential.field.entries * problem.dim))
        rows = join(problem.blocks, y.theta)

        def along(row: Any) -> Any:
            jacobian, drift, power = drift_along(problem, potential, row)
            return drift, jnp.trace(jacobian), power

        drift, divergence, power = map_rows(along, rows, size)
        return Rates(Carrier(split(problem.blocks, drift), -divergence), jnp.sum(carried.weights * power))

    def method(self, problem: Problem, carried: Any) -> AbstractIntegrator:
        return Tsit5(1e-8, 1e-10) if self.integrator is None else self.integrator

    def put_back(self, problem: Problem, y: Carrier) -> Carrier:
        # On a circle rows go round, so that they stay smooth.
        return y

    def norm(self, carried: Masses, scaled: Carrier) -> Float[Array, ""]:
        """The larger of the root mean squares over the particles of rows and of log densities."""
        blocks = [weighted(carried.weights, leaf, leaf) for leaf in scaled.theta]
        size = sum(leaf.size // leaf.shape[0] for leaf in scaled.theta)
        logs = jnp.sum(carried.weights * scaled.log_density**2)
        return jnp.sqrt(jnp.maximum(sum(blocks, jnp.zeros(())) / size, logs))

    def facts(self, problem: Problem) -> Facts:
        return Facts(
            # Where two knots of a spline cross, the second derivative of the velocity jumps.
            order=None if problem.integrals.kinked else self.method(problem, None).order,
            conserves=("mass", "particles"),
            decreases=("objective",),
            # It makes its own particles, so none can be split or relabelled.
            adaptive=self.method(problem, None).fixed is None,
        )

    def placed(self, problem: Problem, start: Start) -> None:
        """Raise `ValueError` where the density does not follow the characteristics smoothly."""
        problem.integrals.require_deterministic("Characteristics")
        if isinstance(start, Particles) or (isinstance(start, laws.AbstractLaw) and start.n_atoms is not None):
            raise ValueError(
                f"evolve(measure=...): Characteristics carries a density along, and {type(start).__name__} has none; "
                "start from a law such as laws.Normal, or use GradientFlow."
            )
        problem.check_columns(start)
        if problem.rough or not problem.smooth:
            what = "unit has kinks, where the density jumps" if problem.rough else "penalty is not smooth"
            raise ValueError(
                f"Characteristics: the problem's {what}; use GradientFlow, or a smooth unit (a smooth activation, or "
                "problem.reduced(), whose unit is averaged over directions)."
            )
        require_mean(problem, "Characteristics")
        for block in problem.blocks:
            domain = problem.domain.of(block.name)
            if not domain.flat:
                kind = type(domain).__name__.lower()
                raise ValueError(f"Characteristics: {block.name!r} lives on a {kind}, where rows have no density.")

    def step(self, problem: Problem, state: FlowState, noise: Noise) -> FlowState:
        new = self.move(problem, state, False)
        if problem.domain.unconstrained:
            return new
        left = state.carried.left | ~jnp.all(_inside(problem, join(problem.blocks, new.y[0].theta)))
        return eqx.tree_at(lambda s: s.carried, new, state.carried._replace(left=left))

    def measure(self, problem: Problem, state: FlowState, reading: Reading) -> Particles:
        y, _ = self.at(problem, state, reading)
        return problem.pack(problem.retract(y.theta), state.carried.weights)

    def record(self, problem: Problem, state: FlowState, reading: Reading) -> dict[str, Array]:
        y, energy = self.at(problem, state, reading)
        entropy = -jnp.sum(state.carried.weights * y.log_density)
        return {"log_density": y.log_density, "entropy": entropy, "dissipated": energy}

    def stalled(self, problem: Problem, state: FlowState) -> Bool[Array, ""]:
        return state.carried.left | super().stalled(problem, state)

    def advice(self, problem: Problem, start: Start) -> str:
        if not problem.domain.unconstrained:
            return (
                "mass may have reached a wall, where it has no density: shorten t1, or use GradientFlow or TransportPDE"
            )
        return "the flow itself blows up or is too rough: shorten t1, or add a penalty"


def _density(problem: Problem, measure: Start, n: int) -> tuple[Array, Array, Array]:
    """Rows [N, D], weights [N] and log densities [N]: the occupied cells of a grid, or n particles of a law."""
    if measure.grid is not None:
        kept = np.asarray(measure.weights) > 0
        return measure.positions[kept], measure.weights[kept], jnp.log(measure.density.ravel()[kept])
    assert isinstance(measure, laws.AbstractLaw)
    points = measure.quantise(n)
    rows = points.positions.astype(float)
    return rows, points.weights.astype(float), measure.log_density(rows)


def _starts_inside(problem: Problem, rows: Float[Array, "N D"]) -> Any:
    # On a circle a start that goes round would have more than one density at a place.
    return _inside(problem, rows) & jax.vmap(problem.domain.contains)(split(problem.blocks, rows))


def _inside(problem: Problem, rows: Float[Array, "N D"]) -> Any:
    """Whether no row is on a wall, or beyond; a circle has none."""
    return ~jax.vmap(problem.domain.on_wall)(split(problem.blocks, rows))


registry.add(
    "characteristics",
    Characteristics,
    particles=whole(doubled=(64, 1024)),
    integrator=named(integrators),
    schedule=named(schedules.registry),
)
