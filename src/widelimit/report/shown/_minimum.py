"""What minima and gaps look like: atoms with their masses, and the bracket of the infimum."""

import math
from typing import TYPE_CHECKING

from widelimit.analysis import Minimum, OptimalityGap

from ..canvas import LIMIT, colour
from ..words import number
from ._card import Card, describe
from ._neurons import draw_measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@describe.register
def of_minimum(best: Minimum) -> Card:
    """Its objective with the gap, and its atoms."""
    how = "a theorem" if best.certified else "an estimate"
    rows = (
        ("objective", number(best.objective, 6)),
        ("gap", f"{number(best.gap)} ({how})"),
        ("atoms", str(len(best.measure))),
        ("mass at infinity", number(best.at_infinity)),
    )

    def draw(axes: "Axes") -> None:
        draw_measure(best.measure, axes)

    return Card("Minimum", rows, best.statement, draw)


@describe.register
def of_gap(gap: OptimalityGap) -> Card:
    """The gap, and where the infimum lies beside the measure's objective."""
    how = "a theorem" if gap.certified else "an estimate"
    rows = [("objective", number(gap.objective, 6)), ("gap", f"{number(gap.gap)} ({how})")]
    between = "infimum between" if gap.certified else "infimum between about"
    rows.append((between, f"{number(gap.lower, 4)} and {number(gap.upper, 4)}"))
    if gap.budget is not None:
        rows.append(("budget: mean |output| at most", number(gap.budget, 4)))
    if gap.largest_correlation is not None:
        rows.append(("largest correlation", number(gap.largest_correlation)))
    known = all(map(math.isfinite, (gap.lower, gap.upper)))

    def draw(axes: "Axes") -> None:
        axes.plot([gap.lower, gap.upper], [1, 1], color=colour(0), lw=9, solid_capstyle="butt", label="the infimum")
        axes.plot(gap.lower, 1, "|", color=colour(0), ms=22, mew=2)
        axes.plot(gap.upper, 1, "|", color=colour(0), ms=22, mew=2)
        axes.plot(gap.objective, 0, "D", color=LIMIT, ms=9)
        axes.set_yticks([0, 1], ["this\nmeasure", "infimum\nlies here"])
        axes.set(xlabel="objective", ylim=(-0.6, 1.6))

    sentence = f"{gap.statement} {gap.bracket}" if gap.informs else gap.statement
    return Card("OptimalityGap", tuple(rows), sentence, draw if known else None)
