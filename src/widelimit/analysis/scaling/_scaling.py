"""Exponents: how a quantity scales with a width, a batch, a step, and whether the data say so."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from widelimit.numerics import own_array, real_number

from ._power_law import Fit, PowerLaw, smooth_spread

# Below this probability of a larger misfit the rows are said to be no power law.
_MISFIT = 0.01


@dataclasses.dataclass(frozen=True, repr=False)
class Scaling:
    r"""value $\approx C\,x^{-a} + c$, from the means over seeds. See `scaling`.

    - `exponent` a, `prefactor` C, `floor` c (the given one, or fitted).
    - `parameter` [K], `mean` [K], `error` [K]: the rows; `error` is the standard error of the mean, smoothed over rows,
      NaN where there is one seed each.
    - `seeds`: [K].
    - `misfit`: the probability that rows which are such a power law lie as far from it as these or farther; NaN where
      nothing is left to judge by.
    - `determined`: whether the data determine the exponent; `statement`: the verdict as a sentence.
    """

    parameter: Float[np.ndarray, " K"]
    mean: Float[np.ndarray, " K"]
    error: Float[np.ndarray, " K"]
    seeds: np.ndarray
    exponent: float
    prefactor: float
    floor: float
    misfit: float
    determined: bool
    statement: str
    law: PowerLaw = dataclasses.field(compare=False)
    best: Fit = dataclasses.field(compare=False)
    freedom: float

    def __repr__(self) -> str:
        return f"Scaling({self.statement})"

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The confidence interval of the exponent; an end is infinite where the data leave it open.

        By the rise of the least squares along the exponent (in logs that is Student's t). Raises `ValueError` for a
        level outside (0, 1).
        """
        real_number(level, "Scaling.interval(level=...)", above=0.0, below=1.0)
        return _interval(self.law, self.best, self.freedom, bool(np.isnan(self.error[0])), level)

    def value(self, x: Any) -> Float[np.ndarray, "..."]:
        """C x^-a + c at parameters x of any shape."""
        return np.asarray(self.prefactor * np.asarray(x, float) ** -self.exponent + self.floor)


def scaling(
    parameter: Any,
    values: Any,
    *,
    floor: float | None = 0.0,
    level: float = 0.95,
    within: float = 0.25,
    name: str = "x",
) -> Scaling:
    r"""Fit $E\,\mathrm{value} = C\,x^{-a} + c$ to results of several seeds at several values of a parameter.

    The rows' *means* are fitted, as it is they that a law such as $E|f_n - f|^2 \approx C/n$ is about; with all results
    positive and a known floor in logs, else (signed results, a fitted floor) as they are. Weights are the errors by the
    seeds, smoothed over the parameter, as those of single rows of few seeds are too noisy. All results are taken to be
    independent: other seeds at every value of the parameter.

    **Arguments**

    - `parameter`: [K] different positive numbers: n, P, a step, ...
    - `values`: [K, S], the results of S seeds each; a list of K arrays where the numbers of seeds differ; [K] for one
      seed each; or a function of one parameter that gives its [S] results.
    - `floor`: c, a number that is known; None: it is fitted, too.
    - `level`: of the interval in `determined` and `statement`.
    - `within`: the half-width of the interval up to which the exponent counts as determined; 1/4 tells 1/2 from 1.
    - `name`: of the parameter, in the statement.

    `determined` asks for more rows than parameters, an interval as narrow as `within`, and rows that do not contradict
    the power law at 1 %. With one seed each, or seeds that all agree, the error is that of the residuals, and nothing
    is left to test the law by; the statement says so.

    **Raises** `ValueError` for results that are not finite, parameters that are not positive or not different, fewer
    than two of them (three with a fitted floor), and numbers outside their ranges.
    """
    level = real_number(level, "scaling(level=...)", above=0.0, below=1.0)
    within = real_number(within, "scaling(within=...)", above=0.0)
    known = None if floor is None else real_number(floor, "scaling(floor=...)")
    x = _parameter(parameter, 3 if known is None else 2)
    rows = _rows(x, values)
    law, error, freedom = _law(x, rows, known)
    best = law.fit()
    mean, seeds = np.array([row.mean() for row in rows]), np.array([len(row) for row in rows])
    alone = error is None
    misfit = float("nan") if alone else _misfit(law, best, freedom)
    interval = _interval(law, best, freedom, alone, level)
    reason = _doubt(law, interval, misfit, level, within)
    said = _statement(best, interval, rows, alone, level, name, reason, known)
    errors = np.full(len(x), np.nan) if error is None else error
    fitted = best.floor if known is None else known
    determined, numbers = reason is None, (best.exponent, best.prefactor, fitted, misfit)
    return Scaling(x, mean, errors, seeds, *numbers, determined, said, law, best, freedom)


def _parameter(parameter: Any, least: int) -> Float[np.ndarray, " K"]:
    x = np.asarray(own_array(parameter, "scaling(parameter=...)"), float)
    if x.ndim != 1 or len(x) < least:
        raise ValueError(f"scaling(parameter=...): expected [K] numbers, at least {least}; got shape {x.shape}.")
    if not np.all(np.isfinite(x)) or not np.all(x > 0.0):
        bad = x[~(np.isfinite(x) & (x > 0.0))][0]
        raise ValueError(f"scaling(parameter=...): must be finite and positive; {bad:g} is among them.")
    if len(np.unique(x)) < len(x):
        raise ValueError("scaling(parameter=...): a value comes twice; put its seeds into one row.")
    return x


def _rows(x: Float[np.ndarray, " K"], values: Any) -> list[np.ndarray]:
    """The results of each value of the parameter."""
    if isinstance(values, Callable):
        given: Sequence[Any] = [values(float(one)) for one in x]
    else:
        given = list(values) if isinstance(values, list | tuple) or np.ndim(values) != 0 else [values]
    if len(given) != len(x):
        raise ValueError(f"scaling(values=...): {len(x)} values of the parameter, but {len(given)} rows of results.")
    rows = [np.atleast_1d(np.asarray(own_array(row, "scaling(values=...)"), float)) for row in given]
    for one, row in zip(x, rows, strict=True):
        if row.ndim != 1 or len(row) == 0:
            raise ValueError(f"scaling(values=...): expected [K, S]; at {one:g} came shape {row.shape}.")
        if not np.all(np.isfinite(row)):
            raise ValueError(f"scaling(values=...): at {one:g} a result is not finite ({row[~np.isfinite(row)][0]}).")
    return rows


def _law(
    x: Float[np.ndarray, " K"], rows: list[np.ndarray], floor: float | None
) -> tuple[PowerLaw, Float[np.ndarray, " K"] | None, float]:
    """What is fitted; the standard errors of the means, None where only residuals tell; degrees of freedom."""
    log_x, seeds = np.log(x), np.array([len(row) for row in rows], float)
    logs = floor is not None and all(np.all(row > floor) for row in rows)
    m = np.array([row.mean() for row in rows]) - (0.0 if floor is None else floor)
    size = m if logs else 1.0
    variances = np.array([row.var(ddof=1) if len(row) > 1 else 0.0 for row in rows]) / size**2
    if not np.any(variances > 0.0):
        y = np.log(m) if logs else m
        errors = np.ones_like(y)
        return PowerLaw(log_x, y, errors, logs, floor is None), None, len(x) - (3.0 if floor is None else 2.0)
    spread = smooth_spread(log_x, variances, seeds, bends=not logs)
    if not logs:
        return PowerLaw(log_x, m, spread.errors, logs, floor is None), spread.errors, spread.freedom
    # Once more, relative to the fitted means: over its own mean the variance of S results is never above S.
    best = PowerLaw(log_x, np.log(m), spread.errors, logs, False).fit()
    fitted = best.prefactor * x**-best.exponent
    spread = smooth_spread(log_x, variances * (m / fitted) ** 2, seeds, bends=False)
    # E log of a mean is log E - (relative variance)/2.
    y = np.log(m) + 0.5 * spread.errors**2
    return PowerLaw(log_x, y, spread.errors, logs, False), spread.errors * fitted, spread.freedom


def _interval(law: PowerLaw, best: Fit, freedom: float, alone: bool, level: float) -> tuple[float, float]:
    from scipy.special import fdtri

    if freedom < 1:
        return -np.inf, np.inf
    left = len(law.y) - best.count
    # Errors that turn out larger than the seeds said are taken as they are (the scale factor of averages in physics).
    scale = best.chi2 / left if left > 0 else 1.0
    return law.interval(best, float(fdtri(1.0, freedom, level)) * (scale if alone else max(1.0, scale)))


def _misfit(law: PowerLaw, best: Fit, freedom: float) -> float:
    """The smaller of two probabilities, twice: of the residuals, and of the bend that a floor would give in logs."""
    from scipy.special import fdtrc

    left = len(law.y) - best.count
    if left < 1:
        return float("nan")
    whole = float(fdtrc(left, freedom, best.chi2 / left))
    if law.floor:
        return whole
    # One more parameter: a parabola in logs, else a floor.
    if law.logs:
        design = np.stack([law.log_x**k for k in range(3)], axis=1) / law.errors[:, None]
        found = np.linalg.lstsq(design, law.y / law.errors, rcond=None)[0]
        bent = float(np.sum((design @ found - law.y / law.errors) ** 2))
    else:
        bent = law._replace(floor=True).fit().chi2
    return min(1.0, 2.0 * min(whole, float(fdtrc(1.0, freedom, max(best.chi2 - bent, 0.0)))))


def _doubt(law: PowerLaw, interval: tuple[float, float], misfit: float, level: float, within: float) -> str | None:
    """Why the data do not determine the exponent; None where they do."""
    if len(law.y) <= law.count:
        return f"{len(law.y)} values of the parameter for {law.count} numbers cannot tell whether it is a power law"
    if misfit < _MISFIT:
        more = "" if law.floor else "; floor=None fits one with a floor"
        return f"they lie off every power law {'with a floor' if law.floor else 'with this floor'} " + (
            f"(p = {misfit:.1g}){more}"
        )
    if not np.all(np.isfinite(interval)):
        return "other exponents without bound fit as well"
    if 0.5 * (interval[1] - interval[0]) > within:
        return f"at {100 * level:g} % it lies anywhere in [{interval[0]:.3g}, {interval[1]:.3g}]"
    return None


def _statement(
    best: Fit,
    interval: tuple[float, float],
    rows: list[np.ndarray],
    alone: bool,
    level: float,
    name: str,
    reason: str | None,
    known: float | None,
) -> str:
    counts = sorted({len(row) for row in rows})
    seeds = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    data = f"{len(rows)} values of {name}, {seeds} seed{'' if counts[-1] == 1 else 's'} each"
    if reason is not None:
        return f"The data do not determine the exponent in {name}: {reason} ({data})."
    c = best.floor if known is None else known
    floor = "" if c == 0.0 else f" {'+' if c > 0 else '-'} {abs(c):.3g}"
    source = ", by the residuals alone, as the seeds show no scatter" if alone else ""
    return (
        f"{best.prefactor:.3g} {name}^({-best.exponent:.3g}){floor}: the exponent a of {name}^(-a) lies in "
        f"[{interval[0]:.3g}, {interval[1]:.3g}] at {100 * level:g} % ({data}{source})."
    )
