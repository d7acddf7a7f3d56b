"""What regressor and classifier share: parameters, the run, the choice of the time, the network's output."""

import dataclasses
from typing import Any, NoReturn

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Float
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from widelimit._evolve import evolve
from widelimit.dynamics import SGD, GradientFlow, integrators, sampling
from widelimit.measure import Particles, row_size
from widelimit.numerics import real_number, whole_number
from widelimit.problem import Problem, activations, data, losses, penalties, units
from widelimit.trajectory import Trajectory, observables

from ._padding import columns_in, padded, padded_columns, padded_positions, padded_rows, padded_targets
from ._standard import Standard
from ._start import start_positions


class WideNetwork(BaseEstimator):
    """The parameters, which the constructor only stores, and the run; see `WideRegressor`."""

    def __init__(
        self,
        activation: Any = "tanh",
        *,
        t1: Any = 10.0,
        particles: Any = 256,
        width: Any = None,
        step: Any = 0.05,
        batch: Any = None,
        alpha: Any = 0.0,
        loss: Any = "auto",
        bias: Any = True,
        start_scale: Any = 1.0,
        standardise: Any = True,
        rtol: Any = None,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        random_state: Any = None,
    ) -> None:
        self.activation = activation
        self.t1 = t1
        self.particles = particles
        self.width = width
        self.step = step
        self.batch = batch
        self.alpha = alpha
        self.loss = loss
        self.bias = bias
        self.start_scale = start_scale
        self.standardise = standardise
        self.rtol = rtol
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    @property
    def partial_fit(self) -> NoReturn:
        """There is none: `hasattr` says so, and the `AttributeError` why."""
        raise AttributeError(
            f"{type(self).__name__} has no partial_fit: a run is of one set of data, from time 0 to t1. Call fit with "
            "all rows, with width= and batch= where a step shall see a few of them only."
        )

    def _train(
        self,
        x: Float[np.ndarray, "n d"],
        y: Float[np.ndarray, "n ..."],
        weights: Float[np.ndarray, " n"] | None,
        loss: losses.AbstractLoss,
        strata: np.ndarray | None = None,
    ) -> None:
        """Run on rows x with targets y. `strata`: the classes whose shares the rows held out must have."""
        random = check_random_state(self.random_state)
        unit = units.Neuron(self._activation(), bias=bool(self.bias), output_weight=True)
        strength = real_number(self.alpha, self._named("alpha"), least=0.0)
        mu = np.ones(len(x)) if weights is None else weights
        kept, held = self._split(random, mu, strata)
        share = mu[kept] / mu[kept].sum()
        self._scaling = Standard.fit(x[kept], share) if self.standardise else Standard.identity(x)
        scaled = self.standardise and not loss.labels
        self._target_scaling = Standard.fit(y[kept], share) if scaled else Standard.identity(y)
        x, y = self._scaling(x), self._target_scaling(y)

        def problem(rows: np.ndarray, columns: int | None = None) -> Problem:
            """On these rows; with `columns` padded to so many, and the rows to few numbers of them."""
            samples = x[rows], y[rows], mu[rows]
            if columns is not None:
                most = padded_rows(len(rows))
                samples = padded(x[rows], most, columns), padded_targets(y[rows], most), padded(mu[rows], most)
            return Problem(unit, data.Samples(*samples), loss, penalty=penalties.l2(strength))

        columns = padded_columns(x.shape[1])
        own, wide = problem(kept), problem(kept, columns)
        run = self._run(random, own, wide)
        chosen, self.validation_risk_ = len(run) - 1, None
        if len(held):
            validation = problem(held, columns)
            self.validation_risk_ = np.asarray(_risks(validation, np.asarray(run.positions), run.weights[0]))
            chosen = int(np.argmin(self.validation_risk_))
        # Of one row, so that one program answers after fits to tables of any length.
        self._predictor = Problem(unit, data.Samples(np.zeros((1, columns)), y[:1], np.ones(1)), loss)
        places = columns_in(own.blocks, wide.blocks)
        self.problem_ = own
        self.trajectory_ = dataclasses.replace(run, positions=run.positions[:, :, places], blocks=own.blocks)
        self.measure_ = self.trajectory_[chosen]
        self.t_ = float(run.times[chosen])
        self.n_iter_ = run.steps

    def _run(self, random: np.random.RandomState, own: Problem, wide: Problem) -> Trajectory:
        """The run of the padded problem."""
        t1 = real_number(self.t1, self._named("t1"), above=0.0)
        scale = real_number(self.start_scale, self._named("start_scale"), above=0.0)
        limit = self.width is None
        name = "particles" if limit else "width"
        count = whole_number(getattr(self, name), self._named(name), least=1)
        rows = start_positions(random, own.blocks, count, scale, mirrored=limit)
        start = Particles(padded_positions(rows, own.blocks, wide.blocks), blocks=wide.blocks)
        watched = observables.Risk(), observables.Penalty()
        if limit:
            # Across kinks a tighter one makes the steps chatter.
            usual = 1e-4 if wide.rough else 1e-6
            rtol = usual if self.rtol is None else real_number(self.rtol, self._named("rtol"), above=0.0, below=1.0)
            # The error is a mean over all columns, padded ones too: the tolerance makes up for them.
            rtol *= (row_size(own.blocks) / row_size(wide.blocks)) ** 0.5
            flow = GradientFlow(integrator=integrators.Tsit5(rtol=rtol, atol=0.01 * rtol))
            return evolve(wide, start, flow, t1=t1, observe=watched, progress=False)
        step = real_number(self.step, self._named("step"), above=0.0)
        size = None if self.batch is None else whole_number(self.batch, self._named("batch"), least=1)
        drawn = sampling.Full() if size is None else sampling.Fresh()
        sgd = SGD(step=step, batch=1 if size is None else size, sampling=drawn)
        key = jax.random.key(int(random.randint(2**31 - 1)))
        return evolve(wide, start, sgd, t1=t1, observe=watched, key=key, progress=False)

    def _split(
        self, random: np.random.RandomState, mu: Float[np.ndarray, " n"], strata: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The rows to train on, and those held out for the choice of the time: none without early stopping."""
        rows = np.arange(len(mu))
        if not self.early_stopping:
            return rows, rows[:0]
        part = real_number(self.validation_fraction, self._named("validation_fraction"), above=0.0, below=1.0)
        kept, held = map(np.asarray, train_test_split(rows, test_size=part, random_state=random, stratify=strata))
        if mu[kept].sum() == 0 or mu[held].sum() == 0:
            raise ValueError(
                f"{type(self).__name__}.fit(sample_weight=...): with early_stopping both the rows trained on and those "
                "held out need weight; one part has none."
            )
        return kept, held

    def _output(self, x: Any) -> Float[np.ndarray, "n ..."]:
        """f of the measure chosen at inputs [n, d]."""
        check_is_fitted(self)
        x = self._scaling(np.asarray(validate_data(self, x, dtype=np.float64, reset=False)))
        wide, own = self._predictor.blocks, self.problem_.blocks
        rho = Particles(padded_positions(self.measure_.positions, own, wide), self.measure_.weights, blocks=wide)
        points = padded(x, padded_rows(len(x)), self._predictor.data.inputs)
        return np.asarray(self._predictor.predict(rho, points))[: len(x)]

    def _weights(self, given: Any, n: int) -> Float[np.ndarray, " n"] | None:
        """The sample weights, checked."""
        if given is None:
            return None
        who = f"{type(self).__name__}.fit(sample_weight=...)"
        weights = np.asarray(given, float)
        weights = np.full(n, weights) if weights.ndim == 0 else weights
        if weights.shape != (n,):
            raise ValueError(f"{who}: expected one number for each of the {n} rows, got shape {weights.shape}.")
        if not np.all(np.isfinite(weights)) or np.any(weights < 0) or not weights.sum() > 0:
            raise ValueError(f"{who}: must be finite, not negative and not all zero.")
        return weights

    def _loss(self, usual: str, *others: str) -> losses.AbstractLoss:
        """What `loss` names: "auto" is the usual one. Raises `ValueError` for one that is none of the others."""
        allowed = ("auto", *dict.fromkeys((usual, *others)))
        if not isinstance(self.loss, str) or self.loss not in allowed:
            raise ValueError(f"{self._named('loss')}: must be one of {', '.join(sorted(allowed))}, got {self.loss!r}.")
        return losses.registry.make(usual if self.loss == "auto" else self.loss)

    def _activation(self) -> activations.Activation:
        if isinstance(self.activation, str):
            return activations.registry.make(self.activation)
        return activations.as_activation(self.activation, self._named("activation"))

    def _named(self, parameter: str) -> str:
        return f"{type(self).__name__}({parameter}=...)"


@eqx.filter_jit
def _risks(problem: Problem, positions: Any, weights: Any) -> Float[Array, " T"]:
    """The risk of each of T measures: positions [T, N, D], weights [N]."""
    return jax.lax.map(lambda rows: problem.risk(Particles(rows, weights, blocks=problem.blocks)), positions)
