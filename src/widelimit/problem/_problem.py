"""A learning problem: a unit, data, a loss, and what the parameters may do."""

import math
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Blocks, GridDensity, Measure, Particles, describe, join, row_size, split
from widelimit.numerics import entries, sum_chunks

from . import _evaluation as evaluation, domains, losses, mobilities, penalties, scales
from ._evaluation import Estimate
from ._potential import Potential
from .data import AbstractData, Interval, Nodes, Samples, as_numbers, require_nodes
from .integrals._cells import Panels
from .integrals._ramps import variation
from .integrals._spline import Spline
from .networks._integrate import integrate
from .symmetry._reduction import reduced_parts
from .symmetry._symmetry import Symmetry
from .units import AbstractUnit, FreeKnot, Function, feature


class Variation(NamedTuple):
    """The first variation at the particles: the risk (), psi [N] and grad psi (blocks of [N, *shape])."""

    risk: Float[Array, ""]
    psi: Float[Array, " N"]
    gradient: Any


class Problem(eqx.Module):
    r"""Learn $f_\rho(x) = \frac{N}{\alpha(N)} \int \phi(\theta, x)\,\rho(d\theta)$ from data.

    $R(\rho) = \int \mathrm{loss}(f_\rho(x), y)\,\mu(dx, dy)$, objective = risk + $\int$ penalty $d\rho$,
    $\psi(\theta; \rho) = \delta\,\mathrm{objective}/\delta\rho$. All of it follows from the risk by automatic
    differentiation.

    **Arguments**

    - `unit`: phi, from `widelimit.units`.
    - `data`: mu, from `widelimit.data`.
    - `loss`: from `widelimit.losses`; (f - y)^2 / 2 by default.
    - `penalty`: from `widelimit.penalties`, or None.
    - `domain`: from `widelimit.domains`: one for every block, or `domains.product(block=...)`; R^D by default.
    - `mobility`: P, from `widelimit.mobilities`; the identity by default.
    - `scale`: alpha(N), from `widelimit.scales`; the mean by default.
    - `symmetry`: what was divided out of a reduced problem; `reduced()` sets it.
    - `budget`: how many entries a table of particles x data may have; more is done in pieces over the data.

    Raises `ValueError` when the parts do not fit together.
    """

    unit: AbstractUnit
    data: AbstractData
    loss: losses.Loss
    penalty: penalties.AbstractPenalty | None
    domain: domains.Product
    mobility: mobilities.AbstractMobility
    scale: scales.AbstractScale
    symmetry: Symmetry | None
    blocks: Blocks = eqx.field(static=True)
    budget: int | None = eqx.field(static=True)

    def __init__(
        self,
        unit: AbstractUnit,
        data: AbstractData,
        loss: Any = None,
        *,
        penalty: penalties.AbstractPenalty | None = None,
        domain: domains.AbstractDomain | domains.Product | None = None,
        mobility: mobilities.AbstractMobility | None = None,
        scale: scales.AbstractScale | None = None,
        symmetry: Symmetry | None = None,
        budget: int | None = None,
    ) -> None:
        if not isinstance(unit, AbstractUnit):
            raise ValueError(f"Problem(unit=...): expected one of widelimit.units, got {unit!r}.")
        if not isinstance(data, AbstractData):
            raise ValueError(f"Problem(data=...): expected one of widelimit.data, got {type(data).__name__}.")
        if budget is not None and not (isinstance(budget, int) and budget >= 1):
            raise ValueError(f"Problem(budget=...): must be a whole number of at least 1, got {budget!r}.")
        _check_kind("penalty", penalty, penalties.AbstractPenalty)
        _check_kind("domain", domain, domains.AbstractDomain | domains.Product)
        _check_kind("mobility", mobility, mobilities.AbstractMobility)
        _check_kind("scale", scale, scales.AbstractScale)
        _check_kind("symmetry", symmetry, Symmetry)
        self.unit, self.data, self.symmetry, self.budget = unit, data, symmetry, budget
        loss = losses.squared() if loss is None else loss
        if not callable(loss):
            raise ValueError(f"Problem(loss=...): expected one of widelimit.losses or a function, got {loss!r}.")
        own: Any = loss
        self.loss = loss if isinstance(loss, losses.Loss) else losses.Loss(own)
        self.blocks = unit.blocks(data.inputs, data.outputs)
        self.penalty, self.domain = penalty, domains.resolve(domain, self.blocks)
        self.mobility = mobilities.Identity() if mobility is None else mobility
        self.scale = scales.MeanField() if scale is None else scale
        self.mobility.check(self.blocks)
        if penalty is not None:
            penalty.check(self.blocks)
            if not penalty.smooth and self.mobility.scales(_like(self.blocks)) is None:
                raise ValueError(
                    "Problem(penalty=..., mobility=...): a non-smooth penalty is stepped by its proximal map in the "
                    "metric of the mobility, which needs a mobility of one number a block (mobilities.Diagonal)."
                )
        if self.mobility.scales(_like(self.blocks)) is None and not self.domain.unconstrained:
            raise ValueError(
                "Problem(mobility=..., domain=...): walls project in the metric of the mobility, which needs one "
                "number a block (mobilities.Diagonal)."
            )
        self._check_output()

    @property
    def dim(self) -> int:
        """D, the number of parameters of a particle."""
        return row_size(self.blocks)

    @property
    def spline(self) -> Spline | None:
        """The exact integrals of a `FreeKnot` unit against `data.Interval` under a squared loss; None for all others.

        With it `risk`, `predict`, `potential` and `variation` are exact, by sorted knots.
        """
        factor = losses.square_factor(self.loss)
        if not isinstance(self.unit, FreeKnot) or not isinstance(self.data, Interval) or factor is None:
            return None
        return Spline(Panels(self.data.ends, self.data.coefficients), jnp.asarray(2.0 * factor))

    @property
    def rough(self) -> bool:
        """Whether grad psi jumps where particles cross a kink: a kinked unit, but for exact integrals (`spline`)."""
        return self.unit.kinked and self.spline is None

    def on_nodes(self) -> "Problem":
        """The problem on the data's nodes alone, a finite measure, for what cannot use `spline`; else itself."""
        if self.spline is None:
            return self
        nodes = require_nodes(self.data, "Problem.on_nodes")
        return eqx.tree_at(lambda p: p.data, self, Samples(nodes.x, nodes.y, nodes.weights))

    def predict(self, measure: Measure, x: Any) -> Float[Array, "..."]:
        """f_rho at inputs x: [n, d] -> [n] or [n, C]; one input [d] -> () or (C,)."""
        theta, w = self.unpack(measure)
        points = as_numbers(x, "predict(x=...)").astype(w.dtype)
        single = points.ndim == 1 and (self.data.inputs > 1 or points.shape[0] == 1)
        points = points[None] if single else points
        points = points[:, None] if points.ndim == 1 and self.data.inputs == 1 else points
        if points.ndim != 2 or points.shape[1] != self.data.inputs:
            raise ValueError(f"predict(x=...): expected [n, {self.data.inputs}], got shape {jnp.shape(x)}.")
        f = evaluation.predict(self, theta, w, points)
        return f[0] if single else f

    def risk(self, measure: Measure) -> Float[Array, ""]:
        """R(rho) on the data's nodes, or exactly (see `spline`).

        Raises `ValueError` for data without nodes: see `estimate_risk`.
        """
        if self.spline is not None:
            return evaluation.spline_risk(self, *self.unpack(measure))
        nodes = require_nodes(self.data, "Problem.risk")
        return evaluation.risk(self, *self.unpack(measure), nodes)

    def estimate_risk(self, measure: Measure, *, samples: int = 10_000, key: PRNGKeyArray) -> Estimate:
        """The risk on fresh samples of the data's law, with its standard error."""
        if samples < 2:
            raise ValueError(f"estimate_risk(samples=...): must be at least 2, got {samples}.")
        return evaluation.estimate(self, *self.unpack(measure), samples, key)

    def objective(self, measure: Measure) -> Float[Array, ""]:
        """risk + INT penalty d rho."""
        return self.risk(measure) + self.penalty_of(measure)

    def penalty_of(self, measure: Measure) -> Float[Array, ""]:
        """INT penalty d rho; zero without a penalty."""
        theta, w = self.unpack(measure)
        if self.penalty is None:
            return jnp.zeros((), w.dtype)
        return jnp.sum(w * jax.vmap(self.penalty)(theta))

    def potential(self, measure: Measure) -> Potential:
        """psi(.; rho), which answers any theta. Raises `ValueError` for data without nodes."""
        nodes = require_nodes(self.data, "Problem.potential")
        theta, w = self.unpack(measure)
        dual = evaluation.dual(self, theta, w, nodes)
        exact = None if self.spline is None else evaluation.spline_residual(self, theta, w)
        return Potential(self.unit, self.penalty, nodes.x, dual, exact, self.blocks, entries(self.budget))

    def reduced(self, *, nodes: int | None = None) -> "Problem":
        """The same problem in the lengths of the weights, where the data are invariant under rotations.

        A reduced problem returns itself. Its `symmetry` knows the quadrature's error.

        - `nodes`: of the data quadrature, a group and class; enough for 1e-13 by default, where that many can do it.

        Raises `ValueError` that says what breaks the symmetry.
        """
        if self.symmetry is not None:
            return self
        parts = reduced_parts(self, nodes)
        return Problem(
            parts.unit,
            parts.data,
            self.loss,
            penalty=parts.penalty,
            domain=parts.domain,
            mobility=parts.mobility,
            scale=self.scale,
            symmetry=parts.symmetry,
            budget=self.budget,
        )

    def project(self, measure: Any) -> Any:
        """A measure or a law of the full problem in the coordinates of this, reduced one: see `Symmetry.project`."""
        return self._symmetric("project").project(measure)

    def lift(self, measure: Particles, *, key: PRNGKeyArray) -> Particles:
        """Particles of this, reduced problem with uniform directions, for the full one: see `Symmetry.lift`."""
        return self._symmetric("lift").lift(measure, key=key)

    def log_volume(self, theta: Any) -> Float[Array, ""]:
        """The log of the volume that one particle stands for; zero but for reduced problems.

        Noise sees it: the entropy is INT log(rho / volume) d rho. Raises `ValueError` for a reduction at d = infinity.
        """
        return jnp.zeros(()) if self.symmetry is None else self.symmetry.log_volume(theta)

    def _symmetric(self, who: str) -> Symmetry:
        if self.symmetry is None:
            raise ValueError(f"{who}: the problem is not reduced; call problem.reduced() first.")
        return self.symmetry

    # What the dynamics build on: named blocks instead of rows.

    def unpack(self, measure: Measure) -> tuple[Any, Float[Array, " N"]]:
        """The measure as (theta, w): theta has one field a block, each [N, *shape].

        Raises `ValueError` when the measure's columns are not the unit's.
        """
        if not isinstance(measure, Particles | GridDensity):
            raise ValueError(f"measure: expected Particles or a GridDensity, got {type(measure).__name__}.")
        if measure.dim != self.dim:
            raise ValueError(
                f"the measure has {measure.dim} columns, the unit needs {self.dim}: {describe(self.blocks)}."
            )
        # A law of one number makes a block of shape (), where the unit may have (1,).
        if measure.blocks and _sizes(measure.blocks) != _sizes(self.blocks):
            raise ValueError(
                f"the measure's blocks are {describe(measure.blocks)}; the unit's are {describe(self.blocks)}, "
                "in this order."
            )
        return split(self.blocks, measure.positions), measure.weights

    def pack(self, theta: Any, w: Float[Array, " N"]) -> Particles:
        """The inverse of `unpack`."""
        return Particles(join(self.blocks, theta), w, blocks=self.blocks)

    def batch_risk(self, theta: Any, w: Any, x: Any, y: Any, mu: Any) -> Float[Array, ""]:
        """SUM_q mu_q loss(f(x_q), y_q): the primitive. Its gradients in theta and w are grad psi and psi."""
        f = self.scale.factor(w.shape[0]) * integrate(self.unit, theta, w, x)
        return jnp.sum(mu * jax.vmap(self.loss)(f, y))

    def variation(self, theta: Any, w: Any, nodes: Nodes | None = None) -> Variation:
        """Risk, psi and grad psi at the particles; the smooth penalties are in psi and grad psi, not in the risk.

        On `nodes`, or on the data itself: exactly where there is a `spline`, else on the data's nodes. In pieces over
        the nodes, with the gradient inside each piece: the memory is N x piece.
        """
        spline = self.spline if nodes is None else None
        if spline is not None:
            risk, psi, gradient = variation(spline, theta, w, self.scale.factor(w.shape[0]))
        else:
            nodes = require_nodes(self.data, "Problem.variation") if nodes is None else nodes
            graded = jax.value_and_grad(self.batch_risk, argnums=(0, 1))

            def piece(x: Any, y: Any, mu: Any) -> Any:
                return graded(theta, w, x, y, mu)

            chunk = self._chunk(w.shape[0])
            risk, (gradient, psi) = sum_chunks(piece, (nodes.x, nodes.y), nodes.weights, chunk)
        for term in penalties.parts(self.penalty):
            if term.smooth:
                value, slope = jax.vmap(jax.value_and_grad(term))(theta)
                psi, gradient = psi + value, jax.tree.map(jnp.add, gradient, slope)
        return Variation(risk, psi, gradient)

    def velocity(self, theta: Any, gradient: Any) -> Any:
        """-P grad psi, projected onto the tangent cone of the domain."""
        drift = jax.vmap(self.mobility)(theta, gradient)
        drift = jax.tree.map(jnp.negative, drift)
        if self.domain.unconstrained:
            return drift
        inside = jax.vmap(self.domain.tangent)(theta, drift)
        if self.smooth:
            return inside
        # Before a proximal map a wall must not be felt: the penalty may pull a particle off it. `prox` clips after.
        walls = {name: getattr(drift, name) for name in theta._fields if self.domain.of(name).walls}
        return inside._replace(**walls)

    def retract(self, theta: Any) -> Any:
        """Particles put back into the domain after a step."""
        return theta if self.domain.unconstrained else jax.vmap(self.domain.retract)(theta)

    def prox(self, theta: Any, step: Any) -> Any:
        """The proximal map of non-smooth penalties and walls, for time `step`, in the metric of the mobility."""
        for term in penalties.parts(self.penalty):
            if not term.smooth:
                scaled = type(theta)(*(step * scale for scale in self.mobility.scales(theta) or ()))
                theta = jax.vmap(term.prox, in_axes=(0, None))(theta, scaled)
        if self.smooth:
            return theta
        walls = {name: self.domain.of(name) for name in theta._fields}
        clipped = {name: wall.retract(getattr(theta, name)) for name, wall in walls.items() if wall.walls}
        return theta._replace(**clipped)

    @property
    def smooth(self) -> bool:
        """Whether no penalty needs a proximal map."""
        return self.penalty is None or self.penalty.smooth

    def _check_linear(self) -> None:
        """Whether a unit of the user's own is c times one number phi~ in its linear block c, as it says."""
        name = self.unit.linear
        rows = jnp.asarray(np.random.default_rng(0).normal(size=(2, self.dim)))
        x = jnp.asarray(np.random.default_rng(1).normal(size=self.data.inputs))
        for theta in (split(self.blocks, row) for row in rows):
            whole, product = self.unit(theta, x), getattr(theta, name or "") * feature(self.unit, theta, x)
            # A unit that has no value there (a logarithm, say) cannot be checked there.
            if bool(jnp.all(jnp.isfinite(whole))) and not np.allclose(whole, product, rtol=1e-6, atol=1e-9):
                raise ValueError(
                    f"Problem(unit=...): the unit is not {name!r} times one number phi~(w, x), as linear={name!r} says."
                )

    def _chunk(self, particles: int) -> int:
        """Data points a piece: a table has one entry a pair, and a component where phi has no linear block."""
        components = 1 if self.unit.linear is not None else math.prod(self.data.outputs)
        return max(1, entries(self.budget) // (particles * components))

    def _check_output(self) -> None:
        theta = _like(self.blocks)
        x = jax.ShapeDtypeStruct((self.data.inputs,), jnp.zeros(()).dtype)
        try:
            shape = eqx.filter_eval_shape(self.unit, theta, x).shape
        except (TypeError, ValueError, AttributeError, IndexError) as error:
            raise ValueError(
                f"Problem(unit=...): the unit fails on blocks {describe(self.blocks)} and x of shape "
                f"({self.data.inputs},): {error}"
            ) from error
        if shape != self.data.outputs:
            raise ValueError(
                f"Problem(unit=..., data=...): the unit's output has shape {shape}, the targets have "
                f"{self.data.outputs}."
            )
        linear = dict(self.blocks).get(self.unit.linear or "", shape)
        if linear != shape:
            raise ValueError(
                f"Problem(unit=...): the linear block {self.unit.linear!r} has shape {linear}, it must have that "
                f"of the targets, {shape}."
            )
        if isinstance(self.unit, Function) and self.unit.linear is not None:
            self._check_linear()
        target = jax.ShapeDtypeStruct(shape, x.dtype)
        _check_number("loss", lambda: eqx.filter_eval_shape(self.loss, target, target))
        if self.penalty is not None:
            penalty = self.penalty
            _check_number("penalty", lambda: eqx.filter_eval_shape(penalty, theta))


def _sizes(blocks: Blocks) -> list[tuple[str, int]]:
    return [(block.name, block.size) for block in blocks]


def _like(blocks: Blocks) -> Any:
    return jax.eval_shape(lambda: split(blocks, jnp.zeros(row_size(blocks))))


def _check_kind(name: str, value: Any, kind: Any) -> None:
    if value is not None and not isinstance(value, kind):
        raise ValueError(f"Problem({name}=...): expected one of widelimit's, got {value!r}.")


def _check_number(what: str, shape_of: Any) -> None:
    """Raise `ValueError` unless the function gives one number."""
    try:
        shape = getattr(shape_of(), "shape", None)
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"Problem({what}=...): it fails on one data point or particle: {error}") from error
    if shape != ():
        raise ValueError(f"Problem({what}=...): expected a function that gives one number, got shape {shape}.")
