"""rotskoff2018: Rotskoff and Vanden-Eijnden, neural networks as interacting particle systems."""

from .._kit import paper_in

paper = paper_in(
    __name__,
    "G. M. Rotskoff, E. Vanden-Eijnden: Neural networks as interacting particle systems: asymptotic convexity of the "
    "loss landscape and universal scaling of the approximation error (2018).",
    "Symbols: n particles, charges c_i at y_i, f_n = (1/n) SUM c_i phi(x, y_i); f the target, mu the law of x, "
    "<.,.> and |.| in L^2(mu); F = <f, phi>, K = <phi, phi'>; rho_n the empirical distribution, rho_0 and f_0 its "
    "limit, rho_in its start; M[rho] the tangent kernel; SGD has steps dt and batches of P fresh samples, theta = "
    "dt/P. Time is the library's mean-field time, which is the paper's.",
)
