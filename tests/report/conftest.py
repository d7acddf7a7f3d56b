"""Runs made by formula: what a report says of them can be worked out by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest


def make_run(n: int = 64, *, floor: float = 0.01, points: int = 33, t1: float = 8.0, extra: dict | None = None) -> Any:
    """Risk floor + exp(-t); neurons with output, weight[3] and bias, whose outputs grow as 1 + t."""
    from widelimit import Outcome, Trajectory
    from widelimit.measure import Block

    rng = np.random.default_rng(n)
    times = t1 * np.linspace(0.0, 1.0, points) ** 2
    output, weight = rng.normal(size=n), rng.normal(size=(n, 3))
    positions = np.stack([np.column_stack([(1 + t) * output, weight, 0 * output + t * output**2]) for t in times])
    risk = floor + np.exp(-times)
    return Trajectory(
        times=times,
        positions=positions,
        weights=np.full((len(times), n), 1.0 / n),
        blocks=(Block("output", ()), Block("weight", (3,)), Block("bias", ())),
        observables={"risk": risk, "held_out_risk": 2 * risk, **(extra or {})},
        outcome=Outcome.SUCCESS,
        message="",
        steps=points,
        wall=0.5,
        provenance={"versions": {"jax": "0"}, "key": None, "problem": "Problem(\n  a=1\n)"},
    )


def make_summary(**changes: Any) -> Any:
    """Networks of width N and seed s lie (1 + s) / N above the limit."""
    from widelimit import report

    limit = tuple(make_run(n) for n in (64, 128, 256))
    given = {
        "title": "A run",
        "problem": {"data": "formula", "rows": "3"},
        "limit": limit,
        "limit_error": np.full(33, 1e-3),
        "limit_converged": True,
        "limit_note": "It moves by less than 0.01.",
        "networks": tuple(
            report.NetworkRun(n, s, "SGD, step 0.1", make_run(n, floor=0.01 + (1 + s) / n))
            for n in (10, 40)
            for s in range(2)
        ),
        "checks": report.Checks(
            gap=0.02,
            gap_budget=1.5,
            largest_correlation=0.01,
            gap_certified=False,
            gap_statement="No network does better by more than 0.02.",
            stationarity_rms=1e-4,
            stationarity_largest=2e-3,
            dissipation_defect=1e-8,
            dissipation_method="integrated with the flow",
        ),
        "held_out": True,
        "columns": ("age", "mass", "height"),
        "notes": ("One column is constant.",),
        "provenance": limit[-1].provenance,
    }
    return report.RunSummary(**(given | changes))


@pytest.fixture(name="run")
def _run() -> Callable[..., Any]:
    return make_run


@pytest.fixture(name="summary")
def _summary() -> Callable[..., Any]:
    return make_summary
