"""What a run looks like: its risk, and its neurons."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.measure import describe as columns
from widelimit.trajectory import Trajectory

from .._curves import TIME, Curve, fell, observed, over_a_decade
from ..canvas import LIMIT, colour
from ..words import clock, count
from ._card import Card, describe
from ._neurons import draw_run

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@describe.register
def of_run(run: Trajectory) -> Card:
    """How it ended, its size, and what was observed."""
    risk = risk_of(run)
    what = "cells" if run.grid is not None else "particles"
    rows = [
        ("end", f"{run.outcome.name.lower().replace('_', ' ')} at t = {clock(float(run.times[-1]))}"),
        ("measure", f"{count(run.size, what[:-1])} in {count(run.dim, 'dimension')}"),
        ("took", f"{count(run.steps, 'step')}, {run.wall:.3g} s, {count(len(run), 'save')}"),
        ("observed", ", ".join(run.observables) or "nothing"),
    ]
    if run.blocks:
        rows.insert(2, ("parameters", columns(run.blocks)))
    sentence = "" if risk is None else f"The risk {fell(risk)}."
    if not run.outcome.ok:
        sentence = f"{sentence} {run.message}".strip()

    def draw(axes: "Axes") -> None:
        assert risk is not None
        draw_risk(axes, run, risk)

    def beside(axes: "Axes") -> None:
        draw_run(run, axes)

    return Card("Trajectory", tuple(rows), sentence, None if risk is None else draw, beside)


def risk_of(run: Trajectory) -> Curve | None:
    """The risk with its error; None where it was not observed."""
    return observed(run, "risk", "risk R") if "risk" in run.observables else None


def draw_risk(axes: "Axes", run: Trajectory, risk: Curve) -> None:
    """The risk over time, with its error if there is one, and the objective where a penalty adds to it."""
    axes.set(xlabel=TIME, ylabel="risk R", xlim=(0.0, risk.until or 1.0))
    axes.plot(risk.times, risk.values, color=LIMIT, lw=2.0, marker="" if len(risk.times) > 1 else "o", label="risk R")
    if risk.error is not None:
        low, high = risk.values - risk.error, risk.values + risk.error
        axes.fill_between(risk.times, low, high, color="#555555", alpha=0.3, lw=0)
    drawn = [risk.values]
    if np.any(np.asarray(run.observables.get("penalty", 0.0)) != 0):
        drawn.append(run.objective)
        axes.plot(risk.times, run.objective, color=colour(0), ls="--", lw=1.8, label="objective: with the penalty")
        axes.set_ylabel("risk R, objective")
        axes.legend()
    if over_a_decade(drawn):
        axes.set_yscale("log")
