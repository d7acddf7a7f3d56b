"""A figure of a paper: computed apart from drawn."""

import dataclasses
from collections.abc import Callable

from ._bench import Bench, Cost, Data


@dataclasses.dataclass(frozen=True)
class Figure:
    """One figure.

    - `name`: "fig1"; `title`: what it shows, in a line.
    - `compute`: from a bench to named arrays; every expensive part of it is a `bench.piece`.
    - `draw`: from these arrays alone to PNG bytes.
    - `caption`, `alt`: what to read from it, and what is to be seen, from the arrays as well.
    """

    name: str
    title: str
    compute: Callable[[Bench], Data]
    draw: Callable[[Data], bytes]
    caption: Callable[[Data], str]
    alt: Callable[[Data], str]
    cost: Cost
