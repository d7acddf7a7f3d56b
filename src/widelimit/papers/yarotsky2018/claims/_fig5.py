"""The claim on Fig. 5."""

from ..._kit import Bench, Cost, Finding, claim
from ..._kit._shares import largest, table
from ..figures._fig5 import compared, errors


@claim("Fig. 5 and the end of A.6", printed="a good agreement", tolerance=0.02, cost=Cost(5.0, 10.0), digits=3)
def fig5_agreement(bench: Bench) -> Finding:
    """For f = 1e-3 sin(2 pi x) the expansions (25) and (26), truncated at k = 10, agree well with direct simulation up
    to t = 1000 (relative differences).

    Compared: the largest relative difference at t = 10, 100, 1000; at t = 1000 the motion of the knots makes 0.5 %.
    """
    data = compared(bench)
    shift, loss = errors(data)
    early = data["times"] < 2000.0
    late = largest(shift, loss)
    computed = table("t", data["times"].round(), {"shift": shift, "loss": loss})
    return Finding(computed, largest(shift[early], loss[early]), f"at t = 10000 the difference is {late:.0%}")
