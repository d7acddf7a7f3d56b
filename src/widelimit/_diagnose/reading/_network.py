r"""A trained two-layer network as its trainer had it, and as a problem and a measure of this library.

With N hidden neurons the trainer's network is $f(x) = o + \sum_i v_i\,\sigma(w_i \cdot x + b_i)$. Here it is the
mean of the particles $(c_i, w_i, b_i)$ with $c_i = N v_i$, and the output bias o is the network's offset. In these

- the penalty $\lambda_v \sum_i |v_i|^2 + \lambda_w \sum_i |w_i|^2$ is the mean of
  $\lambda_v c_i^2 / N + N \lambda_w |w_i|^2$;
- gradient descent of v, w, b at the rate 1 is the flow with the mobility N of c and 1/N of w and b, so that time is the
  trainer's: learning rate times steps.
"""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.dynamics import SGD, sampling
from widelimit.measure import Particles, laws
from widelimit.problem import Problem, activations, integrals, losses, mobilities, penalties, units
from widelimit.problem.data import Samples
from widelimit.problem.networks import TwoLayer

# Predictions may differ by so many roundings of the largest sum in them.
_ROUNDINGS = 1e3


@dataclasses.dataclass(frozen=True)
class Decay:
    """The trainer's penalty: so much times the squares of all output weights, inner weights and inner biases."""

    output: float = 0.0
    weight: float = 0.0
    bias: float = 0.0


@dataclasses.dataclass(frozen=True)
class Steps:
    """Plain steps along the gradient, from a start whose law is known.

    - `rate`: learning rate; `batch`: rows a step, None for all; `count`: how many steps.
    - `inner`, `outer`: weights and biases of either layer were drawn uniformly up to these sizes.
    """

    rate: float
    batch: int | None
    count: int
    inner: float
    outer: float

    @property
    def time(self) -> float:
        """Learning rate times steps."""
        return self.rate * self.count


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How networks of a kind are made: neurons of a law, trained by SGD to a time t1 (as `from_torch` says, too)."""

    problem: Problem
    law: laws.AbstractLaw
    sgd: SGD
    t1: float


@dataclasses.dataclass(frozen=True)
class TrainedNetwork:
    """What a reader found.

    - `weight` [N, d], `bias` [N] or None, `output` [N] or [N, C], `offset` () or (C,) or None.
    - `activation`: a name in `widelimit.activations`; `loss`, `decay`: what was minimised.
    - `source`: what it was, in words.
    - `reference`, `link`: what the trainer itself predicts at inputs, and of which function of f; None: nothing to ask.
    - `targets`: the trainer's targets as those of the loss.
    - `classes`: their names in order, where the trainer has some.
    - `steps`: how it was trained, where that was in plain steps from a start of a known law.
    """

    weight: Float[np.ndarray, "N d"]
    bias: Float[np.ndarray, " N"] | None
    output: Float[np.ndarray, "N ..."]
    offset: Float[np.ndarray, "..."] | None
    activation: str
    loss: losses.AbstractLoss
    decay: Decay
    source: str
    reference: Callable[[np.ndarray], np.ndarray] | None = None
    link: Callable[[np.ndarray], np.ndarray] | None = None
    targets: Callable[[Any], np.ndarray] | None = None
    classes: tuple[Any, ...] = ()
    steps: Steps | None = None

    def __post_init__(self) -> None:
        names = ("weight", "bias", "output", "offset")
        for name in names:
            value = getattr(self, name)
            if value is not None and not np.all(np.isfinite(value)):
                bad = int(np.sum(~np.isfinite(value)))
                raise ValueError(
                    f"diagnose(model=...): {bad} entries of the {name} are not finite: its training failed; try a "
                    "smaller learning rate."
                )
        if self.activation not in activations.registry.names:
            raise ValueError(
                f"diagnose(activation=...): {self.activation!r} is unknown; the library has "
                f"{', '.join(sorted(activations.registry.names))}."
            )

    @property
    def width(self) -> int:
        """N."""
        return len(self.weight)

    def inputs(self, x: Any) -> Float[np.ndarray, "n d"]:
        """A table as the inputs. Raises `ValueError` for one that is not numbers, or of another number of columns."""
        try:
            rows = np.asarray(x, float)
        except (TypeError, ValueError) as error:
            raise ValueError(f"diagnose(x=...): must be a table of numbers ({error}).") from None
        if rows.ndim == 1 and self.weight.shape[1] == 1:
            rows = rows[:, None]
        if rows.ndim != 2 or rows.shape[1] != self.weight.shape[1]:
            raise ValueError(
                f"diagnose(x=...): the model has {self.weight.shape[1]} inputs, the table has shape {rows.shape}."
            )
        return _all_finite(rows, "x")

    def labels(self, y: Any) -> np.ndarray:
        """The targets of the loss. Raises `ValueError` for targets of another shape."""
        if self.targets is not None:
            values = self.targets(y)
        else:
            try:
                values = np.asarray(y, float)
            except (TypeError, ValueError) as error:
                raise ValueError(f"diagnose(y=...): must be numbers ({error}).") from None
        shape = self.output.shape[1:]
        if values.ndim == 2 and values.shape[1] == 1 and not shape:
            values = values[:, 0]
        if values.shape[1:] != shape:
            raise ValueError(
                f"diagnose(y=...): the model has outputs of shape {shape}, the targets have shape {values.shape}."
            )
        return _all_finite(values, "y")

    def problem(self, x: Any, y: Any, *, trained_offset: bool = False) -> Problem:
        """The problem that the trainer solved, in its time; the output bias is a constant, or a block."""
        n, decay = float(self.width), self.decay
        strengths = {"output": decay.output / n, "weight": decay.weight * n}
        strengths |= {} if self.bias is None else {"bias": decay.bias * n}
        terms = [penalties.l2(strength, name) for name, strength in strengths.items() if strength > 0.0]
        blocks = {"output": n, "weight": 1.0 / n} | ({} if self.bias is None else {"bias": 1.0 / n})
        unit = units.Neuron(activations.registry.make(self.activation), bias=self.bias is not None)
        rows = self.inputs(x)
        labels = self.labels(y)
        if len(rows) != len(labels):
            raise ValueError(f"diagnose(x=..., y=...): {len(rows)} rows and {len(labels)} targets.")
        moves = trained_offset and self.offset is not None
        if moves:
            unit, blocks = units.WithOffset(unit), blocks | {"offset": 1.0}
        return Problem(
            TwoLayer(unit, None if moves else self.offset),
            Samples(rows, labels),
            self.loss,
            penalty=penalties.Sum(tuple(terms)) if len(terms) > 1 else terms[0] if terms else None,
            mobility=mobilities.Diagonal(**blocks),
            integrals=integrals.Dense,
        )

    def recipe(self, x: Any, y: Any) -> Recipe | None:
        """How other networks like it are made; None where that is not known."""
        how = self.steps
        if how is None:
            return None
        problem = self.problem(x, y, trained_offset=True)
        sizes = {"output": self.width * how.outer, "weight": how.inner, "bias": how.inner, "offset": how.outer}
        law = laws.product(
            **{b.name: laws.Uniform(-sizes[b.name], sizes[b.name], b.shape or 1) for b in problem.blocks}
        )
        whole = how.batch is None
        taken = sampling.Full() if whole else sampling.Epochs()
        return Recipe(problem, law, SGD(how.rate, batch=1 if whole else how.batch, sampling=taken), how.time)

    def particles(self, problem: Problem) -> Particles:
        """The neurons, one a row."""
        columns = [self.width * self.output.reshape(self.width, -1), self.weight]
        columns += [] if self.bias is None else [self.bias[:, None]]
        return Particles(np.concatenate(columns, axis=1).astype(float), blocks=problem.blocks)

    def check(self, problem: Problem, measure: Particles, predicted: Any = None) -> float:
        """The largest difference to the trainer's own predictions. Raises `ValueError` where it is no rounding.

        `predicted`: what the trainer predicts on the rows, if a user gives it.
        """
        x = np.asarray(problem.data.x)  # pyright: ignore[reportAttributeAccessIssue]
        f = np.asarray(problem.predict(measure, x))
        sums = np.abs(self.output.reshape(self.width, -1)).sum() + np.max(np.abs(x)) + 1.0
        eps = float(np.finfo(np.result_type(self.weight.dtype, np.float32)).eps)
        own = f if self.link is None else self.link(f)
        theirs = self.reference(x) if predicted is None and self.reference is not None else predicted
        if theirs is None:
            return 0.0
        theirs = np.asarray(theirs, float).reshape(own.shape)
        off = float(np.max(np.abs(own - theirs)))
        if not off <= _ROUNDINGS * eps * sums:
            raise ValueError(
                f"diagnose(model=...): the predictions of {self.source}, read as one hidden layer of {self.width} "
                f"{self.activation} neurons, differ by up to {off:.3g} from its own: check activation=..., names=... "
                "and that x is scaled as for the training."
            )
        return off


def _all_finite(values: np.ndarray, name: str) -> np.ndarray:
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        where = tuple(int(i) for i in bad[0])
        raise ValueError(f"diagnose({name}=...): {len(bad)} entries are not finite, the first at {where}.")
    return values
