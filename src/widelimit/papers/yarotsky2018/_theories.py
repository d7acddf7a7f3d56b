"""Figs. 3 to 5, and the claims on the two linear theories: small charges, and near a global minimiser."""

from .._claims import Claim
from .._figures import Figure
from . import _fig3, _fig4, _fig5

FIGURES: tuple[Figure, ...] = (_fig3.FIGURE, _fig4.FIGURE, _fig5.FIGURE)
CLAIMS: tuple[Claim, ...] = (*_fig5.CLAIMS,)
