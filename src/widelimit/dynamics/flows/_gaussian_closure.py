"""A narrow cloud of particles by its mean and covariance."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles, covariance, describe, join, laws, moment, split
from widelimit.numerics.registry import number
from widelimit.problem import Problem

from .._dynamics import AbstractDynamics, Facts, Noise, Start, refusal, registry
from ..clocks import Reading
from ..integrators import AbstractIntegrator, Step, Tsit5


class ClosureState(eqx.Module):
    """`y`: (mean b [D], M [D, D] with A = M A_0 M^T, the energy dissipated so far); `start`: A_0."""

    y: Any
    k: Array
    clock: Float[Array, ""]
    previous: Float[Array, ""]
    memory: Any
    start: Float[Array, "D D"]
    end: Float[Array, ""]


class GaussianClosure(AbstractDynamics[ClosureState]):
    r"""The mean b and covariance A of a narrow normal distribution (yarotsky2018 (28), (29)),

    $$\dot b = -P\nabla\psi(b; \delta_b),\qquad \dot A = J A + A J^T,\qquad
    J = D_\theta\big({-P}\nabla\psi(\theta; \delta_b)\big)\big|_{\theta = b},$$

    with J = P H, H = -Hess psi(b; delta_b), for a constant mobility. The mean moves as a network of one neuron, and the
    cloud widens along the eigenvectors of H with positive eigenvalues. A is carried as $M A_0 M^T$ with
    $\dot M = J M$, so that it stays positive semidefinite and keeps its relative accuracy however small it is. The
    error is O(|A|) for a smooth unit; for `units.FreeKnot` on an interval, whose Hessian comes from exact integrals,
    O(|A|^(1/2)), because of the kink.

    The trajectory has one particle, at b; it observes

    - `mean`: b, [D]; `covariance`: A, [D, D]; `dissipated`: see `GradientFlow`, for the neuron at b.

    It starts from `laws.Gaussian`, `Normal`, `Atom` and their products, or from the mean and covariance of particles.

    **Arguments**

    - `integrator`: from `widelimit.integrators`; `Tsit5(1e-8, 1e-10)` by default.

    Raises `ValueError` for other values, and in a run for a rough problem (automatic differentiation takes the Hessian
    of a kinked unit for zero), a non-smooth penalty, a bounded domain, an output scale that depends on N, data without
    nodes and other starts.
    """

    integrator: AbstractIntegrator | None

    def __init__(self, integrator: Any = None) -> None:
        if integrator is not None and not isinstance(integrator, AbstractIntegrator):
            raise ValueError(
                f"GaussianClosure(integrator=...): expected one of widelimit.integrators, got {integrator!r}."
            )
        self.integrator = integrator

    def facts(self, problem: Problem) -> Facts:
        return Facts(
            # A knot that enters the interval meets a jump in a derivative of the velocity.
            order=None if problem.integrals.kinked else self._integrator.order,
            conserves=("mass",),
            decreases=("objective",),
            # It makes its own particle, so none can be split or relabelled.
            splits=False,
            permutes=False,
        )

    def reports(self, problem: Problem) -> tuple[str, ...]:
        return "mean", "covariance"

    def accepts(self, problem: Problem, start: Start) -> str | None:
        return refusal(_check, problem, start)

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> ClosureState:
        self.check(problem, measure)
        mean, cov = _moments(problem, measure)
        return _begin(self, problem, jnp.asarray(mean, float), jnp.asarray(cov, float), jnp.asarray(t1, float))

    def step(self, problem: Problem, state: ClosureState, noise: Noise) -> ClosureState:
        new = self._integrator.step(_Field(problem), _step_of(state), state.end)
        return ClosureState(new.y, state.k + 1, new.clock, new.previous, new.memory, state.start, state.end)

    def measure(self, problem: Problem, state: ClosureState, reading: Reading) -> Particles:
        return Particles(self._at(problem, state, reading)[0][None], blocks=problem.blocks)

    def record(self, problem: Problem, state: ClosureState, reading: Reading) -> dict[str, Array]:
        mean, spread, energy = self._at(problem, state, reading)
        return {"mean": mean, "covariance": spread @ state.start @ spread.T, "dissipated": energy}

    def stalled(self, problem: Problem, state: ClosureState) -> Any:
        return self._integrator.stalled(_step_of(state)) & (state.clock < state.end)

    def advice(self, problem: Problem, measure: Start) -> str:
        return "the mean itself blows up, or the cloud is no longer narrow: shorten t1, or add a penalty"

    @property
    def _integrator(self) -> AbstractIntegrator:
        return Tsit5(1e-8, 1e-10) if self.integrator is None else self.integrator

    def _at(self, problem: Problem, state: ClosureState, clock: Any) -> Any:
        shown = self._integrator.within(_Field(problem), _step_of(state), clock)
        return jax.tree.map(lambda y, z: jnp.where(clock >= state.clock, y, z), state.y, shown)


class _Field(eqx.Module):
    """The velocity of (b, M, dissipated energy)."""

    problem: Problem

    def velocity(self, y: Any) -> Any:
        row, spread, _ = y
        problem = self.problem
        potential = problem.potential(Particles(row[None], jnp.ones(1), blocks=problem.blocks))

        def drift(row: Any) -> Any:
            theta = split(problem.blocks, row)
            gradient = jax.grad(potential.at)(theta)
            v = -join(problem.blocks, problem.mobility(theta, gradient))
            return v, (v, -jnp.vdot(join(problem.blocks, gradient), v))

        jacobian, (v, power) = jax.jacfwd(drift, has_aux=True)(row)
        return v, jacobian @ spread, power

    def retract(self, y: Any) -> Any:
        return y

    def prox(self, y: Any, step: Any) -> Any:
        return y

    def account(self, before: Any, after: Any, step: Any) -> Any:
        return after

    def norm(self, scaled: Any) -> Any:
        """The largest of the root mean squares of b and M, and the energy's."""
        row, spread, energy = scaled
        squares = jnp.stack([jnp.mean(row**2), jnp.mean(spread**2)])
        return jnp.maximum(jnp.sqrt(jnp.max(squares)), jnp.abs(energy))

    @property
    def jumps(self) -> bool:
        return False


@eqx.filter_jit
def _begin(dynamics: GaussianClosure, problem: Problem, mean: Any, cov: Any, end: Any) -> ClosureState:
    y = (mean, jnp.eye(mean.shape[0]), jnp.zeros(()))
    first = dynamics._integrator.start(_Field(problem), y, end)
    return ClosureState(
        first.y, jnp.zeros((), jnp.int64), first.clock, first.previous, first.memory, 0.5 * (cov + cov.T), end
    )


def _step_of(state: ClosureState) -> Step:
    return Step(state.clock, state.previous, state.y, state.memory)


def _moments(problem: Problem, measure: Start) -> tuple[np.ndarray, np.ndarray]:
    """Mean [D] and covariance [D, D] of the start. Raises `ValueError` where it is no Gaussian and no measure."""
    if measure.dim != problem.dim or measure.blocks not in ((), problem.blocks):
        own = f" ({describe(measure.blocks)})" if measure.blocks else ""
        raise ValueError(
            f"evolve(measure=...): the start has {measure.dim} columns{own}, the unit needs {problem.dim}: "
            f"{describe(problem.blocks)}."
        )
    if not isinstance(measure, laws.AbstractLaw):
        return np.asarray(moment(measure) / measure.mass), np.asarray(covariance(measure))
    mean, cov = measure.mean(), measure.covariance()
    if not measure.normal or mean is None or cov is None:
        odd = next((factor for factor in measure.factors if not factor.normal), measure)
        raise ValueError(
            f"evolve(measure=...): GaussianClosure starts from normal laws, this is {type(odd).__name__}; sample "
            "or quantise it first, and its mean and covariance are taken."
        )
    return np.asarray(mean), np.asarray(cov)


def _check(problem: Problem, start: Start) -> None:
    """Raise `ValueError` where a cloud does not move by a mean and a Hessian."""
    problem.integrals.require_deterministic("GaussianClosure")
    if problem.rough or not problem.smooth:
        what = "unit has kinks, which have no Hessian" if problem.rough else "penalty is not smooth"
        raise ValueError(
            f"GaussianClosure: the problem's {what}; use GradientFlow, a smooth unit, or exact integrals "
            "(problems.free_knot_spline)."
        )
    if not problem.domain.unconstrained:
        raise ValueError("GaussianClosure: a normal cloud does not fit into a bounded domain; use GradientFlow.")
    if not problem.scale.mean_field:
        raise ValueError("GaussianClosure is of the mean-field limit; Problem(scale=...) must be scales.MeanField().")


def _with_tolerance(rtol: float = 1e-8) -> GaussianClosure:
    """The mean and covariance of a narrow normal distribution (yarotsky2018 (28), (29)), of one particle."""
    return GaussianClosure(Tsit5(rtol, 1e-2 * rtol))


registry.add("gaussian_closure", _with_tolerance, rtol=number(least=1e-12, most=1e-3, coarser=100.0))
