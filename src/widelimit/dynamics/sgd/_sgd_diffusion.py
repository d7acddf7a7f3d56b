"""The diffusion that SGD approximates at small steps."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles, fields_of
from widelimit.numerics import leaf, random_key, whole_number
from widelimit.numerics.registry import named, positive, several, text, whole
from widelimit.problem import Problem, moving, named_blocks
from widelimit.problem.data import require_nodes

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, registry, require_particles
from .._stability import stable_step
from ..clocks import Reading, Steps
from ..sampling import multinomial_noise
from ._sgd import merge

Moves = dict[str, Array]


class SGDDiffusionState(eqx.Module):
    """`y`: the blocks that move; `still`: those that do not."""

    y: Moves
    k: Array
    key: PRNGKeyArray
    key_noise: PRNGKeyArray
    tau: Float[Array, ""]
    still: Moves
    weights: Float[Array, " N"]


class SGDDiffusion(AbstractDynamics[SGDDiffusionState]):
    r"""$dZ = -P\,\nabla\psi\,dt + \sqrt\theta\,P\,dB$ (Ito), $\langle dB, dB\rangle = R(Z)\,dt$, $\theta = \Delta t/B$.

    The diffusion approximation of `SGD(step=dt, batch=B)` with fresh samples (rotskoff2018 (3.13), whose printed drift
    has the wrong sign, and (3.14)). R is the covariance (3.10) of one sample's gradient, `analysis.gradient_noise`, for
    any loss; P is the mobility. Expectations of smooth functionals of SGD and of the diffusion differ by O(dt) at a
    fixed time: weak order 1 (Proposition 3.1); the mean square is Ito's, as a batch is drawn after the gradient's place
    is known. With a schedule the drift and $\sqrt\theta$ have a factor xi.

    *The noise without its matrix.* B draws from Q nodes of weights mu_q are a multinomial count n; the vector n/B - mu
    has covariance (diag mu - mu mu^T)/B. The Gaussian vector $\eta_q = \sqrt{\mu_q}\,\xi_q - \mu_q \sum_p
    \sqrt{\mu_p}\,\xi_p$ of Q standard normals has that of B = 1, and its sum is 0. So $dB_i = \sum_q \eta_q\,\ell'(f_q,
    y_q)\,\nabla\phi(\theta_i, x_q)\,\sqrt{dt}$ has exactly the covariance R dt, for all particles jointly: it is a
    gradient at random weights of the data, at the cost of a backward pass.

    *Integration.* In steps h Heun's rule for the drift, the noise at the left end (Ito):
    $\hat Z = Z + h\,b(Z) + \sqrt{\theta h}\,\sigma(Z)\,\xi$, $Z' = \hat Z + \tfrac h2\,(b(\hat Z) - b(Z))$. Its weak
    error is O(h^2 + theta h), which at h = dt is far below the distance to SGD. As for SGD, walls, constraints and
    proximal maps act on the result of each of the two.

    **Arguments**

    - `step`: dt > 0, the step of the SGD that is approximated.
    - `batch`: B, its samples a step; a number or a piecewise schedule of t.
    - `size`: h > 0, the step of the integration; dt by default. It may be much larger than dt.
    - `schedule`: xi; a number, a schedule or a function of t.
    - `temperature`: T; the same. Adds the noise of `SGD(temperature=...)`, $\sqrt{2 \xi T P}\,dW$.
    - `trainable`: the name or names of the blocks that move; all by default.
    - `weak_order`: 1, or 2: then the drift is $b - \tfrac{\Delta t}{2}\,Db\,b$ (that of the modified equation), and
      expectations differ from SGD's by O(dt^2); for smooth units and penalties, no domain, a constant or piecewise
      schedule and T = 0. Only with it are `SGD` at a large step and the diffusion close.

    **Raises** `ValueError` for numbers outside these ranges, and in a run for data without nodes, a problem that has no
    data, and what a weak order of 2 does not take.
    """

    step_size: Float[Array, ""]
    batch: schedules.AbstractSchedule
    size: Float[Array, ""] | None
    schedule: schedules.AbstractSchedule
    temperature: schedules.AbstractSchedule | None
    trainable: tuple[str, ...] | None = eqx.field(static=True)
    weak_order: int = eqx.field(static=True)

    def __init__(
        self,
        step: Any,
        *,
        batch: Any = 1,
        size: Any = None,
        schedule: Any = 1.0,
        temperature: Any = 0.0,
        trainable: Any = None,
        weak_order: int = 1,
    ) -> None:
        self.step_size = leaf(step, "SGDDiffusion(step=...)", above=0.0)
        self.batch = schedules.as_schedule(batch, "SGDDiffusion(batch=...)")
        self.size = None if size is None else leaf(size, "SGDDiffusion(size=...)", above=0.0)
        self.schedule = schedules.as_schedule(schedule, "SGDDiffusion(schedule=...)")
        heat = schedules.as_schedule(temperature, "SGDDiffusion(temperature=...)")
        self.temperature = None if heat.largest() == 0.0 else heat
        self.trainable = named_blocks(trainable)
        self.weak_order = whole_number(weak_order, "SGDDiffusion(weak_order=...)", least=1, most=2)
        sizes = self.batch.values() or [0.0]
        if any(size < 1 or size != int(size) for size in sizes):
            raise ValueError(
                f"SGDDiffusion(batch=...): must be a whole number of at least 1, or piecewise; got {batch!r}."
            )

    def facts(self, problem: Problem) -> Facts:
        cold = self.temperature is None
        smooth = cold and not problem.integrals.kinked and problem.domain.unconstrained
        return Facts(
            # Around the gradient flow, as theta falls with the step: fluctuations of O(sqrt step).
            order=0.5 if smooth else None,
            conserves=("mass", "particles"),
            # The noise belongs to the data, so that all particles feel the same.
            splits=cold and problem.scale.mean_field and problem.levels is None,
            permutes=cold and problem.levels is None,
            adaptive=False,
        )

    def placed(self, problem: Problem, start: Start) -> Particles:
        measure = require_particles(start, "SGDDiffusion")
        require_nodes(problem.task("SGDDiffusion").data, "SGDDiffusion")
        if self.temperature is not None and problem.mobility.scales(fields_of(problem.blocks)) is None:
            raise ValueError(
                "SGDDiffusion(temperature=...): noise needs a mobility of one number a block (mobilities.Diagonal)."
            )
        if self.weak_order == 2:
            self._check_second_order(problem)
        return measure

    def _check_second_order(self, problem: Problem) -> None:
        reasons = (
            (problem.network.kinked, "a kinked unit has no second derivative"),
            (not problem.smooth, "the penalty is not smooth"),
            (not problem.domain.unconstrained, "the domain has walls or constraints"),
            (self.temperature is not None, "the temperature's noise is not small"),
            (self.schedule.values() is None, "the schedule is not constant or piecewise"),
        )
        said = [reason for applies, reason in reasons if applies]
        if said:
            raise ValueError(f"SGDDiffusion(weak_order=2): {' and '.join(said)}; take weak_order=1.")

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> SGDDiffusionState:
        measure = self.placed(problem, measure)
        if key is None:
            raise ValueError("evolve(key=...): SGDDiffusion draws random numbers; give key=jax.random.key(0).")
        streams = jax.random.split(random_key(key, "evolve(key=...)"))
        theta, weights = problem.unpack(measure)
        names = moving(problem, self.trainable)
        blocks = {name: getattr(theta, name).astype(float) for name in theta._fields}
        moves = {name: blocks[name] for name in names}
        still = {name: block for name, block in blocks.items() if name not in names}
        zero = jnp.zeros((), jnp.int64)
        return SGDDiffusionState(moves, zero, streams[0], streams[1], jnp.zeros(()), still, weights.astype(float))

    @property
    def clock(self) -> Steps:
        return Steps(self.step_size if self.size is None else self.size)

    def noise(self, problem: Problem, state: SGDDiffusionState, k: Any) -> Noise:
        nodes = require_nodes(problem.data, "SGDDiffusion")
        drawn = jax.random.normal(jax.random.fold_in(state.key, k), nodes.weights.shape)
        if self.temperature is None:
            return drawn, None
        keys = jax.random.split(jax.random.fold_in(state.key_noise, k), len(state.y))
        return drawn, {n: jax.random.normal(one, z.shape) for one, (n, z) in zip(keys, state.y.items(), strict=True)}

    def step(self, problem: Problem, state: SGDDiffusionState, noise: Noise) -> SGDDiffusionState:
        h, xi = self.clock.size, self.clock.at(self.schedule, state.k)
        assert noise is not None
        s, (normal, brownian) = h * xi, noise
        mu = require_nodes(problem.data, "SGDDiffusion").weights
        # Var over h: xi^2 theta h R = (s c)^2 R.
        c = jnp.sqrt(self.step_size / (self.batch(state.k * h) * h))
        velocity = self._field(problem, state)
        both = jnp.stack([mu, mu + c * multinomial_noise(mu, normal)])
        pair = jax.vmap(velocity, in_axes=(None, 0))(state.y, both)
        plain, drawn = ({name: leaf[i] for name, leaf in pair.items()} for i in (0, 1))
        drift = self._drift(velocity, state.y, mu, plain, xi)
        moved = {name: z + s * (drift[name] + drawn[name] - plain[name]) for name, z in state.y.items()}
        moved = self._warmed(problem, state, moved, brownian)
        place = self._settled(problem, state, moved, s)
        later = self._drift(velocity, place, mu, velocity(place, mu), xi)
        new = {name: z + 0.5 * s * (later[name] - drift[name]) for name, z in moved.items()}
        y = self._settled(problem, state, new, s)
        return eqx.tree_at(lambda a: (a.y, a.k, a.tau), state, (y, state.k + 1, state.tau + s))

    def _field(self, problem: Problem, state: SGDDiffusionState) -> Callable[[Moves, Float[Array, " Q"]], Moves]:
        """-P grad psi of the blocks that move, with the data at given weights."""
        nodes = require_nodes(problem.data, "SGDDiffusion")

        def velocity(y: Moves, weights: Float[Array, " Q"]) -> Moves:
            theta = merge(problem, y, state.still)
            gradient = problem.variation(theta, state.weights, nodes._replace(weights=weights)).gradient
            found = problem.velocity(theta, gradient)
            return {name: getattr(found, name) for name in y}

        return velocity

    def _drift(self, velocity: Any, y: Moves, mu: Any, plain: Moves, xi: Any) -> Moves:
        """b, or for a weak order of 2 b - (dt xi/2) Db.b, with `plain` = b."""
        if self.weak_order == 1:
            return plain
        _, bent = jax.jvp(lambda z: velocity(z, mu), (y,), (plain,))
        return {name: b - 0.5 * self.step_size * xi * bent[name] for name, b in plain.items()}

    def _warmed(self, problem: Problem, state: SGDDiffusionState, y: Moves, brownian: Any) -> Moves:
        if self.temperature is None:
            return y
        s = self.clock.size * self.clock.at(self.schedule, state.k)
        heat = jnp.sqrt(2.0 * s * self.clock.at(self.temperature, state.k))
        scales = problem.mobility.scales(merge(problem, state.y, state.still))
        return {name: z + heat * getattr(scales, name) ** 0.5 * brownian[name] for name, z in y.items()}

    def _settled(self, problem: Problem, state: SGDDiffusionState, y: Moves, s: Any) -> Moves:
        """After the proximal map and back in the domain."""
        if problem.smooth and problem.domain.unconstrained:
            return y
        theta = problem.retract(problem.prox(merge(problem, y, state.still), s))
        return {name: getattr(theta, name) for name in y}

    def measure(self, problem: Problem, state: SGDDiffusionState, reading: Reading) -> Particles:
        return problem.pack(merge(problem, state.y, state.still), state.weights)

    def record(self, problem: Problem, state: SGDDiffusionState, reading: Reading) -> dict[str, Array]:
        return {"tau": state.tau}

    def advice(self, problem: Problem, start: Start) -> str:
        now, rate = float(self.clock.size), self.schedule.largest()
        measure = require_particles(start, "SGDDiffusion")
        limit = stable_step(problem, measure, float(self.schedule(self.clock.size)) if rate is None else rate)
        return f"try SGDDiffusion(size={min(limit or now, now / 4.0):.2g})"


registry.add(
    "sgd_diffusion",
    SGDDiffusion,
    step=positive,
    batch=whole(),
    size=positive,
    schedule=named(schedules.registry),
    temperature=named(schedules.registry),
    trainable=several(text),
    weak_order=whole(least=1, most=2),
)
