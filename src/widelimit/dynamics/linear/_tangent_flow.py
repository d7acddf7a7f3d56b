"""The linear theory as a dynamics: the tangent kernel is frozen, and the residual decays mode by mode."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.kernels import check_linear, choose_basis, linear_theory
from widelimit.measure import GridDensity, Measure, Particles, join, laws, split
from widelimit.numerics.registry import named, several, text
from widelimit.problem import Problem, moving_columns, named_blocks

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, registry, require_particles, start_particles
from ..clocks import Reading, Tau

# Numbers in the table of what moves which particle.
_ENTRIES = 2**27


class TangentState(eqx.Module):
    """All modes at once; `y`: the coefficients b_k = <v_k, z(0)> [r].

    - `rates`: [r], 2 k kappa^2 S_k^2; `losses`: k b_k^2 [r], what mode k adds to the risk at the start; `floor`: the
      risk that never falls.
    - `rows` [N, D], `weights` [N]: the start; `field` [N, K, r]: what a particle's columns that move feel of mode k.
    - `prediction` [Q, ...], `modes` [Q, ..., r]: f at the start, and b_k v_k, on the data's nodes.
    """

    y: Float[Array, " r"]
    k: Array
    clock: Float[Array, ""]
    end: Float[Array, ""]
    rates: Float[Array, " r"]
    losses: Float[Array, " r"]
    floor: Float[Array, ""]
    rows: Float[Array, "N D"]
    weights: Float[Array, " N"]
    field: Float[Array, "N K r"]
    prediction: Float[Array, "Q ..."]
    modes: Float[Array, "Q ... r"]


class TangentFlow(AbstractDynamics[TangentState]):
    r"""The flow with its tangent kernel frozen: exact linear dynamics of the residual z = f - y in function space,

    $$\dot z = -2 k \kappa^2\,\xi(t)\,M z,\qquad M(x, x') = \int \nabla\phi(\theta, x) \cdot P\,\nabla\phi(\theta, x')\,
    d\rho,\qquad z(t) = \sum_k e^{-2 k \kappa^2 S_k^2 \tau}\,b_k v_k + z_\perp$$

    for the loss k |f - y|^2, kappa the factor of the output scale (1 for the mean), tau = INT xi, and z_perp the part
    that the kernel does not see. With only the output weight trainable this is yarotsky2018 (19)-(26), at a global
    minimiser (15)-(18). It is exact at every time: one step. It observes:

    - `risk`: that of the linear prediction, a sum of exponentials plus a floor, without cancellation.
    - `prediction`: [Q, ...], the linear f on the data's nodes.
    - `shift`: [N, K], what is added to the K columns of each particle that move,
      $-2 k \kappa P \int_0^\tau \int \nabla\phi(\theta_i, x)\,(z - z_\perp)\,d\mu\,d\tau'$. For the output weight it is
      *minus* the s of yarotsky2018 (20), (25), in whose sign convention p(c, t) = p(c + s, 0).
    - `dissipation`, `dissipated`: minus the rate at which the risk falls in tau, and what it has fallen.

    The positions are start + shift; the risk is not theirs but that of the linear theory.

    **Arguments**

    - `at`: the measure or law at which the kernel is frozen: a global minimiser (with a risk far below the start's); by
      default the start (the lazy regime).
    - `trainable`: the name or names of the blocks that move; all by default.
    - `schedule`: xi, a number, a schedule or a function of t.

    A law as start, or `at`, is integrated exactly for `problems.free_knot_spline` (independent c and h, h uniform,
    normal or of atoms, mixtures); the particles shown are then its Gauss nodes in h, with their weights, times two
    nodes of c with its mean and variance where c is random. Elsewhere quantise it first.

    In a run it raises `ValueError` for a loss that is not squared, a penalty, a domain with walls, a kernel that is not
    finite, an unknown block, a law that it cannot integrate, and an `at` that is not a minimiser.
    """

    at: Measure | laws.AbstractLaw | None
    trainable: tuple[str, ...] | None = eqx.field(static=True)
    schedule: schedules.AbstractSchedule

    def __init__(self, at: Any = None, *, trainable: Any = None, schedule: Any = 1.0) -> None:
        if at is not None and not isinstance(at, Particles | GridDensity | laws.AbstractLaw):
            raise ValueError(f"TangentFlow(at=...): expected a measure or a law, got {type(at).__name__}.")
        self.at, self.trainable = at, named_blocks(trainable)
        self.schedule = schedules.as_schedule(schedule, "TangentFlow(schedule=...)")

    def facts(self, problem: Problem) -> Facts:
        splits = problem.scale.mean_field
        kept = ("mass", "particles")
        return Facts(conserves=kept, decreases=("objective",), splits=splits, permutes=True, adaptive=False)

    def placed(self, problem: Problem, start: Start) -> None:
        """Raise `ValueError` where there is no linear theory; whether its kernel is finite shows later."""
        check_linear(problem, "TangentFlow")
        if isinstance(start, laws.AbstractLaw):
            choose_basis(problem, start, None, "TangentFlow")
        else:
            require_particles(start, "TangentFlow")

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> TangentState:
        self.placed(problem, measure)
        theory = linear_theory(problem, measure, at=self.at, trainable=self.trainable, who="TangentFlow")
        found, seen = theory.found, theory.seen
        rows, b = np.asarray(seen.start.positions, float), seen.coefficients
        if len(rows) * len(found.columns) * len(b) > _ENTRIES:
            raise ValueError(
                f"TangentFlow: {len(rows)} particles x {len(found.columns)} parameters x {len(b)} modes are more than "
                f"the {_ENTRIES:.2g} numbers it holds; take fewer particles or data."
            )
        return TangentState(
            y=jnp.asarray(b),
            k=jnp.zeros((), jnp.int64),
            clock=jnp.zeros(()),
            end=jnp.asarray(self.clock.reading(t1), float),
            rates=jnp.asarray(theory.rates),
            losses=jnp.asarray(theory.losses),
            floor=jnp.asarray(theory.floor),
            rows=jnp.asarray(rows),
            weights=jnp.asarray(seen.start.weights, float),
            field=jnp.asarray(theory.field()),
            prediction=jnp.asarray(seen.prediction),
            modes=jnp.asarray(found.on_nodes() * b),
        )

    @property
    def clock(self) -> Tau:
        return Tau(self.schedule)

    def step(self, problem: Problem, state: TangentState, noise: Noise) -> TangentState:
        return eqx.tree_at(lambda s: (s.k, s.clock), state, (state.k + 1, state.end))

    def measure(self, problem: Problem, state: TangentState, reading: Reading) -> Particles:
        columns = jnp.asarray(moving_columns(problem, self.trainable))
        theta = split(problem.blocks, state.rows.at[:, columns].add(_shift(state, reading)))
        # The theory is linear in a number; on a circle that is written within its period.
        circles = [name for name in theta._fields if problem.domain.of(name).period is not None]
        turned = {name: problem.domain.of(name).retract(getattr(theta, name)) for name in circles}
        return Particles(join(problem.blocks, theta._replace(**turned)), state.weights, blocks=problem.blocks)

    def record(self, problem: Problem, state: TangentState, reading: Reading) -> dict[str, Array]:
        gone = -jnp.expm1(-state.rates * reading)
        decay = jnp.exp(-2.0 * state.rates * reading)
        return {
            "risk": state.floor + jnp.sum(state.losses * decay),
            "prediction": state.prediction - jnp.tensordot(state.modes, gone, axes=1),
            "shift": _shift(state, reading),
            "dissipation": jnp.sum(2.0 * state.rates * state.losses * decay),
            "dissipated": -jnp.sum(state.losses * jnp.expm1(-2.0 * state.rates * reading)),
        }

    def reports(self, problem: Problem) -> tuple[str, ...]:
        return ("risk", "prediction", "shift", "dissipation")

    def advice(self, problem: Problem, measure: Start) -> str:
        return "a particle left the range of floats: the kernel does not see all of the residual; shorten t1"


def _shift(state: TangentState, clock: Any) -> Float[Array, "N K"]:
    """field x INT_0^tau exp(-rate tau') dtau', also for rates far below 1/tau."""
    return jnp.tensordot(state.field, -jnp.expm1(-state.rates * clock) / state.rates, axes=1)


registry.add(
    "tangent_flow", TangentFlow, particles=start_particles, trainable=several(text), schedule=named(schedules.registry)
)
