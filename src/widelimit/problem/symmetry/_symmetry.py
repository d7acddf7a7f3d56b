"""What was divided out of a reduced problem: rotations of groups of coordinates."""

import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Block, Blocks, Particles, describe, laws, split
from widelimit.numerics import random_key

from ._abstract import AbstractSymmetry


class Symmetry(AbstractSymmetry):
    r"""Rotations of G groups of the coordinates of x and w; the lengths $r_g = |w_g|$ are what they leave.

    - `groups`: the coordinates of each group, or () at d = infinity.
    - `dims`: d_g, the groups' dimensions, infinity allowed.
    - `full`: the blocks of the problem that was reduced; `reduced`: those of the reduced one.
    - `quadrature_error`: how far the data quadrature and, where it is not in closed form, the mean over directions may
      be off, relative to their sizes: an estimate from doubling the nodes, for r s up to 1000 (two groups: 100).
    """

    groups: tuple[tuple[int, ...], ...] = eqx.field(static=True)
    dims: tuple[float, ...] = eqx.field(static=True)
    full: Blocks = eqx.field(static=True)
    reduced: Blocks = eqx.field(static=True)
    # An array: a number that differs from problem to problem must not make each of them compile anew.
    quadrature_error: Float[Array, ""]

    def log_volume(self, theta: Any) -> Float[Array, ""]:
        r"""$\sum_g (d_g - 1) \log r_g$ of one particle: the log of the volume that it stands for (NOTATION).

        Raises `ValueError` at d = infinity.
        """
        if math.inf in self.dims:
            raise ValueError("at d = infinity there is no reduced problem with a temperature T > 0; take a finite dim.")
        radius = jnp.ravel(theta.radius)
        logs = jnp.where(radius > 0, jnp.log(jnp.where(radius > 0, radius, 1.0)), -jnp.inf)
        return jnp.dot(jnp.asarray(self.dims, radius.dtype) - 1.0, logs)

    def project(self, measure: Any) -> Any:
        """Particles or a law of the full problem, as particles or a law of the lengths |w_g|.

        Particles and atoms are carried over one by one, whether or not their directions are uniform. A normal law must
        have mean 0 and one std a group; its lengths have the law `laws.Chi`. Mixtures and products are carried over
        part by part.

        Raises `ValueError` for a law whose lengths have no law here, and for other columns.
        """
        if math.inf in self.dims:
            raise ValueError("project: at d = infinity there is no full problem; give the law of the radius itself.")
        if isinstance(measure, laws.AbstractLaw):
            return self._project_law(measure)
        if not isinstance(measure, Particles):
            raise ValueError(f"project(measure): expected Particles or a law, got {type(measure).__name__}.")
        return self._lengths(measure)

    def _lengths(self, measure: Particles) -> Particles:
        """Particles of the full problem as particles of the reduced one."""
        theta = split(self.full, measure.arranged(self.full).positions)
        parts = [jnp.linalg.norm(theta.weight[:, np.asarray(group)], axis=1) for group in self.groups]
        radius = parts[0] if len(parts) == 1 else jnp.stack(parts, axis=1)
        columns = [radius if b.name == "radius" else getattr(theta, b.name) for b in self.reduced]
        lengths = jnp.concatenate([column.reshape(len(measure), -1) for column in columns], axis=1)
        return Particles(lengths, measure.weights, blocks=self.reduced)

    def lift(self, measure: Particles, *, key: PRNGKeyArray | None = None) -> Particles:
        """Particles of the full problem: each with a uniform direction in every group; a function of the key.

        Raises `ValueError` at d = infinity, for r = infinity (inside `jax.jit` the weights are NaN instead) and for
        other columns.
        """
        if math.inf in self.dims:
            raise ValueError("lift: at d = infinity there is no full problem.")
        if not isinstance(measure, Particles):
            raise ValueError(f"lift(measure): expected Particles, got {type(measure).__name__}; sample or quantise it.")
        theta = split(self.reduced, measure.arranged(self.reduced).positions)
        radii = theta.radius.reshape(len(measure), -1)
        if not isinstance(radii, Tracer) and not np.all(np.isfinite(np.asarray(radii))):
            raise ValueError("lift(measure): a particle at r = infinity has no weights.")
        if not isinstance(radii, Tracer) and np.any(np.asarray(radii) < 0):
            raise ValueError("lift(measure): a length r must not be negative.")
        key = random_key(key, "lift(key=...)")
        radii = jnp.where(jnp.isfinite(radii), radii, jnp.nan)
        weight = jnp.zeros((len(measure), sum(len(group) for group in self.groups)), radii.dtype)
        for g, (group, k) in enumerate(zip(self.groups, jax.random.split(key, len(self.groups)), strict=True)):
            z = jax.random.normal(k, (len(measure), len(group)), radii.dtype)
            unit = z / jnp.linalg.norm(z, axis=1, keepdims=True)
            weight = weight.at[:, np.asarray(group)].set(radii[:, g : g + 1] * unit)
        rows = [weight if b.name == "weight" else getattr(theta, b.name) for b in self.full]
        flat = jnp.concatenate([row.reshape(len(measure), -1) for row in rows], axis=1)
        return Particles(flat, measure.weights, blocks=self.full)

    def _project_law(self, law: laws.AbstractLaw) -> laws.AbstractLaw:
        names, parts = [block.name for block in self.full], law.components()
        if law.factors and [block.name for block in law.blocks] == names:
            pairs = dict(zip(names, law.factors, strict=True))
            return laws.product(
                **{b.name: self._radius(pairs["weight"]) if b.name == "radius" else pairs[b.name] for b in self.reduced}
            )
        if len(parts) > 1:
            return laws.Mixture([self._project_law(part) for _, part in parts], [weight for weight, _ in parts])
        if not law.blocks and names == ["weight"]:
            return self._radius(law)
        if law.n_atoms is not None:
            atoms = self._lengths(law.quantise(law.n_atoms))
            return laws.Empirical(atoms.positions, atoms.weights, blocks=self.reduced)
        raise ValueError(
            f"project(law): expected independent blocks {describe(self.full)} (laws.product), "
            f"got {type(law).__name__}{' of ' + describe(law.blocks) if law.blocks else ''}."
        )

    def _radius(self, law: laws.AbstractLaw) -> laws.AbstractLaw:
        """The law of the lengths, for an invariant law of the weight."""
        size = sum(len(group) for group in self.groups)
        if law.dim != size:
            raise ValueError(f"project(law): the weight has {size} components, the law {law.dim}.")
        lengths = law.radial(self.groups)
        if lengths is None:
            raise ValueError(
                f"project(law): the lengths of {type(law).__name__} have no law here (it is not invariant under the "
                "rotations, or its lengths are not independent); allowed are Normal (mean 0, one std > 0 a group), "
                "Sphere (one group), atoms and mixtures of them. Or sample it and project the particles."
            )
        return lengths


def reduced_blocks(full: Blocks, groups: int) -> Blocks:
    """The weight replaced by the lengths of its groups."""
    radius = Block("radius", () if groups == 1 else (groups,))
    return tuple(radius if block.name == "weight" else block for block in full)
