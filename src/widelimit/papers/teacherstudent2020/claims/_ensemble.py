"""Claims on 3.1: the ensemble ResNet, a mean of vanilla networks."""

import numpy as np

from widelimit import analysis
from widelimit.measure import Particles
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Data, Finding, Verdict, claim
from ..._kit._shares import apart, apart_relative, largest, log_slope, share_allowed, table
from ..runs._residual import WIDTHS, X, branches, descents, drawn, over_branches, spread


def order_in_step(found: Data) -> tuple[np.ndarray, float]:
    """The largest distance of descent from the flow for each step, and its exponent."""
    off = np.max(np.abs(found["by hand"] - found["flow"]), axis=(1, 2, 3, 4))
    return off, log_slope(0.2 * 0.5 ** np.arange(len(off)), off)


@claim("3.1, GD and the ODE", tolerance=1.0, cost=Cost(6.0), digits=4)
def ensemble_descent(bench: Bench) -> Finding:
    """Gradient descent with rate alpha on the ensemble ResNet follows the ODE of 3.1 with t = k alpha/N when alpha/N is
    small, and the ODE is the library's flow of a mean of units.
    Compared: share of what is allowed: N dE/dtheta_i by loops in NumPy with the library's grad psi, 1e-12; descent by
    the same loops with the library's SGD(step = alpha/N), 1e-12; the exponent of alpha in the distance of descent from
    the library's flow at t = 0.6, alpha/N = 0.2, 0.1, 0.05, 0.025 (three levels, four branches, d = 2), with 1: 0.1."""
    found = descents(bench, "ensemble")
    off, slope = order_in_step(found)
    same = apart(found["gradient"], found["gradient by hand"])
    steps = apart(found["sgd"], found["by hand"][0])
    computed = table("alpha/N", (0.2, 0.1, 0.05, 0.025), {"distance from the flow": off})
    computed |= {"exponent of alpha": slope, "gradients apart": same, "SGD and loops apart": steps}
    needs = {"the particles moved": np.max(np.abs(found["flow"] - found["start"])) > 10.0 * off[-1]}
    return Finding(computed, share_allowed((same, 1e-12), (steps, 1e-12), (abs(slope - 1.0), 0.1)), needs=needs)


def in_the_ensemble(depth: int, count: int) -> Data:
    """A vanilla network as one branch; E of a student rho and INT psi d(rho - rho_*), for several teachers rho_*."""
    theta = drawn(count, depth, 3)
    rows = theta.reshape(count, -1)
    one = branches(depth).predict(Particles(rows[:1]), X)
    rng = np.random.default_rng(0)
    risk, pairing = [], []
    for _ in range(4):
        teacher = Particles(rows[: count // 2], rng.dirichlet(np.ones(count // 2)))
        student = Particles(rows[count // 2 :], rng.dirichlet(np.ones(count - count // 2)))
        taught = branches(depth, y=np.asarray(branches(depth).predict(teacher, X)))
        psi = np.asarray(taught.potential(student)(rows))
        weights = np.concatenate([-np.asarray(teacher.weights), np.asarray(student.weights)])
        risk.append(float(taught.risk(student)))
        pairing.append(float(weights @ psi))
    return {"one": one, "by hand": theory.wide_states(theta[0][:, None], X)[-1], "risk": risk, "pairing": pairing}


@claim("3.1, teacher; Theorem 3 and its proof", tolerance=1.0, cost=Cost(3.0), digits=4)
def ensemble_theorem(bench: Bench) -> Finding:
    """A vanilla ResNet is the ensemble of rho_* = delta at its parameters. A stationary rho > 0 has zero loss: psi is
    then constant, and 2 E(rho) = INT psi d(rho - rho_*).
    Compared: share of what is allowed: the library's one branch with the vanilla network by loops, 1e-13; E and half
    of INT psi d(rho - rho_*) by the library's potential for four pairs of a teacher and a student, 1e-12 relative."""
    found = bench.piece(in_the_ensemble, depth=3, count=8)
    same, gap = apart(found["one"], found["by hand"]), apart_relative(0.5 * found["pairing"], found["risk"])
    computed = {"E of four students": found["risk"], "INT psi d(rho - rho_*)/2": 0.5 * found["pairing"]}
    return Finding(computed | {"vanilla networks apart": same}, share_allowed((same, 1e-13), (gap, 1e-12)))


@claim("3.1, the mean field equation", tolerance=1.0, cost=Cost(8.0, 60.0), digits=4)
def ensemble_limit(bench: Bench) -> Finding:
    """As N grows the ensemble ResNet follows its mean field equation, which is (3) on Theta^L: what independent starts
    predict at a fixed time differs by O(N^(-1/2)).
    Compared: share of what is allowed: the exponent of N = 4, 16, 64 in the variance of the prediction at t = 1, three
    levels, that the library's scaling finds, with -1: half of its 99 % interval, which must be 0.4 at most."""
    runs = over_branches(bench)
    fit = analysis.scaling(np.array(WIDTHS, float), [spread(run) for run in runs])
    low, high = fit.interval(0.99)
    half = 0.5 * (high - low)
    computed = table("N", WIDTHS, {"variance": fit.mean, "risk": [np.mean(run["risk"][:, -1]) for run in runs]})
    computed |= {"exponent of N": -fit.exponent, "+-": half}
    fell = [np.mean(run["risk"][:, 1]) < 0.95 * np.mean(run["risk"][:, 0]) for run in runs]
    return Finding(
        computed, share_allowed((abs(fit.exponent - 1.0), half), (half, 0.4)), needs={"it learns": all(fell)}
    )


def spread_of_branches(depths: list[int], count: int) -> Data:
    """The variance of one branch's prediction over its mean square change of the input, for each depth."""
    found = []
    for depth in depths:
        f = np.asarray([branches(depth).predict(Particles(drawn(1, depth, s).reshape(1, -1)), X) for s in range(count)])
        variance = np.mean(np.sum(np.var(f, axis=0, ddof=1), axis=1))
        found.append(variance / np.mean(np.sum((np.mean(f, axis=0) - X) ** 2, axis=1)))
    return {"ratio": found}


@claim("3.1, end", tolerance=0.0, cost=Cost(5.0), expected=Verdict.NOT_REPRODUCED, digits=3)
def branches_needed(bench: Bench) -> Finding:
    """Since Theta^L has many dimensions even at moderate L, the number of branches that makes the mean field model
    accurate grows with L.
    Printed: N can be quite large.
    Compared: by how much the branches that make the standard deviation of the network 5 % of what its branches change
    fall short of growing from L = 2 to L = 32 (at the start, independent levels, d = 2; 100 branches each): 0."""
    depths = [2, 8, 32]
    found = bench.piece(spread_of_branches, depths=depths, count=100)
    needed = found["ratio"] / 0.05**2
    why = (
        "What is asked of a network are means of smooth functions of a branch; their error is a standard deviation "
        "over N^(1/2) in any dimension, and the levels' 1/L averages it: fewer branches are needed in deeper networks. "
        "Distances of measures do see the dimension of Theta^L."
    )
    return Finding(table("L", depths, {"branches": needed}), largest(0.0, needed[0] / needed[-1] - 1.0), why)
