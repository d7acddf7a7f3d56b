"""yarotsky2018: Yarotsky, Collective evolution of weights in wide neural networks."""

from .._kit import Claim, Figure, Paper, gathered
from . import claims, figures

paper = Paper(
    name="yarotsky2018",
    citation="D. Yarotsky: Collective evolution of weights in wide neural networks (2018).",
    figures=gathered(Figure, *figures.ALL),
    claims=gathered(Claim, *claims.ALL),
)
