"""What matters in a table of end risks: whose variation it is, which differences are real, what is cheap enough.

The table is a full factorial: y[l_1, ..., l_k, s] of the levels of k factors and S seeds. With m the mean over seeds at
each of the n settings, the functional ANOVA splits the variance over settings and seeds,

    Var = SUM_f V_f + V_interactions + V_seed,      V_f = Var_l( E[ m | factor f at level l ] ) = |P_f m|^2 / n,

V_seed the mean variance within a setting. Settings share their seeds, and those of one width start from the same
neurons: their noise is correlated. So a seed's whole table y_s is one draw, of any covariance C over the settings. The
mean of S draws has E |P m|^2 = |P E m|^2 + tr(P C P) / S, and SUM_s |P (y_s - m)|^2 / (S - 1) is tr(P C P) in the mean.
With that taken off, the estimates of the variances are unbiased; they may come out a little below zero.
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

    `beyond`: whether zero is outside Student's interval of 95 %; None where one seed leaves that open.
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

    Errors are standard deviations over tables of as many seeds, drawn from the normal law with the mean and the
    covariance of this one's.

    - `values`: finite; `names`: one for each axis but the last.
    """
    if not np.all(np.isfinite(values)):
        raise ValueError("variance_shares(values=...): must be finite; leave out what has no value.")
    means, seeds = values.mean(axis=-1), values.shape[-1]
    found = _shares(variance_parts(values))
    errors: list[float | None] = [None] * len(found)
    if seeds > 1:
        rng, off = np.random.default_rng(0), (values - means[..., None]) / math.sqrt(seeds - 1)
        # Combinations of the seeds' deviations have their covariance, whatever it is.
        mixed = np.einsum("...s,bst->b...t", off, rng.standard_normal((_DRAWS, seeds, seeds)))
        drawn = _shares(variance_parts(means[..., None] + mixed, settings=means.ndim))
        errors = [float(error) for error in np.std(drawn, axis=0, ddof=1)]
    labels = (*names, INTERACTIONS, SEED)
    rows = [Share(name, float(value), error) for name, value, error in zip(labels, found, errors, strict=True)]
    # Of one factor there are no interactions, and of one seed no spread.
    left_out = ({INTERACTIONS} if len(names) < 2 else set()) | ({SEED} if seeds < 2 else set())
    return tuple(row for row in rows if row.factor not in left_out)


def _shares(parts: Float[np.ndarray, "*B P"]) -> Float[np.ndarray, "*B P"]:
    # Of what is nothing the estimate falls on both sides of zero, and a share is no less than that.
    parts = np.maximum(parts, 0.0)
    total = parts.sum(axis=-1, keepdims=True)
    return np.divide(parts, total, out=np.zeros_like(parts), where=total > 0)


def variance_parts(values: Float[np.ndarray, "*BL S"], settings: int | None = None) -> Float[np.ndarray, "*B P"]:
    """[*B, k + 2]: V of each factor, of all interactions together, of the seeds; each unbiased.

    - `settings`: how many axes before the seeds are factors, all by default; those in front of them are many tables.
    """
    means, seeds = values.mean(axis=-1), values.shape[-1]
    axes = tuple(range(-(means.ndim if settings is None else settings), 0))
    found = _split(means, axes)
    if seeds == 1:
        return np.append(found, np.zeros_like(found[..., :1]), axis=-1)
    off = values - means[..., None]
    noise = sum(_split(off[..., s], axes) for s in range(seeds)) / (seeds - 1)
    within = values.var(axis=-1, ddof=1).mean(axis=axes)
    return np.append(found - noise / seeds, np.asarray(within)[..., None], axis=-1)


def _split(table: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    """[*B, k + 1]: |P m|^2 / n for each factor, and for interactions; the mean of all settings is in none."""
    total = table.var(axis=axes)
    others = [tuple(a for a in axes if a != axis) for axis in axes]
    mains = [table.mean(axis=other, keepdims=True).var(axis=axes) for other in others]
    return np.stack([*mains, total - sum(mains)], axis=-1)


def level_differences(
    values: Float[np.ndarray, "*L S"], names: tuple[str, ...], levels: tuple[tuple[str, ...], ...]
) -> tuple[Difference, ...]:
    """From each level of each factor to the next."""
    found = []
    for axis, (name, labels) in enumerate(zip(names, levels, strict=True)):
        # [levels, seeds]: a seed's own means, so that what its settings have in common counts once, or cancels.
        rows = values.mean(axis=tuple(a for a in range(values.ndim - 1) if a != axis))
        for i in range(len(labels) - 1):
            moved, error, bound = _over_seeds(rows[i + 1] - rows[i])
            beyond = None if error is None else abs(moved) > bound
            found.append(Difference(name, labels[i], labels[i + 1], moved, error, beyond))
    return tuple(found)


def _over_seeds(each: Float[np.ndarray, " S"]) -> tuple[float, float | None, float]:
    """The mean, its standard error, and half of Student's interval of 95 %; None and nothing known for one seed."""
    from scipy.special import stdtrit

    seeds = len(each)
    if seeds < 2:
        return float(each.mean()), None, math.inf
    error = float(each.std(ddof=1)) / math.sqrt(seeds)
    return float(each.mean()), error, float(stdtrit(seeds - 1, 0.975)) * error


def cheapest_within(values: Float[np.ndarray, "*L S"], cost: Float[np.ndarray, "*L"], tolerance: float) -> Choice:
    """The cheapest setting whose mean over seeds is at most (1 + tolerance) times the lowest; NaN is never chosen."""
    means, seeds = values.mean(axis=-1), values.shape[-1]
    if not np.any(np.isfinite(means)):
        raise ValueError("cheapest_within(values=...): no setting has a value for every seed.")
    lowest = int(np.nanargmin(means))
    bound = (1.0 + tolerance) * means.flat[lowest]
    # Of those of one cost the lowest mean.
    _, _, chosen = min((cost.flat[i], mean, i) for i, mean in enumerate(means.flat) if mean <= bound)
    table = values.reshape(-1, seeds)
    errors = (_over_seeds(table[lowest])[1], _over_seeds(table[chosen])[1])
    excess, _, half = _over_seeds(table[chosen] - (1.0 + tolerance) * table[lowest])
    sure = True if chosen == lowest else None if seeds < 2 else excess + half <= 0.0
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
