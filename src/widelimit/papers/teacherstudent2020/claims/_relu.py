"""Claims on Example 1: what a function of ReLU units fixes of their measure."""

import numpy as np

from widelimit import analysis
from widelimit.measure import Particles, laws
from widelimit.problem import activations, problems, units
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, share_allowed, table

_DEGREES = 17


def spectrum(d: int) -> Data:
    """The library's eigenvalues of sigma(u . v) on the sphere of R^d."""
    unit = units.Neuron(activations.relu, bias=False, output_weight=False)
    teacher = Particles(np.eye(d)[:1])
    problem = problems.teacher_student(unit, teacher, laws.Normal(0.0, 1.0, dim=d), samples=4)
    return {"values": analysis.identifiable(problem).spectrum}


@claim("Example 1", tolerance=1.0, cost=Cost(3.0), digits=4)
def relu_null_space(bench: Bench) -> Finding:
    """The operator with the kernel sigma(x . theta) on the unit sphere annihilates the harmonics of every odd degree
    from 3 on, in every dimension d > 1, and no others.
    Printed: if it has a trivial null space, INT |theta|^d (rho - rho_*) d|theta| = 0 in each direction.
    Compared: share of what is allowed: 1e-10 for the library's eigenvalues of degrees 0 to 16 in d = 2, 3, 4, 5 and
    10 against the formula of Funk and Hecke by SciPy's quadrature, over the largest; 1e-14 for those of degree 3, 5,
    ..., 15.
    Misprint: the null space is never trivial for d > 1, and |theta|^d belongs to a density in theta: in radius and
    direction it is |theta|."""
    computed, parts = {}, []
    for d in (2, 3, 4, 5, 10):
        values = bench.piece(spectrum, d=d)["values"]
        exact = np.array([theory.relu_eigenvalue(k, d) for k in range(_DEGREES)])
        parts += [(apart(values, exact) / exact[0], 1e-10), (np.abs(values[3::2]) / exact[0], 1e-14)]
        if d < 4:
            computed |= table("k", range(5), {f"eigenvalue, d = {d}": values[:5]})
    rest = [float(np.min(np.abs(bench.piece(spectrum, d=d)["values"][2::2]))) for d in (2, 3)]
    return Finding(computed, share_allowed(*parts), needs={"even degrees are seen": min(rest) > 1e-4})
