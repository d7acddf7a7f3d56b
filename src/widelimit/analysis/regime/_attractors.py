"""Which samples attract the knots of piecewise-linear neurons of one input, and what sits on them."""

import dataclasses
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from widelimit.dynamics.kinks import KinkedNeurons, kinked_neurons, sides, world_of
from widelimit.numerics import real_number
from widelimit.problem import Problem
from widelimit.problem.units import Plane

KINDS = ("attractor", "repulsor", "crossing", "outermost")
"""What a sample is to knots of one sign and side."""

SIGNS, SIDES = ("+", "-"), ("right", "left")


@dataclasses.dataclass(frozen=True, repr=False)
class Attractors:
    r"""What the samples are to the knots of neurons $c\,\sigma(a x + b)$ at one time.

    - `x`: [s], the places of the samples from left to right, equal ones once.
    - `kinds`: [s, 2, 2] of `KINDS`, by the sign of the output (+, -) and the side on which the neuron is active
      (right: a > 0, left: a < 0). At an *attractor* the velocities on both sides lead to the sample, at a *repulsor*
      away from it, else knots are *crossing*. *Outermost*: beyond it the neuron sees no sample; with output times
      residual positive it stops there.
    - `knots`, `mass`: [s, 2, 2], how many knots lie on the sample (within `tolerance`) and their weight.
    - `others`: [2], how many knots lie elsewhere and their weight; `flat`: how many neurons have a = 0.
    """

    x: Float[np.ndarray, " s"]
    kinds: np.ndarray
    knots: Int[np.ndarray, "s 2 2"]
    mass: Float[np.ndarray, "s 2 2"]
    others: tuple[int, float]
    flat: int
    tolerance: float

    @property
    def share(self) -> float:
        """The share of all knots, by weight, that lie on samples."""
        on = float(self.mass.sum())
        return on / (on + self.others[1]) if on + self.others[1] > 0 else 0.0

    def __repr__(self) -> str:
        attracting = [
            f"x = {self.x[j]:.4g} ({SIGNS[i]}, {SIDES[k]}: {self.knots[j, i, k]})"
            for j, i, k in zip(*np.nonzero(self.kinds == "attractor"), strict=True)
        ]
        where = "; attractors " + ", ".join(attracting) if attracting else "; no attractor"
        count = int(self.knots.sum())
        return (
            f"Attractors({count} of {count + self.others[0]} knots within {self.tolerance:.2g} of a sample, "
            f"{self.share:.3g} of their weight{where})"
        )


def attractors(problem: Problem, measure: Any, *, tol: float = 1e-6) -> Attractors:
    r"""Where knots stick (williams2019, Lemma 2; (14), (15) as corrected in NOTATION).

    On the ray of sample k, with $\rho_j = \mu_j \ell'(f_j, y_j)$, the sum over the other samples that the neuron sees
    $A = \sum_j \rho_j \rho_k (1 + x_j x_k)$ and $B = \rho_k^2 (1 + x_k^2)$: attractor iff $-B < A < 0$ and
    $c\,\rho_k > 0$, repulsor iff $-B < A < 0$ and $c\,\rho_k < 0$. Computed from the
    velocities on both sides.

    - `measure`: particles of the problem's parameters; `tol`: how near to a sample, in x, a knot lies on it.

    Raises `ValueError` as `integrators.Filippov` does for a problem, and for an activation of several kinks.
    """
    real_number(tol, "attractors(tol=...)", least=0.0)
    theta, w = problem.unpack(measure)
    neurons = kinked_neurons(problem, w, None, "attractors")
    if len(neurons.pieces.knots) != 1:
        raise ValueError(
            f"attractors is for activations with one kink (relu, leaky_relu), not {len(neurons.pieces.knots)}: "
            "what a sample is to a knot then depends on where the neuron's other knots are."
        )
    x, first = np.unique(np.asarray(neurons.on().x), return_index=True)
    kinds = np.empty((len(x), 2, 2), dtype="<U9")
    for i, sign in enumerate((1.0, -1.0)):
        for k, side in enumerate((1.0, -1.0)):
            inner, outer = _velocities(neurons, theta, sign, side, x, first)
            last = np.arange(len(x)) == (len(x) - 1 if side > 0 else 0)
            kinds[:, i, k] = _kind(np.asarray(inner), np.asarray(outer), last & (neurons.pieces.slopes[0] == 0))
    return _counted(neurons, theta, np.asarray(w), x, kinds, tol)


def _velocities(
    neurons: KinkedNeurons, theta: Any, sign: float, side: float, x: Any, first: Any
) -> tuple[Array, Array]:
    """Those of one neuron on both sides of every ray, output `sign` and a = `side`."""
    n, (kink,) = len(x), neurons.pieces.knots
    w = jnp.stack([jnp.full(n, side), kink - side * jnp.asarray(x)], axis=1)
    plane = Plane(jnp.full(n, sign), w, jnp.zeros(n), _metric(neurons, theta, n))
    return _compiled(neurons, theta, plane, jnp.asarray(first, jnp.int32)[:, None])


@eqx.filter_jit
def _compiled(neurons: KinkedNeurons, theta: Any, plane: Plane, label: Any) -> tuple[Array, Array]:
    return sides(world_of(neurons, theta, plane), plane.w, label)


def _metric(neurons: KinkedNeurons, theta: Any, n: int) -> Any:
    """That of all neurons, where it is one; on a ray a metric of the angle alone decides as the plane's own does."""
    metric = np.asarray(neurons.planes(theta).metric)
    same = np.all(metric == metric[0])
    return jnp.broadcast_to(jnp.asarray(metric[0]) if same else jnp.eye(2), (n, 2, 2))


def _kind(inner: np.ndarray, outer: np.ndarray, outermost: Bool[np.ndarray, " s"]) -> np.ndarray:
    both = np.where((inner > 0) & (outer < 0), "attractor", np.where((inner < 0) & (outer > 0), "repulsor", "crossing"))
    return np.where(outermost, "outermost", both)


def _counted(
    neurons: KinkedNeurons, theta: Any, w: np.ndarray, x: np.ndarray, kinds: np.ndarray, tol: float
) -> Attractors:
    plane = neurons.planes(theta)
    a, b = np.asarray(plane.w).T
    has = a != 0
    knot = (float(neurons.pieces.knots[0]) - b[has]) / a[has]
    j = np.clip(np.searchsorted(x, knot), 1, max(len(x) - 1, 1)) - 1
    j = np.where(
        np.abs(knot - x[j]) <= np.abs(knot - x[np.minimum(j + 1, len(x) - 1)]), j, np.minimum(j + 1, len(x) - 1)
    )
    on = np.abs(knot - x[j]) <= tol
    place = j[on], (np.asarray(plane.charge)[has] < 0).astype(int)[on], (a[has] < 0).astype(int)[on]
    knots, mass = np.zeros(kinds.shape, int), np.zeros(kinds.shape)
    np.add.at(knots, place, 1)
    np.add.at(mass, place, w[has][on])
    others = int(np.sum(~on)), float(w[has][~on].sum())
    return Attractors(x, kinds, knots, mass, others, int(np.sum(~has)), float(tol))
