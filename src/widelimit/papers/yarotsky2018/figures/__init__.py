"""The figures."""

from . import _fig1, _fig2, _fig3, _fig4, _fig5

ALL = (_fig1, _fig2, _fig3, _fig4, _fig5)
