"""What finite width does, as pictures: the band of the risk, and the excess risk in 1/n."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.analysis import Fluctuations, Prediction

from .._curves import TIME, over_a_decade
from ..canvas import LIMIT, colour
from ..words import TIMES, count, number, with_error
from ._card import Card, describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@describe.register
def of_prediction(band: Prediction) -> Card:
    """The band, its mean, and the limit."""
    rows = (
        ("width", str(band.width)),
        ("risk at the end", f"{number(float(band.lower[-1]))} to {number(float(band.upper[-1]))} ({band.level:.0%})"),
        ("its mean", with_error(float(band.mean[-1]), float(band.mean_error[-1]))),
        ("the limit", number(float(band.limit[-1]), 4)),
    )

    def draw(axes: "Axes") -> None:
        tint = colour(0)
        label = f"{band.level:.0%} of networks of width {band.width}"
        axes.fill_between(band.times, band.lower, band.upper, color=tint, alpha=0.25, lw=0, label=label)
        axes.plot(band.times, band.mean, color=tint, ls="--", lw=1.8, label="their mean")
        axes.plot(band.times, band.limit, color=LIMIT, lw=2.0, label="limit")
        axes.set(xlabel=TIME, ylabel="risk R", xlim=(0.0, float(band.times[-1]) or 1.0))
        if over_a_decade([band.lower, band.upper, band.limit]):
            axes.set_yscale("log")
        axes.legend()

    return Card("Prediction", rows, band.statement, draw)


@describe.register
def of_fluctuations(found: Fluctuations) -> Card:
    """n times what n neurons add to the risk, with its standard error."""
    last = with_error(float(found.excess_risk[-1]), float(found.standard_error[-1]))
    rows = (
        ("times", f"{count(len(found.times), 'time')} to t = {number(float(found.times[-1]))}"),
        (f"n {TIMES} excess risk at the end", last),
        (
            f"n {TIMES} variance of f at the end",
            with_error(float(found.prediction_variance[-1]), float(found.variance_error[-1])),
        ),
        ("the limit's risk", number(float(found.limit[-1]), 4)),
    )

    def draw(axes: "Axes") -> None:
        value, error = found.excess_risk, found.standard_error
        axes.plot(found.times, value, color=colour(0), lw=2.0)
        if np.any(error > 0):
            low, high = value - 2 * error, value + 2 * error
            axes.fill_between(found.times, low, high, color=colour(0), alpha=0.25, lw=0, label="± 2 standard errors")
            axes.legend()
        axes.set(xlabel=TIME, ylabel=r"$n\,(E\,R(f_n) - R(f_0))$", xlim=(0.0, float(found.times[-1]) or 1.0))

    return Card("Fluctuations", rows, found.statement, draw)
