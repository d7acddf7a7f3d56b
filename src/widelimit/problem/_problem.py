"""A learning problem: a network, data, a loss, how its risk is computed, and what the parameters may do."""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit._shown import Shown
from widelimit.measure import Blocks, Measure, Particles, describe, join, laws, row_size, split
from widelimit.numerics import Count, Module, entries, jittable, random_key, require_x64, whole_number

from . import domains, losses, mobilities, penalties, scales
from ._arguments import arranged, check_columns, check_kind, check_motion, movable, supervised
from ._motion import Motion
from ._potential import Potential
from ._words import outside, summary
from .data import AbstractData, Nodes, Samples, as_numbers, as_points, require_nodes
from .integrals import AbstractIntegrals, Estimate, Supervised, Variation, choose
from .integrals._dense import variation_on
from .networks import AbstractNetwork, Levels, Radius
from .networks._expansion import radius_of
from .symmetry._abstract import AbstractSymmetry, drawn
from .symmetry._reduction import parts_of
from .units import AbstractUnit


class Problem(Module, Shown):
    r"""Learn $f_\rho(x) = \frac{N}{\alpha(N)} \int \phi(\theta, x)\,\rho(d\theta)$ from data.

    $R(\rho) = \int \mathrm{loss}(f_\rho(x), y)\,\mu(dx, dy)$, objective = risk + $\int$ penalty $d\rho$,
    $\psi(\theta; \rho) = \delta\,\mathrm{objective}/\delta\rho$. All of it follows from the risk by automatic
    differentiation. Or R is an energy of the particles themselves: `Problem(integrals=integrals.Pairwise(...))`.

    - `network`: from `widelimit.networks`; or phi, from `widelimit.units`, for its two-layer mean (also as `unit=`).
    - `data`: mu, from `widelimit.data`.
    - `loss`: from `widelimit.losses`; (f - y)^2 / 2 by default.
    - `penalty`: from `widelimit.penalties`, or None.
    - `domain`: from `widelimit.domains`: one for every block, or `domains.product(block=...)`; R^D by default.
    - `mobility`: P, from `widelimit.mobilities`; the identity by default.
    - `scale`: alpha(N), from `widelimit.scales`; the mean by default.
    - `symmetry`: what was divided out of a reduced problem; `reduced()` sets it.
    - `integrals`: how risk, psi and grad psi are computed, from `widelimit.integrals`: an object, or a class that is
      made from network, data and loss. By itself `SortedKnots` where it is exact, `BinnedKnots` for piecewise-linear
      neurons on nodes of one input, else `Dense`.
    - `budget`: how many numbers the tables of particles x data may hold together at any time; more is done in pieces
      over the data. The particles themselves, of which an integrator keeps a few copies, and the data are not in it.

    Raises `ValueError` when the parts do not fit together.
    """

    supervised: Supervised | None
    given: AbstractIntegrals | None
    rule: Callable[[Supervised], AbstractIntegrals] = eqx.field(static=True)
    penalty: penalties.AbstractPenalty | None
    domain: domains.Product
    mobility: mobilities.AbstractMobility
    symmetry: AbstractSymmetry | None
    blocks: Blocks = eqx.field(static=True)

    def __init__(
        self,
        network: AbstractNetwork | AbstractUnit | None = None,
        data: AbstractData | None = None,
        loss: Any = None,
        *,
        unit: AbstractUnit | None = None,
        penalty: penalties.AbstractPenalty | None = None,
        domain: domains.AbstractDomain | domains.Product | None = None,
        mobility: mobilities.AbstractMobility | None = None,
        scale: scales.AbstractScale | None = None,
        symmetry: AbstractSymmetry | None = None,
        integrals: AbstractIntegrals | Callable[[Supervised], AbstractIntegrals] | None = None,
        budget: int | None = None,
    ) -> None:
        require_x64("Problem")
        check_kind("penalty", penalty, penalties.AbstractPenalty)
        check_kind("domain", domain, domains.AbstractDomain | domains.Product)
        check_kind("mobility", mobility, mobilities.AbstractMobility)
        check_kind("symmetry", symmetry, AbstractSymmetry)
        given = isinstance(integrals, AbstractIntegrals)
        self.given, self.rule = (integrals, choose) if given else (None, integrals or choose)
        alone = self.given is not None and network is unit is data is loss is scale is budget is None
        self.supervised = None if alone else supervised(network, unit, data, loss, scale, budget)
        self.blocks = self.integrals.blocks()
        self.penalty, self.symmetry = penalty, symmetry
        self.domain = domains.resolve(domain, movable(self.blocks, self.levels))
        self.mobility = mobilities.Identity() if mobility is None else mobility
        check_motion(self.blocks, self.levels, penalty, self.mobility, self.domain)

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}: {said}" for name, said in summary(self).items())
        return f"Problem(D = {self.dim}: {describe(self.blocks)}; {parts})"

    @property
    def dim(self) -> int:
        """D, the number of parameters of a particle."""
        return row_size(self.blocks)

    @property
    def integrals(self) -> AbstractIntegrals:
        """How risk, psi and grad psi are computed: what it can do and what it knows is asked there."""
        return self.given if self.given is not None else self.rule(self.task("Problem.integrals"))

    def task(self, who: str) -> Supervised:
        """Network, data, loss and scale. Raises `ValueError` for a problem that has none: it is all integrals."""
        require_x64(who)
        if self.supervised is None:
            kind = type(self.given).__name__
            raise ValueError(f"{who} needs a network and data; this problem has its integrals ({kind}) alone.")
        return self.supervised

    def two_layer(self, who: str) -> AbstractUnit:
        """phi, where the network is its two-layer mean; else a `ValueError` that says who needs it."""
        require_x64(who)
        unit = None if self.supervised is None else self.supervised.network.unit
        if unit is None:
            kind = type(self.given if self.supervised is None else self.supervised.network).__name__
            raise ValueError(
                f"{who} needs a two-layer mean, f = INT phi(theta, x) rho(dtheta); this problem is {kind}."
            )
        return unit

    @property
    def unit(self) -> AbstractUnit:
        """phi of a two-layer mean; see `two_layer`."""
        return self.two_layer("problem.unit")

    @property
    def network(self) -> AbstractNetwork:
        """f from (theta, w, x)."""
        return self.task("problem.network").network

    @property
    def levels(self) -> Levels | None:
        """The levels on which particles stand, where they cannot be relabelled and split at will."""
        return None if self.supervised is None else self.supervised.network.levels

    @property
    def data(self) -> AbstractData:
        """mu."""
        return self.task("problem.data").data

    @property
    def loss(self) -> losses.AbstractLoss:
        """What a prediction costs."""
        return self.task("problem.loss").loss

    @property
    def scale(self) -> scales.AbstractScale:
        """alpha(N); an energy of the particles has none, which is the mean-field scale."""
        return scales.MeanField() if self.supervised is None else self.supervised.scale

    @property
    def budget(self) -> int | None:
        """How many numbers tables may hold."""
        return self.integrals.budget

    def with_budget(self, budget: int) -> "Problem":
        """The same problem with tables of so many entries."""
        parts = (self.given, self.supervised)
        wide = [None if part is None else part.with_budget(budget) for part in parts]
        return eqx.tree_at(lambda p: (p.given, p.supervised), self, wide, is_leaf=lambda part: part is None)

    @property
    def rough(self) -> bool:
        """Whether grad psi may jump where particles cross a kink."""
        return self.integrals.rough

    def on_nodes(self) -> "Problem":
        """The problem on the data's nodes alone, a finite measure, for what needs one; else itself."""
        if not self.integrals.exact:
            return self
        nodes = require_nodes(self.data, "Problem.on_nodes")
        return eqx.tree_at(lambda p: p.data, self, Samples(nodes.x, nodes.y, nodes.weights))

    @jittable
    def predict(self, measure: Measure, x: Any) -> Float[Array, "..."]:
        """f_rho at inputs x: [n, d] -> [n] or [n, C]; one input [d] -> () or (C,)."""
        theta, w = self.unpack(measure)
        task = self.task("Problem.predict")
        points, single = self._inputs(x, "predict(x=...)")
        f = choose(task).predict(theta, w, points.astype(w.dtype))
        return f[0] if single else f

    @jittable
    def risk(self, measure: Measure) -> Float[Array, ""]:
        """R(rho) on the data's nodes, or exactly where the integrals are.

        Raises `ValueError` for data without nodes: see `estimate_risk`.
        """
        return self.integrals.risk(*self.unpack(measure))

    @jittable
    def l2_risk(self, measure: Measure) -> Float[Array, ""]:
        r"""$\frac12 \int |f_\rho - y|^2 d\mu$, whatever the problem's own risk is; on nodes, or in closed form.

        Raises `ValueError` for data without nodes, where no closed form is known.
        """
        task = self.task("Problem.l2_risk")
        squared = Supervised(task.network, task.data, losses.squared(), task.scale, task.budget)
        return choose(squared).risk(*self.unpack(measure))

    @jittable
    def target(self, x: Any) -> Float[Array, "..."]:
        """y at inputs x, [n, d] -> [n] or [n, C], or at one, [d]. Raises `ValueError` where y is no known function."""
        points, single = self._inputs(x, "target(x=...)")
        y = self.data.target_at(points, "Problem.target")
        return y[0] if single else y

    @property
    def target_norm_squared(self) -> Float[Array, ""]:
        """E |y|^2, exact or over the nodes. Raises `ValueError` where it is not known."""
        return self.data.target_norm_squared("Problem.target_norm_squared")

    @property
    def teacher(self) -> Particles:
        """rho_*, the measure whose output the labels are (noise aside), its columns named.

        Raises `ValueError` where the labels come from no teacher.
        """
        data = self.task("problem.teacher").data
        if data.teacher is None:
            raise ValueError(
                f"problem.teacher: the labels of these data ({type(data).__name__}) are not known to come from a "
                "teacher; see problems.teacher_student and data.Teacher."
            )
        return data.teacher.measure

    @property
    def notice(self) -> str | None:
        """What its user should know: that a teacher of the same unit lies outside the domain; else None."""
        teacher = None if self.supervised is None else self.data.teacher
        if teacher is None or self.domain.unconstrained or teacher.measure.blocks != self.blocks:
            return None
        inside = np.asarray(jax.vmap(self.domain.contains)(split(self.blocks, teacher.measure.positions)))
        return outside(teacher.measure, inside)

    def estimate_risk(self, measure: Measure, *, samples: Count = 10_000, key: PRNGKeyArray) -> Estimate:
        """The risk on fresh samples of the data's law, with its standard error."""
        samples = whole_number(samples, "estimate_risk(samples=...)", least=2)
        random_key(key, "estimate_risk(key=...)")
        theta, w = self.unpack(measure)
        return choose(self.task("Problem.estimate_risk")).estimate(theta, w, samples, key)

    @jittable
    def objective(self, measure: Measure) -> Float[Array, ""]:
        """risk + INT penalty d rho."""
        return self.risk(measure) + self.penalty_of(measure)

    @jittable
    def penalty_of(self, measure: Measure) -> Float[Array, ""]:
        """INT penalty d rho; zero without a penalty."""
        theta, w = self.unpack(measure)
        if self.penalty is None:
            return jnp.zeros((), w.dtype)
        return jnp.sum(w * jax.vmap(self.penalty)(theta))

    def potential(self, measure: Measure) -> Potential:
        """psi(.; rho), which answers any theta. Raises `ValueError` for data without nodes."""
        field = self.integrals.potential(*self.unpack(measure))
        return Potential(field, self.penalty, self.blocks, entries(self.budget))

    def expansion(self, *, order: Count, continuous: bool = False) -> "Problem":
        r"""The same problem with the network's power series in the measure (rho -> s rho at s = 1), up to an order.

        Of a wide residual network; the risk is $E_{(k)}$ of teacherstudent2020. Its parts are those of this problem.

        - `order`: k >= 1; the cost grows as k^2.
        - `continuous`: the series at L = infinity, see `networks.Expansion`.

        Raises `ValueError` as `networks.Expansion`, and for other networks.
        """
        task = self.task("expansion")
        network = task.network.expansion(order, continuous=continuous)
        parts = {"penalty": self.penalty, "domain": self.domain, "mobility": self.mobility}
        return Problem(network, task.data, task.loss, scale=task.scale, budget=task.budget, **parts)

    def radius(self, measure: Measure, *, terms: Count = 20) -> Radius:
        r"""The radius of convergence in s of an expansion's series at a measure, whatever its order.

        $c_k$ is the norm over the data's nodes and the outputs of the coefficient of s^k, k = 1, ..., K = `terms`. The
        radius is exp(-slope) of the least-squares line through $\log c_k$, K/2 <= k <= K: `pole`, right where the
        nearest singularity is a pole (finite L); and through $\log c_k + \frac32 \log k$: `branch`, for a square root
        (L = infinity). An entire activation at finite L, and one level, have an infinite radius, as `reason` says.

        Raises `ValueError` for data without nodes, and for a problem without an expansion.
        """
        task, nodes = self.task("radius"), require_nodes(self.data, "Problem.radius")
        count = whole_number(terms, "radius(terms=...)", least=6)
        network = task.network.expansion(count, continuous=None)
        theta, w = self.unpack(measure)
        return radius_of(network, theta, w, nodes.x, nodes.weights, task.piece(w.shape[0]))

    def reduced(self, *, nodes: int | None = None) -> "Problem":
        """The same problem in the lengths of the weights, where the data are invariant under rotations.

        A reduced problem returns itself. Its `symmetry` knows the quadrature's error.

        - `nodes`: of the data quadrature, a group and class; enough for 1e-13 by default, where that many can do it.

        Raises `ValueError` that says what breaks the symmetry.
        """
        if self.symmetry is not None:
            return self
        unit, task = self.two_layer("reduced()"), self.task("reduced()")
        given = {"domain": self.domain, "penalty": self.penalty, "mobility": self.mobility, "nodes": nodes}
        parts = parts_of(unit, task.data.rotations("reduced()"), **given)
        return Problem(loss=task.loss, scale=task.scale, budget=task.budget, **parts._asdict())

    def project(self, measure: Any) -> Any:
        """A measure or a law of the full problem in the coordinates of this, reduced one: see `Symmetry.project`."""
        return self._symmetric("project").project(measure)

    def lift(self, measure: Particles, *, key: PRNGKeyArray | None = None) -> Particles:
        """Particles of this, reduced problem for the full one: see `Symmetry.lift` (with a key), `Rescaling.lift`."""
        return self._symmetric("lift").lift(measure, key=key)

    def start(self, law: Any, width: Count | None = None, *, key: PRNGKeyArray | None = None) -> Particles:
        """`width` particles of a law, where a run may start; the columns that the problem itself gives are added.

        - `law`: of the problem's parameters, or Particles; a canonical problem adds its delta to (r, angle).
        - `width`: of a network with levels, on each of them; the law is then of a particle without its level.
        - `key`: a law of atoms needs none, where `width` is a multiple of their number.
        """
        if self.levels is not None and isinstance(law, Particles):
            particles = self.levels.placed(law, width, self.blocks)
        else:
            particles = drawn(law, width, key, self.levels)
            particles = particles if self.levels is None else self.levels.filled(particles, self.blocks)
        particles = particles if self.symmetry is None else self.symmetry.completed(particles)
        start = self.pack(*self.unpack(particles))
        self.mobility.check_start(self.unpack(start)[0])
        return start

    def log_volume(self, theta: Any) -> Float[Array, ""]:
        """The log of the volume that one particle stands for; zero but for reduced problems.

        Noise sees it: the entropy is INT log(rho / volume) d rho. Raises `ValueError` for a reduction at d = infinity.
        """
        return jnp.zeros(()) if self.symmetry is None else self.symmetry.log_volume(theta)

    def _inputs(self, x: Any, what: str) -> tuple[Float[Array, "n d"], bool]:
        """Inputs [n, d] of what a user gave, and whether it was one."""
        inputs, x = self.data.inputs, as_numbers(x, what)
        single = x.ndim == 1 and (inputs > 1 or x.shape == (1,))
        return as_points(x[None] if single else x, inputs, what), single

    def _symmetric(self, who: str) -> AbstractSymmetry:
        if self.symmetry is None:
            raise ValueError(f"{who}: the problem is not reduced; call problem.reduced() first.")
        return self.symmetry

    # What the dynamics build on: named blocks instead of rows.

    def arranged(self, measure: Measure) -> Any:
        """The measure with its columns in the order of the unit's blocks, found by their names, its rows by level.

        Raises `ValueError` when the measure's columns are not the unit's, and as `Levels.sorted`.
        """
        measure = arranged(measure, self.blocks)
        return measure if self.levels is None else self.levels.sorted(measure)

    def check_columns(self, start: Measure | laws.AbstractLaw) -> None:
        """Raise `ValueError` unless the columns of a measure or a law are the unit's, in their order."""
        check_columns(start, self.blocks)

    def unpack(self, measure: Measure) -> tuple[Any, Float[Array, " N"]]:
        """The measure as (theta, w): theta has one field a block, each [N, *shape]; columns are found by their names.

        Raises `ValueError` when the measure's columns are not the unit's.
        """
        require_x64("Problem")
        measure = self.arranged(measure)
        return split(self.blocks, measure.positions), measure.weights

    def pack(self, theta: Any, w: Float[Array, " N"]) -> Particles:
        """The inverse of `unpack`."""
        return Particles(join(self.blocks, theta), w, blocks=self.blocks)

    def batch_risk(self, theta: Any, w: Any, x: Any, y: Any, mu: Any) -> Float[Array, ""]:
        """SUM_q mu_q loss(f(x_q), y_q): the primitive. Its gradients in theta and w are grad psi and psi."""
        return self.task("Problem.batch_risk").batch_risk(theta, w, x, y, mu)

    def variation(self, theta: Any, w: Any, nodes: Nodes | None = None) -> Variation:
        """Risk, psi and grad psi at the particles; the smooth penalties are in psi and grad psi, not in the risk.

        By the problem's integrals; or on `nodes`, a batch of the data, say.
        """
        if nodes is None:
            risk, psi, gradient = self.integrals.variation(theta, w)
        else:
            risk, psi, gradient = variation_on(self.task("Problem.variation(nodes=...)"), theta, w, nodes)
        for term in penalties.parts(self.penalty):
            if term.smooth:
                value, slope = jax.vmap(jax.value_and_grad(term))(theta)
                psi, gradient = psi + value, jax.tree.map(jnp.add, gradient, slope)
        return Variation(risk, psi, gradient)

    def velocity(self, theta: Any, gradient: Any) -> Any:
        """-P grad psi, projected onto the tangent cone of the domain."""
        return self._motion.velocity(theta, gradient)

    def within_step(self, *ends: Any) -> "Problem":
        """The problem as it is seen within a step, given the particles at its start, and at its end where known."""
        if not self.domain.bent:
            return self
        return eqx.tree_at(lambda p: p.domain, self, domains.Product(self.domain.factors, ends))

    def retract(self, theta: Any) -> Any:
        """Particles put back into the domain after a step."""
        return theta if self.domain.unconstrained else self.domain.put_back(theta)

    def prox(self, theta: Any, step: Any) -> Any:
        """The proximal map of non-smooth penalties and walls, for time `step`, in the metric of the mobility."""
        return self._motion.prox(theta, step)

    @property
    def smooth(self) -> bool:
        """Whether no penalty needs a proximal map."""
        return self._motion.smooth

    @property
    def _motion(self) -> Motion:
        return Motion(self.penalty, self.domain, self.mobility)
