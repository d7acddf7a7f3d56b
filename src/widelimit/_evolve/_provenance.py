"""What a run was: versions, machine, problem and dynamics in words, and its fingerprint."""

import platform
from typing import Any

import equinox as eqx
import jax
from jaxtyping import PRNGKeyArray

from widelimit import __version__
from widelimit.dynamics import AbstractDynamics
from widelimit.problem import Problem
from widelimit.trajectory import as_array, fingerprints


def marks_of(
    problem: Problem, starts: Any, dynamics: AbstractDynamics, times: Any, watched: Any, keys: Any, *, kept: bool
) -> dict[str, str] | None:
    """The fingerprints of the parts of a run; None where one cannot be seen, which a run that is not kept minds not."""
    task = {} if problem.supervised is None else vars(problem.supervised)
    parts = task | vars(problem) | {"supervised": type(problem.supervised)}
    named = {f"problem.{name}": part for name, part in parts.items()}
    named |= {"dynamics": type(dynamics)} | {f"dynamics.{name}": part for name, part in vars(dynamics).items()}
    try:
        return fingerprints(named | {"the start": starts, "the times": times, "observe": watched, "the key": keys})
    except ValueError:
        if kept:
            raise
        return None


def provenance(
    problem: Problem, dynamics: AbstractDynamics, key: PRNGKeyArray | None, marks: dict[str, str] | None
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
        "fingerprint": marks,
    }
