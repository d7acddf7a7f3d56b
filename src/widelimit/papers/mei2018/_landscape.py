"""Claims on the optimum of the isotropic problem: r_*, Lemma 1, the thresholds."""

from widelimit.theory import mei2018 as theory

from .._bench import Bench, Cost
from .._claims import Claim, Finding


def _delta_infinity(bench: Bench) -> Finding:
    value = theory.delta_infinity()
    return Finding(value, abs(value - 0.47))


CLAIMS = (
    Claim(
        id="delta-infinity",
        statement="The upper end of the interval of Delta where one sphere is optimal tends to Delta_infinity.",
        where="text after Lemma 1",
        printed=0.47,
        compute=_delta_infinity,
        tolerance=0.005,
        reason="the print has two digits",
        cost=Cost(1.0, 1.0),
        digits=12,
    ),
)
