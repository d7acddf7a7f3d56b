"""Numbers on the faces between the cells of a grid: one array an axis, shorter by one along it."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

Faces = tuple[Float[Array, "..."], ...]
"""For each axis, one entry a face between two cells along it."""


def gathered(through: Faces) -> Float[Array, "..."]:
    """What upward fluxes bring to each cell."""
    return _total([pad(flux, axis, 1, 0) - pad(flux, axis, 0, 1) for axis, flux in enumerate(through)])


def fall(through: Faces, psi: Float[Array, "..."]) -> Float[Array, ""]:
    """The rate at which fluxes lower an energy with potential psi."""
    return _total([-jnp.sum(flux * jnp.diff(psi, axis=axis)) for axis, flux in enumerate(through)])


def blurred(through: Faces, blur: Float[Array, "..."]) -> Float[Array, ""]:
    """By how much `fall` may be wrong where psi is wrong by up to `blur`."""
    return _total([jnp.sum(jnp.abs(flux) * sum(sides(blur, axis))) for axis, flux in enumerate(through)])


def leaving(through: Faces) -> Float[Array, "..."]:
    """What upward fluxes take out of each cell, on both sides of every axis."""
    up = [pad(jnp.maximum(flux, 0.0), axis, 0, 1) for axis, flux in enumerate(through)]
    down = [pad(jnp.maximum(-flux, 0.0), axis, 1, 0) for axis, flux in enumerate(through)]
    return _total(up + down)


def sides(array: Float[Array, "..."], axis: int) -> tuple[Float[Array, "..."], Float[Array, "..."]]:
    """At each face along an axis, the cell below and the cell above."""
    n = array.shape[axis]
    return jax.lax.slice_in_dim(array, 0, n - 1, axis=axis), jax.lax.slice_in_dim(array, 1, n, axis=axis)


def at(array: Float[Array, "..."], axis: int, place: int) -> Float[Array, "..."]:
    """The slice at one place of an axis, which stays."""
    place = place % array.shape[axis]
    return jax.lax.slice_in_dim(array, place, place + 1, axis=axis)


def pad(array: Float[Array, "..."], axis: int, before: int, after: int) -> Float[Array, "..."]:
    """Zeros added at the ends of an axis."""
    return jnp.pad(array, [(before, after) if k == axis else (0, 0) for k in range(array.ndim)])


def along(values: Float[Array, " _"], axis: int, dims: int) -> Float[Array, "..."]:
    """One number a place of an axis, to be multiplied with arrays of `dims` axes."""
    return values.reshape([-1 if k == axis else 1 for k in range(dims)])


def _total(parts: list[Float[Array, "..."]]) -> Float[Array, "..."]:
    return sum(parts[1:], parts[0])
