"""Two coordinates together: the way to their moments that suits their dimensions."""

from typing import Any

from ._pair_rule import Moments, moments_by_rule
from ._pair_table import SMOOTH_FROM, moments_by_table


def pair_moments(dims: tuple[float, float], cos: Any, sin: Any, k: Any, *, centred: bool) -> Moments:
    r"""$E(c'_1;\,\xi > k)$, $E(c'_2;\,\xi > k)$, $P(\xi > k)$ for $\xi = \cos\alpha\,c'_1 + \sin\alpha\,c'_2$, to
    1e-12.

    c'_1 and c'_2 are independent coordinates in dimensions `dims` (see `coordinate`), at most one of them infinite;
    `cos`, `sin` >= 0.

    `centred`: the first two may be given less a number that does not depend on k. Where it loses no digits at small k
    that is done: for dimensions from 32 on.
    """
    if min(dims) >= SMOOTH_FROM:
        return moments_by_table(dims, cos, sin, k, centred=centred)
    return moments_by_rule(dims, cos, sin, k)
