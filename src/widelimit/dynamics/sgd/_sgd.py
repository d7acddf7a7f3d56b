"""Stochastic gradient descent: the network itself."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles, fields_of, theta_type
from widelimit.numerics import leaf, split_key
from widelimit.numerics.registry import choice, named, positive, several, text, whole
from widelimit.problem import Problem, moving, named_blocks
from widelimit.problem.data import AbstractData, Nodes

from .. import schedules
from .._dynamics import AbstractDynamics, Facts, Noise, Start, Theta, registry, require_particles
from .._stability import stable_step
from ..clocks import Reading, Steps
from ..sampling import AbstractSampling, Fresh, registry as samplings

# The part of a step that float32 may round away. Above it the sum is kept in two numbers, which takes twice the time.
_ROUNDED = 2.0**-8
# Steps by which the motion is measured.
_MEASURED = 16


class SGDState(eqx.Module):
    """`y`: the blocks that move. `order`: what the sampling carries.

    `lost`: by how much y is too small, where its steps are so short that float32 would round them away.
    """

    y: Any
    k: Array
    key: PRNGKeyArray
    key_noise: PRNGKeyArray
    tau: Float[Array, ""]
    order: Any
    still: Any
    weights: Float[Array, " N"]
    lost: Any = None


class SGD(AbstractDynamics[SGDState]):
    r"""$\theta^{k+1} = \mathrm{retract}\,\mathrm{prox}\,(\theta^k - s_k P \nabla\hat\psi_k + \sqrt{2 s_k T P}\,g_k)$.

    $s_k = \varepsilon\,\xi(k\varepsilon)$, $t = k \varepsilon$ (what is saved has the time of its step);
    $\nabla\hat\psi_k$ is the gradient of the first variation on the batch (mei2018 (11) with T = 2/beta; an l2
    penalty gives the decay $1 - 2\lambda s_k$). The gradient with respect to a neuron's mass carries no 1/N: the time
    is that of the mean-field limit.

    **Arguments**

    - `step`: eps > 0.
    - `batch`: P, samples a step; a number or a piecewise schedule of t. `sampling.Full` ignores it.
    - `sampling`: from `widelimit.sampling`: `Fresh()`, `Epochs()`, `Ordered()` or `Full()`.
    - `schedule`: xi; a number, a schedule or a function of t.
    - `temperature`: T; the same. Constant in `trainable` blocks only.
    - `trainable`: the name or names of the blocks that move; all by default.
    - `dtype`: `jax.numpy.float64`, or `float32` for speed; data, parameters and noise are cast to it. Where steps are
      so short that rounding would take 1/256 of a block's motion at the start, each sum is kept in two numbers.
    """

    step_size: Float[Array, ""]
    batch: schedules.AbstractSchedule
    sampling: AbstractSampling
    schedule: schedules.AbstractSchedule
    temperature: schedules.AbstractSchedule | None
    trainable: tuple[str, ...] | None = eqx.field(static=True)
    dtype: Any = eqx.field(static=True)
    largest_batch: int = eqx.field(static=True)

    def __init__(
        self,
        step: Any,
        *,
        batch: Any = 1,
        sampling: AbstractSampling | None = None,
        schedule: Any = 1.0,
        temperature: Any = 0.0,
        trainable: Any = None,
        dtype: Any = jnp.float64,
    ) -> None:
        if sampling is not None and not isinstance(sampling, AbstractSampling):
            raise ValueError(f"SGD(sampling=...): expected one of widelimit.sampling, got {sampling!r}.")
        if dtype not in (jnp.float32, jnp.float64, "float32", "float64"):
            raise ValueError(f"SGD(dtype=...): must be float32 or float64, got {dtype!r}.")
        self.step_size = leaf(step, "SGD(step=...)", above=0.0)
        self.batch = schedules.as_schedule(batch, "SGD(batch=...)")
        self.sampling = Fresh() if sampling is None else sampling
        self.schedule = schedules.as_schedule(schedule, "SGD(schedule=...)")
        noise = schedules.as_schedule(temperature, "SGD(temperature=...)")
        self.temperature = None if noise.largest() == 0.0 else noise
        self.trainable = named_blocks(trainable)
        self.dtype = jnp.dtype(dtype)
        sizes = self.batch.values() or [0.0]
        if any(size < 1 or size != int(size) for size in sizes):
            raise ValueError(f"SGD(batch=...): must be a whole number of at least 1, or piecewise; got {batch!r}.")
        self.largest_batch = int(max(sizes))
        if self.batch.jumps and not self.sampling.any_size:
            raise ValueError("SGD(batch=...): a batch size that changes in time needs sampling.Fresh().")

    def facts(self, problem: Problem) -> Facts:
        cold = self.temperature is None
        smooth = cold and not problem.integrals.kinked and problem.domain.unconstrained
        return Facts(
            # At fixed t and N the particles fluctuate by O(sqrt step) around the flow (rotskoff2018, Prop. 3.2).
            order=self._order(problem) if smooth else None,
            conserves=("mass", "particles"),
            decreases=("objective",) if smooth and not self.sampling.stochastic else (),
            splits=cold and problem.scale.mean_field and problem.levels is None,
            permutes=cold and problem.levels is None,
            adaptive=False,
            digits=jnp.finfo(self.dtype).precision,
        )

    def placed(self, problem: Problem, start: Start) -> Particles:
        measure = require_particles(start, "SGD")
        if self._exact(problem):
            problem.integrals.require_deterministic(f"sampling.{type(self.sampling).__name__}")
        else:
            self.sampling.check(problem.data)
        if self.temperature is not None and problem.mobility.scales(fields_of(problem.blocks)) is None:
            raise ValueError(
                "SGD(temperature=...): noise needs a mobility of one number a block (mobilities.Diagonal)."
            )
        return measure

    def init(self, problem: Problem, measure: Start, *, t1: float, key: PRNGKeyArray | None) -> SGDState:
        measure = self.placed(problem, measure)
        random = not self.sampling.deterministic or self.temperature is not None
        if key is None and random:
            raise ValueError("evolve(key=...): SGD draws random numbers; give key=jax.random.key(0).")
        # Two streams: a key folded from the sampling's own could be one that a sampler splits off.
        streams = split_key(jax.random.key(0) if key is None else key, 2)
        theta, weights = problem.unpack(measure)
        names = moving(problem, self.trainable)
        cast = {name: getattr(theta, name).astype(self.dtype) for name in theta._fields}
        moves = {name: cast[name] for name in names}
        still = {name: cast[name] for name in cast if name not in names}
        order = None if self._exact(problem) else self.sampling.start(problem.data, streams[0])
        zero = jnp.zeros((), jnp.int64)
        weights = weights.astype(self.dtype)
        state = SGDState(moves, zero, streams[0], streams[1], jnp.zeros(()), order, still, weights)
        if self.dtype == jnp.float64:
            return state
        # In traced code nothing can be measured.
        traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((self, problem, state)))
        if not traced and not float(_rounded(self, problem, state, self._least_rate())) > _ROUNDED:
            return state
        return eqx.tree_at(
            lambda s: s.lost, state, jax.tree.map(jnp.zeros_like, moves), is_leaf=lambda leaf: leaf is None
        )

    def prepare(self, problem: Problem) -> Problem:
        def cast(leaf: Any) -> Any:
            return leaf.astype(self.dtype) if eqx.is_inexact_array(leaf) else leaf

        return jax.tree.map(cast, problem)

    @property
    def descends(self) -> bool:
        return self.temperature is None

    @property
    def clock(self) -> Steps:
        return Steps(self.step_size)

    def noise(self, problem: Problem, state: SGDState, k: Any) -> Any:
        exact = self._exact(problem)
        drawn = None if exact else self.sampling.draw(problem.data, state.key, k, self.largest_batch)
        # A sampler of the user's own may draw in another precision.
        return jax.tree.map(lambda leaf: leaf.astype(self.dtype), drawn), self._brownian(state, k)

    def step(self, problem: Problem, state: SGDState, noise: Noise) -> SGDState:
        ds = self.step_size * self.clock.at(self.schedule, state.k)
        s = ds.astype(self.dtype)
        drift, order = self._drift(problem, state, noise)
        old = state.y if state.lost is None else jax.tree.map(_sum, state.y, state.lost)
        new = {name: z + s * getattr(drift, name) for name, z in old.items()}
        brownian = None if noise is None else noise[1]
        if brownian is not None and self.temperature is not None:
            heat = jnp.sqrt(2.0 * s * self.clock.at(self.temperature, state.k)).astype(self.dtype)
            scales = problem.mobility.scales(merge(problem, state.y, state.still))
            new = {name: z + heat * getattr(scales, name) ** 0.5 * brownian[name] for name, z in new.items()}
        if not (problem.smooth and problem.domain.unconstrained):
            moved = problem.retract(problem.prox(merge(problem, new, state.still), s))
            new = {name: getattr(moved, name) for name in new}
        y = jax.tree.map(lambda z: z.astype(self.dtype), new)
        lost = None if state.lost is None else jax.tree.map(lambda a, b: (a - b).astype(self.dtype), new, y)
        rest = (state.tau + ds, order, state.still, state.weights, lost)
        return SGDState(y, state.k + 1, state.key, state.key_noise, *rest)

    def _exact(self, problem: Problem) -> bool:
        """Whether a step is by the problem's integrals, without samples."""
        return self.sampling.whole and (problem.supervised is None or problem.data.nodes is None)

    def _order(self, problem: Problem) -> float | None:
        return 1.0 if self._exact(problem) else self.sampling.order(problem.data, self.largest_batch)

    def _drift(self, problem: Problem, state: SGDState, noise: Noise) -> tuple[Theta, Any]:
        """-P grad psi on the batch of the step, and the order to carry on."""
        theta = merge(problem, state.y, state.still)
        if self._exact(problem):
            return problem.velocity(theta, problem.variation(theta, state.weights).gradient), None
        drawn = None if noise is None else noise[0]
        nodes, order = self.batch_of(problem.data, state.key, state.k, drawn, state.order)
        return problem.velocity(theta, problem.variation(theta, state.weights, nodes).gradient), order

    def batch_of(self, data: AbstractData, key: PRNGKeyArray, k: Any, drawn: Any, order: Any) -> tuple[Nodes, Any]:
        """The batch of step k, from what the sampling has drawn for it, and the order to carry on."""
        nodes, order = self.sampling.pick(data, key, k, self.largest_batch, drawn, order)
        if self.batch.jumps:
            # A smaller batch is the first of the largest one: shapes stay the same inside the compiled loop.
            inside = (jnp.arange(self.largest_batch) < self.batch(k * self.step_size)).astype(self.dtype)
            nodes = nodes._replace(weights=inside / jnp.sum(inside))
        return nodes, order

    def measure(self, problem: Problem, state: SGDState, reading: Reading) -> Particles:
        y = state.y if state.lost is None else jax.tree.map(_sum, state.y, state.lost)
        return problem.pack(merge(problem, y, state.still), state.weights)

    def record(self, problem: Problem, state: SGDState, reading: Reading) -> dict[str, Array]:
        return {"tau": state.tau}

    def advice(self, problem: Problem, measure: Start) -> str:
        now = float(self.step_size)
        step = min(stable_step(problem, require_particles(measure, "SGD"), self._largest_rate()) or now, now / 4.0)
        return f"try SGD(step={step:.2g})"

    def _largest_rate(self) -> float:
        """sup xi, or what its first step takes where it is not known."""
        known = self.schedule.largest()
        return float(self.schedule(self.step_size)) if known is None else known

    def _least_rate(self) -> Float[Array, ""]:
        """The least xi above 0, or that of the first step where it is not known."""
        known = [xi for xi in self.schedule.values() or [] if xi > 0]
        return jnp.asarray(min(known), float) if known else self.clock.at(self.schedule, 0)

    def _brownian(self, state: SGDState, k: Any) -> Any:
        if self.temperature is None:
            return None
        keys = jax.random.split(jax.random.fold_in(state.key_noise, k), len(state.y))
        return {
            name: jax.random.normal(one, z.shape, self.dtype)
            for one, (name, z) in zip(keys, state.y.items(), strict=True)
        }


def _sum(a: Float[Array, "..."], b: Float[Array, "..."]) -> Float[Array, "..."]:
    return a.astype(jnp.float64) + b.astype(jnp.float64)


@eqx.filter_jit
def _rounded(sgd: SGD, problem: Problem, state: SGDState, rate: Float[Array, ""]) -> Float[Array, ""]:
    """The part of a step that rounding may take, eps |z| / (2 s |drift|) of the block where it is largest."""

    def squares(k: Array) -> dict[str, Array]:
        at = eqx.tree_at(lambda s: s.k, state, k)
        drift, _ = sgd._drift(problem, at, sgd.noise(problem, at, k))
        return {name: jnp.mean(getattr(drift, name).astype(float) ** 2) for name in state.y}

    motion = jax.lax.map(squares, jnp.arange(_MEASURED))
    s = sgd.step_size * rate
    parts = [
        jnp.sqrt(jnp.mean(z.astype(float) ** 2)) / (s * jnp.sqrt(jnp.mean(motion[name]))) for name, z in state.y.items()
    ]
    # A block that is zero and does not move is no number, and rounds nothing.
    return 0.5 * float(jnp.finfo(sgd.dtype).eps) * jnp.max(jnp.nan_to_num(jnp.stack(parts), posinf=jnp.inf))


def merge(problem: Problem, moves: dict[str, Array], still: dict[str, Array]) -> Theta:
    """The blocks that move and those that do not, as one theta in the unit's order."""
    return theta_type(tuple(block.name for block in problem.blocks))(**moves, **still)


registry.add(
    "sgd",
    SGD,
    step=positive,
    batch=whole(),
    sampling=named(samplings, default="epochs"),
    schedule=named(schedules.registry),
    temperature=named(schedules.registry),
    trainable=several(text),
    dtype=choice("float64", "float32", default="float64"),
)
