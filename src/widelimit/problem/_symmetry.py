"""What was divided out of a reduced problem: rotations of groups of coordinates."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Block, Blocks, GridDensity, Particles, describe, laws, row_size, split


class Symmetry(eqx.Module):
    r"""Rotations of G groups of the coordinates of x and w; the lengths $r_g = |w_g|$ are what they leave.

    - `groups`: the coordinates of each group, or () at d = infinity.
    - `dims`: d_g, the groups' dimensions, infinity allowed.
    - `full`: the blocks of the problem that was reduced; `reduced`: those of the reduced one.
    - `quadrature_error`: how far the data quadrature may be off, relative to the risk's size (an estimate from doubling
      the nodes).
    """

    groups: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    dims: tuple[float, ...] = eqx.field(static=True)
    full: Blocks = eqx.field(static=True)
    reduced: Blocks = eqx.field(static=True)
    quadrature_error: float = eqx.field(static=True)

    def log_volume(self, theta: Any) -> Float[Array, ""]:
        r"""$\sum_g (d_g - 1) \log r_g$ of one particle: the log of the volume that it stands for (NOTATION).

        Raises `ValueError` at d = infinity.
        """
        if math.inf in self.dims:
            raise ValueError("at d = infinity there is no reduced problem with a temperature T > 0; take a finite dim.")
        powers = jnp.asarray(self.dims, float) - 1.0
        return jnp.sum(jax.scipy.special.xlogy(powers, jnp.ravel(theta.radius)))

    def project(self, measure: Any) -> Any:
        """Particles or a law of the full problem, as particles or a law of the lengths.

        Raises `ValueError` for a law that is not invariant, and for other columns.
        """
        if math.inf in self.dims:
            raise ValueError("project: at d = infinity there is no full problem; give the law of the radius itself.")
        if isinstance(measure, laws.AbstractLaw):
            return self._project_law(measure)
        if isinstance(measure, GridDensity) or not isinstance(measure, Particles):
            raise ValueError(f"project(measure): expected Particles or a law, got {type(measure).__name__}.")
        if measure.dim != row_size(self.full):
            raise ValueError(
                f"project(measure): expected the columns {describe(self.full)} ({row_size(self.full)}), "
                f"got {measure.dim}."
            )
        theta = split(self.full, measure.positions)
        parts = [jnp.linalg.norm(theta.weight[:, np.asarray(group)], axis=1) for group in self.groups]
        radius = parts[0] if len(parts) == 1 else jnp.stack(parts, axis=1)
        rows = [radius if b.name == "radius" else getattr(theta, b.name) for b in self.reduced]
        flat = jnp.concatenate([row.reshape(len(measure), -1) for row in rows], axis=1)
        return Particles(flat, measure.weights, blocks=self.reduced)

    def lift(self, measure: Particles, *, key: PRNGKeyArray) -> Particles:
        """Particles of the full problem: each with a uniform direction in every group; a function of the key.

        Raises `ValueError` at d = infinity and for other columns.
        """
        if math.inf in self.dims:
            raise ValueError("lift: at d = infinity there is no full problem.")
        if not isinstance(measure, Particles):
            raise ValueError(f"lift(measure): expected Particles, got {type(measure).__name__}; sample or quantise it.")
        if measure.dim != row_size(self.reduced):
            raise ValueError(f"lift(measure): expected the columns {describe(self.reduced)}, got {measure.dim}.")
        theta = split(self.reduced, measure.positions)
        radii = theta.radius.reshape(len(measure), -1)
        weight = jnp.zeros((len(measure), sum(len(group) for group in self.groups)), radii.dtype)
        for g, (group, k) in enumerate(zip(self.groups, jax.random.split(key, len(self.groups)), strict=True)):
            z = jax.random.normal(k, (len(measure), len(group)), radii.dtype)
            unit = z / jnp.linalg.norm(z, axis=1, keepdims=True)
            weight = weight.at[:, np.asarray(group)].set(radii[:, g : g + 1] * unit)
        rows = [weight if b.name == "weight" else getattr(theta, b.name) for b in self.full]
        flat = jnp.concatenate([row.reshape(len(measure), -1) for row in rows], axis=1)
        return Particles(flat, measure.weights, blocks=self.full)

    def _project_law(self, law: laws.AbstractLaw) -> laws.AbstractLaw:
        if isinstance(law, laws.Mixture):
            return laws.Mixture([self._project_law(part) for part in law.laws], law.weights)
        names = [block.name for block in self.full]
        if not law.blocks and names == ["weight"]:
            return self._radius(law)
        if not isinstance(law, laws.Product) or [block.name for block in law.blocks] != names:
            raise ValueError(
                f"project(law): expected independent blocks {describe(self.full)} (laws.product), "
                f"got {type(law).__name__}{' of ' + describe(law.blocks) if law.blocks else ''}."
            )
        parts = dict(zip(names, law.factors, strict=True))
        return laws.product(
            **{b.name: self._radius(parts["weight"]) if b.name == "radius" else parts[b.name] for b in self.reduced}
        )

    def _radius(self, law: laws.AbstractLaw) -> laws.AbstractLaw:
        """The law of the lengths, for an invariant law of the weight."""
        size = sum(len(group) for group in self.groups)
        if law.dim != size:
            raise ValueError(f"project(law): the weight has {size} components, the law {law.dim}.")
        if isinstance(law, laws.Normal):
            mean, std = np.ravel(np.asarray(law.mean)), np.ravel(np.asarray(law.std))
            scales = [np.unique(std[list(group)]) for group in self.groups]
            if np.any(mean) or any(len(scale) > 1 for scale in scales):
                raise ValueError(
                    "project(law): the weight's normal law must have mean 0 and one std in each group of coordinates "
                    "to be invariant under their rotations."
                )
            sizes = tuple(len(group) for group in self.groups)
            one = len(sizes) == 1
            return laws.Chi(sizes[0] if one else sizes, float(scales[0][0]) if one else [float(s[0]) for s in scales])
        if isinstance(law, laws.Sphere) and len(self.groups) == 1:
            return laws.Atom(law.radius)
        if isinstance(law, laws.Mixture):
            return laws.Mixture([self._radius(part) for part in law.laws], law.weights)
        raise ValueError(
            f"project(law): {type(law).__name__} is not known to be invariant under the rotations; allowed are Normal "
            "(mean 0), Sphere (one group) and mixtures of them, or particles."
        )


def reduced_blocks(full: Blocks, groups: int) -> Blocks:
    """The weight replaced by the lengths of its groups."""
    radius = Block("radius", () if groups == 1 else (groups,))
    return tuple(radius if block.name == "weight" else block for block in full)
