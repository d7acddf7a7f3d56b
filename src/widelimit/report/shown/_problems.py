"""What problems and measures look like: the targets, the neurons."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.measure import GridDensity, Measure, Particles, describe as columns
from widelimit.problem import Problem, summary
from widelimit.problem.data import Nodes

from ..canvas import colour
from ..words import count, number
from ._card import Card, describe
from ._neurons import draw_measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@describe.register
def of_problem(problem: Problem) -> Card:
    """Its parts, and the targets that it learns."""
    rows = (*summary(problem).items(), ("parameters of a neuron", f"{problem.dim}: {columns(problem.blocks)}"))
    nodes = None if problem.supervised is None else problem.data.nodes

    def draw(axes: "Axes") -> None:
        assert nodes is not None
        _targets(axes, nodes)

    return Card("Problem", rows, "", None if nodes is None or np.ndim(nodes.y) > 1 else draw)


def _targets(axes: "Axes", nodes: Nodes) -> None:
    """Targets over the input, where there is one; else how often each is met."""
    x, y = np.asarray(nodes.x, float), np.asarray(nodes.y, float)
    if x.shape[1] == 1:
        order = np.argsort(x[:, 0])
        axes.plot(x[order, 0], y[order], "o", ms=3.5, color=colour(0))
        axes.set(xlabel="input x", ylabel="target y")
        return
    values = np.unique(y)
    weights = np.asarray(nodes.weights, float)
    if len(values) <= 12:
        axes.bar([f"{value:g}" for value in values], [weights[y == value].sum() for value in values], color=colour(0))
    else:
        axes.hist(y, bins=24, weights=weights, color=colour(0))
    axes.set(xlabel="target y", ylabel="share of the data")


@describe.register(Particles)
@describe.register(GridDensity)
def of_measure(measure: Measure) -> Card:
    """Its size and mass, and where the neurons are."""
    what = "particle" if measure.grid is None else "cell"
    rows = [("size", f"{count(len(measure), what)} in {count(measure.dim, 'dimension')}")]
    if measure.blocks:
        rows.append(("parameters", columns(measure.blocks)))
    rows.append(("mass", number(float(np.sum(np.asarray(measure.weights, float))), 6)))

    def draw(axes: "Axes") -> None:
        draw_measure(measure, axes)

    return Card(type(measure).__name__, tuple(rows), "", draw)
