r"""Better weights, and better places and weights together: the convex part and the smooth part of a minimum.

The weights of given atoms solve a convex problem on the simplex: Newton's quadratic models, each minimised exactly by
an active set. Places and weights together take Newton steps in (sqrt(p_i) dz_i, dp_i), in which the Hessian of an atom
is that of psi whatever its weight, so that atoms of small weight move as fast as the others and all converge
quadratically.
"""

import contextlib
import functools
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from jaxtyping import Bool, Float

from widelimit.numerics import line_search_on_host, quadratic_on_simplex

from ._family import Atoms, Expansion, Family

# Steps after which a descent is left as it is.
_MOST_STEPS = 25
# The largest step of a place, in the coordinates of the search.
_LONGEST = 0.5
# Steps that change the objective by less than rounding still improve the weights, but not for long.
_MOST_BLIND_STEPS = 3
# The least bend of a mode, relative to the largest entry of the Hessian: the directions in which a place does not move
# an atom (the length of a direction) come out as bent down by rounding, so a second one is tried.
_FLAT = (1e-13, 1e-10)
# Columns that are dependent to this relative accuracy change the objective by its square.
_DEPENDENT = 1e-12
# Atoms so near to the angle of infinity are tried there: beyond r = 1e5.
_OUTWARD = 1e-2
# Atoms closer than this are tried as one.
_NEAR = 1e-3

_EPS = np.finfo(float).eps

Expand = Callable[[Atoms], Expansion]


class _Step(NamedTuple):
    z: Float[np.ndarray, "n m"]
    p: Float[np.ndarray, " n"]
    # The slope of the objective along the step.
    slope: float


def reweigh(family: Family, atoms: Atoms, *, places: bool = True) -> Atoms:
    """The best weights at the same places; atoms of weight zero are left out.

    `places`: whether the expansions are those of `slide`, which are compiled anyway, or cheaper ones.
    """
    expand = functools.partial(family.expand, places=places)
    now = expand(atoms)
    for _ in range(_MOST_STEPS):
        bend = now.hessian[:, -1, :, -1]
        best = quadratic_on_simplex(bend, now.psi - bend @ atoms.p, atoms.p)
        step = _Step(np.zeros_like(atoms.z), best - atoms.p, float(now.psi @ (best - atoms.p)))
        moved = _search(expand, atoms, now, step, 1.0)
        if moved is None:
            break
        atoms, now = moved
        if step.slope > -_EPS * max(1.0, abs(now.value)):
            break
    return _thin(expand, atoms.of(atoms.p > 0))


def _thin(expand: Expand, atoms: Atoms) -> Atoms:
    """The same prediction and cost from fewer atoms, where some of them are mixtures of the others.

    A change d of the weights with H d = 0, SUM d = 0 and psi . d = 0 changes neither; it is followed until a weight is
    zero.
    """
    now = expand(atoms)
    while len(atoms.p) > 1:
        bend = now.hessian[:, -1, :, -1]
        # Columns scaled to 1, so that weights count alike whatever the size of a feature.
        scale = 1.0 / np.sqrt(np.maximum(np.diag(bend), 1e-300))
        rows = np.stack([np.ones_like(scale), now.psi / max(float(np.max(np.abs(now.psi))), 1e-300)])
        system = np.concatenate([bend * scale[:, None] * scale, rows * scale / np.max(scale)])
        _, sizes, modes = np.linalg.svd(system)
        if sizes[-1] > _DEPENDENT * sizes[0]:
            break
        way = modes[-1] * scale
        way = way if np.max(-way / atoms.p) >= np.max(way / atoms.p) else -way
        moved = _search(expand, atoms, now, _Step(np.zeros_like(atoms.z), way, 0.0), 1.0 / np.max(-way / atoms.p))
        if moved is None or np.all(moved[0].p > 0):
            break
        atoms = moved[0].of(moved[0].p > 0)
        now = expand(atoms)
    return atoms


def slide(family: Family, atoms: Atoms) -> Atoms:
    """Places and weights moved downhill together until rounding stops them; atoms of weight zero are left out."""
    atoms = atoms.of(atoms.p > 0)
    now, blind = family.expand(atoms), 0
    for _ in range(_MOST_STEPS):
        step = _newton(now, atoms.p, ~family.frozen(atoms, family.rows(atoms.z)))
        blind += step.slope > -_EPS * max(1.0, abs(now.value))
        if blind > _MOST_BLIND_STEPS:
            break
        falling = step.p < 0
        wall = float(np.min(-atoms.p[falling] / step.p[falling], initial=np.inf))
        longest = float(np.max(np.abs(step.z), initial=0.0))
        moved = _search(family.expand, atoms, now, step, min(1.0, wall, _LONGEST / max(longest, _LONGEST)))
        if moved is None:
            break
        atoms, now = moved
        if np.any(atoms.p == 0):
            atoms = atoms.of(atoms.p > 0)
            now = family.expand(atoms)
    return atoms


def merge(family: Family, atoms: Atoms) -> Atoms:
    """Atoms that have run into each other as one, where that does not raise the objective."""
    value = family.expand(atoms).value
    while len(atoms.p) > 1:
        pair = _nearest(atoms)
        if pair is None:
            break
        i, j = pair
        share = atoms.p[[i, j]] / (atoms.p[i] + atoms.p[j])
        z, p = atoms.z.copy(), atoms.p.copy()
        z[i], p[i] = share @ atoms.z[[i, j]], p[i] + p[j]
        one = slide(family, Atoms(z, p, atoms.pinned).of(np.arange(len(p)) != j))
        reached = family.expand(one).value
        if reached > value + 8 * _EPS * max(1.0, abs(value)):
            break
        atoms, value = one, reached
    return atoms


def send_out(family: Family, atoms: Atoms) -> Atoms:
    """Atoms on their way to infinity there, as one, where that does not raise the objective."""
    way = (
        np.abs(np.mod(atoms.z[:, 0], 2.0 * np.pi) - np.pi) if family.region.infinite else np.full(len(atoms.p), np.inf)
    )
    far = (way < _OUTWARD) & (way > 0.0)
    if not np.any(far):
        return atoms
    z = atoms.z.copy()
    z[far, 0] = np.pi
    value = family.expand(atoms).value
    there = reweigh(family, atoms._replace(z=z))
    return there if family.expand(there).value <= value + 8 * _EPS * max(1.0, abs(value)) else atoms


def _nearest(atoms: Atoms) -> tuple[int, int] | None:
    """The closest pair of atoms that may be one; None where there is none."""
    way = np.max(np.abs(atoms.z[:, None] - atoms.z), axis=2, initial=0.0)
    way[np.tril_indices(len(way))] = np.inf
    way[atoms.pinned[:, None] | atoms.pinned] = np.inf
    i, j = np.unravel_index(int(np.argmin(way)), way.shape)
    return (int(i), int(j)) if way[i, j] <= _NEAR else None


def _newton(now: Expansion, p: Float[np.ndarray, " n"], free: Bool[np.ndarray, "n m"]) -> _Step:
    """The Newton step with SUM dp = 0; in directions that bend down or not at all, one that descends."""
    n, m = free.shape
    moves = np.concatenate([free, np.ones((n, 1), bool)], axis=1)
    scale = np.concatenate([np.repeat(1.0 / np.sqrt(p)[:, None], m, axis=1), np.ones((n, 1))], axis=1)[moves]
    slope = np.concatenate([p[:, None] * now.slope, now.psi[:, None]], axis=1)[moves] * scale
    size = n * (m + 1)
    hessian = now.hessian.reshape(size, size)[np.ix_(moves.ravel(), moves.ravel())] * scale[:, None] * scale
    ones = np.concatenate([np.zeros((n, m)), np.ones((n, 1))], axis=1)[moves]
    # A reflection takes the direction that changes the sum of the weights to the last axis, which is left out.
    mirror = ones / np.linalg.norm(ones)
    mirror[-1] += 1.0
    mirror *= (2.0 / (mirror @ mirror)) ** 0.5
    turned = hessian - np.outer(mirror, mirror @ hessian)
    turned -= np.outer(turned @ mirror, mirror)
    down = _downhill(turned[:-1, :-1], -(slope - mirror * (mirror @ slope))[:-1])
    reduced = np.append(down, 0.0)
    reduced -= mirror * (mirror @ reduced)
    full = np.zeros((n, m + 1))
    full[moves] = reduced * scale
    return _Step(full[:, :m], full[:, m], float(slope @ reduced))


def _downhill(hessian: Float[np.ndarray, "M M"], pull: Float[np.ndarray, " M"]) -> Float[np.ndarray, " M"]:
    """|H|^-1 `pull`: the modes that bend down, or hardly at all, as if they bent up."""
    largest = float(np.max(np.abs(hessian), initial=0.0)) or 1.0
    for floor in _FLAT:
        # The common case, and far cheaper than the modes.
        with contextlib.suppress(np.linalg.LinAlgError):
            factor = scipy.linalg.cho_factor(hessian + floor * largest * np.eye(len(hessian)))
            return scipy.linalg.cho_solve(factor, pull)
    bends, modes = np.linalg.eigh(hessian)
    return modes @ ((modes.T @ pull) / np.maximum(np.abs(bends), _FLAT[0] * largest))


def _search(expand: Expand, atoms: Atoms, now: Expansion, step: _Step, length: float) -> tuple[Atoms, Expansion] | None:
    """The first point along the step, from `length` inwards, that is low enough; None where there is none."""

    def trial(s: float) -> tuple[tuple[Atoms, Expansion], float, float]:
        p = atoms.p + s * step.p
        # A weight that the step brings to zero is zero, not what rounding leaves of it.
        p = np.where((step.p < 0) & (p <= 1e-15), 0.0, np.maximum(p, 0.0))
        there = Atoms(atoms.z + s * step.z, p / p.sum(), atoms.pinned)
        then = expand(there)
        return (there, then), then.value, s * step.slope

    slack = 4 * _EPS * max(1.0, abs(now.value))
    line = line_search_on_host(trial, None, now.value, first=length, shrink=0.3, most=25, slack=slack)
    return line.point
