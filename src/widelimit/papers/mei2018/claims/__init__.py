"""The statements that are checked."""

from . import _fig1, _fig2, _fig3, _fig4, _limit, _noise, _noisy_sgd, _optimum, _stability, _theorems, _width

ALL = (_optimum, _fig1, _fig2, _fig3, _fig4, _limit, _noise, _noisy_sgd, _stability, _theorems, _width)
