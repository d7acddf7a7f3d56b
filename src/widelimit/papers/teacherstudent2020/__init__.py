"""teacherstudent2020: mean field models for neural networks in the teacher-student setting."""

from .._kit import paper_in

paper = paper_in(
    __name__,
    "Mean field models for neural networks in teacher-student setting (2020).",
    "Symbols: units sigma(theta . x), perhaps with a weight w; rho the student, rho_* = SUM alpha_j delta_(c_j) the "
    "teacher, y its function; mu the law of x in R^d; E = 1/2 |f - y|^2 in L^2(mu); Theta the parameters' domain; m(u) "
    "the mean of |theta| over the particles of direction u. L levels, theta^l and X^l the parameters and states of "
    "level l. Time is the library's mean-field time, which is the paper's t.",
)
