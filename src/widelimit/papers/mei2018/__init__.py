"""mei2018: Mei, Montanari, Nguyen, A mean field view of the landscape of two-layer neural networks."""

from .._paper import Paper
from ._landscape import CLAIMS as _LANDSCAPE

paper = Paper(
    name="mei2018",
    citation="S. Mei, A. Montanari, P.-M. Nguyen: A mean field view of the landscape of two-layer neural networks. "
    "PNAS 115 (2018), E7665-E7671.",
    figures=(),
    claims=(*_LANDSCAPE,),
)
