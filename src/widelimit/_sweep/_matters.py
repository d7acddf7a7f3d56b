"""What matters in a table of end risks: whose variation it is, which differences are real, what is cheap enough.

The table is a full factorial: values[l_1, ..., l_k, s] of the levels of k factors and S seeds. With m the mean over
seeds at each of the n settings, the functional ANOVA splits the variance over settings and seeds,

    Var = SUM_f V_f + V_interactions + V_seed,      V_f = Var_l( E[ m | factor f at level l ] ),

V_seed the mean variance within a setting, s^2. Means over S seeds carry noise: a projection onto a space of dimension p
has E |P m|^2 / n = V + s^2 p / (n S), so that is taken off: p = L_f - 1 for a factor, n - 1 for all settings together.
The estimates of the variances are then unbiased, and may come out a little below zero.
"""

import dataclasses
import math

import numpy as np
from jaxtyping import Float

INTERACTIONS, SEED = "interactions", "seed"
_DRAWS = 400


@dataclasses.dataclass(frozen=True)
class Share:
    """The share of a factor in the variance; `error`: its standard error, None where one seed leaves it unknown."""

    factor: str
    share: float
    error: float | None


@dataclasses.dataclass(frozen=True)
class Difference:
    """From one level of a factor to the next, the others averaged over: how far the mean moves, and its standard error.

    `beyond`: whether it is outside Student's interval of 95 % around zero; None where one seed leaves that open.
    """

    factor: str
    first: str
    second: str
    difference: float
    error: float | None
    beyond: bool | None


@dataclasses.dataclass(frozen=True)
class Choice:
    """The setting of the lowest mean, and the cheapest whose mean is within the tolerance of it.

    - `best`, `cheapest`: their levels; `means`, `errors`: of these two.
    - `saving`: the cost of the best over that of the cheapest.
    - `sure`: whether the seeds leave no doubt (95 %) that the cheapest is within; None where one seed leaves it open.
    """

    best: tuple[int, ...]
    cheapest: tuple[int, ...]
    means: tuple[float, float]
    errors: tuple[float | None, float | None]
    saving: float
    sure: bool | None


def variance_shares(values: Float[np.ndarray, "*L S"], names: tuple[str, ...]) -> tuple[Share, ...]:
    """The share of each factor, of all interactions together and of the seeds; they add to 1.

    Errors are standard deviations over a parametric bootstrap: tables drawn with the means and the spreads of this one.

    - `values`: finite; `names`: one for each axis but the last.
    """
    if not np.all(np.isfinite(values)):
        raise ValueError("variance_shares(values=...): must be finite; leave out what has no value.")
    means, seeds = values.mean(axis=-1), values.shape[-1]
    found = _shares(values)
    errors: list[float | None] = [None] * len(found)
    if seeds > 1:
        spread = values.std(axis=-1, ddof=1)
        rng = np.random.default_rng(0)
        drawn = [_shares(_drawn(means, spread, seeds, rng)) for _ in range(_DRAWS)]
        errors = [float(error) for error in np.std(drawn, axis=0, ddof=1)]
    labels = (*names, INTERACTIONS, SEED)
    rows = [Share(name, float(value), error) for name, value, error in zip(labels, found, errors, strict=True)]
    # Of one factor there are no interactions, and of one seed no spread.
    left_out = ({INTERACTIONS} if len(names) < 2 else set()) | ({SEED} if seeds < 2 else set())
    return tuple(row for row in rows if row.factor not in left_out)


def _drawn(means: np.ndarray, spread: np.ndarray, seeds: int, rng: np.random.Generator) -> np.ndarray:
    return means[..., None] + spread[..., None] * rng.standard_normal((*means.shape, seeds))


def _shares(values: np.ndarray) -> np.ndarray:
    # Of what is nothing the estimate falls on both sides of zero, and a share is no less than that.
    parts = np.maximum(variance_parts(values), 0.0)
    total = float(parts.sum())
    return parts / total if total > 0 else np.zeros_like(parts)


def variance_parts(values: Float[np.ndarray, "*L S"]) -> Float[np.ndarray, " P"]:
    """[k + 2]: V of each factor, of all interactions together, of the seeds; each unbiased."""
    means, seeds = values.mean(axis=-1), values.shape[-1]
    within = float(values.var(axis=-1, ddof=1).mean()) if seeds > 1 else 0.0
    noise = within / (means.size * seeds)
    axes = range(means.ndim)
    marginals = [means.mean(axis=tuple(a for a in axes if a != axis)) for axis in axes]
    mains = [float(m.var()) - noise * (m.size - 1) for m in marginals]
    between = float(means.var()) - noise * (means.size - 1)
    return np.array([*mains, between - sum(mains), within])


def level_differences(
    values: Float[np.ndarray, "*L S"], names: tuple[str, ...], levels: tuple[tuple[str, ...], ...]
) -> tuple[Difference, ...]:
    """From each level of each factor to the next."""
    found, seeds = [], values.shape[-1]
    for axis, (name, labels) in enumerate(zip(names, levels, strict=True)):
        # [level, settings with it, seeds]
        rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1, seeds)
        for i in range(len(labels) - 1):
            pair = rows[i : i + 2]
            moved = float(pair[1].mean() - pair[0].mean())
            error = beyond = None
            if seeds > 1:
                # Each mean is over all its settings and their seeds; the settings themselves are fixed.
                error = math.sqrt(float(pair.var(axis=-1, ddof=1).mean(axis=1).sum()) / (pair.shape[1] * seeds))
                beyond = abs(moved) > _student(2 * pair.shape[1] * (seeds - 1)) * error
            found.append(Difference(name, labels[i], labels[i + 1], moved, error, beyond))
    return tuple(found)


def cheapest_within(values: Float[np.ndarray, "*L S"], cost: Float[np.ndarray, "*L"], tolerance: float) -> Choice:
    """The cheapest setting whose mean over seeds is at most (1 + tolerance) times the lowest; NaN is never chosen."""
    means, seeds = values.mean(axis=-1), values.shape[-1]
    if not np.any(np.isfinite(means)):
        raise ValueError("cheapest_within(values=...): no setting has a value for every seed.")
    lowest = int(np.nanargmin(means))
    bound = (1.0 + tolerance) * means.flat[lowest]
    # Of those of one cost the lowest mean.
    _, _, chosen = min((cost.flat[i], mean, i) for i, mean in enumerate(means.flat) if mean <= bound)
    errors: tuple[float | None, float | None] = (None, None)
    sure = True if chosen == lowest else None
    if seeds > 1:
        spread = values.std(axis=-1, ddof=1) / math.sqrt(seeds)
        ours, best = float(spread.flat[chosen]), float(spread.flat[lowest])
        errors = (best, ours)
        apart = math.hypot(ours, (1.0 + tolerance) * best)
        sure = bool(chosen == lowest or means.flat[chosen] + _student(2 * (seeds - 1)) * apart <= bound)
    best_at, chosen_at = (tuple(map(int, np.unravel_index(i, means.shape))) for i in (lowest, chosen))
    saving = float(cost.flat[lowest] / cost.flat[chosen]) if cost.flat[chosen] > 0 else 1.0
    return Choice(best_at, chosen_at, (float(means.flat[lowest]), float(means.flat[chosen])), errors, saving, sure)


def complete_part(values: Float[np.ndarray, "*L S"]) -> tuple[list[int], ...]:
    """The levels of each factor that are left when those with most missing settings are dropped until none is missing.

    A setting without a value for every seed counts as missing: the seeds that came through are not like the others.
    """
    missing = ~np.all(np.isfinite(values), axis=-1)
    kept = [list(range(size)) for size in missing.shape]
    while missing.size and missing.any():
        worst = max(
            (float(share), axis, level)
            for axis in range(missing.ndim)
            for level, share in enumerate(missing.mean(axis=tuple(a for a in range(missing.ndim) if a != axis)))
        )
        _, axis, level = worst
        missing = np.delete(missing, level, axis=axis)
        del kept[axis][level]
    return tuple(kept)


def _student(degrees: int) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.975))
