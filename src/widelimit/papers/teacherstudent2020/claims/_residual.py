"""Claims on 3.2, (6) to (8) and (10): the wide ResNet, its clock, its limits in width and in depth."""

from typing import Any

import numpy as np

from widelimit import analysis
from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Data, Finding, claim
from ..._kit._shares import apart, largest, share_allowed, table
from ..runs._residual import (
    DEPTHS,
    WIDTHS,
    X,
    descents,
    drawn,
    over_depth,
    over_width,
    placed,
    smooth_in_depth,
    spread,
    wide,
)
from ..runs._second_order import many_starts
from ._ensemble import order_in_step


@claim("(6), GD/SGD and the ODE; (8), (10)", tolerance=1.0, cost=Cost(6.0), digits=4)
def wide_descent(bench: Bench) -> Finding:
    """Gradient descent with rate alpha on the L N matrices of (6) follows the flow (10), d theta/dt = -grad psi, with
    t = k alpha/(L N), where grad psi = L N dE/dtheta.
    Compared: share of what is allowed: L N dE/dtheta by loops backward through the levels in NumPy with the library's
    grad psi, 1e-12; descent by the same loops with the library's SGD(step = alpha/(L N)), 1e-12; the exponent of alpha
    in the distance of descent from the library's flow at t = 0.6, alpha/(L N) = 0.2, 0.1, 0.05, 0.025 (three levels of
    two, d = 2), with 1: 0.1.
    Misprint: the gradient is (grad X^L)^T (X^L - y), transposed; the ODE is not (8)'s: grad X^L contains 1/(L N), so
    that its time is k alpha, that of (8) is k alpha/N, and (10), which has a limit for deep networks, needs
    k alpha/(L N)."""
    found = descents(bench, "wide")
    off, slope = order_in_step(found)
    same = apart(found["gradient"], found["gradient by hand"])
    steps = apart(found["sgd"], found["by hand"][0])
    computed = table("alpha/(L N)", (0.2, 0.1, 0.05, 0.025), {"distance from the flow": off})
    computed |= {"exponent of alpha": slope, "gradients apart": same, "SGD and loops apart": steps}
    needs = {"the particles moved": np.max(np.abs(found["flow"] - found["start"])) > 10.0 * off[-1]}
    return Finding(computed, share_allowed((same, 1e-12), (steps, 1e-12), (abs(slope - 1.0), 0.1)), needs=needs)


def means_over_levels(depth: int, width: int) -> Data:
    """The network (7) of the library, and (6) by loops, of particles in another order too."""
    theta = drawn(depth, width, 5)
    mixed = np.stack([level[np.random.default_rng(i).permutation(width)] for i, level in enumerate(theta)])
    problem = wide(depth)
    return {
        "library": problem.predict(placed(theta), X),
        "mixed": problem.predict(placed(mixed), X),
        "across": problem.predict(placed(theta[::-1]), X),
        "by hand": theory.wide_states(theta, X)[-1],
    }


@claim("(6), (7)", tolerance=1e-13, cost=Cost(2.0), digits=4)
def wide_network(bench: Bench) -> Finding:
    """(6) is a function of the distributions rho^l of its levels: (7).
    Compared: (6) by loops in NumPy with the library's network of the measure on (theta, l), and with that of particles
    relabelled within their levels. Levels may not be exchanged."""
    found = bench.piece(means_over_levels, depth=3, width=4)
    off = apart(found["library"], found["by hand"])
    across = float(np.max(np.abs(found["library"] - found["across"])))
    computed = {"library and loops apart": off, "after relabelling": apart(found["mixed"], found["by hand"])}
    return Finding(
        computed | {"levels reversed: changes by": across},
        largest(off, computed["after relabelling"]),
        needs={"the order of levels counts": across > 1e-3},
    )


@claim("(10), text after", tolerance=0.0, cost=Cost(15.0), digits=4)
def depth_marginal(bench: Bench) -> Finding:
    """(10) is degenerate: it moves theta alone, so that the marginal of rho in eps never changes.
    Compared: the largest change of a particle's level in the library's flow and SGD of a wide ResNet and in the flows
    of E_2 from eight starts: exactly 0."""
    first, second = descents(bench, "wide"), many_starts(bench)
    moved = [first["levels"] - np.repeat(np.arange(3.0), 2), second["levels"] - second["levels at the start"]]
    rates = [np.max(np.abs(first["flow"] - first["start"])), np.max(second["moved"])]
    computed = {"theta moved by, wide ResNet": rates[0], "theta moved by, E_2": rates[1]}
    change = largest(*(np.abs(one) for one in moved))
    return Finding(computed | {"levels moved by": change}, change, needs={"theta moves": min(rates) > 0.05})


def exponent(values: tuple[int, ...], rows: Any) -> tuple[float, float, Any]:
    """The exponent that the library's scaling finds, half of its 99 % interval, and the means."""
    fit = analysis.scaling(np.array(values, float), rows)
    low, high = fit.interval(0.99)
    return -fit.exponent, 0.5 * (high - low), fit.mean


@claim("(7), (8), N to infinity", tolerance=1.0, cost=Cost(14.0, 120.0), digits=4)
def width_limit(bench: Bench) -> Finding:
    """For a fixed number of levels the wide ResNet has a mean field limit: what independent starts predict at a fixed
    time differs by O(N^(-1/2)).
    Compared: share of what is allowed: the exponent of N = 4, 16, 64 in the variance of the prediction at t = 1, four
    levels, that the library's scaling finds, with -1: half of its 99 % interval, which must be 0.4 at most."""
    runs = over_width(bench)
    slope, half, mean = exponent(WIDTHS, [spread(run) for run in runs])
    computed = table("N", WIDTHS, {"variance": mean, "risk": [np.mean(run["risk"][:, -1]) for run in runs]})
    computed |= {"exponent of N": slope, "+-": half}
    fell = [np.mean(run["risk"][:, 1]) < 0.95 * np.mean(run["risk"][:, 0]) for run in runs]
    return Finding(computed, share_allowed((abs(slope + 1.0), half), (half, 0.4)), needs={"it learns": all(fell)})


@claim("(10), L to infinity", tolerance=1.0, cost=Cost(14.0), digits=4)
def depth_limit(bench: Bench) -> Finding:
    """In the time of (10) the wide ResNet has a limit as L grows, where X and theta are functions of eps = l/L.
    Compared: share of what is allowed: the exponents of L in the change from L to 2 L of the prediction before training
    and at t = 1 (two atoms a level, smooth functions of eps; L = 4, 8, 16, at the paper scale to 64) with -1, the order
    of Euler's scheme: 0.2 each; training must change the prediction by ten times the last of these changes."""
    runs = smooth_in_depth(bench)
    depths = np.array([float(run["depth"]) for run in runs])
    computed, parts = {}, []
    for name, label in (("start", "t = 0"), ("f", "t = 1")):
        f = np.stack([run[name][0] for run in runs])
        change = np.sqrt(np.mean(np.sum(np.diff(f, axis=0) ** 2, axis=2), axis=1))
        slope = float(np.polyfit(np.log(depths[:-1]), np.log(change), 1)[0])
        computed |= table("L", depths[:-1], {f"change at {label}": change}) | {f"exponent at {label}": slope}
        parts.append((abs(slope + 1.0), 0.2))
    last = runs[-1]
    moved = np.sqrt(np.mean(np.sum((last["f"] - last["start"]) ** 2, axis=2)))
    computed |= table("L", depths, {"risk at t = 1": [run["risk"][0, -1] for run in runs]})
    return Finding(computed, share_allowed(*parts), needs={"training moves it": moved > 10.0 * change[-1]})


@claim("4, first question", tolerance=1.0, cost=Cost(14.0, 120.0), digits=4)
def vanilla_limit(bench: Bench) -> Finding:
    """The vanilla ResNet, one particle a level, has a mean field model as L grows, if its levels start independently:
    that of the wide ResNet, with fluctuations of O(L^(-1/2)) at a fixed time of (10).
    Printed: it remains unresolved.
    Compared: share of what is allowed: the exponent of L = 4, 16, 64 in the variance of the prediction at t = 1 of
    vanilla networks, that the library's scaling finds, with -1: half of its 99 % interval, which must be 0.4 at most;
    and the mean risk of L = 64, N = 1 with that of four levels of 64: 4 standard errors and a tenth of it, for a
    depth of four is not infinite. A measurement, no proof."""
    runs, broad = over_depth(bench), over_width(bench)[-1]
    slope, half, mean = exponent(DEPTHS, [spread(run) for run in runs])
    risks = [run["risk"][:, -1] for run in runs]
    gap = float(abs(np.mean(risks[-1]) - np.mean(broad["risk"][:, -1])))
    error = float(np.std(risks[-1], ddof=1) / len(risks[-1]) ** 0.5)
    allowed = 4.0 * error + 0.1 * float(np.mean(risks[-1]))
    computed = table("L", DEPTHS, {"variance": mean, "risk": [np.mean(risk) for risk in risks]})
    computed |= {"exponent of L": slope, "+-": half, "risk, L = 4, N = 64": np.mean(broad["risk"][:, -1])}
    computed |= {"risk's standard error, L = 64": error}
    return Finding(computed, share_allowed((abs(slope + 1.0), half), (half, 0.4), (gap, allowed)))
