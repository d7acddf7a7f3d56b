"""What was divided out of a problem: maps between its measures and those of the full one."""

import abc
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Particles, laws
from widelimit.numerics import Count, Module, random_key, whole_number

from ..networks import Levels


class AbstractSymmetry(Module):
    """What `Problem.project`, `lift`, `start` and `log_volume` ask of a problem in fewer coordinates."""

    hides: ClassVar[bool] = True
    """Whether the full problem has measures that the reduced one cannot tell apart by what they predict."""

    @abc.abstractmethod
    def project(self, measure: Any) -> Any:
        """A measure or a law of the full problem in the coordinates of the reduced one."""

    @abc.abstractmethod
    def lift(self, measure: Particles, *, key: PRNGKeyArray | None) -> Particles:
        """Particles of the full problem that the reduced problem's stand for."""

    @abc.abstractmethod
    def log_volume(self, theta: Any) -> Float[Array, ""]:
        """The log of the volume that one particle stands for. Raises `ValueError` where there is none."""

    def completed(self, measure: Particles) -> Particles:
        """Particles with the columns that the problem itself gives them."""
        return measure


def drawn(law: Any, width: Count | None, key: PRNGKeyArray | None, levels: Levels | None = None) -> Particles:
    """`width` particles of a law; its atoms, where it has as many as that, or no width is said and no key is.

    On each of some levels: what is drawn is independent, atoms are the same.
    """
    if isinstance(law, Particles):
        if width is not None and width != len(law):
            raise ValueError(f"start(width=...): {width} were asked, the measure has {len(law)} particles.")
        return law
    if not isinstance(law, laws.AbstractLaw):
        raise ValueError(f"start(law): expected one of widelimit.laws or Particles, got {type(law).__name__}.")
    width = law.n_atoms if width is None else width
    width = whole_number(width, "start(width=...)", least=1)
    if key is not None:
        count = 1 if levels is None else levels.count
        return law.sample(count * width, key=random_key(key, "start(key=...)"))
    if not law.n_atoms or width % law.n_atoms:
        raise ValueError(
            "start(key=...): a law is sampled with a key, say jax.random.key(0); atoms need none, where `width` is a "
            "multiple of their number."
        )
    atoms, copies = law.quantise(law.n_atoms), width // law.n_atoms
    if copies > 1:
        atoms = Particles(
            jnp.repeat(atoms.positions, copies, axis=0), jnp.repeat(atoms.weights, copies) / copies, blocks=atoms.blocks
        )
    return atoms if levels is None else levels.everywhere(atoms)
