"""The neurons at the start."""

import math

import numpy as np
from jaxtyping import Float

from widelimit.measure import Blocks


def start_positions(
    random: np.random.RandomState, blocks: Blocks, count: int, scale: float, *, mirrored: bool
) -> Float[np.ndarray, "N D"]:
    r"""`count` neurons with output c and bias b normal of deviation `scale`, weights of `scale` / sqrt(d).

    `mirrored`: in pairs (c, w, b), (-c, w, b), which have the same law: then f = 0 at the start, as in the limit, whose
    law is even in c. The last one of an odd count has c = 0.
    """
    drawn = -(-count // 2) if mirrored else count
    parts = {block.name: scale * random.standard_normal((drawn, block.size)) for block in blocks}
    parts["weight"] /= math.sqrt(parts["weight"].shape[1])
    rows = np.concatenate(list(parts.values()), axis=1)
    if not mirrored:
        return rows
    outputs = blocks[0].size
    opposite = rows * np.where(np.arange(rows.shape[1]) < outputs, -1.0, 1.0)
    if count % 2:
        rows[-1, :outputs] = 0.0
    return np.concatenate([rows, opposite])[:count]
