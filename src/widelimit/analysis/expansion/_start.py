"""What fluctuations can be computed of: the problem, the start and its times, checked."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PRNGKeyArray

from widelimit.measure import Measure, Particles, laws
from widelimit.numerics import random_key, real_number, require_x64
from widelimit.problem import Problem, moving_columns
from widelimit.problem.data import require_nodes

from .._measures import check_measure
from ._jets import Setting


def setting_of(
    problem: Problem, start: Particles, who: str, trainable: Any = None
) -> tuple[Setting, Float[Array, "N D"]]:
    """The unperturbed problem, and its particles as rows. Raises `ValueError` where there is no expansion around it."""
    check_problem(problem, who)
    columns = moving_columns(problem, trainable)
    check_measure(problem, start, f"{who}(measure=...)")
    theta, p = problem.unpack(start)
    problem.mobility.check_start(theta)
    moves = np.zeros(problem.dim)
    moves[list(columns)] = 1.0
    nodes = require_nodes(problem.data, who)
    rows = problem.arranged(start).positions.astype(float)
    return Setting(problem, nodes, p.astype(float) / jnp.sum(p), jnp.asarray(moves)), rows


def check_problem(problem: Any, who: str) -> None:
    """Raise `ValueError` unless the velocity has two derivatives in the particles and their weights, and a limit."""
    require_x64(who)
    if not isinstance(problem, Problem):
        raise ValueError(f"{who}(problem=...): expected a Problem, got {type(problem).__name__}.")
    unit = problem.two_layer(who)
    require_nodes(problem.data, who)
    if unit.averages:
        raise ValueError(
            f"{who}(problem=...): a reduced problem's unit is a mean over the directions of a weight, but those of few "
            "neurons fluctuate; give the full problem."
        )
    if not problem.scale.mean_field:
        raise ValueError(f"{who}(problem=...): without scales.MeanField() there is no limit to fluctuate around.")
    if problem.network.kinked:
        raise ValueError(
            f"{who}(problem=...): the unit {type(unit).__name__} has kinks, or is not known to have none, and the "
            "expansion needs two derivatives of its gradient; take a smooth activation, such as activations.softplus."
        )
    if not problem.loss.smooth:
        raise ValueError(
            f"{who}(problem=...): the loss {problem.loss.name!r} is not known to be twice continuously differentiable "
            "in f (losses.squared and losses.logistic are; losses.Loss(function, smooth=True) declares it)."
        )
    if not problem.smooth:
        raise ValueError(f"{who}(problem=...): a penalty with a proximal map is not smooth; take penalties.l2, say.")
    walls = [block.name for block in problem.blocks if problem.domain.of(block.name).walls]
    if walls:
        raise ValueError(
            f"{who}(problem=...): the domain of the block {walls[0]!r} has walls, at which the velocity jumps."
        )


def particles_of(
    problem: Problem, start: Measure | laws.AbstractLaw, count: int, key: PRNGKeyArray | None, who: str
) -> tuple[Particles, str]:
    """The particles that stand for a start, and how they were chosen.

    Particles stand for themselves. A law of no more than `count` atoms is these; another is quantised to `count`
    particles, or sampled where it has no map from the unit cube. Raises `ValueError` for a law that is not known to
    have second moments, and for a density on a grid.
    """
    if isinstance(start, Particles):
        return start, f"the {len(start)} atoms given"
    if not isinstance(start, laws.AbstractLaw):
        how = "; take density.particles()" if getattr(start, "grid", None) is not None else ""
        raise ValueError(f"{who}(measure=...): expected Particles or a law, got {type(start).__name__}{how}.")
    if start.dim != problem.dim:
        raise ValueError(f"{who}(measure=...): the law has {start.dim} columns, the unit {problem.dim}.")
    spread = start.covariance()
    if spread is None or not np.all(np.isfinite(np.asarray(spread))):
        raise ValueError(
            f"{who}(measure=...): the law {type(start).__name__} is not known to have second moments (its `covariance` "
            "is None or infinite), without which nothing fluctuates by n^(-1/2)."
        )
    if start.n_atoms is not None and start.n_atoms <= count:
        return start.quantise(start.n_atoms), f"the law's {start.n_atoms} atoms"
    try:
        return start.quantise(count), f"{count} particles that the law was quantised to"
    except ValueError:
        if key is None:
            raise ValueError(
                f"{who}(key=...): the law {type(start).__name__} can only be sampled; give a key, such as "
                "jax.random.key(0)."
            ) from None
    return start.sample(count, key=random_key(key, f"{who}(key=...)")), f"{count} particles sampled from the law"


def times_of(t1: Any, save_at: Any, who: str) -> Float[np.ndarray, " T"]:
    """The times asked for, 0 and t1 among them, ascending; 33 of them, denser at the start, by default."""
    end = real_number(t1, f"{who}(t1=...)", above=0.0)
    if save_at is None:
        return end * np.linspace(0.0, 1.0, 33) ** 2
    try:
        times = np.asarray(save_at, float)
    except (TypeError, ValueError):
        raise ValueError(f"{who}(save_at=...): expected a list of times, got {save_at!r}.") from None
    # 0.1 + 0.2 is more than 0.3.
    if times.ndim != 1 or times.size == 0 or not np.all((times >= 0) & (times <= end * (1 + 1e-12))):
        raise ValueError(f"{who}(save_at=...): expected a list of times in [0, {end:g}], got {save_at}.")
    if np.any(np.diff(times) <= 0):
        raise ValueError(f"{who}(save_at=...): expected increasing times, got {save_at}.")
    return np.minimum(times, end)
