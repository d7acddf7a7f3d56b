"""Settings for every test. Nothing here may import widelimit: the shape checks hook its first import."""

import collections
import ctypes
import gc
import importlib.metadata
import os
import shutil
import sys
import tempfile

import pytest
from hypothesis import settings

# Most of a test's time is compilation. Programs of tests run for milliseconds, so the compiler need not optimise
# them, and without the fusion emitters (which lower each fusion through many stages of MLIR) it takes a third of the
# time; and what one process of a run has compiled (a worker, a command that a test starts) serves the others, from a
# folder that lives as long as the run.
_FLAGS = ["--xla_backend_optimization_level=0"]
# Later ones do not have this flag, and end the process where they do not know one.
if tuple(int(part) for part in importlib.metadata.version("jaxlib").split(".")[:2]) < (0, 12):
    _FLAGS.append("--xla_cpu_use_fusion_emitters=false")
os.environ.setdefault("XLA_FLAGS", " ".join(_FLAGS))
_SHARED = "JAX_COMPILATION_CACHE_DIR"
_OWNER = _SHARED not in os.environ
if _OWNER:
    os.environ[_SHARED] = tempfile.mkdtemp(prefix="widelimit-tests-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

# No deadline: the first example of a shape compiles, the others do not. Few examples: each may compile.
settings.register_profile("local", deadline=None, max_examples=20)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")

# JAX makes millions of small objects that are free without a search for cycles; in a process of some GB, which traces
# all the time, the collector's searches at its usual thresholds are a tenth of the run. A search of everything takes
# ten seconds there: it is made between modules, once much has been forgotten.
gc.set_threshold(50_000, 20, 1_000_000)

# Compiled programs that a test process keeps: a few thousand tests would fill the memory of a small machine.
_MOST_BYTES = 4 * 2**30


def pytest_unconfigure() -> None:
    """Workers inherit the folder and leave it; the process that made it removes it at the end."""
    if _OWNER:
        shutil.rmtree(os.environ[_SHARED], ignore_errors=True)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`first(n)`: the cases of a family after its first `n` that are not slow already are slow."""
    met: collections.Counter[str] = collections.Counter()
    for item in items:
        mark = item.get_closest_marker("first")
        if mark is not None and item.get_closest_marker("slow") is None:
            family = item.nodeid.partition("[")[0]
            met[family] += 1
            if met[family] > mark.args[0]:
                item.add_marker("slow")


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
