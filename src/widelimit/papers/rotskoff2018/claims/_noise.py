"""Claims on 3: the noise of SGD, its diffusion, and what batch, step and width do to f_n."""

from typing import Any

import numpy as np

from widelimit import analysis
from widelimit._evolve import rollout
from widelimit.dynamics import SGD, sampling
from widelimit.problem import Problem, data
from widelimit.theory import rotskoff2018 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, share_allowed
from ..runs._networks import UNIT, described, network, taught, values

_WIDTH, _STEP = 12, 1e-4


def one_step(width: int, seed: int, step: float) -> Data:
    """One step of the library's SGD from a random network with a batch of one sample, for every sample that there is:
    rows [Q, N, 3] and f_n [Q, Q] after it. With weights mu they are the exact law of a step."""
    problem, here = taught(), network(width, seed)
    nodes: Any = problem.data.nodes
    after = []
    for q in range(len(nodes.weights)):
        alone = Problem(UNIT, data.Samples(nodes.x[q : q + 1], nodes.y[q : q + 1]))
        after.append(rollout(alone, here, SGD(step, sampling=sampling.Full()), steps=1).positions)
    found = values(problem, np.stack(after), here.weights)
    noise = analysis.gradient_noise(problem, here)
    own = {"library": noise.dense(), "library trace": noise.trace, "value": problem.predict(here, nodes.x)}
    return (
        described(problem, here.positions, here.weights)
        | {"rows": here.positions, "after": after, "values": found, "step": step}
        | own
    )


def _one_step(bench: Bench) -> tuple[Data, theory.Features, np.ndarray, np.ndarray]:
    """The piece, phi and its gradient, the residual f_n - f, and the displacements over dt [Q, N, 3]."""
    found = bench.piece(one_step, width=_WIDTH, seed=6, step=_STEP)
    of = theory.tanh_features(found["y"], found["x"])
    r = theory.value(found["c"], found["w"], of) - found["f"]
    return found, of, r, (found["after"] - found["rows"]) / found["step"]


def _blocks(found: Data, of: theory.Features, r: np.ndarray) -> np.ndarray:
    """(3.11) from (3.12): [N, 3, N, 3] in the order c, y."""
    a_0, a_1, a_2 = theory.covariance_blocks(r, of, found["mu"])
    c, n = found["c"], len(found["c"])
    blocks = np.zeros((n, 3, n, 3))
    blocks[:, 0, :, 0] = a_0
    blocks[:, 1:, :, 0] = c[:, None, None] * a_1
    blocks[:, 0, :, 1:] = np.transpose(blocks[:, 1:, :, 0], (2, 0, 1))
    blocks[:, 1:, :, 1:] = np.multiply.outer(c, c)[:, None, :, None] * a_2
    return blocks


@claim("(3.9) to (3.12)", tolerance=1.0, cost=Cost(8.0), digits=4)
def gradient_covariance(bench: Bench) -> Finding:
    """The covariance of the gradient of the scaled loss over a batch is R/P, with blocks of A_0, c_i A_1 and c_i c_j
    A_2.
    Compared: share of what is allowed, relative to the largest entry, 12 neurons: 1e-9 for the covariance of one
    step of the library's SGD over all batches of one sample, by its displacements over dt = 0.0001 (rounding over
    it), against (3.11) in NumPy; 1e-12 for the library's gradient_noise against it."""
    found, of, r, moves = _one_step(bench)
    exact = _blocks(found, of, r)
    centred = moves - np.tensordot(found["mu"], moves, 1)
    measured = np.einsum("q,qia,qjb->iajb", found["mu"], centred, centred)
    size = np.max(np.abs(exact))
    off = apart(measured, exact) / size, apart(found["library"], exact) / size
    computed = {"of steps": off[0], "of gradient_noise": off[1], "trace of R": found["library trace"]}
    return Finding(computed, share_allowed((off[0], 1e-9), (off[1], 1e-12)))


@claim("(3.1), (3.13)", tolerance=1e-9, cost=Cost(8.0), digits=4)
def drift_sign(bench: Bench) -> Finding:
    """The drift of SGD is -n grad l.
    Printed: (3.13): + n grad l; (3.1): C_j C_j for C_i C_j.
    Compared: the mean over all batches of one sample of the library's step over dt, 12 neurons, against (2.1) in NumPy,
    relative to the largest; the printed drift is off by 2.
    Misprint: the sign of the drift in (3.13); C_i C_j in (3.1)."""
    found, of, _, moves = _one_step(bench)
    charges, places = theory.forces(found["c"], found["w"], of, found["f"], found["mu"])
    exact = np.concatenate([charges[:, None], places], axis=1)
    mean, size = np.tensordot(found["mu"], moves, 1), np.max(np.abs(exact))
    off, printed = apart(mean, exact) / size, apart(mean, -exact) / size
    return Finding({"relative difference": off, "with the printed sign": printed}, off)


def _test(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """chi = c sin(y_1) + c^2 cos(y_2)/4 on rows [..., 3]; its gradient and Hessian."""
    c, y_1, y_2 = np.moveaxis(rows, -1, 0)
    sin, cos, side = np.sin(y_1), np.cos(y_1), 0.25 * np.cos(y_2)
    slope = np.stack([sin + 2.0 * c * side, c * cos, -0.25 * c**2 * np.sin(y_2)], axis=-1)
    bend = np.zeros((*c.shape, 3, 3))
    bend[..., 0, 0] = 2.0 * side
    bend[..., 0, 1] = bend[..., 1, 0] = cos
    bend[..., 1, 1] = -c * sin
    bend[..., 0, 2] = bend[..., 2, 0] = -0.5 * c * np.sin(y_2)
    bend[..., 2, 2] = -(c**2) * side
    return c * sin + c**2 * side, slope, bend


@claim("(3.19), (3.22)", tolerance=1.0, cost=Cost(8.0), digits=4)
def ito_drift(bench: Bench) -> Finding:
    """Dean's equation of SGD has, beside the drift of (2.5), (theta/2) grad grad : (rho c^2 A_2) + (theta/2) d_c^2 (rho
    A_0) + theta d_c div (rho c A_1), A_k of f_n - f at y, y.
    Printed: (3.19), line 4: d_c^2 delta grad delta . C_i A_1.
    Compared: weakly, for a test function chi(c, y): the exact mean of INT chi d rho_n after one step of the library's
    SGD with one sample, minus its start, over dt, against -INT grad chi . g rho + (dt/2) INT grad grad chi : (R_ii + g
    g^T) rho in NumPy, where g g^T is the step's own curvature, no noise. Share of what is allowed, relative to the
    second-order term, dt = 0.0001: 0.02, for the next order is of relative size dt times the gradients of single
    samples; the mixed term, which the print makes a third derivative, must be a tenth of it at least.
    Misprint: d_c, not d_c^2, in line 4 of (3.19)."""
    found, of, r, moves = _one_step(bench)
    dt, mu, w = float(found["step"]), found["mu"], found["w"]
    chi, slope, bend = _test(found["rows"])
    gain = (mu @ _test(found["after"])[0] @ w - chi @ w) / dt
    mean = np.tensordot(mu, moves, 1)
    blocks = _blocks(found, of, r)
    own = np.einsum("iaib->iab", blocks)
    noise = 0.5 * dt * np.einsum("i,iab,iab->", w, bend, own)
    mixed = dt * np.einsum("i,ia,ia->", w, bend[:, 0, 1:], own[:, 0, 1:])
    curved = 0.5 * dt * np.einsum("i,iab,ia,ib->", w, bend, mean, mean)
    first = np.einsum("i,ia,ia->", w, slope, mean)
    off = abs(gain - first - noise - curved) / abs(noise)
    computed = {"second order, measured": gain - first - curved, "(3.22)": noise, "of it mixed": mixed, "off by": off}
    return Finding(computed, off / 0.02, needs={"the mixed term counts": abs(mixed / noise) > 0.1})


@claim("(3.20), (3.21)", tolerance=0.02, cost=Cost(8.0), digits=4)
def noise_variation(bench: Bench) -> Finding:
    """The noise of Dean's equation has the quadratic variation (3.21): INT INT grad chi . R(z, z') grad chi' rho rho',
    R made of A_0, c A_1 and c c' A_2.
    Compared: the exact variance of INT chi d rho_n after one step of the library's SGD with one sample, over dt^2,
    with the double sum over 12 neurons in NumPy, relative; dt = 0.0001, and the next order is of relative size dt
    times the gradients of single samples."""
    found, of, r, _ = _one_step(bench)
    _, slope, _ = _test(found["rows"])
    after, mu, w = _test(found["after"])[0] @ found["w"], found["mu"], found["w"]
    variance = mu @ (after - mu @ after) ** 2 / found["step"] ** 2
    exact = np.einsum("i,ia,iajb,j,jb->", w, slope, _blocks(found, of, r), w, slope)
    return Finding({"of a step": variance, "(3.21)": exact}, abs(variance / exact - 1.0))


@claim("(3.30) to (3.32)", tolerance=0.02, cost=Cost(8.0), digits=4)
def function_noise(bench: Bench) -> Finding:
    """The noise of f_n has the covariance INT M(x, z) M(x', z) r(z)^2 d mu(z) - INT M r INT M' r, r = f_n - f: N of
    (3.32) factorises.
    Compared: the exact covariance of f_n at all pairs of 64 nodes after one step of the library's SGD with one
    sample, over dt^2, with this in NumPy, over the largest; dt = 0.0001, and the next order is of relative size dt
    times the gradients."""
    found, of, r, _ = _one_step(bench)
    kernel, mu = theory.tangent_kernel(found["c"], found["w"], of), found["mu"]
    mean = kernel @ (mu * r)
    exact = (kernel * mu * r**2) @ kernel.T - np.outer(mean, mean)
    centred = (found["values"] - mu @ found["values"]) / found["step"]
    measured = (centred.T * mu) @ centred
    off = apart(measured, exact) / np.max(np.abs(exact))
    return Finding({"largest relative difference": off, "largest variance": largest(np.diag(exact))}, off)
