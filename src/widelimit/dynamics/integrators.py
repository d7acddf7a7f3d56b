"""Integrators of a flow dy/d tau = v(y): parts of `GradientFlow`.

Each keeps the last step, so that y at any time within it can be shown without the steps knowing of save times.
"""

import abc
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

import diffrax
import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from widelimit.numerics import Module, leaf
from widelimit.numerics.registry import Registry, number, positive

from .kinks import KinkedNeurons, move


@runtime_checkable
class Field(Protocol):
    """The right-hand side and the geometry of a flow."""

    def velocity(self, y: Any) -> Any: ...

    def retract(self, y: Any) -> Any: ...

    def norm(self, scaled: Any) -> Any:
        """The size of an error that was divided by its tolerance."""
        ...

    @property
    def jumps(self) -> Any:
        """Whether y was changed since the last step (put back into the domain, written in other nodes): a slope left
        from that step is of no use then."""
        ...


@runtime_checkable
class ProximalField(Field, Protocol):
    """One with non-smooth penalties."""

    def prox(self, y: Any, step: Any) -> Any:
        """The proximal map of the non-smooth penalties for time `step`."""
        ...

    def account(self, before: Any, after: Any, step: Any) -> Any:
        """`after`, with what a proximal step dissipates written into it."""
        ...


@runtime_checkable
class KinkedField(Field, Protocol):
    """One of piecewise-linear neurons."""

    def neurons(self) -> KinkedNeurons:
        """The particles as piecewise-linear neurons of one input. Raises `ValueError` where they are none."""
        ...


class Step(NamedTuple):
    """The state of an integration: y at `clock`, and the last step taken, (`previous`, `clock`)."""

    clock: Float[Array, ""]
    previous: Float[Array, ""]
    y: Any
    memory: Any


class AbstractIntegrator(Module):
    """A one-step method from 0 to `end`; a rejected step leaves the clock where it is."""

    order: eqx.AbstractClassVar[int]
    proximal: ClassVar[bool] = False
    """Whether it can take non-smooth penalties."""

    kinked: ClassVar[bool] = False
    """Whether it follows piecewise-linear neurons across their kinks: then it moves nothing else."""

    def record(self, state: Step) -> dict[str, Array]:
        """What it reports of its last step."""
        return {}

    @property
    def fixed(self) -> Float[Array, ""] | None:
        """The length of its steps; None where an error estimate sets it."""
        return None

    @abc.abstractmethod
    def start(self, field: Field, y: Any, end: Any) -> Step: ...

    @abc.abstractmethod
    def step(self, field: Field, state: Step, end: Any) -> Step: ...

    @abc.abstractmethod
    def within(self, field: Field, state: Step, clock: Any) -> Any:
        """y at a time within the last step, before the retraction."""

    @abc.abstractmethod
    def stalled(self, state: Step) -> Bool[Array, ""]: ...


class Tsit5(AbstractIntegrator):
    """Tsitouras' adaptive method of order 5(4), from diffrax, with its interpolation of order 4.

    **Arguments**

    - `rtol`, `atol`: the local error allowed, relative to the parameters and absolute, in the root mean square over
      particles.
    - `largest`: the largest step (in tau), or None.
    """

    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    largest: Float[Array, ""] | None
    order: ClassVar[int] = 5

    def __init__(self, rtol: Any = 1e-6, atol: Any = 1e-8, largest: float | None = None) -> None:
        self.rtol = leaf(rtol, "Tsit5(rtol=...)", above=0.0, below=1.0)
        self.atol = leaf(atol, "Tsit5(atol=...)", above=0.0)
        self.largest = None if largest is None else leaf(largest, "Tsit5(largest=...)", above=0.0)

    def start(self, field: Field, y: Any, end: Any, *, first: Any = None) -> Step:
        """`first`: the length of the first step, where no guess is wanted, which takes two velocities."""
        term, solver = _term(field), diffrax.Tsit5()
        # In the precision of the end: a clock of float64 would promote a y of float32.
        zero = jnp.zeros((), jnp.result_type(jnp.asarray(end), jnp.float32))
        first, control = jax.lax.stop_gradient(
            self._controller(field).init(term, zero, end, y, first, None, solver.func, self.order)
        )
        inner = solver.init(term, zero, first, y, None)
        shown = eqx.filter_eval_shape(solver.step, term, zero, zero + 1, y, None, inner, False)[2]
        dense = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shown)
        memory = jax.tree.map(jnp.asarray, (jnp.asarray(first), control, inner, dense))
        return Step(zero, zero, y, memory)

    def step(self, field: Field, state: Step, end: Any) -> Step:
        # A derivative of the end takes the steps as given: that of the step control is of the size of the error.
        proposed, control = jax.lax.stop_gradient(state.memory[:2])
        inner, dense = state.memory[2:]
        term, solver = _term(field), diffrax.Tsit5()
        t0, t1 = state.clock, jnp.minimum(proposed, end)
        y, error, new_dense, new_inner, _ = solver.step(term, t0, t1, state.y, None, inner, jnp.asarray(field.jumps))
        keep, _, following, _, control, _ = self._controller(field).adapt_step_size(
            t0, t1, *jax.lax.stop_gradient((state.y, y)), None, jax.lax.stop_gradient(error), self.order, control
        )
        # diffrax's `following` is the end of the next step whether this one is kept or not.
        y = field.retract(y)

        done = Step(t1, t0, y, (following, control, new_inner, new_dense))
        return _chosen(keep, done, state._replace(memory=(following, control, inner, dense)))

    def within(self, field: Field, state: Step, clock: Any) -> Any:
        dense = state.memory[3]
        return diffrax.Tsit5.interpolation_cls(t0=state.previous, t1=state.clock, **dense).evaluate(clock)

    def stalled(self, state: Step) -> Bool[Array, ""]:
        return _too_small(state.memory[0] - state.clock, state.clock)

    def _controller(self, field: Field) -> diffrax.PIDController:
        return diffrax.PIDController(self.rtol, self.atol, norm=field.norm, dtmax=self.largest)


class RungeKutta4(AbstractIntegrator):
    """The classical method of order 4 with a fixed step; cubic Hermite interpolation.

    The step is shortened so that a whole number of steps reaches the end. Raises `ValueError` unless step > 0.
    """

    size: Float[Array, ""]

    order: ClassVar[int] = 4

    def __init__(self, step: Any) -> None:
        self.size = leaf(step, "RungeKutta4(step=...)", above=0.0)

    @property
    def fixed(self) -> Float[Array, ""]:
        return self.size

    def start(self, field: Field, y: Any, end: Any) -> Step:
        zero = jnp.zeros(())
        return Step(zero, zero, y, (y, y, _Fixed(zero, _count(end, self.size))))

    def step(self, field: Field, state: Step, end: Any) -> Step:
        fixed, clock = state.memory[2].next(end, self.size)
        h, y, v = clock - state.clock, state.y, field.velocity
        k1 = v(y)
        k2 = v(_move(y, 0.5 * h, k1))
        k3 = v(_move(y, 0.5 * h, k2))
        k4 = v(_move(y, h, k3))
        raw = jax.tree.map(lambda z, a, b, c, d: z + (h / 6.0) * (a + 2.0 * (b + c) + d), y, k1, k2, k3, k4)
        return Step(clock, state.clock, field.retract(raw), (y, raw, fixed))

    def within(self, field: Field, state: Step, clock: Any) -> Any:
        y0, y1 = state.memory[:2]
        h = state.clock - state.previous
        s = (clock - state.previous) / jnp.where(h > 0, h, 1.0)
        v0, v1 = field.velocity(y0), field.velocity(y1)

        def cubic(a: Any, b: Any, da: Any, db: Any) -> Any:
            # So that what does not move stays to the last bit.
            flat = a + s * (b - a)
            return flat + s * (s - 1) * ((1 - 2 * s) * (b - a) + h * ((s - 1) * da + s * db))

        return jax.tree.map(cubic, y0, y1, v0, v1)

    def stalled(self, state: Step) -> Bool[Array, ""]:
        return jnp.asarray(False)


class Filippov(AbstractIntegrator):
    r"""A fixed step of order 1 for piecewise-linear neurons of one input on samples, which stick to them and slide.

    Residuals and output weights are frozen for a step; in it every neuron moves piecewise straight in the plane of its
    weight and bias, from one line $a x_j + b = t_k$ of a sample and a kink to the next. There it crosses, slides along
    one of the lines that it is on, or is held, in the direction of the largest dissipation of those that the velocities
    on all sides allow (NOTATION, williams2019: the flow is not smooth). For the canonical parameters the step is that
    of the full ones. A neuron at the edge of a region without force stays: so does a ReLU neuron at a = b = 0.

    It reports `sticking`, how many neurons are on a line, and `dead`, how many are at a = 0, b = t_k beside which the
    activation is constant, and will never move.

    - `step`: the length of a step in tau, shortened so that a whole number of steps reaches the end.
    """

    size: Float[Array, ""]
    order: ClassVar[int] = 1
    kinked: ClassVar[bool] = True

    def __init__(self, step: Any) -> None:
        self.size = leaf(step, "Filippov(step=...)", above=0.0)

    @property
    def fixed(self) -> Float[Array, ""]:
        return self.size

    def start(self, field: KinkedField, y: Any, end: Any) -> Step:
        zero, neurons = jnp.zeros(()), field.neurons()
        label = neurons.labels(y[0])
        fixed = _Fixed(zero, _count(end, self.size))
        return Step(zero, zero, y, (fixed, y, y, label, neurons.dead(label), jnp.zeros((), bool)))

    def step(self, field: KinkedField, state: Step, end: Any) -> Step:
        fixed, _, _, label, _, cut = state.memory
        fixed, clock = fixed.next(end, self.size)
        (theta, energy), neurons = state.y, field.neurons()
        done = move(neurons, theta, label, clock - state.clock)
        moved = neurons.back(theta, done.charge, done.w)
        raw = moved, energy + jnp.dot(neurons.carried, done.power)
        cut = cut | jnp.any(done.left > 0)
        memory = fixed, state.y, raw, done.label, neurons.dead(done.label), cut
        return Step(clock, state.clock, field.retract(raw), memory)

    def within(self, field: KinkedField, state: Step, clock: Any) -> Any:
        h = state.clock - state.previous
        s = (clock - state.previous) / jnp.where(h > 0, h, 1.0)
        return jax.tree.map(lambda a, b: a + s * (b - a), state.memory[1], state.memory[2])

    def record(self, state: Step) -> dict[str, Array]:
        return {"sticking": jnp.sum(jnp.any(state.memory[3] >= 0, axis=1)), "dead": state.memory[4]}

    def stalled(self, state: Step) -> Bool[Array, ""]:
        # A step with more events than it has rounds for was not finished.
        return state.memory[5]


class ProximalHeun(AbstractIntegrator):
    r"""Heun's method with proximal maps, adaptive, for a non-smooth penalty; order 2.

    $u = \mathrm{prox}_h(y + h v(y))$, $y^+ = \mathrm{prox}_{h/2}(y + \frac h2 v^\circ(y) + \frac h2 v(u))$, error
    estimate $y^+ - u$, with $v^\circ = \lim_{s \to 0} (\mathrm{prox}_s(y + s v) - y)/s$ the velocity of least norm. The
    first half of the step takes the penalty's force at the start, the second half, through the proximal map, at the
    end: the trapezoidal rule, also for the norm of a vector charge, whose force turns. A fixed point is stationary
    exactly, and charges inside the threshold are exactly zero.

    **Arguments**

    - `rtol`, `atol`: as in `Tsit5`.
    """

    rtol: Float[Array, ""]
    atol: Float[Array, ""]
    order: ClassVar[int] = 2
    proximal: ClassVar[bool] = True

    def __init__(self, rtol: Any = 1e-4, atol: Any = 1e-6) -> None:
        self.rtol = leaf(rtol, "ProximalHeun(rtol=...)", above=0.0, below=1.0)
        self.atol = leaf(atol, "ProximalHeun(atol=...)", above=0.0)

    def start(self, field: ProximalField, y: Any, end: Any) -> Step:
        zero = jnp.zeros(())
        first, control = self._controller(field).init(
            _term(field), 0.0, end, y, None, None, lambda terms, t, y, args: field.velocity(y), 2
        )
        return Step(zero, zero, y, jax.tree.map(jnp.asarray, (jnp.asarray(first), control, y, y)))

    def step(self, field: ProximalField, state: Step, end: Any) -> Step:
        proposed, control = jax.lax.stop_gradient(state.memory[:2])
        t0, t1, y = state.clock, jnp.minimum(proposed, end), state.y
        h = t1 - t0
        v = field.velocity(y)
        u = field.account(y, field.prox(_move(y, h, v), h), h)
        # s = h/10^6 stands for the limit: what it misses is 10^-6 of the local error.
        moved = _move(y, 1e-6 * h, v)
        soon = field.prox(moved, 1e-6 * h)
        # Relative to where no proximal map would go, so that it rounds nothing that it does not touch.
        half = jax.tree.map(lambda a, b, c: a + 0.5e6 * (b - c), _move(y, 0.5 * h, v), soon, moved)
        raw = field.prox(_move(half, 0.5 * h, field.velocity(field.retract(u))), 0.5 * h)
        raw = field.account(y, raw, h)
        new = field.retract(raw)
        error = jax.tree.map(jnp.subtract, raw, u)
        keep, _, following, _, control, _ = self._controller(field).adapt_step_size(
            t0, t1, *jax.lax.stop_gradient((y, new)), None, jax.lax.stop_gradient(error), 2, control
        )

        done = Step(t1, t0, new, (following, control, y, raw))
        return _chosen(keep, done, state._replace(memory=(following, control, *state.memory[2:])))

    def within(self, field: ProximalField, state: Step, clock: Any) -> Any:
        h = state.clock - state.previous
        s = (clock - state.previous) / jnp.where(h > 0, h, 1.0)
        return jax.tree.map(lambda a, b: a + s * (b - a), state.memory[2], state.memory[3])

    def stalled(self, state: Step) -> Bool[Array, ""]:
        return _too_small(state.memory[0] - state.clock, state.clock)

    def _controller(self, field: ProximalField) -> diffrax.PIDController:
        return diffrax.PIDController(self.rtol, self.atol, norm=field.norm)


class _Fixed(NamedTuple):
    """Steps of one length: how many are done, of how many (infinite without an end)."""

    done: Float[Array, ""]
    count: Float[Array, ""]

    def next(self, end: Any, size: Any) -> "tuple[_Fixed, Float[Array, '']]":
        """After one more, with the clock that it shows."""
        # Without an end every step has its full length.
        size = jnp.where(jnp.isfinite(end), end / jnp.where(jnp.isfinite(self.count), self.count, 1.0), size)
        done = self.done + 1
        return _Fixed(done, self.count), jnp.where(done >= self.count, end, done * size)


def _count(end: Any, size: Any) -> Float[Array, ""]:
    return jnp.maximum(jnp.ceil(end / size - 1e-9), 1.0)


def _chosen(keep: Any, new: Step, old: Step) -> Step:
    return jax.tree.map(lambda a, b: jnp.where(keep, a, b), new, old)


def _term(field: Field) -> diffrax.ODETerm:
    return diffrax.ODETerm(lambda t, y, args: field.velocity(y))


def _move(y: Any, h: Any, v: Any) -> Any:
    return jax.tree.map(lambda a, b: a + h * b, y, v)


def _too_small(step: Any, clock: Any) -> Bool[Array, ""]:
    return ~(step > 8.0 * jnp.finfo(clock.dtype).eps * jnp.maximum(clock, 1e-6))


registry = Registry("integrator")
_tolerance = number(above=0.0, below=1.0)
registry.add("tsit5", Tsit5, rtol=_tolerance, atol=positive, largest=positive)
registry.add("proximal_heun", ProximalHeun, rtol=_tolerance, atol=positive)
registry.add("runge_kutta4", RungeKutta4, step=positive)
registry.add("filippov", Filippov, step=positive)
