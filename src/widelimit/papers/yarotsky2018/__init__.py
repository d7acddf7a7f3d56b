"""yarotsky2018: Yarotsky, Collective evolution of weights in wide neural networks."""

from .._kit._figures import Figure
from .._kit._paper import Paper
from . import _points, _theories

_FIGURES: tuple[Figure, ...] = (*_points.FIGURES, *_theories.FIGURES)

paper = Paper(
    name="yarotsky2018",
    citation="D. Yarotsky: Collective evolution of weights in wide neural networks (2018).",
    figures=tuple(sorted(_FIGURES, key=lambda figure: figure.name)),
    claims=(*_points.CLAIMS, *_theories.CLAIMS),
)
