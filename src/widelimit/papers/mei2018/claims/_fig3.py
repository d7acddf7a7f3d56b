"""Claims on Fig. 3: the limit's risk and its plateaus, networks against it, the start."""

import math

import numpy as np

from ..._kit import Bench, Cost, Finding, claim
from ..._kit._shares import apart, largest, outside, table
from ..figures._fig3 import DELTAS, END, compared, gaps, limit_of
from ..runs._variable_selection import FIRST, NODES


@claim("Fig. 3 and the text before it", tolerance=1e-3, cost=Cost(20.0), digits=3)
def fig3_small_risk(bench: Bench) -> Finding:
    """From the spread start the limit of the ReLU network with offset and output weight reaches a very small risk.
    Printed: very small risk.
    Compared: the largest of the three risks at t = 300; a thousandth of the trivial predictor's."""
    ends = [limit_of(bench, delta)["risk"][-1] for delta in DELTAS]
    return Finding(table("Delta", DELTAS, {"risk": ends}), largest(ends))


@claim("Fig. 3 and the text before it", tolerance=0.0, cost=Cost(1.0), digits=3)
def fig3_flat_regions(bench: Bench) -> Finding:
    """The convergence presents long flat regions: for most of a decade of time or more R is within [0.9, 1.05].
    Printed: long flat regions.
    Compared: 0.8 decades at the least; the print has no number."""
    # Decades of time spent with 0.9 <= R <= 1.05.
    risks = np.stack([limit_of(bench, delta)["risk"][1:] for delta in DELTAS])
    flat = np.sum((risks >= 0.9) & (risks <= 1.05), axis=1)
    decades = flat * math.log10(END / FIRST) / (risks.shape[1] - 1)
    return Finding(table("Delta", DELTAS, {"decades": decades}), outside(decades, low=0.8))


@claim("Fig. 3 and the text before it", tolerance=0.1, cost=Cost(45.0, 1650.0), digits=3)
def fig3_agreement(bench: Bench) -> Finding:
    """SGD is well captured by the limit at d = infinity, down to the risk that d = 320 allows.
    Printed: well captured.
    Compared: largest difference of risks from t = 1 to the middle of the fall, which is steep: a shift of 8 % in time
    makes 0.1."""
    far = gaps(compared(bench))
    return Finding(table("Delta", list(far), {"largest gap": far.values()}), largest(*far.values()))


@claim("Fig. 3, the start", tolerance=0.1, cost=Cost(10.0), digits=4)
def fig3_spread_start(bench: Bench) -> Finding:
    """A start at one point cannot break the symmetry between the neurons and stalls near risk 1/2; the spread start
    does not.
    Compared: distance of the stalled risk from 1/2; Delta = 0.4."""
    point, spread = (limit_of(bench, 0.4, nodes)["risk"][-1] for nodes in (0, NODES))
    return Finding({"point start": point, "spread start": spread}, apart(point, 0.5))


@claim("Fig. 3, the solution of the reduced PDE", tolerance=2e-3, cost=Cost(20.0), digits=3)
def fig3_quadrature(bench: Bench) -> Finding:
    """256 nodes of the spread start carry the limit's curve: four times as many do not move it.
    Compared: largest change of the risk over t; the pen is 5e-3 wide."""
    gap = apart(*(limit_of(bench, 0.4, nodes)["risk"] for nodes in (NODES, 2 * NODES)))
    return Finding({"largest change of the risk": gap}, gap)
