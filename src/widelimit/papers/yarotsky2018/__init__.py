"""yarotsky2018: Yarotsky, Collective evolution of weights in wide neural networks."""

from .._kit import paper_in

paper = paper_in(
    __name__,
    "D. Yarotsky: Collective evolution of weights in wide neural networks (2018).",
    "Symbols: N weights (c, h), the charge c and the knot h of c (x - h)_+ on [0, 1]; p is their law, f the target, L "
    "the loss; (c_*, h_*) is the one stationary atom with h < 1; s(h, t) is by how much the charges fall in the "
    "small-charge theory, zeta_k and s_k the eigenvalues and eigenfunctions of its operator, mu_k^(-2) the rates at a "
    "minimum.",
)
