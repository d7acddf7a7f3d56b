"""mei2018: Mei, Montanari, Nguyen, A mean field view of the landscape of two-layer neural networks."""

from .._kit._paper import Paper
from . import _fig1, _fig2, _fig3, _fig4, _landscape, _limit, _noise, _noisy_sgd, _stability, _theorems, _width

paper = Paper(
    name="mei2018",
    citation="S. Mei, A. Montanari, P.-M. Nguyen: A mean field view of the landscape of two-layer neural networks. "
    "PNAS 115 (2018), E7665-E7671.",
    figures=(_fig1.FIGURE, _fig2.FIGURE, _fig3.FIGURE, _fig4.FIGURE),
    claims=(
        *_landscape.CLAIMS,
        *_fig1.CLAIMS,
        *_fig2.CLAIMS,
        *_fig3.CLAIMS,
        *_fig4.CLAIMS,
        *_limit.CLAIMS,
        *_noise.CLAIMS,
        *_noisy_sgd.CLAIMS,
        *_stability.CLAIMS,
        *_theorems.CLAIMS,
        *_width.CLAIMS,
    ),
)
