"""Single atoms, narrow clouds and stationary distributions: Figs. 1 and 2, and the claims on the general theory."""

from .._kit._claims import Claim
from .._kit._figures import Figure
from . import _fig1, _fig2, _one_input, _stationary, _transport

FIGURES: tuple[Figure, ...] = (_fig1.FIGURE, _fig2.FIGURE)
CLAIMS: tuple[Claim, ...] = (*_transport.CLAIMS, *_one_input.CLAIMS, *_stationary.CLAIMS, *_fig1.CLAIMS, *_fig2.CLAIMS)
