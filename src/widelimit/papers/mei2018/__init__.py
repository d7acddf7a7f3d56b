"""mei2018: Mei, Montanari, Nguyen, A mean field view of the landscape of two-layer neural networks."""

from .._kit import paper_in

paper = paper_in(
    __name__,
    "S. Mei, A. Montanari, P.-M. Nguyen: A mean field view of the landscape of two-layer neural networks. "
    "PNAS 115 (2018), E7665-E7671.",
)
