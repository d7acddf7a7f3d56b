"""Claims on 5.1: networks with trainable weights."""

import numpy as np

from widelimit import analysis
from widelimit.measure import Particles, laws
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, share_allowed, share_needed
from ..runs._networks import fields
from ..runs._students import taught

_WIDTH = 12


def _formulas(found: Data) -> theory.Flow:
    return theory.tanh_flow(found["rows"][:, 1:], found["rows"][:, 0], found["x"], found["y"], found["mu"])


@claim("5.1, the ODE system", tolerance=1.0, cost=Cost(5.0), digits=3)
def weighted_flow(bench: Bench) -> Finding:
    """With weights N times the gradient of E in (w_i, theta_i) is minus the velocity of particle i.
    Compared: as in particle-flow."""
    found = bench.piece(fields, width=_WIDTH, weighted=True)
    flow = _formulas(found)
    exact = np.column_stack([flow.w, flow.theta])
    size = largest(np.abs(exact))
    off = apart(found["velocity"], exact) / size, apart(-found["slopes"], exact[:3]) / size
    return Finding({"velocity": off[0], "differences": off[1]}, share_allowed((off[0], 1e-12), (off[1], 1e-8)))


@claim("5.1, E of a teacher, and the proof of Theorem 5", tolerance=1e-12, cost=Cost(5.0), digits=4)
def weighted_pairing(bench: Bench) -> Finding:
    """With weights E = 1/2 |INT w sigma rho - y|^2 in L^2(mu), dE/drho is w INT (f - y) sigma mu, and its pairing with
    rho - rho_* is 2 E: where it is constant E = 0.
    Printed: (1/N) SUM w_j sigma - y can be written as INT w sigma rho; E = 1/2 INT (...)^2 dx.
    Compared: the library's E and psi of 12 particles with the sums in NumPy, relative to the largest, and the pairing
    with twice its E, relative; without y E must be off by 0.1.
    Misprint: "- y" is dropped, and mu(x) in E."""
    found = bench.piece(fields, width=_WIDTH, weighted=True)
    flow, printed = _formulas(found), _formulas(found | {"y": 0.0 * found["y"]})
    risk = float(found["risk"])
    pairing = float(np.mean(found["psi"])) - float(found["teacher psi"] @ found["teacher masses"])
    off = [
        abs(risk / flow.risk - 1.0),
        apart(found["psi"], flow.potential) / largest(np.abs(flow.potential)),
        abs(pairing / (2.0 * risk) - 1.0),
    ]
    computed = {"E": risk, "pairing over 2 E": pairing / (2.0 * risk)}
    return Finding(computed, largest(off), needs={"y counts": abs(printed.risk / risk - 1.0) > 0.1})


def neutral(activation: str, atoms: np.ndarray) -> Data:
    """Atoms (w, theta), equally heavy, in the library's order; the directions in which it says that the function stays
    to first order, [n, K, D]; and the largest change of f at 100 normal x, over a step of 1e-3 and half of it, in each
    of them and in one at random, [n + 1, 2]."""
    teacher = Particles(atoms, weights=np.full(len(atoms), 1.0 / len(atoms)))
    d = atoms.shape[1] - 1
    problem = taught(activation, teacher, laws.Normal(0.0, 1.0, dim=d), weighted=True, nodes=16)
    rates = analysis.teacher_rates(problem)
    atoms, found = rates.atoms, rates.neutral
    rng = np.random.default_rng(0)
    x, other = rng.normal(size=(100, d)), rng.normal(size=(1, *atoms.shape))
    f = problem.predict(teacher, x)
    moved = [
        [np.max(np.abs(problem.predict(Particles(atoms + step * e), x) - f)) for step in (1e-3, 5e-4)]
        for e in np.concatenate([found, other / np.linalg.norm(other)])
    ]
    return {"atoms": atoms, "directions": found, "moved": moved}


_CASES = {
    "relu": np.array([[1.0, 0.8, 0.6], [-0.5, 0.3, -1.2]]),
    "tanh": np.array([[1.0, 0.8], [-0.5, -0.8]]),
}


@claim("Example 3, the weights of 2.2 as w", tolerance=1.0, cost=Cost(5.0), digits=3)
def neutral_directions(bench: Bench) -> Finding:
    """With weights a teacher of two atoms leaves directions in which the function does not change to first order: for
    ReLU one an atom, w grows as |theta| shrinks; for tanh of one input with c_2 = -c_1 two.
    Printed: INT INT |theta|^d w (rho - rho_*) d|theta| dw = 0: the product counts.
    Compared: share of what is allowed: along the directions that teacher_rates lists as neutral the largest change of
    f at 100 normal x, over 1e-3 and half of it, must fall by 3.5 at least (it is of second order) and be 1e-5 at most,
    along a random one it must be 1e-5 at least; those of ReLU must be (w, -theta) of one atom to 1e-8."""
    computed, parts = {}, []
    for name, atoms in _CASES.items():
        found = bench.piece(neutral, activation=name, atoms=atoms)
        moved = np.asarray(found["moved"])
        computed |= {f"{name}: neutral": len(found["directions"]), f"{name}: f moves": largest(moved[:-1, 0])}
        parts += [
            (abs(len(found["directions"]) - 2), 0.5),
            (share_needed(moved[:-1, 0] / moved[:-1, 1], 3.5), 1.0),
            (moved[:-1, 0], 1e-5),
            (share_needed(moved[-1], 1e-5), 1.0),
        ]
        if name == "relu":
            own = found["atoms"] * np.array([1.0, -1.0, -1.0])
            own /= np.linalg.norm(own, axis=1, keepdims=True)
            # What is left of the listed directions beside the two expected ones.
            along = np.einsum("nkd,kd->nk", found["directions"], own)
            parts.append((np.abs(found["directions"] - along[:, :, None] * own), 1e-8))
    return Finding(computed, share_allowed(*parts))
