"""mei2018: Mei, Montanari, Nguyen, A mean field view of the landscape of two-layer neural networks."""

from .._kit import paper_in

paper = paper_in(
    __name__,
    "S. Mei, A. Montanari, P.-M. Nguyen: A mean field view of the landscape of two-layer neural networks. "
    "PNAS 115 (2018), E7665-E7671.",
    "Symbols: N neurons with parameters theta: weights w of d inputs, a of the output, b the offset; Delta separates "
    "the two classes, whose standard deviations are 1 + Delta and 1 - Delta (in s_0 relevant directions); r = |w|, r_1 "
    "in the relevant ones; kappa^2/d is the variance of the first weights; SGD makes steps eps xi(t) at t = k eps; "
    "rho is the law of the neurons, R its risk, psi the first variation of R.",
)
