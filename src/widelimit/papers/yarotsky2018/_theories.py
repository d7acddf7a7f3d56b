"""Figs. 3 to 5, and the claims on the two linear theories: small charges, and near a global minimiser."""

from .._kit._claims import Claim
from .._kit._figures import Figure
from . import _eigenfunctions, _fig3, _fig4, _fig5, _minimum, _small_charge

FIGURES: tuple[Figure, ...] = (_fig3.FIGURE, _fig4.FIGURE, _fig5.FIGURE)
CLAIMS: tuple[Claim, ...] = (
    *_eigenfunctions.CLAIMS,
    *_small_charge.CLAIMS,
    *_fig5.CLAIMS,
    *_minimum.CLAIMS,
)
