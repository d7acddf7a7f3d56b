"""A narrow cloud of particles by its mean and covariance."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.measure import Particles, covariance, join, laws, moment, split
from widelimit.numerics.registry import number
from widelimit.problem import Problem

from .._dynamics import Facts, Start, Theta, registry, require_mean
from ..clocks import Reading
from ..integrators import AbstractIntegrator, Tsit5
from ._flow import AbstractOnePass, FlowState, Rates, drift_along

Covariance = Float[Array, "D D"]


class Cloud(NamedTuple):
    """The mean b as one particle, and M [D, D] with A = M A_0 M^T; A_0 is carried along."""

    theta: Theta
    spread: Float[Array, "D D"]


class GaussianClosure(AbstractOnePass):
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

    - `integrator`: `Tsit5(1e-8, 1e-10)` by default; `schedule`: see `AbstractFlow`.

    Raises `ValueError` for other values, and in a run for a rough problem (automatic differentiation takes the Hessian
    of a kinked unit for zero), a non-smooth penalty, a bounded domain, an output scale that depends on N, data without
    nodes and other starts.
    """

    integrator: AbstractIntegrator | None = None

    def start(self, problem: Problem, theta: Theta, w: Any) -> Cloud:
        return Cloud(theta, jnp.eye(problem.dim))

    def positions(self, y: Cloud) -> Theta:
        return y.theta

    def begin(self, problem: Problem, measure: Start, end: Float[Array, ""]) -> tuple[Cloud, Covariance]:
        mean, cov = (jnp.asarray(part, float) for part in _moments(problem, measure))
        return self.start(problem, split(problem.blocks, mean[None]), None), 0.5 * (cov + cov.T)

    def rates(self, problem: Problem, carried: Covariance, y: Cloud) -> Rates:
        row = join(problem.blocks, y.theta)[0]
        potential = problem.potential(Particles(row[None], jnp.ones(1), blocks=problem.blocks))
        jacobian, v, power = drift_along(problem, potential, row)
        return Rates(Cloud(split(problem.blocks, v[None]), jacobian @ y.spread), power)

    def method(self, problem: Problem, carried: Any) -> AbstractIntegrator:
        return Tsit5(1e-8, 1e-10) if self.integrator is None else self.integrator

    def norm(self, carried: Covariance, scaled: Cloud) -> Float[Array, ""]:
        """The larger of the root mean squares of b and M."""
        size = scaled.spread.shape[0]
        row = sum((jnp.sum(leaf**2) for leaf in scaled.theta), jnp.zeros(())) / size
        return jnp.sqrt(jnp.maximum(row, jnp.mean(scaled.spread**2)))

    def facts(self, problem: Problem) -> Facts:
        # A knot that enters the interval meets a jump in a derivative of the velocity. It makes its own particle.
        method = self.method(problem, None)
        order = None if problem.integrals.kinked else method.order
        return Facts(order=order, conserves=("mass",), decreases=("objective",), adaptive=method.fixed is None)

    def placed(self, problem: Problem, start: Start) -> tuple[np.ndarray, np.ndarray]:
        """Mean [D] and covariance [D, D] of the start."""
        problem.two_layer("GaussianClosure")
        problem.integrals.require_deterministic("GaussianClosure")
        if problem.rough or not problem.smooth:
            what = "unit has kinks, which have no Hessian" if problem.rough else "penalty is not smooth"
            raise ValueError(
                f"GaussianClosure: the problem's {what}; use GradientFlow, a smooth unit, or exact integrals "
                "(problems.free_knot_spline)."
            )
        if not problem.domain.unconstrained:
            raise ValueError("GaussianClosure: a normal cloud does not fit into a bounded domain; use GradientFlow.")
        require_mean(problem, "GaussianClosure")
        return _moments(problem, start)

    def measure(self, problem: Problem, state: FlowState, reading: Reading) -> Particles:
        return problem.pack(self.at(problem, state, reading)[0].theta, jnp.ones(1))

    def record(self, problem: Problem, state: FlowState, reading: Reading) -> dict[str, Array]:
        y, energy = self.at(problem, state, reading)
        mean = join(problem.blocks, y.theta)[0]
        return {"mean": mean, "covariance": y.spread @ state.carried @ y.spread.T, "dissipated": energy}

    def reports(self, problem: Problem) -> tuple[str, ...]:
        return "mean", "covariance"

    def advice(self, problem: Problem, start: Start) -> str:
        return "the mean itself blows up, or the cloud is no longer narrow: shorten t1, or add a penalty"


def _moments(problem: Problem, measure: Start) -> tuple[np.ndarray, np.ndarray]:
    """Raises `ValueError` where the start is no Gaussian and no measure."""
    problem.check_columns(measure)
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


def _with_tolerance(rtol: float = 1e-8) -> GaussianClosure:
    """The mean and covariance of a narrow normal distribution (yarotsky2018 (28), (29)), of one particle."""
    return GaussianClosure(Tsit5(rtol, 1e-2 * rtol))


registry.add("gaussian_closure", _with_tolerance, rtol=number(least=1e-12, most=1e-3, coarser=100.0))
