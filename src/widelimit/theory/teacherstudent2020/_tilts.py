"""Differences of two positive measures on points of the line that are symmetric about 0 (Example 2)."""

import numpy as np
from jaxtyping import Float

# Even and odd functions, and the powers of theta whose integrals must vanish. A difference has no mass in any case.
_KINDS = {
    "odd": ("odd", ()),
    "odd without first moment": ("odd", (1,)),
    "even": ("even", ()),
    "even without second moment": ("even", (2,)),
}
_SIZE = 0.8


def tilt(theta: Float[np.ndarray, " n"], weights: Float[np.ndarray, " n"], kind: str) -> Float[np.ndarray, " n"]:
    """A charge of a kind, at most 0.8 of the weight at theta and at -theta: weights + tilt stay positive.

    Kinds: "odd", "odd without first moment", "even", "even without second moment"; all without mass."""
    parity, powers = _KINDS[kind]
    smaller = np.minimum(weights, weights[::-1])
    waves = np.stack([(np.sin if parity == "odd" else np.cos)(k * theta) for k in range(1, 2 + len(powers) + 1)])
    fixed = np.stack([theta**p for p in (0, *powers)])
    # One more wave than conditions that its parity does not meet by itself.
    needed = [row for row in fixed if np.max(np.abs((smaller * waves) @ row)) > 1e-12]
    waves = waves[: len(needed) + 1]
    mix = np.linalg.svd((smaller * waves) @ np.stack(needed).T)[0][:, -1] if needed else np.ones(1)
    shape = mix @ waves
    return _SIZE * smaller * shape / np.max(np.abs(shape))
