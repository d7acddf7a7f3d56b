"""What the package hands out: each name from the room that it is listed under, and nothing before it is used."""

import subprocess
import sys

import pytest


def test_every_name_is_there():
    import widelimit as wl

    names = [name for name in dir(wl) if name != "__version__"]
    assert len(names) >= 39
    assert {"Problem", "evolve", "Particles", "SGD", "analysis", "units", "load"} <= set(names)
    for name in names:
        assert getattr(wl, name) is not None
    assert wl.analysis.minimise is wl.minimise
    assert wl.measure.Particles is wl.Particles


def test_other_names_are_refused():
    import widelimit as wl

    # In a room, but not handed out.
    name = "Blocks"
    with pytest.raises(AttributeError, match="'widelimit' has no attribute 'Blocks'"):
        getattr(wl, name)


def test_nothing_is_imported_before_it_is_used():
    late = {"jax", "numpy", "ast", "sklearn", "widelimit.measure"}
    said = f"import sys, widelimit; print(sorted({late} & set(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_float64_is_on_and_other_programs_do_not_inherit_it():
    said = (
        "import os, widelimit; assert 'JAX_ENABLE_X64' not in os.environ; "
        "import jax.numpy as jnp; print(jnp.ones(1).dtype, 'JAX_ENABLE_X64' in os.environ)"
    )
    out = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "float64 False"
