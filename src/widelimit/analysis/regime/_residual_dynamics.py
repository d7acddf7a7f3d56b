"""The motion of the residuals alone, for ReLU neurons of one input: what regions of neurons do to the samples."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics.kinks import KinkedNeurons, fate, kinked_neurons, world_of
from widelimit.problem import Problem


@dataclasses.dataclass(frozen=True)
class ResidualDynamics:
    r"""$\dot f_j = -\sum_{j'} K_{jj'} g_{j'}$ on the samples, $g_j = \mu_j\,\ell'(f_j, y_j)$ (williams2019 (13), (3)).

    - `x`: [s], the samples in their own order; `dual`: [s], g.
    - `slopes`: [R, s], sigma' on each region of neurons at each sample (for a ReLU, which samples it sees);
      `covariance`: [R, 2, 2], $\Sigma_k = \int (P_{rr} d d^T + r^2 P_{aa} t t^T)\,d\rho$ over the region, in which a
      neuron that slides along a sample's ray counts with its first term alone.
    - `kernel`: [s, s], $K_{jj'} = \sum_k \sigma'_{kj} \sigma'_{kj'} X_j \cdot \Sigma_k X_{j'}$: the tangent kernel
      as the neurons can move; `rate`: [s], df/dt.

    It is no closed system: Sigma moves with the neurons.
    """

    x: Float[np.ndarray, " s"]
    dual: Float[np.ndarray, " s"]
    slopes: Float[np.ndarray, "R s"]
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
    found = _regions(neurons, theta)
    dual, slopes, covariance = (np.asarray(part) for part in found)
    on = neurons.on()
    scale = float(problem.scale.factor(len(w)))
    rays = np.stack([np.asarray(on.x), np.ones(len(on.x))], axis=1)
    kernel = scale * np.einsum("kj,kl,ja,kab,lb->jl", slopes, slopes, rays, covariance, rays, optimize=True)
    back = np.argsort(np.asarray(on.order))
    rate = -(kernel @ dual)
    kernel = kernel[np.ix_(back, back)]
    return ResidualDynamics(np.asarray(on.x)[back], dual[back], slopes[:, back], covariance, kernel, rate[back])


@eqx.filter_jit
def _regions(neurons: KinkedNeurons, theta: Any) -> tuple[Array, Array, Array]:
    """g [s], sigma' [R, s] and Sigma [R, 2, 2] of the 2 (s + 1) gaps and sides, samples from left to right."""
    world, label = world_of(neurons, theta), neurons.labels(theta)
    plane, on = world.plane, world.on
    s, seen = on.x.shape[0], fate(world, plane.w, label)
    ray = jnp.stack([on.x[label % s], jnp.ones_like(plane.charge)], axis=1)
    turned = jnp.einsum("nij,nj->ni", plane.metric, ray)
    size = jnp.where(seen.slides, jnp.sum(ray * turned, axis=1), 1.0)
    across = jnp.where(seen.slides, 1.0 / size, 0.0)[:, None, None] * turned[:, :, None] * turned[:, None, :]
    own = jnp.asarray(plane.rate)[:, None, None] * plane.w[:, :, None] * plane.w[:, None, :]
    each = own + plane.charge[:, None, None] ** 2 * (plane.metric - across)
    right = plane.w[:, 0] >= 0
    row = seen.at.gap + jnp.where(right, 0, s + 1)
    covariance = jnp.zeros((2 * (s + 1), 2, 2)).at[row].add(neurons.carried[:, None, None] * each)
    gap, sample = jnp.arange(s + 1)[:, None], jnp.arange(s)
    low, high = neurons.pieces.slopes
    above = jnp.concatenate([sample >= gap, sample < gap])
    scale = neurons.problem.scale.factor(plane.w.shape[0])
    return world.dual, jnp.where(above, high, low), scale * covariance
