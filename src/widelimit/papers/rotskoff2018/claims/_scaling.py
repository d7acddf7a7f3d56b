"""Claims on 3.3 and 3.4: exponents in n, P and dt, the self-quench, and how SGD heals."""

from collections.abc import Sequence

import numpy as np

from widelimit import analysis
from widelimit.dynamics import SGD, GradientFlow

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._runs import evolved
from ..._kit._shares import apart_relative, in_errors, largest, log_slope, share_allowed, table
from ..runs._ensembles import mean_square, problem_of, sgd_networks, solved, squares
from ..runs._networks import atoms

_TIMES = [0.0, 1.0, 2.0, 5.0, 10.0]
_SEEDS, _STEP = 60, 0.02


def _noise(bench: Bench, n: int, step: float, batch: int, times: list[float], seeds: int = _SEEDS) -> Data:
    # Other draws for every setting: a fit takes its rows to be independent.
    first = 100 + 1000 * batch + 17 * n % 1000 + round(1000.0 * step)
    return bench.piece(sgd_networks, which="taught", n=n, step=step, batch=batch, seeds=seeds, first=first, times=times)


@claim("(3.24) to (3.29)", tolerance=1.0, cost=Cost(35.0), digits=4)
def noise_equation(bench: Bench) -> Finding:
    """The fluctuation that the noise of SGD makes obeys (3.24): it is forced by white noise of covariance (3.25) and
    carried by the linear operator of the limit.
    Compared: share of what is allowed: E|f_n - f_0|^2 over theta = dt/P at four times up to 10, of 100 runs of the
    library's SGD from the law itself (18 atoms), P = 16, dt = 0.02, f_0 by the full-batch scheme at that step, with
    (3.24) as an equation of covariances integrated by SciPy: 3 standard errors; and the library's sgd_noise with it:
    5 %, for it follows the steps themselves, which are dt = 0.02 times rates of order one away from the equation."""
    found, exact = _noise(bench, 0, _STEP, 16, _TIMES, seeds=100), bench.piece(solved, which="taught", times=_TIMES)
    library = (
        bench.piece(predicted_noise, which="taught", step=_STEP, batch=16, times=_TIMES)["variance"] * 16.0 / _STEP
    )
    measured = squares(found)[:, 1:] * 16.0 / _STEP
    off, gap = in_errors(measured, exact["noise"][1:]), apart_relative(library[1:], exact["noise"][1:])
    shown = {"of SGD": np.mean(measured, axis=0), "sgd_noise": library[1:], "(3.24)": exact["noise"][1:]}
    computed = table("t", _TIMES[1:], shown) | {"in errors": off, "sgd_noise off by": gap}
    return Finding(computed, share_allowed((off, 3.0), (gap, 0.05)))


def predicted_noise(which: str, step: float, batch: int, times: list[float]) -> Data:
    """What the library says of SGD's noise around the full-batch scheme."""
    found = analysis.sgd_noise(
        problem_of(which), atoms(), SGD(step, batch=batch), t1=times[-1], save_at=times, progress=False
    )
    return {"variance": found.prediction_variance}


@claim("3.1, theta = dt/P", tolerance=1.0, cost=Cost(40.0), digits=4)
def noise_amplitude(bench: Bench) -> Finding:
    """The noise of SGD enters by theta = dt/P alone: E|f_n - f_0|^2 from a fixed start is proportional to dt and to
    1/P.
    Compared: share of what is allowed: the exponents of P, 16, 64, 256 at dt = 0.02, and of dt, 0.005, 0.02, 0.08, at
    P = 16, at t = 2, that the library's scaling finds from 60 runs each of its SGD from the law itself, against -1
    and 1, over the half-width of its own 99.7 % interval, which must be 0.4 at most."""
    times, computed, parts = [0.0, 2.0], {}, []
    for name, values, exact in (("P", (16, 64, 256), -1.0), ("dt", (0.005, 0.02, 0.08), 1.0)):
        settings = [(_STEP, one) if name == "P" else (one, 16) for one in values]
        rows = [squares(_noise(bench, 0, step, int(batch), times))[:, -1] for step, batch in settings]
        slope, half = _fitted(values, rows)
        computed |= table(name, values, {"E|f_n - f_0|^2": [np.mean(row) for row in rows]})
        computed |= {f"exponent of {name}": slope, f"+-, {name}": half}
        parts += [(abs(slope - exact), half), (half, 0.4)]
    return Finding(computed, share_allowed(*parts))


def _fitted(x: Sequence[float], rows: list[np.ndarray]) -> tuple[float, float]:
    """The exponent of x that the library fits, and half of its interval at three standard deviations."""
    found = analysis.scaling(np.array(x, float), rows)
    low, high = found.interval(0.997)
    return -found.exponent, 0.5 * (high - low)


@claim("3.3; Proposition 3.2 at a fixed time", tolerance=3.5, cost=Cost(50.0), digits=4)
def two_sources(bench: Bench) -> Finding:
    """There are two sources of fluctuations, n and the batch: at a fixed time E|f_n - f_0|^2 = C_1(t)/n + C_2(t) dt/P
    to leading order.
    Compared: in standard errors, of which 3.5 are allowed (the largest of twelve): networks of n = 1024 and 16384
    neurons trained by the library's SGD with P = 4 and 64, dt = 0.02, 60 runs each, at t = 1, 2, 5, with C_1 and C_2
    of (2.27) and (3.24) by SciPy. Each source must be two thirds of the sum somewhere."""
    times = [0.0, 1.0, 2.0, 5.0]
    exact = bench.piece(solved, which="taught", times=times)
    off, shares, computed = [], [], {}
    for n in (1024, 16384):
        for batch in (4, 64):
            found = _noise(bench, n, _STEP, batch, times)
            first, second = exact["start"][1:] / n, exact["noise"][1:] * _STEP / batch
            off.append(in_errors(squares(found)[:, 1:], first + second))
            shares.append(first / (first + second))
            label = f"n = {n}, P = {batch}, t = 2"
            computed |= {
                f"{label}: of SGD": mean_square(found)[0][2],
                f"{label}: C_1/n + C_2 dt/P": (first + second)[1],
            }
    both = np.max(shares) > 2.0 / 3.0 and np.min(shares) < 1.0 / 3.0
    return Finding(computed | {"largest, in errors": largest(*off)}, largest(*off), needs={"both sources count": both})


# alpha, and n with P = c n^(2 alpha) for it.
_POWERS = {
    0.25: {65536: 128, 1048576: 512, 16777216: 2048},
    0.5: {16: 16, 64: 64, 256: 256, 1024: 1024},
    1.0: {64: 16, 256: 256, 1024: 4096},
    1.5: {64: 4, 256: 256, 1024: 16384},
}


@claim("(1.22), (3.23), 3.3", tolerance=1.0, cost=Cost(60.0), digits=4)
def batch_exponents(bench: Bench) -> Finding:
    """With P = O(n^(2 alpha)) and a fixed time f_n - f_0 falls as n^(-alpha) for alpha below 1/2, and as n^(-1/2) for
    every alpha above: there is no gain beyond.
    Printed: o(n^(-alpha)) up to alpha = 1 for large t, no gain above 1.
    Compared: share of what is allowed: the exponent of n in the root mean square of f_n - f_0 at t = 2, that the
    library's scaling finds from 40 networks each trained by its SGD with dt = 0.02, against -min(alpha, 1/2) for
    alpha = 1/4, 1/2, 1 and 3/2, over half of its own 99.7 % interval, which must be 0.25 at most. The print's
    threshold of 1 needs that the initial fluctuation of order n^(-1/2) has healed first: see sgd-healing."""
    computed, parts = {}, []
    for alpha, widths in _POWERS.items():
        runs = [_noise(bench, n, _STEP, batch, [0.0, 2.0], seeds=40) for n, batch in widths.items()]
        slope, half = _fitted(list(widths), [squares(one)[:, -1] for one in runs])
        computed |= {f"exponent of n, alpha = {alpha:g}": 0.5 * slope, f"+-, alpha = {alpha:g}": 0.5 * half}
        parts += [(abs(0.5 * slope + min(alpha, 0.5)), 0.5 * half), (0.5 * half, 0.25)]
    return Finding(computed, share_allowed(*parts))


def traces(which: str, times: list[float]) -> Data:
    """tr R of the library along the limit, and its loss."""
    problem = problem_of(which)
    run = evolved(problem, atoms(), GradientFlow(), times)
    noise = [analysis.gradient_noise(problem, run[k]).trace for k in range(len(times))]
    return {"risk": run.risk, "trace": noise}


@claim("(3.26)", tolerance=1.0, cost=Cost(12.0), digits=4)
def self_quench(bench: Bench) -> Finding:
    """The noise quenches itself: A_0, A_1 and A_2 of f_0 - f tend to zero as f_0 tends to f, as the loss does.
    Compared: share of what is allowed, the print has no numbers: the trace of R along the library's limit, with a
    gap to t = 20 and without to t = 800, must end below a thousandth of its start, and the exponent of the loss in
    it, over all times after the first, must be 1 within 0.25, for |A_k| is at most the loss times twice the largest
    |grad psi|^2."""
    times = {"sampled": [0.0, 2.0, 5.0, 10.0, 20.0], "taught": [0.0, 5.0, 20.0, 50.0, 200.0, 800.0]}
    computed, parts = {}, []
    for which, at in times.items():
        found = bench.piece(traces, which=which, times=at)
        slope = log_slope(found["risk"][1:], found["trace"][1:])
        left = found["trace"][-1] / found["trace"][0]
        computed |= {f"{which}: trace at the end over its start": left, f"{which}: exponent of the loss": slope}
        parts += [(left, 1e-3), (abs(slope - 1.0), 0.25)]
    return Finding(computed, share_allowed(*parts))


@claim("(3.33), Propositions 3.2 and 3.3, (3.34), (3.36)", tolerance=1.0, cost=Cost(40.0), digits=4)
def sgd_healing(bench: Bench) -> Finding:
    """With P = O(n^(2 alpha)) n^alpha (f_n - f_0) and n^alpha times the loss tend to zero at a_n >> log n: both
    fluctuations heal where the tangent kernel has a gap.
    Printed: at any a_n >> log n, without a condition.
    Compared: share of what is allowed: two samples, alpha = 1/2 and 1, P = n and n^2/16, n = 16, 64, 128, a_n = (log
    n)^2 = 7.7, 17, 24, 20 networks each, trained by the library's SGD with dt = 0.02: n^alpha times the root mean
    square of f_n - f_0, and n^alpha times the mean loss, must fall to a third at least from each n to the next.
    Misprint: it needs a spectral gap of M, as Proposition 2.3: see healing-without-gap."""
    computed, parts = {}, []
    for alpha in (0.5, 1.0):
        far, loss = [], []
        for n in (16, 64, 128):
            at, batch = float(np.log(n) ** 2), max(1, round(n ** (2.0 * alpha) * (1.0 if alpha == 0.5 else 1.0 / 16.0)))
            more = {"which": "sampled", "n": n, "step": _STEP, "batch": batch, "times": [0.0, at]}
            found = bench.piece(sgd_networks, seeds=20, first=300, **more)
            far.append(n**alpha * float(np.sqrt(mean_square(found)[0][-1])))
            loss.append(n**alpha * float(np.mean(found["risk"][:, -1])))
        computed |= table("n", (16, 64, 128), {f"distance, alpha = {alpha:g}": far, f"loss, alpha = {alpha:g}": loss})
        parts += [(3.0 * np.array(one[1:]) / np.array(one[:-1]), 1.0) for one in (far, loss)]
    return Finding(computed, share_allowed(*parts))
