"""What a report is made from: plain records, filled by whoever ran the runs."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.trajectory import Trajectory

from ._function_section import Fit

HELD_OUT = "held_out_risk"


@dataclasses.dataclass(frozen=True)
class NetworkRun:
    """A finite network trained beside the limit.

    `dynamics` says how in a few words: "SGD, step 0.01, batch 8". Raises `ValueError` for a run without risk.
    """

    width: int
    seed: int
    dynamics: str
    trajectory: Trajectory

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"NetworkRun(width=...): must be at least 1, got {self.width}.")
        require(self.trajectory, "risk", "NetworkRun(trajectory=...)")


@dataclasses.dataclass(frozen=True)
class Checks:
    """What was checked at the end of the limit; None where a check does not apply.

    - `gap`: risk(rho) - inf risk is at most this (`gap_certified`) or about this (not); `gap_statement`
      says it in one sentence. `gap_budget`: the inf is over measures with INT |c| d rho up to this.
      `largest_correlation`: max_w |<R'(f), phi(w, .)>|.
    - `gap_lower`, `gap_upper`: the infimum lies between them; `gap_bracket` says so in a sentence, which goes to the
      top of the page where it `gap_informs`.
    - `stationarity_rms`, `stationarity_largest`: |grad psi| over the particles.
    - `kernel_change`: of the tangent kernel on the data over the run, relative to its start; `regime`: kernel,
      intermediate or adaptive, with the evidence in a sentence; "" where it is not known.
    - `dissipation_defect`: max_t |fall of the objective - energy dissipated|, relative to the largest fall.
    """

    gap: float | None
    gap_budget: float | None
    largest_correlation: float | None
    gap_certified: bool
    gap_statement: str
    stationarity_rms: float | None
    stationarity_largest: float | None
    dissipation_defect: float | None
    dissipation_method: str
    gap_lower: float | None = None
    gap_upper: float | None = None
    gap_bracket: str = ""
    gap_informs: bool = False
    kernel_change: float | None = None
    regime: str = ""


@dataclasses.dataclass(frozen=True)
class Band:
    """The risk that is predicted of networks of a width, trained in one way.

    - `lower`, `upper` [T]: between them lies a network with probability `level`; `mean` [T]; at `times` [T].
    - `order`: of the expansion, from so many `directions`; `trusted`: whether its second order says that it may be
      trusted, at every time.
    - `inside`, `trained`: how many of so many trained networks end inside.
    - `parts`: what width, batch and step each add to the mean risk at the end.
    - `halving`: what each of them alone must become to halve that; those that cannot are not there.
    """

    width: int
    dynamics: str
    level: float
    order: int
    directions: int
    times: Float[np.ndarray, " T"]
    mean: Float[np.ndarray, " T"]
    lower: Float[np.ndarray, " T"]
    upper: Float[np.ndarray, " T"]
    trusted: bool
    inside: int
    trained: int
    parts: dict[str, float]
    halving: dict[str, float]


@dataclasses.dataclass(frozen=True)
class ClassShares:
    """How well the limit, or networks of a width, classify at the end: each a mean and its error, None if not known.

    `auc`: the area under the ROC curve; `held_out_...`: on rows held out.
    """

    name: str
    accuracy: tuple[float, float | None]
    auc: tuple[float, float | None] | None
    held_out_accuracy: tuple[float, float | None] | None = None
    held_out_auc: tuple[float, float | None] | None = None


@dataclasses.dataclass(frozen=True)
class RunSummary:
    """A limit, the networks beside it and what was found out about both.

    - `problem`: facts for a table, in order: data, rows, unit, loss, start, ...
    - `limit`: the same limit with more and more particles; the last is the best, and is the one shown.
    - `limit_error`: [T], an estimate of the error of the limit's risk at the times of the last of `limit`;
      `limit_converged`: whether it met what was asked, None where nothing was; `limit_note`: one sentence on it.
    - `networks`: any number, of any widths and seeds.
    - `bands`: what is predicted of them, one a width and dynamics at most.
    - `held_out`: whether the trajectories observed `held_out_risk`; `held_out_error`: [T], that of the limit's.
    - `fit`: the functions at the end beside the data, where there is one input and one output.
    - `classes`: how well they classify, where the targets are classes.
    - `columns`: names of the input features, for the weights on them; may be empty.
    - `notes`: sentences the reader must see; `provenance`: nested plain data.

    Raises `ValueError` when the parts do not fit together.
    """

    title: str
    problem: dict[str, str]
    limit: tuple[Trajectory, ...]
    limit_error: Float[np.ndarray, " T"]
    limit_converged: bool | None
    limit_note: str
    networks: tuple[NetworkRun, ...]
    checks: Checks
    held_out: bool
    columns: tuple[str, ...]
    notes: tuple[str, ...]
    provenance: dict[str, Any]
    held_out_error: Float[np.ndarray, " T"] | None = None
    fit: Fit | None = None
    bands: tuple[Band, ...] = ()
    classes: tuple[ClassShares, ...] = ()

    def __post_init__(self) -> None:
        if not self.limit:
            raise ValueError("RunSummary(limit=...): at least one trajectory is needed, got none.")
        if self.limit_error.shape != self.best.times.shape:
            raise ValueError(
                f"RunSummary(limit_error=...): expected one number a save time of the last limit, "
                f"{self.best.times.shape}, got {self.limit_error.shape}."
            )
        if not np.all(self.limit_error >= 0):
            raise ValueError("RunSummary(limit_error=...): errors must be numbers and not negative.")
        for trajectory in self.limit:
            require(trajectory, "risk", "RunSummary(limit=...)")
        if self.held_out:
            for trajectory in (self.best, *(run.trajectory for run in self.networks)):
                require(trajectory, HELD_OUT, "RunSummary(held_out=True)")

    @property
    def best(self) -> Trajectory:
        """The limit with the most particles."""
        return self.limit[-1]

    @property
    def kinds(self) -> tuple[tuple[int, str], ...]:
        """The (width, dynamics) of the networks, by width, each once."""
        seen = dict.fromkeys((run.width, run.dynamics) for run in self.networks)
        return tuple(sorted(seen, key=lambda kind: kind[0]))


def require(trajectory: Trajectory, observable: str, where: str) -> None:
    """Raise `ValueError` unless the run recorded `observable` as one number a save time."""
    values = trajectory.observables.get(observable)
    if values is None or values.shape != trajectory.times.shape or len(values) == 0:
        seen = ", ".join(trajectory.observables) or "nothing"
        raise ValueError(f"{where}: needs {observable!r} at every save time; the run observed {seen}.")
    rows = {"positions": trajectory.positions} if trajectory.grid is None else {}
    for name, numbers in {observable: values, **rows}.items():
        # Beyond this a spread or a frame of a picture overflows.
        if not np.all(np.abs(numbers) < 1e100):
            raise ValueError(f"{where}: {name!r} must be finite and below 1e100 in size, to be drawn.")
