"""mei2018: Mei, Montanari, Nguyen, A mean field view of the landscape of two-layer neural networks."""

from .._kit import Claim, Figure, Paper, gathered
from . import claims, figures

paper = Paper(
    name="mei2018",
    citation="S. Mei, A. Montanari, P.-M. Nguyen: A mean field view of the landscape of two-layer neural networks. "
    "PNAS 115 (2018), E7665-E7671.",
    figures=gathered(Figure, *figures.ALL),
    claims=gathered(Claim, *claims.ALL),
)
