"""Several runs beside each other."""

import dataclasses
from collections.abc import Sequence
from typing import overload

import numpy as np
from jaxtyping import Float

from ._trajectory import Trajectory


@dataclasses.dataclass(frozen=True, repr=False)
class Ensemble(Sequence[Trajectory]):
    """Runs such as the seeds of one width: a sequence of trajectories, whose observables stand beside each other.

        nets.risk  # [S, T]
        nets.mean("risk"), nets.standard_error("risk")  # [T]
        wl.report.compare(limit=limit, nets=nets)  # the mean with its standard error as a band

    - `runs`: S trajectories.
    - every observable as an attribute: [S, T, ...]. Raises `ValueError` where the runs have different save times, as
      those that ended early do; `ended` leaves them out.
    """

    runs: tuple[Trajectory, ...]

    def __len__(self) -> int:
        return len(self.runs)

    @overload
    def __getitem__(self, index: int) -> Trajectory: ...

    @overload
    def __getitem__(self, index: slice) -> "Ensemble": ...

    def __getitem__(self, index: int | slice) -> "Trajectory | Ensemble":
        return Ensemble(self.runs[index]) if isinstance(index, slice) else self.runs[index]

    def __repr__(self) -> str:
        early = len(self) - len(self.ended)
        stopped = f", {early} of them ended early" if early else ""
        return f"Ensemble({len(self)} runs{stopped}; the first: {self.runs[0]!r})" if self.runs else "Ensemble(0 runs)"

    def __getattr__(self, name: str) -> np.ndarray:
        # Observables read as attributes, as those of one run do.
        runs = self.__dict__.get("runs", ())
        known = [key for key in (runs[0].observables if runs else {}) if all(key in run.observables for run in runs)]
        if name not in known:
            raise AttributeError(f"the ensemble has no {name!r}; its runs observed: {', '.join(known) or 'nothing'}")
        # What was saved at other times does not stand beside the rest.
        assert len(self.times)
        return np.stack([np.asarray(run.observables[name]) for run in runs])

    @property
    def times(self) -> Float[np.ndarray, " T"]:
        """[T], of all runs. Raises `ValueError` where they differ."""
        first = self.runs[0].times if self.runs else np.zeros(0)
        for number, run in enumerate(self.runs):
            if not np.array_equal(run.times, first):
                raise ValueError(
                    f"Ensemble: run {number} was saved {len(run)} times to t = {run.times[-1]:g}, run 0 {len(first)} "
                    f"times to t = {first[-1]:g}; take `ended`, those that reached the end, or each by itself."
                )
        return first

    @property
    def ended(self) -> "Ensemble":
        """The runs that reached their end."""
        return Ensemble(tuple(run for run in self.runs if run.outcome.ok))

    def mean(self, name: str) -> Float[np.ndarray, "T ..."]:
        """The mean of an observable over the runs. Raises `ValueError` without any."""
        return np.mean(self._values(name, 1), axis=0)

    def standard_error(self, name: str) -> Float[np.ndarray, "T ..."]:
        """The standard error of that mean, from the spread over the runs. Raises `ValueError` for fewer than two."""
        values = self._values(name, 2)
        return np.std(values, axis=0, ddof=1) / len(values) ** 0.5

    def _values(self, name: str, least: int) -> np.ndarray:
        if len(self) < least:
            raise ValueError(f"Ensemble: {len(self)} runs; at least {least} are needed.")
        return getattr(self, name)
