"""A predicted risk: its mean and its band over time, and in words."""

import dataclasses
import math
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from widelimit._shown import Shown

from ..expansion._draws import Draws

# Edges of the two orders may differ by this share of the band's width.
_TRUSTED = 0.1


@dataclasses.dataclass(frozen=True, repr=False)
class Prediction(Shown):
    r"""The risk of networks of `width` neurons over time; made by `predict`.

    - `times` [T]; `limit` [T]: the risk of infinite width, under the same steps where there are steps.
    - `mean`, `mean_error` [T]: with the standard error of a mean over so many curves.
    - `lower`, `upper` [T]: between them lies the risk of a network with probability `level`.
    - `trusted` [T]: whether the expansion gives mean and band there; elsewhere trained networks do, or, where none
      were trained, the expansion does all the same.
    - `width`; `batch`, `step`: of SGD, None for the gradient flow (a batch of None: all data in every step).
    - `order`: of the expansion, 0 where there is none; `draws`: how many curves were drawn from it, of `directions` of
      the start. `networks`: how many were trained.
    - `start`: what stands for the law, in words.
    """

    times: Float[np.ndarray, " T"]
    limit: Float[np.ndarray, " T"]
    mean: Float[np.ndarray, " T"]
    mean_error: Float[np.ndarray, " T"]
    lower: Float[np.ndarray, " T"]
    upper: Float[np.ndarray, " T"]
    trusted: Bool[np.ndarray, " T"]
    level: float
    width: int
    batch: int | None
    step: float | None
    order: int
    draws: int
    directions: int
    networks: int
    start: str

    def __repr__(self) -> str:
        return f"Prediction({self.statement})"

    def replaced(self, where: Bool[np.ndarray, " T"], risks: Float[np.ndarray, "t m"]) -> "Prediction":
        """With mean and band of the risks of m trained networks at the times `where`."""
        mean, error, lower, upper = (part.copy() for part in (self.mean, self.mean_error, self.lower, self.upper))
        mean[where], error[where] = mean_of(risks)
        lower[where], upper[where] = edges(risks, self.level)
        changed: dict[str, Any] = {"mean": mean, "mean_error": error, "lower": lower, "upper": upper}
        return dataclasses.replace(self, **changed, networks=risks.shape[1])

    @property
    def content(self) -> tuple[float, float]:
        """The share of networks that a band of the quantiles of `networks` trained ones holds, with confidence 95 %.

        It is a beta variable, whatever the law of the risk: of m networks, order statistics i and j hold Beta(j - i,
        m + 1 - (j - i)) of all. (nan, nan) where none were trained.
        """
        if self.networks == 0:
            return math.nan, math.nan
        from scipy.stats import beta

        held = self.level * (self.networks + 1)
        low, high = beta.ppf([0.025, 0.975], held, self.networks + 1 - held)
        return float(low), float(high)

    @property
    def statement(self) -> str:
        """What is predicted for the end, and on what ground."""
        how = "by the gradient flow"
        if self.step is not None:
            batch = "all data" if self.batch is None else f"batches of {self.batch}"
            how = f"in steps of {self.step:g} with {batch}"
        said = (
            f"At t = {self.times[-1]:g} a network of width {self.width} trained {how} has a risk between "
            f"{self.lower[-1]:.3g} and {self.upper[-1]:.3g} with probability {self.level:.0%}, {self.mean[-1]:.3g} in "
            f"the mean; the limit has {self.limit[-1]:.3g}. The band comes from "
        )
        return said + self._ground() + f" The start: {self.start}."

    def _ground(self) -> str:
        low, high = self.content
        if self.order == 0:
            return f"{self.networks} trained networks (such a band holds {low:.0%} to {high:.0%} of all)."
        if self.order == 1:
            error = (0.5 / self.directions) ** 0.5
            return (
                f"an expansion around the limit to first order, from {self.directions} directions (its width is known "
                f"to about {error:.0%}); what a finite width does to the mean prediction is left out."
            )
        expansion = f"{self.draws} curves drawn from the expansion around the limit, of second order"
        if bool(np.all(self.trusted)):
            return f"{expansion}; to first order its edges are the same within a tenth of its width."
        first = int(np.argmin(self.trusted))
        since = "from" if not np.any(self.trusted[first:]) else "at some times from"
        when = f"{since} t = {self.times[first]:g} on, where the two orders differ by more than a tenth of its width"
        if self.networks == 0:
            return f"{expansion}, not to be trusted {when}; no networks were trained."
        return (
            f"{expansion}, and {when}, from {self.networks} trained networks (such a band holds {low:.0%} to "
            f"{high:.0%} of all)."
        )


def predicted(found: Draws, *, level: float, order: int, **about: Any) -> Prediction:
    """The band of the second order, and where that of the first has the same edges within a tenth of its width.

    Raises `ValueError` where a draw is not a finite number.
    """
    if not np.all(np.isfinite(found.second)) or not np.all(np.isfinite(found.first)):
        raise ValueError(
            "predict: the expansion around the limit grows beyond all numbers; take a shorter t1 or smaller steps."
        )
    lower, upper = edges(found.second, level)
    shift = np.abs(np.stack(edges(found.first, level)) - np.stack([lower, upper]))
    trusted = np.all(shift <= _TRUSTED * (upper - lower), axis=0) & (order > 1)
    mean, independent = mean_of(found.second)
    error = independent if found.error is None else found.error
    return Prediction(
        times=found.times,
        limit=found.limit,
        mean=mean,
        mean_error=error,
        lower=lower,
        upper=upper,
        trusted=trusted,
        level=level,
        order=order,
        draws=found.second.shape[1],
        networks=0,
        **about,
    )


def enough(networks: int, level: float) -> int:
    """The number of networks, where so many have quantiles of that level. Raises `ValueError` where they do not."""
    least = math.ceil(2.0 / (1.0 - level) - 1e-9) - 1
    if networks < least:
        raise ValueError(f"predict(networks=...): a band of {level:.0%} takes at least {least}, got {networks}.")
    return networks


def of_networks(risks: Float[np.ndarray, "T m"], *, level: float, batch: Any, step: Any, **about: Any) -> Prediction:
    """The band of m trained networks alone."""
    (mean, error), (lower, upper) = mean_of(risks), edges(risks, level)
    about |= {"batch": None if batch is None else int(batch), "step": None if step is None else float(step)}
    return Prediction(
        mean=mean,
        mean_error=error,
        lower=lower,
        upper=upper,
        trusted=np.zeros(len(mean), bool),
        level=level,
        order=0,
        draws=0,
        directions=0,
        networks=risks.shape[1],
        **about,
    )


def mean_of(risks: Float[np.ndarray, "T m"]) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
    """The mean over curves and its standard error."""
    return risks.mean(axis=1), np.std(risks, axis=1, ddof=1) / risks.shape[1] ** 0.5


def edges(risks: Float[np.ndarray, "T m"], level: float) -> tuple[Float[np.ndarray, " T"], Float[np.ndarray, " T"]]:
    """Quantiles between which one more curve lies with probability `level` (Weibull's: unbiased for any law)."""
    ends = [0.5 * (1.0 - level), 0.5 * (1.0 + level)]
    lower, upper = np.quantile(risks, ends, axis=1, method="weibull")
    return lower, upper
