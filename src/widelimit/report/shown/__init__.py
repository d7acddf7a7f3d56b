"""What objects look like: one picture each, a small table beside it in a notebook, and neurons that move."""

from . import _linear, _minimum, _problems, _runs, _width  # noqa: F401 (each says what its objects look like)
from ._card import Card as Card, card as card, describe as describe, plot as plot
from ._movie import Film as Film, animate as animate, player as player
from ._neurons import neurons as neurons
from ._univariate import (
    knots as knots,
    neuron_paths as neuron_paths,
    uv_plane as uv_plane,
    velocity_field as velocity_field,
)
