"""Single atoms, narrow clouds and stationary distributions: Figs. 1 and 2, and the claims on the general theory."""

from .._claims import Claim
from .._figures import Figure
from . import _fig1

FIGURES: tuple[Figure, ...] = (_fig1.FIGURE,)
CLAIMS: tuple[Claim, ...] = (*_fig1.CLAIMS,)
