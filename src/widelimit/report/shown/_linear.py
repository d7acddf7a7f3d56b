"""What a spectrum looks like: its eigenvalues, and the loss that they predict."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.analysis import Spectrum

from ..canvas import LIMIT, colour
from ..words import number
from ._card import Card, describe

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@describe.register
def of_spectrum(spectrum: Spectrum) -> Card:
    """Eigenvalues, those that are resolved filled; beside them the loss of the linear theory."""
    values = np.asarray(spectrum.eigenvalues)
    rows = (
        ("eigenvalues", f"{len(values)}, {spectrum.resolved} of them resolved"),
        ("the largest", ", ".join(number(float(value)) for value in values[:3]) or "none"),
        ("risk at the start", number(float(spectrum.risk(0.0)))),
        ("risk that never falls", number(spectrum.floor)),
    )

    def draw(axes: "Axes") -> None:
        order, right = np.arange(1, len(values) + 1), np.arange(len(values)) < spectrum.resolved
        axes.plot(order[right], values[right], "o", color=LIMIT, ms=5, label="resolved")
        if not np.all(right):
            axes.plot(order[~right], values[~right], "o", mfc="none", mec=colour(1), ms=5, label="not resolved")
            axes.legend()
        axes.set(xlabel="number k of the eigenvalue", ylabel=r"eigenvalue $\lambda_k$", yscale="log", xscale="log")

    def beside(axes: "Axes") -> None:
        rates = 2.0 * spectrum.speed * values
        times = np.geomspace(0.01 / rates[0], 3.0 / rates[max(0, min(spectrum.resolved, len(rates)) - 1)], 200)
        axes.plot(times, spectrum.risk(times), color=colour(0), lw=2.0)
        axes.set(
            xlabel=r"time $\tau$ (mean-field time)", ylabel="risk of the linear theory", xscale="log", yscale="log"
        )

    return Card("Spectrum", rows, "", draw if len(values) else None, beside if len(values) else None)
