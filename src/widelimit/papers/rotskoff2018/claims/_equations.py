"""Claims on 1 and 2.1 to 2.3: the loss as an energy, Dean's equation, the limit in function space."""

from typing import Any

import jax
import numpy as np

from widelimit import analysis, kernels
from widelimit.dynamics import GradientFlow
from widelimit.measure import Particles, join, laws
from widelimit.theory import rotskoff2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._runs import evolved
from ..._kit._shares import apart, apart_relative, largest, share_allowed, share_needed
from ..runs._networks import atoms, described, network, nodes, sampled, taught

_WIDTH, _STEP = 40, 1e-4


def fields(width: int, seed: int, step: float) -> Data:
    """A random network: risk, psi, grad psi and M of the library; central differences of its risk; its psi
    elsewhere."""
    problem, here = taught(), network(width, seed)
    theta, w = problem.unpack(here)
    found = problem.variation(theta, w)
    elsewhere = network(25, seed + 1)
    rows, moved = np.asarray(here.positions), []
    # Of three neurons, every parameter.
    for i in range(3):
        for k in range(3):
            pair = [_shifted(rows, i, k, side * step) for side in (1.0, -1.0)]
            risks = [float(problem.risk(Particles(one, w))) for one in pair]
            moved.append((risks[0] - risks[1]) / (2.0 * step))
    return described(problem, here.positions, here.weights) | {
        "risk": found.risk,
        "velocity": join(problem.blocks, problem.velocity(theta, found.gradient)),
        "differences": np.reshape(moved, (3, 3)),
        "places": elsewhere.positions,
        "psi": problem.potential(here)(elsewhere.positions),
        "kernel": kernels.tangent_kernel(problem, here, nodes(problem)[0]),
    }


def _shifted(rows: np.ndarray, i: int, k: int, by: float) -> np.ndarray:
    moved = np.array(rows)
    moved[i, k] += by
    return moved


def _fields(bench: Bench) -> tuple[Data, theory.Features]:
    found = bench.piece(fields, width=_WIDTH, seed=1, step=1e-5)
    return found, theory.tanh_features(found["y"], found["x"])


def _parts(found: Data) -> tuple[Any, Any]:
    """c and w."""
    return tuple(found[name] for name in ("c", "w"))


@claim("(1.2), (1.3), (1.4)", tolerance=1e-12, cost=Cost(6.0), digits=15)
def loss_as_energy(bench: Bench) -> Finding:
    """The loss is C_f - (1/n) SUM c F(y_i) + (1/2n^2) SUM SUM c c' K(y_i, y_j).
    Compared: the library's risk of 40 random neurons, half the mean square of f - f_n, with the sum over pairs in
    NumPy, relative; both are sums of 64 nodes in float64."""
    found, of = _fields(bench)
    exact = theory.energy(*_parts(found), of, found["f"], found["mu"])
    return Finding({"risk": found["risk"], "sum over pairs": exact}, apart_relative(found["risk"], exact))


@claim("(1.19)", tolerance=3.0, cost=Cost(8.0), digits=5)
def batch_loss(bench: Bench) -> Finding:
    """The loss on a batch is (1/2P) SUM |f - f_n|^2: its mean over batches is the loss (1.2).
    Printed: (1/P) SUM |f - f_n|^2.
    Compared: the library's risk on 2000 batches of 50 samples drawn by its data, against its risk, in standard errors
    of the mean, of which 3 are allowed; what is printed must be off by 10 at least.
    Misprint: the factor 1/2 is missing."""
    found = bench.piece(batches, width=_WIDTH, count=2000, size=50)
    error = np.std(found["risks"], ddof=1) / len(found["risks"]) ** 0.5
    off = [abs(np.mean(factor * found["risks"]) - found["risk"]) / error for factor in (1.0, 2.0)]
    computed = {"risk": found["risk"], "mean over batches": np.mean(found["risks"]), "standard error": error}
    return Finding(computed, off[0], needs={"the printed loss differs": off[1] > 10.0})


def batches(width: int, count: int, size: int) -> Data:
    """The library's risk of a network on fresh batches."""
    problem, here = taught(), network(width, 1)
    theta, w = problem.unpack(here)

    def one(key: Any) -> Any:
        x, y = problem.data.batch(key, size)
        return problem.batch_risk(theta, w, x, y, np.full(size, 1.0 / size))

    return {"risk": problem.risk(here), "risks": jax.vmap(one)(jax.random.split(jax.random.key(0), count))}


@claim("(2.1), (2.2)", tolerance=1.0, cost=Cost(6.0), digits=4)
def flow_of_energy(bench: Bench) -> Finding:
    """(2.1) is the gradient flow of the energy (2.2), n times the loss.
    Compared: share of what is allowed, relative to the largest velocity: 1e-12 for the library's velocity of 40
    neurons against the sums of (2.1) in NumPy; 1e-8 for -n times central differences of the library's risk over 1e-5
    in nine parameters, which round by 1e-16/1e-5 and err by the square of the step."""
    found, of = _fields(bench)
    charges, places = theory.forces(*_parts(found), of, found["f"], found["mu"])
    exact = np.concatenate([charges[:, None], places], axis=1)
    size = np.max(np.abs(exact))
    off = apart(found["velocity"], exact) / size
    slope = apart(-len(exact) * found["differences"], exact[:3]) / size
    return Finding({"against (2.1)": off, "against differences": slope}, share_allowed((off, 1e-12), (slope, 1e-8)))


@claim("(2.12), (2.13)", tolerance=1e-12, cost=Cost(6.0), digits=4)
def first_variation(bench: Bench) -> Finding:
    """The first variation of the energy at (y, c) is c (F_0(y) - F(y)), F_0 = INT c' K(y, y') rho_0.
    Printed: F_0 - F, with F_0 = INT c' grad K rho_0.
    Compared: the library's psi of 40 neurons at 25 other places against c (F_0 - F) in NumPy, relative to the largest;
    without the factor c it must be off by 0.1.
    Misprint: (2.12) lacks the factor c; (2.13) has grad K for K."""
    found, of = _fields(bench)
    at = theory.tanh_features(found["places"][:, 1:], found["x"])
    exact = theory.discrepancy(*_parts(found), of, at, found["f"], found["mu"])
    size, charge = np.max(np.abs(found["psi"])), found["places"][:, 0]
    off, printed = apart(found["psi"], charge * exact) / size, apart(found["psi"], exact) / size
    computed = {"largest relative difference": off, "without c": printed}
    return Finding(computed, off, needs={"the printed formula differs": printed > 0.1})


def short_run(width: int, seed: int, step: float) -> Data:
    """A network, and the library's flow of it over a step on either side: rows and f_n after `step` and 2 `step`."""
    problem, here = taught(), network(width, seed)
    run = evolved(problem, here, GradientFlow(), [0.0, step, 2.0 * step])
    x = nodes(problem)[0]
    f = [problem.predict(run[k], x) for k in range(3)]
    middle = described(problem, run.positions[1], here.weights)
    return middle | {"rows": run.positions, "values": f, "step": step}


def _tests(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Three test functions chi(c, y) on rows [N, 3], [3, N], and their gradients, [3, N, 3]."""
    c, y_1, y_2 = rows.T
    s, e = np.sin(y_1 + c), np.exp(-0.5 * (y_1**2 + y_2**2))
    chi = np.stack([s, c * e, c**2 * np.cos(y_2)])
    cos, zero = np.cos(y_1 + c), np.zeros_like(c)
    slopes = [
        np.stack([cos, cos, zero], axis=1),
        np.stack([e, -c * y_1 * e, -c * y_2 * e], axis=1),
        np.stack([2.0 * c * np.cos(y_2), zero, -(c**2) * np.sin(y_2)], axis=1),
    ]
    return chi, np.stack(slopes)


@claim("(2.3) to (2.9)", tolerance=1e-6, cost=Cost(8.0), digits=4)
def dean_equation(bench: Bench) -> Finding:
    """The empirical distribution obeys Dean's equation, d_t rho_n = div(rho_n grad psi) in y and c, which is closed in
    it.
    Compared: weakly, for three test functions chi: the rate of INT chi d rho_n along the library's flow of 40
    neurons, by a central difference over 1e-4, against -INT grad chi . (c (grad F_0 - grad F), F_0 - F) d rho_n with
    F and K in NumPy, relative; the flow's own tolerance of 1e-10 over the step is 1e-6, and the difference errs by
    its square."""
    found = bench.piece(short_run, width=_WIDTH, seed=2, step=_STEP)
    of = theory.tanh_features(found["y"], found["x"])
    charges, places = theory.forces(*_parts(found), of, found["f"], found["mu"])
    speed = np.concatenate([charges[:, None], places], axis=1)
    _, slopes = _tests(found["rows"][1])
    exact = np.einsum("n,knd,nd->k", found["w"], slopes, speed)
    ends = [_tests(found["rows"][k])[0] @ found["w"] for k in (0, 2)]
    rate = (ends[1] - ends[0]) / (2.0 * found["step"])
    computed = {"rates": rate, "by (2.5)": exact}
    return Finding(computed, apart(rate, exact) / np.max(np.abs(exact)))


@claim("(2.35) to (2.38)", tolerance=1.0, cost=Cost(10.0), digits=4)
def function_equation(bench: Bench) -> Finding:
    """f_n moves by -INT M[rho_n](x, x') (f_n(x') - f(x')) d mu(x'), M of (2.38); and so does f_0.
    Compared: share of what is allowed, relative to the largest, 40 neurons at 64 nodes: 1e-6 for the rate of the
    library's f_n along its flow, a central difference over 1e-4, against -M (f_n - f) with M in NumPy; 1e-12 for the
    library's tangent kernel against that M."""
    found = bench.piece(short_run, width=_WIDTH, seed=2, step=_STEP)
    kernel = theory.tangent_kernel(*_parts(found), theory.tanh_features(found["y"], found["x"]))
    exact = -kernel @ (found["mu"] * (found["values"][1] - found["f"]))
    rate = (found["values"][2] - found["values"][0]) / (2.0 * found["step"])
    still, of = _fields(bench)
    own = theory.tangent_kernel(*_parts(still), of)
    off = apart(rate, exact) / np.max(np.abs(exact)), apart(still["kernel"], own) / np.max(np.abs(own))
    return Finding({"along a run": off[0], "of the kernel": off[1]}, share_allowed((off[0], 1e-6), (off[1], 1e-12)))


@claim("(2.39), (2.40)", tolerance=1.0, cost=Cost(6.0), digits=4)
def positive_kernel(bench: Bench) -> Finding:
    """INT INT r r' M[rho] = INT (c^2 |grad R|^2 + R^2) d rho, R(y) = INT r phi: M is positive.
    Compared: share of what is allowed: 1e-12 for the quadratic form of the library's tangent kernel on 64 nodes in
    50 random r, against the right-hand side in NumPy, relative; and its least eigenvalue over the largest, not below
    -1e-14 (rounding). 40 neurons have rank 64 on 64 nodes, but next to none in the last directions: M is positive,
    without a gap."""
    found, of = _fields(bench)
    r = found["mu"] * np.random.default_rng(3).normal(size=(50, len(found["mu"])))
    forms = np.einsum("kq,qr,kr->k", r, found["kernel"], r)
    small, slope = r @ of.phi.T, np.einsum("kq,ipq->kip", r, of.slope)
    exact = (small**2 + found["c"] ** 2 * np.sum(slope**2, axis=2)) @ found["w"]
    eigenvalues = np.linalg.eigvalsh(found["kernel"])
    least = eigenvalues[0] / eigenvalues[-1]
    off = apart_relative(forms, exact)
    computed = {"relative difference": off, "least eigenvalue over the largest": least}
    return Finding(computed, share_allowed((off, 1e-12), (max(-least, 0.0), 1e-14)))


def minima(width: int, seed: int, end: float) -> Data:
    """Two starts trained on few samples until they fit: psi/c at other places, f_n there and on the samples."""
    problem = sampled()
    places = np.array(network(30, 99).positions)
    places[:, 0] = 1.0
    rows = []
    for start in (network(width, seed), atoms(4)):
        last: Any = evolved(problem, start, GradientFlow(), [0.0, end]).final
        at = problem.predict(last, places[:, 1:])
        rows.append(
            described(problem, last.positions, last.weights)
            | {"risk": problem.risk(last), "psi": problem.potential(last)(places), "elsewhere": at, "places": places}
        )
    return {"runs": rows}


@claim("(2.45), (2.46), (2.47)", tolerance=1.0, cost=Cost(12.0), digits=4)
def minimum_equation(bench: Bench) -> Finding:
    """At a minimum K G_0 = F in all of D, with A_0 = 0, for G_0 = INT c rho_0 dc; every solution gives INT phi G_0 = f
    on the support of mu; and G_0 need not be unique.
    Compared: share of what is allowed: on 2 samples, two starts of 40 and 32 neurons, run to t = 200 by the library:
    1e-5 for F - K G_0 at 30 places, where no neuron need be, by the library's psi/c and in NumPy, and for f_n - f on
    the samples, over the largest |f| (the flow's own tolerance leaves some 1e-7); the two must differ by 0.01 in f_n
    elsewhere."""
    runs = bench.piece(minima, width=_WIDTH, seed=4, end=200.0)["runs"]
    off = []
    for one in runs:
        of = theory.tanh_features(one["y"], one["x"])
        at = theory.tanh_features(one["places"][:, 1:], one["x"])
        gap = theory.discrepancy(*_parts(one), of, at, one["f"], one["mu"])
        miss = theory.value(*_parts(one), of) - one["f"]
        size = np.max(np.abs(one["f"]))
        off.append({"psi": largest(np.abs(one["psi"])) / size, "F - K G": largest(np.abs(gap)) / size})
        off[-1]["f_n - f"] = largest(np.abs(miss)) / size
    differ = apart(runs[0]["elsewhere"], runs[1]["elsewhere"])
    computed = {name: largest(*(one[name] for one in off)) for name in off[0]}
    worst = largest(*computed.values())
    return Finding(
        computed | {"apart elsewhere": differ}, share_allowed((worst, 1e-5), (share_needed(differ, 0.01), 1.0))
    )


def represented(order: int, widths: list[int], seeds: int) -> Data:
    """A density G on a quantised law of y by the library, and networks that it draws from it: f_n - f* on the nodes."""
    problem = taught()
    support = laws.product(weight=laws.Normal(np.array([0.5, 0.0]), 1.0, dim=2)).quantise(order**2, laws.Gauss())
    found = analysis.representation(problem, support)
    x, f, mu = nodes(problem)
    far = []
    for n in widths:
        keys = jax.random.split(jax.random.key(n), seeds)
        drawn = [np.asarray(problem.predict(found.sample(n, key=key), x)) for key in keys]
        far.append((np.stack(drawn) - found.prediction) ** 2 @ mu)
    more = {"y": support.positions, "nu": support.weights, "G": found.density, "parameter": found.parameter}
    return more | {"x": x, "f": f, "mu": mu, "residual": found.residual, "distances": far}


@claim("Theorem 1.4, (1.10), (1.15), (1.16); after (1.6)", tolerance=1.0, cost=Cost(20.0), digits=4)
def representation_by_sampling(bench: Bench) -> Finding:
    """A solution G of F = K G represents f, and y_i drawn from a density rho with charges G/rho give networks that
    approach it as n^(-1/2).
    Compared: share of what is allowed: the library's G on 400 points of y, regularised: |F - K G| in NumPy over the
    largest |F| 1e-3, |f - phi G| in L^2(mu) over |f| 1e-2; the exponent of n in E|f_n - phi G|^2 that the library's
    scaling finds from 100 networks each, n = 64, 512, 4096, against -1 within half of its 99.7 % interval, which
    must be 0.2 at most."""
    widths = [64, 512, 4096]
    found = bench.piece(represented, order=20, widths=widths, seeds=100)
    of = theory.tanh_features(found["y"], found["x"])
    force, kernel = theory.potentials(of, of, found["f"], found["mu"])
    gap = apart(kernel @ (found["nu"] * found["G"]), force) / np.max(np.abs(force))
    miss = found["residual"] / np.sqrt(found["mu"] @ found["f"] ** 2)
    fit = analysis.scaling(np.array(widths, float), list(found["distances"]))
    low, high = fit.interval(0.997)
    half = 0.5 * (high - low)
    computed = {"F - K G": gap, "f - phi G": miss, "exponent of n": -fit.exponent, "+-": half}
    parts = (gap, 1e-3), (miss, 1e-2), (abs(fit.exponent - 1.0), half), (half, 0.2)
    return Finding(computed, share_allowed(*parts))
