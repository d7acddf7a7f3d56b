"""The interface of a law."""

import abc
import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.numerics import Count, Module, random_key, whole_number
from widelimit.numerics.registry import Registry

from .._blocks import Blocks
from .._grid import Grid
from .._particles import Particles
from ._cube import Gauss, Midpoint, Nodes, Rows, Rule, Sobol

registry = Registry("law", tag="law")

# Groups of coordinates, for `radial`.
Groups = tuple[tuple[int, ...], ...]


Numbers = Float[np.ndarray, "..."]


class Line(NamedTuple):
    """A law of one number h that has a density; all on the host.

    - `support`: the smallest closed interval with all the mass; its ends may be infinite.
    - `edges`: [E], ascending: between neighbours some twenty Gauss nodes integrate the density times a polynomial to
      rounding, and outside of them it has less than rounding.
    - `density(h)`, `below(x)`: P(h <= x), `ramp(x)`: E (x - h)_+, the integral of `below`.
    - `flat`: whether the density is known to be constant between neighbouring edges.
    """

    support: tuple[float, float]
    edges: Float[np.ndarray, " E"]
    density: Callable[[Numbers], Numbers]
    below: Callable[[Numbers], Numbers]
    ramp: Callable[[Numbers], Numbers]
    flat: bool = False


class AbstractLaw(Module):
    r"""A probability law of one particle's D parameters.

    A law of one's own writes `shape` and `draw`. The rest are facts: left out they mean "not known", and what needs
    them refuses or is more careful.

    - `shape`: of the block that the law makes of its parameters: () for a number, (d,) for a vector.
    - `blocks`: names of the columns, () when they have none.
    - `factors`: the independent laws of the blocks, one each; () where there are none or they depend on each other.
    - `n_atoms`: the number of atoms of a law made of finitely many; else None.
    - `normal`: whether the law is known to be a Gaussian, perhaps on a plane or a point.

    `quantise` needs a map T from the unit cube, $u \sim U[0, 1]^c \Rightarrow T(u) \sim$ the law (`from_cube`, and c =
    `cube_dim`), and puts well-spread points through it.
    """

    shape: eqx.AbstractVar[tuple[int, ...]]
    blocks: ClassVar[Blocks] = ()
    factors: ClassVar["tuple[AbstractLaw, ...]"] = ()
    n_atoms: ClassVar[int | None] = None
    normal: ClassVar[bool] = False
    grid: ClassVar[None] = None
    """The grid on which a measure is a density: none here."""

    @property
    def dim(self) -> int:
        """D, the number of parameters."""
        return math.prod(self.shape)

    @property
    def cube_dim(self) -> int:
        """c, the number of cube coordinates that `from_cube` takes; D where a law does not say otherwise."""
        return self.dim

    @abc.abstractmethod
    def draw(self, n: int, key: PRNGKeyArray) -> Float[Array, "n D"]:
        """n independent rows; a function of `key` alone."""

    def from_cube(self, u: Float[np.ndarray, "n c"]) -> Rows:
        """T(u) for points of the cube [0, 1]^c; finite on its faces too. Runs on the host.

        Raises `ValueError` for a law without such a map.
        """
        raise ValueError(f"quantise: {type(self).__name__} has no map from the unit cube; sample it.")

    def gauss(self, n: int) -> Nodes:
        """The Gauss rule with n nodes per coordinate; an atomic law gives all its atoms.

        Raises `ValueError` for a law without one, and for more than 10^6 nodes.
        """
        raise ValueError(
            f"quantise(rule=Gauss()): {type(self).__name__} has no Gauss rule; leave `rule` out or use Sobol()."
        )

    def gauss_size(self, n: int) -> int:
        """How many nodes `gauss(n)` has in all; n^c, c = `cube_dim`, where a law does not say otherwise."""
        return n**self.cube_dim if self.n_atoms is None else self.n_atoms

    def gauss_order(self, most: int) -> int:
        """The largest n for which `gauss(n)` has no more than `most` nodes; 0 where one node is too many."""
        if self.gauss_size(1) > most or self.n_atoms is not None:
            return int(self.gauss_size(1) <= most)
        low, high = 1, 2
        while high <= most and self.gauss_size(high) <= most:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.gauss_size(middle) <= most else (low, middle)
        return low

    def box_probability(self, lower: Rows, upper: Rows) -> Float[np.ndarray, " n"]:
        """The probabilities of the boxes lower <= theta < upper, one a row; sides may be infinite. Runs on the host.

        Raises `ValueError` for a law that has none in closed form.
        """
        raise ValueError(f"box_probability: {type(self).__name__} has none in closed form; sample it or quantise it.")

    def log_density(self, x: Float[Array, "n D"]) -> Float[Array, " n"]:
        """The logarithm of the density at rows x; -inf where it is zero.

        Raises `ValueError` for a law without a density.
        """
        raise ValueError(f"log_density: {type(self).__name__} has no density.")

    def mean(self) -> Float[Array, " D"] | None:
        """E theta; None where it is not known or infinite."""
        return None

    def covariance(self) -> Float[Array, "D D"] | None:
        """The covariance matrix; None where it is not known or infinite."""
        return None

    def components(self) -> "tuple[tuple[float, AbstractLaw], ...]":
        """(weight, law), ...: a mixture taken apart, to the bottom; else the law itself with weight 1.

        A product of few mixtures comes as products without one. Weights are positive. Runs on the host.
        """
        return ((1.0, self),)

    def marginals(self) -> "tuple[AbstractLaw, ...] | None":
        """Independent laws of one number each, one a column; None where columns depend on each other. On the host."""
        return (self,) if self.dim == 1 else None

    def line(self) -> Line | None:
        """The density of a law of one number as integrals over the line see it; None where not known. On the host."""
        return None

    def positive_part(self, shift: Float[Array, "..."], sign: float = 1.0) -> Float[Array, "3 ..."] | None:
        """P(z > 0), E z_+ and E z_+^2 for z = shift + sign theta, sign 1 or -1, of a law of one number.

        None where they are not known in closed form. JAX operations: shifts may be traced.
        """
        return None

    def radial(self, groups: Groups) -> "AbstractLaw | None":
        """The law of the lengths |theta_g| of groups of coordinates, of a law that is invariant under their rotations.

        A block of shape () for one group, else (G,). None where it is not invariant or not known. On the host.
        """
        return None

    def sample(self, n: Count, *, key: PRNGKeyArray) -> Particles:
        """n independent particles of weight 1/n. Raises `ValueError` for n < 1."""
        n, key = whole_number(n, "sample(n=...)", least=1), random_key(key, "sample(key=...)")
        return Particles(self.draw(n, key), blocks=self.blocks)

    def quantise(self, n: Count, rule: Rule | None = None) -> Particles:
        r"""A deterministic measure of about n atoms near the law,

        $$\Big|\int g\,d\rho_n - \int g\,d\rho\Big| \ll n^{-1/2}\qquad\text{for smooth } g.$$

        - `n`: number of particles in all, whatever the rule; each of weight 1/n, but for those of `Gauss()`.
        - `rule`: `Midpoint()`, `Sobol(seed=0)` or `Gauss()`. Left out: all the atoms (with their weights) of
          a law that has no more than n, `Midpoint()` for one cube coordinate, else `Sobol()`.

        Raises `ValueError` for n < 1, for a rule that does not serve this law, and for an n that no tensor product of
        `Gauss()` has. Runs on the host: not inside `jax.jit`.
        """
        n = whole_number(n, "quantise(n=...)", least=1)
        if rule is None:
            rule = self._rule(n)
        if isinstance(rule, Gauss) or self.cube_dim == 0:
            return Particles(*self._tensor(n), blocks=self.blocks)
        rows = self.from_cube(rule.points(n, self.cube_dim))
        return Particles(rows, blocks=self.blocks)

    def atoms(self, n: int) -> Particles:
        """About n atoms near the law: `quantise(n)`."""
        return self.quantise(n)

    def cell_masses(self, grid: Grid) -> Float[np.ndarray, "..."]:
        """The probabilities of a grid's cells, in its shape. Raises `ValueError` as `box_probability` does."""
        return np.asarray(self.box_probability(*grid.boxes()), float).reshape(grid.shape)

    def _tensor(self, n: int) -> Nodes:
        """The Gauss rule of n nodes in all, or all the atoms of a law that has no more."""
        order = self.gauss_order(n)
        size = self.gauss_size(max(order, 1))
        if self.n_atoms is None and self.cube_dim > 0 and size != n:
            # A law without such a rule says so first.
            self.gauss(1)
            near = [str(size)] if order == 0 else [str(size), str(self.gauss_size(order + 1))]
            raise ValueError(
                f"quantise(n={n}, rule=Gauss()): n counts all nodes of a tensor product with as many a coordinate; the "
                f"nearest allowed: {' and '.join(near)}; or Sobol() for any n."
            )
        if order == 0:
            raise ValueError(f"quantise(n={n}, rule=Gauss()): this law's {size} atoms are more than n; or use Sobol().")
        return self.gauss(order)

    def _rule(self, n: int) -> Rule:
        if self.n_atoms is not None and self.n_atoms <= n:
            return Gauss()
        return Midpoint() if self.cube_dim == 1 else Sobol()
