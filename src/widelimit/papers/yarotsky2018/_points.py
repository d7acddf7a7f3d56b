"""Figures and claims."""

from .._claims import Claim
from .._figures import Figure

FIGURES: tuple[Figure, ...] = ()
CLAIMS: tuple[Claim, ...] = ()
