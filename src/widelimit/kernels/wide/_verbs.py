"""`random_features` and `neural_tangent`."""

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np

from widelimit.measure import Blocks, laws, theta_type
from widelimit.numerics import require_x64, whole_number
from widelimit.problem.units import AbstractUnit

from ._arc_cosine import arc_cosine
from ._bends import offset
from ._fit import Fitted, fit, independent, rows_of, second_moments
from ._kernel import ClosedForm, Kernel, Means
from ._nodes import NodeSum, node_sum
from ._slopes import weighted

# Nodes in all where there is no closed form.
_NODES = 2**14


def random_features(unit: Any, law: Any, *, nodes: Any = _NODES) -> Kernel:
    r"""$K(x, x') = \int \tilde\phi(w, x)\,\tilde\phi(w, x')\,\rho(dw)$, with $\phi = c\,\tilde\phi$.

    The tangent kernel where the output weight c alone moves (williams2019 (23)), at infinite width.

    - `law`: of all blocks but the linear one (of all, for a unit without one); independent blocks as
      `laws.product(weight=..., bias=...)`. The number of inputs is that of its weight.
    - `nodes`: how many, where there is no closed form: Gauss nodes for a smooth unit of up to four parameters, else
      Sobol points. `Kernel.error` says what they leave.

    Closed forms are known for lines with one kink (`Neuron` with relu or leaky_relu, `FreeKnot`): for atoms as weights
    in any dimension, or any law with a density as the one weight, with a bias that is uniform, normal, made of atoms
    or absent; for laws invariant under rotations and centred normal laws, in any dimension; and for mixtures of such.

    **Raises** `ValueError` for a law of other blocks, for one without second moments (unless the unit is bounded), and
    for one without a closed form or a map from the unit cube.
    """
    return _kernel(unit, law, nodes, "random_features", tangent=False)


def neural_tangent(unit: Any, law: Any, *, nodes: Any = _NODES) -> Kernel:
    r"""$K(x, x') = \int \nabla_\theta\phi(\theta, x)\cdot\nabla_\theta\phi(\theta, x')\,\rho(d\theta)$.

    All blocks move: the neural tangent kernel of the mean over neurons, at infinite width. For `Neuron(relu)` with an
    independent output weight c

    $$K = K_{RF} + E[c^2]\,(x \cdot x' + 1)\,P(w \cdot x + b > 0,\ w \cdot x' + b > 0)$$

    (williams2019 (27)). `law`: of all blocks; the rest as for `random_features`.

    **Raises** `ValueError` as `random_features` does, for a law without second moments always.
    """
    return _kernel(unit, law, nodes, "neural_tangent", tangent=True)


def _kernel(unit: Any, law: Any, nodes: Any, who: str, *, tangent: bool) -> Kernel:
    """Part by part of a mixture: a closed form, or a sum over nodes."""
    require_x64(who)
    if not isinstance(unit, AbstractUnit):
        raise ValueError(f"{who}(unit=...): must be a unit, such as units.Neuron(activations.relu); got {unit!r}.")
    count = whole_number(nodes, f"{who}(nodes=...)", least=16)
    fitted = fit(unit, law, who, without=None if tangent else unit.linear)
    # Features that are bounded have a kernel under any law.
    bounded = not tangent and unit.bound is not None
    if not bounded and any(second_moments(part) is None for _, part in law.components()):
        raise ValueError(
            f"{who}(law=...): the kernel is an integral of second moments, and those of {type(law).__name__} are "
            "infinite or not known; a law of your own says them by `mean` and `covariance`."
        )
    _check_output(unit, fitted, who)
    parts = [(jnp.asarray(mass), _form(unit, part, fitted, count, who, tangent)) for mass, part in law.components()]
    return Kernel(parts=tuple(parts), inputs=fitted.inputs, closed=all(part.exact for _, part in parts))


def _form(
    unit: AbstractUnit, law: laws.AbstractLaw, fitted: Fitted, count: int, who: str, tangent: bool
) -> ClosedForm | NodeSum:
    squares, given = jnp.ones(()), fitted.blocks
    apart = _apart(unit, law, given) if tangent else (squares, law)
    if apart is not None:
        # Of an independent output weight the kernel sees the mean square alone.
        squares, law = apart
        given = tuple(block for block in given if block.name != unit.linear)
        means = _means(unit, law, given)
        if means is not None:
            return _closed(unit, means, squares, tangent)
    blocks = unit.blocks(fitted.inputs or 1, ())
    scales = [jnp.full(block.size, 1.0 if block.name == unit.linear else squares) for block in blocks]

    def full(rows: np.ndarray) -> np.ndarray:
        return _with_ones(rows_of(law, rows, given), given, blocks)

    return node_sum(unit, law, blocks, full, count, who, scales=jnp.concatenate(scales) if tangent else None)


def _closed(unit: AbstractUnit, means: Means, squares: Any, tangent: bool) -> ClosedForm:
    ramp = unit.ramp
    assert ramp is not None
    return ClosedForm(
        means,
        squares,
        value=not tangent or unit.linear is not None,
        weight=tangent and ramp.weight is not None,
        bias=tangent and ramp.bias is not None,
    )


def _means(unit: AbstractUnit, law: laws.AbstractLaw, blocks: Blocks) -> Means | None:
    """What the kink sees, in closed form, for a law of the unit's features; None where it is not known."""
    ramp, parts = unit.ramp, independent(law, blocks)
    if ramp is None:
        return None
    signs = np.concatenate([np.full(block.size, ramp.sign if block.name == ramp.bias else 1.0) for block in blocks])
    in_order = not law.blocks or [block.name for block in law.blocks] == [block.name for block in blocks]
    if ramp.weight is not None and in_order:
        joint = arc_cosine(law, ramp.slopes, signs, bias=ramp.bias is not None)
        if joint is not None:
            return joint
    if parts is None:
        return None
    weight = laws.Atom(np.ones(1)) if ramp.weight is None else parts[ramp.weight]
    bias = None if ramp.bias is None else parts[ramp.bias]
    if ramp.weight is not None and _is_zero(bias):
        alone = arc_cosine(weight, ramp.slopes, np.ones(weight.dim), bias=False)
        if alone is not None:
            return alone
    known = offset(bias, ramp.sign)
    return None if known is None else weighted(weight, known, ramp.slopes)


def _is_zero(law: laws.AbstractLaw | None) -> bool:
    return law is None or (law.n_atoms == 1 and not np.any(law.gauss(1)[0]))


def _apart(unit: AbstractUnit, law: laws.AbstractLaw, blocks: Blocks) -> tuple[Any, laws.AbstractLaw] | None:
    """The mean square of the output weight and the law of the rest, where they are independent."""
    if unit.linear is None:
        return jnp.ones(()), law
    parts = independent(law, blocks)
    if parts is None:
        return None
    squares = second_moments(parts[unit.linear])
    assert squares is not None
    rest = {block.name: parts[block.name] for block in blocks if block.name != unit.linear}
    return squares[0, 0], laws.product(**rest)


def _with_ones(rows: np.ndarray, given: Blocks, blocks: Blocks) -> np.ndarray:
    """Rows of the blocks given as rows of all blocks, one in what is missing: phi~ is phi at output weight 1."""
    starts = np.cumsum([0, *(block.size for block in given)])
    columns = {block.name: rows[:, a:b] for block, a, b in zip(given, starts[:-1], starts[1:], strict=True)}
    ones = np.ones((len(rows), 1))
    return np.concatenate([columns.get(block.name, ones) for block in blocks], axis=1)


def _check_output(unit: AbstractUnit, fitted: Fitted, who: str) -> None:
    if fitted.inputs is None:
        return
    blocks = unit.blocks(fitted.inputs, ())
    theta = theta_type(tuple(block.name for block in blocks))(*(jnp.zeros(block.shape) for block in blocks))
    shape = eqx.filter_eval_shape(unit, theta, jnp.zeros(fitted.inputs)).shape
    if shape != ():
        raise ValueError(f"{who}(unit=...): the unit's value must be one number, it has shape {shape}.")
