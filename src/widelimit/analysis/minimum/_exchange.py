"""Atoms against the lowest points of psi: the rounds of a minimisation."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles
from widelimit.numerics import compiled_quickly, evaluate

from ._competitors import Competitors
from ._depths import Depth
from ._descent import merge, reweigh, send_out, slide
from ._extremum import MOST_PEAKS, Extremum, Search, climb_all, prove, scan
from ._family import Atoms, Expansion, Family, filled

# Exchanges after which the search is given up, and exchanges in a row without progress.
_MOST_ROUNDS = 60
_MOST_IDLE = 3
# New places are taken when they lie below the mean of psi by this share of what the lowest one does.
_WORTH = 1e-2
# The share of the tolerance that an exhaustive search may leave open.
_OPEN = 0.3
# The lowest point of psi need not be known better than this share of its depth, until that is the tolerance.
_ROUGH = 0.1
# Places closer than this, relative to their size, are one.
_SAME = 1e-3


class Round(NamedTuple):
    """Atoms, the objective to second order there, and what a search of the first variation found."""

    atoms: Atoms
    now: Expansion
    level: float
    function: Depth
    found: Extremum


class Ended(NamedTuple):
    """The round that left least to be gained, how many there were, and what the last idle ones gained together.

    - `late`: whether time ran out.
    """

    best: Round
    rounds: int
    gained: float
    late: bool


def exchange(rivals: Competitors, search: Search, tolerance: float, most: int = _MOST_ROUNDS) -> Ended:
    """At most so many rounds, until no more than the tolerance is left, or three in a row made no headway."""
    last = best = _look(rivals, _improve(rivals.family, rivals.first, search.places), search, tolerance, 0)
    values, idle, late = [last.now.value], 0, False
    while len(values) <= most and idle < _MOST_IDLE and not late:
        if remaining(rivals, last) <= enough(last, tolerance):
            # An exhaustive search that comes late may know better than the local ones.
            best = last = last._replace(found=prove(last.function, last.found, search))
            if remaining(rivals, last) <= enough(last, tolerance):
                return Ended(best, len(values) - 1, 0.0, False)
        atoms = _improve(rivals.family, last.atoms.add(_fresh(rivals, last)), search.places)
        last = _look(rivals, atoms, search, tolerance, len(values))
        left, least = remaining(rivals, last), remaining(rivals, best)
        idle = 0 if left < 0.5 * least or last.now.value < best.now.value - 1e-5 * least else idle + 1
        best = last if left < least else best
        values.append(last.now.value)
        search.tell(f"round {len(values) - 1}: objective {last.now.value:.10g}, {left:.2g} left to gain")
        late = search.late
    gained = values[max(0, len(values) - 1 - _MOST_IDLE)] - values[-1]
    return Ended(best._replace(found=prove(best.function, best.found, search)), len(values) - 1, gained, late)


def _improve(family: Family, atoms: Atoms, places: bool) -> Atoms:
    atoms = reweigh(family, atoms, places=places)
    return send_out(family, merge(family, slide(family, atoms))) if places else atoms


def enough(seen: Round, tolerance: float) -> float:
    """The gap that counts as none."""
    return tolerance * max(1.0, abs(seen.now.value))


def remaining(rivals: Competitors, seen: Round) -> float:
    """The gap, if the highest point that was found is the highest there is."""
    return rivals.gap(seen.now, seen.atoms, float(seen.found.values[0]))


def _look(rivals: Competitors, atoms: Atoms, search: Search, tolerance: float, count: int) -> Round:
    """Search the first variation of a measure."""
    family, now = rivals.family, rivals.family.expand(atoms, places=search.places)
    function = rivals.function(family.problem.potential(padded(family, atoms)))
    level = rivals.level(now, atoms)
    atol = _OPEN * tolerance * max(1.0, abs(now.value)) / rivals.scale
    found = scan(function, search, level=level, atol=atol, rtol=_ROUGH)
    if found is None:
        found = climb_all(function, _starts(function, family, atoms, search, count), search)
    return Round(atoms, now, level, function, found)


def padded(family: Family, atoms: Atoms) -> Particles:
    """The atoms as a measure of a size that is compiled already."""
    return Particles(*filled(family.rows(atoms.z), atoms.p), blocks=family.problem.blocks)


def _starts(function: Depth, family: Family, atoms: Atoms, search: Search, count: int) -> Float[np.ndarray, "S m"]:
    """Half the best of many random points at all scales, a quarter any of them, a quarter the atoms."""
    quarter = max(1, search.starts // 4)
    size = family.region.size
    pool = np.array(_drawn(search.key, np.asarray(count, np.uint32), 16 * quarter, size))
    order = np.argsort(-np.nan_to_num(evaluate(function, pool, search.batch), nan=-np.inf))
    own = np.resize(atoms.z[np.argsort(-atoms.p), :size], (quarter, size))
    if family.region.infinite:
        # No step from a finite place arrives there.
        pool[0] = np.pi
    return np.concatenate([pool[order[: 2 * quarter]], pool[:quarter], own])


@compiled_quickly
def _drawn(key: PRNGKeyArray, count: Any, points: int, size: int) -> Float[Array, "points size"]:
    """Random points at all scales, others in every round; its number is an array, so that all are one program."""
    near, far = jax.random.split(jax.random.fold_in(key, count))
    scales = 10.0 ** jax.random.uniform(far, (points, 1), minval=-2.0, maxval=2.0)
    return scales * jax.random.normal(near, (points, size))


def _fresh(rivals: Competitors, seen: Round) -> Atoms:
    """The maxima that were found, as atoms without weight; those that are one place are taken once."""
    found, family = seen.found, rivals.family
    worth = found.values > seen.level + _WORTH * (found.values[0] - seen.level)
    chosen: list[int] = []
    for i in np.flatnonzero(worth):
        if len(chosen) < MOST_PEAKS and not any(_same(found.rows[i], found.rows[j]) for j in chosen):
            chosen.append(int(i))
    if not chosen:
        return seen.atoms.of(slice(0, 0))
    # A fixed number of rows, so that one size is compiled.
    z = _places(family, seen.function, jnp.asarray(found.rows[np.resize(chosen, MOST_PEAKS)]))
    return Atoms(z[: len(chosen)], np.zeros(len(chosen)), found.pinned[chosen])


def _same(a: Float[np.ndarray, " D"], b: Float[np.ndarray, " D"]) -> bool:
    with np.errstate(invalid="ignore"):
        way = np.where(a == b, 0.0, np.abs(a - b))
    return bool(np.all(way <= _SAME * (1.0 + np.abs(np.where(np.isfinite(a), a, 0.0)))))


def _places(family: Family, function: Depth, rows: Float[Array, "k D"]) -> Float[np.ndarray, "k m"]:
    pull = _pulls(function, family.region.starts(rows)) if family.charged else rows
    return family.places(rows, pull)


@compiled_quickly
def _pulls(function: Depth, u: Float[Array, "k m"]) -> Float[Array, "k ..."]:
    return jax.vmap(function.pull)(u)
