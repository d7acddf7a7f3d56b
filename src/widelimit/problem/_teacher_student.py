"""A student that learns the output of a teacher (teacherstudent2020, section 2)."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PRNGKeyArray

from widelimit.measure import Measure, laws, row_size, split
from widelimit.numerics import Count, random_key, real_number, whole_number

from ._problem import Problem
from .data import AbstractData, FromLaw, Noisy, Quadrature, Samples, Teacher
from .units import AbstractUnit

# Nodes a coordinate where nothing else is said. Even numbers: an odd rule has a node at 0, on the kink of a ReLU.
_NODES = {1: 64, 2: 32, 3: 16}
_WHO = "teacher_student"


def teacher_student(
    unit: Any,
    teacher: Any,
    data: Any,
    *,
    nodes: Any = "default",
    samples: Count | None = None,
    key: PRNGKeyArray | None = None,
    noise: Any = None,
    atoms: Count = 4096,
    loss: Any = None,
    penalty: Any = None,
    domain: Any = None,
    mobility: Any = None,
    scale: Any = None,
) -> Problem:
    r"""Labels $y(x) = \int \phi(\theta, x)\,\rho_*(d\theta)$ of a teacher rho_*, for a student with the same unit.

    - `unit`: phi, from `widelimit.units`.
    - `teacher`: rho_*: `Particles` with weights of any sign and sum, a density on a grid, or a law, which stands for
      about `atoms` atoms near it (`law.quantise(atoms)`; all the atoms of a law that has few).
    - `data`: the law of x; or a measure in x space, whose atoms are the inputs.
    - `nodes`: Gauss nodes a coordinate; by default 64, 32 and 16 in dimensions 1, 2 and 3, and all the atoms of a law
      that has atoms. None: no nodes, only fresh samples, as one-pass SGD takes them.
    - `samples`: instead of nodes, so many inputs, which stay the same: independent ones with a `key`, else the
      well-spread points of `laws.Sobol()`. Laws of dimension above 3, and laws without a Gauss rule, need it.
    - `noise`: the standard deviation of normal noise on each label; drawn once for independent `samples`, afresh in
      every batch, by a two-point rule on nodes, see `data.Noisy`.
    - `loss` ((f - y)^2 / 2 by default), `penalty`, `domain`, `mobility`, `scale`: as in `Problem`.

    `problem.teacher` is rho_*. A teacher outside the domain is allowed; `problem.notice` says what follows.

    Raises `ValueError` for a teacher that does not have the unit's columns, for nodes together with samples, for a law
    that needs `samples`, and as `Problem` does.
    """
    if not isinstance(unit, AbstractUnit):
        raise ValueError(f"{_WHO}(unit=...): expected one of widelimit.units, got {unit!r}.")
    for name, part in (("teacher", teacher), ("data", data)):
        if not isinstance(part, Measure | laws.AbstractLaw):
            raise ValueError(f"{_WHO}({name}=...): expected Particles or a law of widelimit.laws, got {part!r}.")
    target = _target(unit, teacher.atoms(whole_number(atoms, f"{_WHO}(atoms=...)", least=1)), data.dim)
    found = _inputs(data, target, nodes, samples, key)
    if noise is not None:
        found = _with_noise(found, real_number(noise, f"{_WHO}(noise=...)", least=0.0), key)
    return Problem(unit, found, loss, penalty=penalty, domain=domain, mobility=mobility, scale=scale)


def _target(unit: AbstractUnit, teacher: Any, inputs: int) -> Teacher:
    """The teacher as a function."""
    if not np.all(np.isfinite(teacher.positions)) or not np.all(np.isfinite(teacher.weights)):
        raise ValueError(f"{_WHO}(teacher=...): positions and weights must be finite.")
    try:
        return Teacher(unit, teacher, inputs=inputs, outputs=_outputs(unit, teacher.dim, inputs))
    except ValueError as error:
        raise ValueError(f"{_WHO}(teacher=...): {error}") from None


def _outputs(unit: AbstractUnit, columns: int, inputs: int) -> tuple[int, ...]:
    """The shape of phi: what makes the unit's blocks have so many columns; () where nothing does.

    One number, as many numbers as columns can be charges of, or as many as inputs (a residual branch).
    """
    for guess in ((), *((c,) for c in range(1, columns + 1)), (inputs,)):
        try:
            blocks = unit.blocks(inputs, guess)
        except ValueError:
            continue
        if row_size(blocks) == columns:
            theta = split(blocks, jnp.zeros(columns))
            return jax.eval_shape(unit, theta, jnp.zeros(inputs)).shape
    return ()


def _inputs(data: Any, target: Teacher, nodes: Any, samples: Any, key: Any) -> AbstractData:
    if not isinstance(data, laws.AbstractLaw):
        found = data.atoms(1)
        return Samples(found.positions, target, found.weights)
    if samples is not None:
        if nodes is not None and not isinstance(nodes, str):
            raise ValueError(f"{_WHO}(samples={samples!r}): nodes= came as well; give one of them.")
        samples = whole_number(samples, f"{_WHO}(samples=...)", least=1)
        if key is None:
            return Quadrature(data, samples, target, laws.Sobol())
        return Samples(data.sample(samples, key=random_key(key, f"{_WHO}(key=...)")).positions, target)
    if nodes is None:
        return FromLaw(data, target)
    if isinstance(nodes, str):
        if nodes != "default":
            raise ValueError(f'{_WHO}(nodes=...): must be a whole number, None or "default"; got {nodes!r}.')
        return _by_default(data, target)
    return Quadrature(data, data.gauss_size(whole_number(nodes, f"{_WHO}(nodes=...)", least=1)), target)


def _by_default(data: Any, target: Teacher) -> AbstractData:
    if data.n_atoms is not None:
        return Quadrature(data, data.n_atoms, target)
    other = (
        "say how many samples=n to take (with key= for independent ones), nodes=n a coordinate, or nodes=None for "
        "fresh samples alone"
    )
    if data.dim not in _NODES:
        raise ValueError(f"{_WHO}(data=...): the law has dimension {data.dim}, above 3; {other}.")
    try:
        return Quadrature(data, data.gauss_size(_NODES[data.dim]), target)
    except ValueError as error:
        raise ValueError(f"{_WHO}(data=...): {error} Here: {other}.") from None


def _with_noise(data: AbstractData, std: float, key: Any) -> AbstractData:
    if key is None:
        return Noisy(data, std)

    def blurred(y: Any) -> Any:
        return y + std * jax.random.normal(jax.random.fold_in(key, 1), y.shape, y.dtype)

    drawn = data.relabelled(blurred)
    return Noisy(data, std) if drawn is None else drawn
