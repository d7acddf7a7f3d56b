"""Claims on Figs. 2 and 5 to 9: what delta and the width do to trained networks."""

import math

import numpy as np

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, outside, share_allowed, share_needed, table
from ..figures._fig2 import local, turns
from ..figures._fig5 import DELTAS as SINUSOID_DELTAS, runs_of as sinusoid_runs
from ..figures._fig7 import runs_of as lifted_runs
from ..figures._fig8 import POWERS, WIDTHS, runs_of as width_runs
from ..figures._fig9 import field_of
from ..runs._training import network, steps_of

_DELTAS = (-math.inf, -1000.0, -100.0, -10.0, 10.0, math.inf)


@claim("Fig. 2 and 3.2, last paragraph", tolerance=1.0, cost=Cost(10.0), digits=4)
def local_trajectories(bench: Bench) -> Finding:
    """Under a constant gradient neurons move along the radius for delta << 0, parallel to the gradient for delta >> 0,
    and in between for delta = 0.
    Compared: share of what is allowed, neurons on a circle of radius 1, r > 0, S t = 0.9: at delta = -30 they turn
    by 0.01 at most, ten times 0.9/30^2; at delta = 30 they move across the gradient by 0.01 at most, ten times
    0.9/30^2 too; at delta = 0 both must be 0.1 at least."""
    computed, sideways = {}, {}
    for delta in (-30.0, 0.0, 30.0):
        paths = bench.piece(local, delta=delta)["paths"]
        up = paths[0, :, 0] > 0.0
        first, last = (np.abs(rows[up, 0]) * np.cos(rows[up, 1]) for rows in (paths[0], paths[-1]))
        sideways[delta] = largest(np.abs(last - first))
        computed |= {f"turn, delta = {delta:g}": turns({"paths": paths}), f"across, delta = {delta:g}": sideways[delta]}
    middle = share_needed([computed["turn, delta = 0"], sideways[0.0]], 0.1)
    off = (computed["turn, delta = -30"], 0.01), (sideways[30.0], 0.01), (middle, 1.0)
    return Finding(computed, share_allowed(*off))


def _runs(bench: Bench) -> list[Data]:
    settings = {"wave": "square", "count": 10, "size": 10.0, "width": 1000, "seed": 0, "steps": steps_of(bench)}
    return [bench.piece(network, delta=delta, **settings) for delta in _DELTAS]


@claim("3.2, Fig. 6, 4 (Network Dynamics as a Function of delta)", tolerance=1.0, cost=Cost(50.0, 200.0), digits=4)
def delta_interpolates(bench: Bench) -> Finding:
    """delta interpolates between kernel and adaptive learning: at -infinity no knot moves; as delta grows neurons turn
    by more; knots stick to samples.
    Compared: share of what is allowed, the square wave of Fig. 6: the share of knots within 0.01 of a sample must
    not change at delta = -infinity (exactly), and be twice that of the start at delta = -10, 10 and infinity; the
    median turn must grow from each delta to the next, -infinity, -1000, -100, -10, 10, infinity, and be 0 at the
    first."""
    runs = _runs(bench)
    shares, turned = (np.array([one["share"][1] for one in runs]), np.array([float(one["turned"]) for one in runs]))
    before = float(runs[0]["share"][0])
    names = ["-∞", *(f"{delta:g}" for delta in _DELTAS[1:-1]), "∞"]
    computed = {"share of knots at the start": before}
    computed |= {f"share of knots, delta = {name}": x for name, x in zip(names, shares, strict=True)}
    computed |= {f"median turn, delta = {name}": x for name, x in zip(names, turned, strict=True)}
    needs = {
        "no knot moves at -∞": shares[0] == before and turned[0] == 0.0,
        "the turn grows with delta": bool(np.all(np.diff(turned) > 0.0)),
    }
    return Finding(computed, share_needed(shares[3:] / before, 2.0), needs=needs)


@claim("Fig. 5", tolerance=1.0, cost=Cost(45.0, 150.0), digits=4)
def clusters_at_samples(bench: Bench) -> Finding:
    """Fitting a sinusoid, clusters of knots emerge at the samples as delta gets large.
    Compared: share of what is allowed, the print has no numbers: at delta = infinity the share of knots within 0.01
    of a sample must at some time be twice that of the start, and at -infinity that of the start. At the finite values
    of Fig. 5 knots gather too, but beside the samples where the sinusoid bends; and at infinity samples let their
    knots go again once the loss is small. Those shares, and all at the end, are shown and not judged."""
    runs = sinusoid_runs(bench)
    shares, before = [float(one["share"][1]) for one in runs], float(runs[0]["share"][0])
    most = float(runs[-1]["largest share"])
    names = ["-∞", *(f"{delta:g}" for delta in SINUSOID_DELTAS[1:-1]), "∞"]
    computed = {"at the start": before} | {f"delta = {name}": x for name, x in zip(names, shares, strict=True)}
    computed["the most on the way, delta = ∞"] = most
    needs = {"no knot moves at -∞": shares[0] == before}
    return Finding(computed, share_needed(most / before, 2.0), needs=needs)


@claim("Fig. 7 and D", tolerance=1.0, cost=Cost(15.0, 60.0), digits=4)
def scaling_the_start(bench: Bench) -> Finding:
    """The same initial function gives very different fits, depending on how its parameters are scaled.
    Compared: share of what is allowed: the starts of two runs, delta = -1000 and 10, may differ by 1e-12; the fits
    must by 0.1 somewhere between the samples, and the share of knots on samples by a factor of 2."""
    first, second = lifted_runs(bench)
    inside = np.abs(first["places"]) <= first["x"][-1]
    gap = apart(first["f"][inside], second["f"][inside])
    ratio = float(second["share"][1] / first["share"][1])
    start = apart(first["before"], second["before"])
    computed = {"starts apart": start, "fits apart": gap, "share of knots": [first["share"][1], second["share"][1]]}
    off = (start, 1e-12), (share_needed(gap, 0.1), 1.0), (share_needed(ratio, 2.0), 1.0)
    return Finding(computed, share_allowed(*off))


@claim("D, Fig. 8", tolerance=1.0, cost=Cost(50.0, 200.0), digits=4)
def width_effect(bench: Bench) -> Finding:
    """From PyTorch's start fewer neurons adapt more: delta, in canonical parameters, is nearer to 0.
    Printed: c ~ U(-1/m, 1/m) is PyTorch's.
    Compared: share of what is allowed, the print has no numbers: the change of the tangent kernel must fall tenfold
    at least from 20 to 200 and from 200 to 2000 neurons, and be at least 0.5 at 20 and at most 0.1 at 2000, for both
    laws of c; the median of -delta must grow in proportion to m within 30 %.
    Misprint: PyTorch draws c from U(-1/sqrt m, 1/sqrt m); what is seen is the same."""
    computed, parts = {}, []
    for name, runs in width_runs(bench).items():
        changes = np.array([float(one["kernel change"]) for one in runs])
        deltas = -np.array([float(one["median delta"]) for one in runs]) / np.array(WIDTHS)
        computed |= table("m", WIDTHS, {f"kernel change, {name}": changes, f"-delta/m, {name}": deltas})
        parts += [(share_needed(changes[:-1] / changes[1:], 10.0), 1.0), (share_needed(changes[0], 0.5), 1.0)]
        parts += [(changes[-1], 0.1), (outside(deltas / deltas[-1], 1.0, 1.0), 0.3)]
    return Finding(computed | {"laws": len(POWERS)}, share_allowed(*parts))


@claim("D.1, Fig. 9", tolerance=1.0, cost=Cost(15.0), digits=4)
def where_neurons_stick(bench: Bench) -> Finding:
    """Neurons gather at attractors and not at repulsors of their own sign and side; on the outermost samples those with
    r rho > 0 stop.
    Compared: share of what is allowed, delta = infinity, 400 neurons on 8 samples, at the time of Fig. 9: of all
    neurons within 0.01 of a sample a tenth at most may sit where their kind crosses or is repelled (they pass by, or
    begin to leave where an attractor changed); some must sit at attractors."""
    found = field_of(bench)
    on = {kind: int(np.sum(found["knots"][found["kinds"] == kind])) for kind in np.unique(found["kinds"])}
    whole = sum(on.values())
    astray = on.get("crossing", 0) + on.get("repulsor", 0)
    needs = {"some sit at attractors": on.get("attractor", 0) > 0}
    return Finding(on | {"share elsewhere": astray / whole}, share_allowed((astray / whole, 0.1)), needs=needs)
