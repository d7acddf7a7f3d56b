r"""Kernel interpolation, ridge regression and early stopping, as one function of the kernel's matrix.

Gradient flow of $\frac12 \sum_j (g(x_j) - y_j)^2 + \frac\lambda2 |g|_K^2$ in the space of K, from g(0) = 0, keeps
$g = \sum_j \alpha_j K(x_j, \cdot)$ with

$$\dot\alpha = y - (K + \lambda)\,\alpha,\qquad
\alpha(t) = (K + \lambda)^{-1} (1 - e^{-(K + \lambda) t})\,y .$$

At lambda = 0 this is $\dot g = -K (g - y)$ on the samples; at t = infinity, ridge regression; at both the interpolant
of least norm, williams2019 (24). On an eigenvector of eigenvalue s it is the factor $t\,\psi((s + \lambda) t)$ with
$\psi(z) = (1 - e^{-z})/z$.
"""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.numerics import real_number, require_x64
from widelimit.problem.data import as_numbers

from .._abstract import AbstractKernel

# A matrix of this side has 0.5 GB, and its eigenvectors take minutes.
_MOST = 2**13
# Roundings of an entry, after those of the eigenvectors.
_ROUNDINGS = 4.0
# A sample takes part in a null vector with this share of its largest entry; so many are named.
_PART, _NAMED = 0.1, 8


class Interpolant(eqx.Module):
    r"""$f(x) = \sum_j \alpha_j K(x_j, x)$; made by `interpolate`, called as f(x).

    A number gives a number, [m] or [m, d] gives [m]. JAX operations: f can be differentiated and compiled.

    - `x` [n, d], `y` [n]: the samples, one for each position where labels agree; `coefficients` [n]: alpha.
    - `norm_squared`: |f|^2 = alpha^T K alpha.
    - `condition`: of the map from y to alpha; (s_max + ridge)/(s_min + ridge) of the eigenvalues s of K at time = inf.
    - `error`: `condition` times the relative error of the kernel's matrix, its nodes included: to first order a bound
      on that of the coefficients, relative to their norm. Values lose less.
    """

    kernel: AbstractKernel
    x: Float[Array, "n d"]
    y: Float[Array, " n"]
    coefficients: Float[Array, " n"]
    norm_squared: Float[Array, ""]
    condition: float
    error: float

    def __call__(self, x: Any) -> Float[Array, "..."]:
        return self.kernel(x, self.x) @ self.coefficients


def interpolate(kernel: AbstractKernel, x: Any, y: Any, ridge: Any = 0.0, time: Any = math.inf) -> Interpolant:
    r"""The function of least norm through the samples, $f = \sum_j \alpha_j K(x_j, \cdot)$ with $K\alpha = y$.

    - `x`: [n], [n, d], in any order; `y`: [n].
    - `ridge`: lambda >= 0, $\alpha = (K + \lambda)^{-1} y$; `time`: t >= 0, the gradient flow from 0 stopped there,
      $\dot g = -K (g - y)$ for the loss $\frac12\sum_j (g(x_j) - y_j)^2$ (not a mean); both together:
      $\alpha = (K + \lambda)^{-1}(1 - e^{-(K + \lambda)t})\,y$ (williams2019 (24)).

    Equal positions with one label count once in an interpolant; with a ridge or a finite time each counts, and labels
    may differ.

    **Raises** `ValueError` for no sample, for shapes that do not fit and for what is not finite; for an interpolant
    through two labels at one position; and where the matrix is singular to rounding, naming the samples of its null
    vectors: nothing is added to its diagonal unless asked for by `ridge`.
    """
    require_x64("interpolate")
    weight = real_number(ridge, "interpolate(ridge=...)", least=0.0)
    horizon = math.inf if time == math.inf else real_number(time, "interpolate(time=...)", least=0.0)
    rows, labels = _samples(kernel, x, y)
    kept = np.arange(len(labels))
    if weight == 0.0 and horizon == math.inf:
        kept = _distinct(rows, labels)
        rows, labels = rows[kept], labels[kept]
    matrix = np.asarray(kernel(rows, rows))
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    factors = _factors(values, weight, horizon)
    # Entries' roundings are of either sign: as a matrix they grow with the root of its side.
    lost = _ROUNDINGS * len(labels) ** 0.5 * float(np.finfo(float).eps) * values[-1]
    if not np.max(factors) * lost < 1.0:
        raise _refusal(values, vectors, rows, kept, factors * lost >= 1.0)
    seen = factors * (vectors.T @ labels)
    condition = float(np.max(factors) / np.min(factors)) if horizon > 0.0 else 1.0
    # A kernel that is 0 at all samples has no error there.
    off = float(np.linalg.norm(kernel.error(rows, rows))) / float(values[-1]) if values[-1] > 0.0 else 0.0
    return Interpolant(
        kernel,
        jnp.asarray(rows),
        jnp.asarray(labels),
        jnp.asarray(vectors @ seen),
        jnp.asarray(np.sum(np.maximum(values, 0.0) * seen**2)),
        condition,
        condition * off,
    )


def _samples(kernel: AbstractKernel, x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    points, shape = kernel.points(x, "interpolate(x=...)")
    labels = np.asarray(as_numbers(y, "interpolate(y=...)"), float)
    if points.size == 0:
        raise ValueError("interpolate(x=...): at least one sample is needed, got none.")
    if labels.shape != shape or not shape:
        raise ValueError(f"interpolate(y=...): expected one label a sample, {shape or '[n]'}; got {labels.shape}.")
    if not np.all(np.isfinite(labels)):
        raise ValueError("interpolate(y=...): must be finite.")
    if len(labels) > _MOST:
        raise ValueError(f"interpolate(x=...): at most {_MOST} samples, got {len(labels)}; take fewer.")
    return np.asarray(points), labels


def _distinct(rows: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The first sample at each position, in their order. Raises `ValueError` for two labels at one position."""
    _, first, group = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    twins = np.flatnonzero(labels != labels[first[group.ravel()]])
    if len(twins):
        other, one = int(twins[0]), int(first[group.ravel()[twins[0]]])
        raise ValueError(
            f"interpolate(x=..., y=...): samples {one} and {other} are both at x = {_place(rows[one])} and have the "
            f"labels {labels[one]:g} and {labels[other]:g}: no function passes through both; take ridge > 0 or a "
            "finite time."
        )
    return np.sort(first)


def _factors(values: np.ndarray, ridge: float, time: float) -> np.ndarray:
    """(1 - e^(-z t))/z of z = s + ridge; eigenvalues below 0 are rounding."""
    z = np.maximum(values, 0.0) + ridge
    with np.errstate(divide="ignore"):
        if time == math.inf:
            return 1.0 / z
        return np.where(z > 0.0, -np.expm1(-z * time) / np.where(z > 0.0, z, 1.0), time)


def _refusal(
    values: np.ndarray, vectors: np.ndarray, rows: np.ndarray, kept: np.ndarray, lost: np.ndarray
) -> ValueError:
    sizes = np.max(np.abs(vectors[:, lost]), axis=1)
    part = np.flatnonzero(sizes >= _PART * np.max(sizes))
    named = ", ".join(f"{kept[j]} (x = {_place(rows[j])})" for j in part[:_NAMED])
    more = f" and {len(part) - _NAMED} more" if len(part) > _NAMED else ""
    return ValueError(
        f"interpolate(kernel, x): the kernel's matrix is singular to rounding (eigenvalues from {values[0]:.2g} to "
        f"{values[-1]:.2g}). Samples that take part in its null vectors: {named}{more}. Leave some out, or take "
        "ridge > 0 or a shorter time."
    )


def _place(row: np.ndarray) -> str:
    return f"{row[0]:.6g}" if len(row) == 1 else "[" + ", ".join(f"{value:.4g}" for value in row[:4]) + "]"
