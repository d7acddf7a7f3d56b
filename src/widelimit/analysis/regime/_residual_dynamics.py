"""The motion of the residuals alone, for piecewise-linear neurons of one input: what regions do to the samples."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from widelimit.dynamics.kinks import NONE, KinkedNeurons, fate, kinked_neurons, world_of
from widelimit.problem import Problem
from widelimit.problem.activations import Pieces


@dataclasses.dataclass(frozen=True)
class ResidualDynamics:
    r"""$\dot f_j = -\sum_{j'} K_{jj'} g_{j'}$ on the samples, $g_j = \mu_j\,\ell'(f_j, y_j)$ (williams2019 (13), (3)).

    - `x`: [s], the samples in their own order; `dual`: [s], g.
    - `slopes`, `offsets`: [R, s], $\sigma(z) = \sigma'_{kj} z + o_{kj}$ in each of the R regions that hold neurons, at
      each sample (for a ReLU: which samples it sees, and 0).
    - `covariance`: [R, 2, 2], $\Sigma_k = \int (P_{rr} d d^T + r^2 P_{aa} t t^T)\,d\rho$ over the region, in which a
      neuron that slides counts with its motion along the line alone, one that is held with none of w.
    - `kernel`: [s, s], $K_{jj'} = \sum_k \sigma'_{kj} \sigma'_{kj'} X_j \cdot \Sigma_k X_{j'}$, and what the offsets
      add: the tangent kernel as the neurons can move; `rate`: [s], df/dt.

    It is no closed system: Sigma moves with the neurons.
    """

    x: Float[np.ndarray, " s"]
    dual: Float[np.ndarray, " s"]
    slopes: Float[np.ndarray, "R s"]
    offsets: Float[np.ndarray, "R s"]
    covariance: Float[np.ndarray, "R 2 2"]
    kernel: Float[np.ndarray, "s s"]
    rate: Float[np.ndarray, " s"]


def residual_dynamics(problem: Problem, measure: Any) -> ResidualDynamics:
    r"""How the predictions on the samples move along the gradient flow, from the covariance of each activation region.

    In full weights a neuron contributes $w w^T + c^2 P$, w = (a, b): $|w|^2 + c^2 = P_{rr}$ along w and $c^2$, which is
    $r^2 P_{aa}$, across.

    Raises `ValueError` as `integrators.Filippov` does for a problem.
    """
    theta, w = problem.unpack(measure)
    neurons = kinked_neurons(problem, w, None, "residual_dynamics")
    on, scale = neurons.on(), float(problem.scale.factor(len(w)))
    dual, cells, moment = (np.asarray(part) for part in _particles(neurons, theta))
    cells, region = np.unique(cells, axis=0, return_inverse=True)
    sums = np.zeros((len(cells), 3, 3))
    np.add.at(sums, region.ravel(), moment)
    slopes, offsets = _lines(neurons.pieces.plain(), cells, len(dual))
    x, dual = np.asarray(on.x), dual / scale
    features = np.stack([slopes * x, slopes, offsets], axis=2)
    kernel = scale**2 * np.einsum("kja,kab,klb->jl", features, sums, features, optimize=True)
    back = np.argsort(np.asarray(on.order))
    rate = -(kernel @ dual)
    kernel = kernel[np.ix_(back, back)]
    return ResidualDynamics(x[back], dual[back], slopes[:, back], offsets[:, back], sums[:, :2, :2], kernel, rate[back])


@eqx.filter_jit
def _particles(neurons: KinkedNeurons, theta: Any) -> tuple[Array, Array, Array]:
    """g [s], and of each particle its region (whether it rises to the right, and the gaps of its knots) and how it
    moves (a, b, 1) by (a, b, 1), [N, 3, 3]."""
    world, label = world_of(neurons, theta), neurons.labels(theta)
    plane, seen = world.plane, fate(world, world.plane.w, label)
    slides = seen.along != NONE
    moves = slides | jnp.all(seen.label == NONE, axis=1)
    sample = jnp.take_along_axis(seen.label, jnp.maximum(seen.along, 0)[:, None], axis=1)[:, 0]
    ray = jnp.stack([world.on.x[jnp.maximum(sample, 0)], jnp.ones_like(plane.charge)], axis=1)
    turned = jnp.einsum("nij,nj->ni", plane.metric, ray)
    size = jnp.sum(ray * turned, axis=1)
    part = jnp.where(slides & (size > 0), 1.0 / jnp.where(size > 0, size, 1.0), 0.0)
    free = plane.metric - part[:, None, None] * turned[:, :, None] * turned[:, None, :]
    point = jnp.concatenate([plane.w, jnp.ones_like(plane.w[:, :1])], axis=1)
    moment = jnp.asarray(plane.rate)[:, None, None] * point[:, :, None] * point[:, None, :]
    moment = moment.at[:, :2, :2].add(jnp.where(moves, plane.charge**2, 0.0)[:, None, None] * free)
    cell = jnp.concatenate([seen.at.right[:, None].astype(seen.at.gaps.dtype), seen.at.gaps], axis=1)
    return world.dual, cell, neurons.carried[:, None, None] * moment


def _lines(pieces: Pieces, cells: Int[np.ndarray, "R K1"], count: int) -> tuple[np.ndarray, np.ndarray]:
    """The slope and the offset of sigma in each region at each of the samples, [R, s]."""
    right, gaps = cells[:, :1, None] > 0, cells[:, 1:, None]
    sample = np.arange(count)
    above = np.where(right, sample >= gaps, sample < gaps)
    bends, knots = np.array(pieces.bends), np.array(pieces.knots)
    slopes = pieces.slopes[0] + np.einsum("k,rks->rs", bends, above)
    start = pieces.value - pieces.slopes[0] * knots[0]
    return slopes, start - np.einsum("k,rks->rs", bends * knots, above)
