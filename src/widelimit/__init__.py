"""widelimit: what training does to wide two-layer networks, and the network beside it.

Importing the package switches on float64 in JAX (flows, spectra and certificates need it). It imports
nothing heavy until a name is used, so that the command line answers at once.
"""

import functools as _functools
import importlib.util as _util
import sys as _sys
from typing import TYPE_CHECKING, Any as _Any

from ._shown import drawn_in as _drawn_in


class _Float64:
    """Finds JAX as Python does, and switches float64 on as soon as it is there.

    JAX has a variable of the environment for that, but other programs that are started from here would inherit it.
    """

    def find_spec(self, name: str, path: _Any = None, target: _Any = None) -> _Any:
        if name != "jax":
            return None
        _sys.meta_path.remove(self)
        spec = _util.find_spec(name)
        loader: _Any = None if spec is None else spec.loader
        if loader is not None:
            loader.exec_module = _functools.partial(_loaded, loader.exec_module)
        return spec


def _loaded(execute: _Any, module: _Any) -> None:
    execute(module)
    module.config.update("jax_enable_x64", True)


if "jax" in _sys.modules:
    _sys.modules["jax"].config.update("jax_enable_x64", True)
else:
    _sys.meta_path.insert(0, _Float64())

__version__ = "0.1.0"

# What the objects of any room look like is known to `report`.
_drawn_in("widelimit.report")

# What the package hands out. Type checkers read this list, and so does `__getattr__`: nothing is imported before it
# is used.
if TYPE_CHECKING:
    from . import (
        analysis as analysis,
        dynamics as dynamics,
        kernels as kernels,
        measure as measure,
        report as report,
        sklearn as sklearn,
    )
    from ._compiled import keep_compiled as keep_compiled
    from ._diagnose import diagnose as diagnose
    from ._evolve import evolve as evolve, evolve_many as evolve_many, rollout as rollout
    from ._sweep import sweep as sweep
    from ._torch import from_torch as from_torch, to_torch as to_torch
    from .analysis import minimise as minimise, predict as predict, width_for as width_for
    from .dynamics import (
        JKO as JKO,
        SGD as SGD,
        Characteristics as Characteristics,
        EntropicJKO as EntropicJKO,
        GaussianClosure as GaussianClosure,
        GradientFlow as GradientFlow,
        Quantiles as Quantiles,
        SGDDiffusion as SGDDiffusion,
        TangentFlow as TangentFlow,
        TransportPDE as TransportPDE,
        integrators as integrators,
        sampling as sampling,
        schedules as schedules,
    )
    from .measure import Grid as Grid, GridDensity as GridDensity, Particles as Particles, grids as grids, laws as laws
    from .numerics import connect as connect
    from .problem import (
        Problem as Problem,
        activations as activations,
        data as data,
        domains as domains,
        integrals as integrals,
        losses as losses,
        mobilities as mobilities,
        networks as networks,
        penalties as penalties,
        problems as problems,
        scales as scales,
        units as units,
    )
    from .results import EvolutionError as EvolutionError, Outcome as Outcome
    from .trajectory import (
        Checkpoint as Checkpoint,
        Ensemble as Ensemble,
        Trajectory as Trajectory,
        load as load,
        observables as observables,
    )


@_functools.cache
def _homes() -> dict[str, str]:
    """Name -> the room that it comes from: the list above, read from this file when the first name is used."""
    import ast
    import pathlib

    parts = ast.parse(pathlib.Path(__file__).read_bytes()).body
    listed = next(part.body for part in parts if isinstance(part, ast.If) and ast.unparse(part.test) == "TYPE_CHECKING")
    imports = [node for node in listed if isinstance(node, ast.ImportFrom)]
    return {alias.name: node.module or alias.name for node in imports for alias in node.names}


def __getattr__(name: str) -> object:
    import importlib

    if name not in _homes():
        raise AttributeError(f"module 'widelimit' has no attribute {name!r}")
    room = importlib.import_module(f"widelimit.{_homes()[name]}")
    value = room if _homes()[name] == name else getattr(room, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *_homes()])
