"""Settings for every test. Nothing here may import widelimit: the shape checks hook its first import."""

import ctypes
import gc
import os
import sys

import pytest
from hypothesis import settings

# No deadline: the first example of a shape compiles, the others do not. Few examples: each may compile.
settings.register_profile("local", deadline=None, max_examples=20)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# Compiled programs that a test process keeps: a few thousand tests would fill the memory of a small machine.
_MOST_BYTES = 4 * 2**30


@pytest.fixture(autouse=True, scope="module")
def _bounded_memory():
    """Forget what was compiled once a process has grown large: between modules, which share next to nothing."""
    yield
    if "jax" in sys.modules and _resident() > _MOST_BYTES:
        sys.modules["jax"].clear_caches()
        gc.collect()
        if sys.platform == "linux":
            # What was freed goes back to the system, or it would count as used for ever.
            ctypes.CDLL(None).malloc_trim(0)


def _resident() -> int:
    """Bytes in memory, where the system tells; else the most there have been."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
