"""What a run was: versions, machine, problem and dynamics in words, and its fingerprint."""

import platform
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray

from widelimit import __version__
from widelimit.dynamics import AbstractDynamics
from widelimit.problem import Problem
from widelimit.trajectory import Checkpoint, as_array, fingerprint


def mark_of(parts: tuple[Any, ...], checkpoint: Checkpoint | None) -> str | None:
    """The run's fingerprint; None where a part cannot be seen, which only a checkpoint minds."""
    try:
        return fingerprint(*parts)
    except ValueError:
        if checkpoint is not None:
            raise
        return None


def provenance(
    problem: Problem, dynamics: AbstractDynamics, key: PRNGKeyArray | None, mark: str | None
) -> dict[str, Any]:
    import importlib.metadata

    packages = ("jax", "jaxlib", "equinox", "diffrax", "numpy")
    versions = {"widelimit": __version__} | {name: importlib.metadata.version(name) for name in packages}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "platform": platform.platform(),
        "device": jax.devices()[0].device_kind,
        "key": None if key is None else as_array(key).tolist(),
        "problem": eqx.tree_pformat(problem),
        "dynamics": eqx.tree_pformat(dynamics, short_arrays=False),
        "fingerprint": mark,
    }
