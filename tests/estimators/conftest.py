"""Tables whose padded shapes are one: up to 128 rows, 8 columns, so that the tests share their programs."""

import collections
from collections.abc import Iterator

import numpy as np
import pytest


@pytest.fixture
def table() -> tuple[np.ndarray, np.ndarray]:
    """60 rows of 3 columns of unlike means and sizes, and a target."""
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3)) * [1.0, 20.0, 0.1] + [3.0, -5.0, 0.0]
    return x, 4.0 + 2.0 * np.sin(x[:, 0] - 3.0) + 0.1 * x[:, 1] + random.normal(size=60) / 5


@pytest.fixture
def compiled() -> Iterator[collections.Counter[str]]:
    """How many programs were compiled, or read from where they are kept, by name."""
    import jax

    counts: collections.Counter[str] = collections.Counter()

    def count(event: str, seconds: float, **told: object) -> None:
        if event.endswith("backend_compile_duration"):
            counts[str(told.get("fun_name"))] += 1

    jax.monitoring.register_event_duration_secs_listener(count)
    yield counts
    jax.monitoring.unregister_event_duration_listener(count)
