"""widelimit: what training does to wide two-layer networks, and the network beside it.

Importing the package switches on float64 in JAX (flows, spectra and certificates need it). It imports
nothing heavy until a name is used, so that the command line answers at once.
"""

import os as _os
import sys as _sys
from typing import TYPE_CHECKING

# JAX reads the variable when it is first imported; if that has happened already, its own switch is used.
if "jax" in _sys.modules:
    _sys.modules["jax"].config.update("jax_enable_x64", True)
else:
    _os.environ["JAX_ENABLE_X64"] = "1"

__version__ = "0.1.0"

if TYPE_CHECKING:
    from . import analysis as analysis, kernels as kernels, measure as measure, report as report
    from ._evolve import evolve as evolve
    from .analysis import minimise as minimise
    from .dynamics import (
        JKO as JKO,
        SGD as SGD,
        Characteristics as Characteristics,
        EntropicJKO as EntropicJKO,
        GaussianClosure as GaussianClosure,
        GradientFlow as GradientFlow,
        Quantiles as Quantiles,
        TangentFlow as TangentFlow,
        TransportPDE as TransportPDE,
        integrators as integrators,
        sampling as sampling,
        schedules as schedules,
    )
    from .measure import Grid as Grid, GridDensity as GridDensity, Particles as Particles, grids as grids, laws as laws
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
        Trajectory as Trajectory,
        load as load,
        observables as observables,
    )

_HOME = {
    "analysis": "",
    "kernels": "",
    "measure": "",
    "report": "",
    "minimise": "analysis",
    "JKO": "dynamics",
    "SGD": "dynamics",
    "Characteristics": "dynamics",
    "EntropicJKO": "dynamics",
    "GaussianClosure": "dynamics",
    "GradientFlow": "dynamics",
    "Quantiles": "dynamics",
    "TangentFlow": "dynamics",
    "TransportPDE": "dynamics",
    "integrators": "dynamics",
    "sampling": "dynamics",
    "schedules": "dynamics",
    "evolve": "_evolve",
    "Grid": "measure",
    "GridDensity": "measure",
    "Particles": "measure",
    "grids": "measure",
    "laws": "measure",
    "Problem": "problem",
    "activations": "problem",
    "data": "problem",
    "domains": "problem",
    "integrals": "problem",
    "losses": "problem",
    "mobilities": "problem",
    "networks": "problem",
    "penalties": "problem",
    "problems": "problem",
    "scales": "problem",
    "units": "problem",
    "EvolutionError": "results",
    "Outcome": "results",
    "Checkpoint": "trajectory",
    "Trajectory": "trajectory",
    "load": "trajectory",
    "observables": "trajectory",
}


def __getattr__(name: str) -> object:
    import importlib

    if name not in _HOME:
        raise AttributeError(f"module 'widelimit' has no attribute {name!r}")
    home = _HOME[name]
    if home == "":
        value = importlib.import_module(f"widelimit.{name}")
    else:
        value = getattr(importlib.import_module(f"widelimit.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(["__version__", *_HOME])
