"""The objective to second order at given atoms: how few programs that takes."""

from collections import Counter

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit.analysis.minimum._competitors import competitors
from widelimit.analysis.minimum._family import Atoms, Family, filled

_COMPILED = "/jax/core/compile/backend_compile_duration"


@pytest.fixture(scope="module")
def family() -> Family:
    x = np.linspace(-1.0, 1.0, 6)
    unit = wl.units.Neuron(wl.activations.tanh, output_weight=False, bias=False)
    problem = wl.Problem(unit, wl.data.Samples(x, x**2), penalty=wl.penalties.l2(0.1))
    return competitors("minimise", problem.on_nodes(), None).family


def _atoms(n: int) -> Atoms:
    p = np.linspace(1.0, 2.0, n)
    return Atoms(np.linspace(-1.0, 1.0, n)[:, None], p / p.sum(), np.zeros(n, bool))


def test_the_number_of_peaks_compiles_nothing(family: Family) -> None:
    """Up to 16 peaks and what was there before: two programs, whatever the data's numbers make of them."""
    counts: Counter[str] = Counter()

    def count(event: str, seconds: float, **told: object) -> None:
        counts.update([event])

    jax.monitoring.register_event_duration_secs_listener(count)
    for n in (8, 32):
        family.expand(_atoms(n))
    assert counts[_COMPILED] > 0
    counts.clear()
    for n in (1, 7, 9, 12, 16, 17, 31):
        assert family.expand(_atoms(n)).psi.shape == (n,)
    jax.monitoring.unregister_event_duration_listener(count)
    assert counts[_COMPILED] == 0


def test_filling_up_changes_nothing(family: Family) -> None:
    atoms = _atoms(11)
    alone, x = family.expand(atoms), np.linspace(-1.0, 1.0, 6)
    f = atoms.p @ np.tanh(atoms.z * x)
    # The squared loss of the problem's own default, (f - y)^2 / 2.
    value = np.mean(0.5 * (f - x**2) ** 2) + 0.1 * atoms.p @ atoms.z[:, 0] ** 2
    assert alone.value == pytest.approx(value, rel=1e-13)


def test_large_expansions_are_filled_up_to_the_next_power_alone() -> None:
    rows, p = np.arange(12.0)[:, None], np.full(12, 1 / 12)
    assert [len(filled(rows, p, few=few)[0]) for few in (True, False)] == [32, 16]
    assert filled(rows, p)[1].sum() == pytest.approx(1.0, abs=1e-15)
