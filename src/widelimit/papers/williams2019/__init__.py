"""williams2019: Williams et al., Gradient dynamics of shallow univariate ReLU networks."""

from .._kit import paper_in

paper = paper_in(
    __name__,
    "F. Williams, M. Trager, C. Silva, D. Panozzo, D. Zorin, J. Bruna: Gradient dynamics of shallow univariate ReLU "
    "networks (2019).",
    "Symbols: m neurons c [a x - b]_+ over alpha(m), with the knots b/a; s samples (x_j, y_j) with residuals rho_j; "
    "canonical parameters r and theta, d = (cos theta, sin theta), t = d turned by pi/2; delta = c^2 - a^2 - b^2; S = "
    "sqrt(delta^2 + 4 r^2); (u, v) = |r| d. Time is the library's mean-field time: the paper's flows are slower by m.",
)
