"""Which neurons do nothing, which do the same, and which undo each other, on the rows of the data."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from widelimit.measure import Particles
from widelimit.problem import Problem
from widelimit.problem.units import feature

# A neuron is dead where its part of the prediction varies by less than this share of the whole.
_DEAD = 1e-6
# Two neurons are the same where one is a multiple of the other to this share of how much it varies.
_SAME = 1e-3
# Neurons cancel where their sum keeps less than this share of their sizes.
_CANCEL = 0.1


class Neurons(NamedTuple):
    """Indices into the model's neurons.

    - `dead`: those whose output does not vary over the rows, or does not count: the prediction without each is the
      same but for a constant.
    - `duplicates`: groups of neurons that are multiples of one another on the rows; one neuron could replace each.
    - `cancelling`: those of the groups whose output weights add up to less than a tenth of their sizes.
    - `spread`, `size` [N]: the standard deviation of each neuron's feature over the rows, and the norm of its output
      weights; their product is what the neuron moves the prediction by.
    """

    dead: tuple[int, ...]
    duplicates: tuple[tuple[int, ...], ...]
    cancelling: tuple[tuple[int, ...], ...]
    spread: Float[np.ndarray, " N"]
    size: Float[np.ndarray, " N"]


def features_of(problem: Problem, measure: Particles, x: Any) -> Float[np.ndarray, "n N"]:
    """phi~ of every neuron at inputs x: f is this times the charges, over N, and the offset."""
    theta, _ = problem.unpack(measure)
    return np.asarray(_features(problem.unit, theta, jnp.asarray(x)))


@jax.jit
def _features(unit: Any, theta: Any, x: Any) -> Any:
    return jax.vmap(lambda point: jax.vmap(lambda th: feature(unit, th, point))(theta))(x)


def charges_of(problem: Problem, measure: Particles) -> Float[np.ndarray, "N C"]:
    """What each neuron's feature is multiplied with in f: its weight times its output weight."""
    charge = np.asarray(measure[problem.unit.linear or ""], float)
    return (np.asarray(measure.weights)[:, None] * charge.reshape(len(measure), -1)).astype(float)


def neurons(problem: Problem, measure: Particles, x: Any) -> Neurons:
    """What the neurons do on the rows x."""
    features, charges = features_of(problem, measure, x), charges_of(problem, measure)
    varying = np.linalg.norm(features - features.mean(axis=0), axis=0)
    sizes = np.linalg.norm(charges, axis=1)
    parts = varying * sizes
    whole = features @ charges
    size = max(float(np.linalg.norm(whole - whole.mean(axis=0))), float(np.max(parts)))
    dead = parts <= _DEAD * size
    groups = _groups(features, varying, ~dead)
    cancelling = []
    for group in groups:
        shares = features[:, group].T @ features[:, group[0]] / np.sum(features[:, group[0]] ** 2)
        signed = shares[:, None] * charges[list(group)]
        if np.linalg.norm(signed.sum(axis=0)) <= _CANCEL * np.linalg.norm(signed, axis=1).sum():
            cancelling.append(group)
    silent = tuple(int(i) for i in np.flatnonzero(dead))
    return Neurons(silent, groups, tuple(cancelling), varying / len(features) ** 0.5, sizes)


def _groups(features: np.ndarray, varying: np.ndarray, alive: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """Groups of columns, each a multiple of its first."""
    free, out = alive.copy(), []
    for i in range(features.shape[1]):
        if not free[i]:
            continue
        column, others = features[:, i], np.flatnonzero(free)
        shares = features[:, others].T @ column / (column @ column)
        off = np.linalg.norm(features[:, others] - np.outer(column, shares), axis=0)
        # Against what varies: two neurons that are nearly the same constant are not the same.
        same = off <= _SAME * np.minimum(varying[others], np.abs(shares) * varying[i])
        group = others[same | (others == i)]
        free[group] = False
        if len(group) > 1:
            out.append(tuple(int(j) for j in group))
    return tuple(out)
