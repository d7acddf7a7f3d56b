"""Fig. 1: where single atoms go, f = x^2; the border of the two basins; and the claims on single atoms."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit import analysis
from widelimit.measure import Particles
from widelimit.report.canvas import colour, to_png
from widelimit.theory import yarotsky2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._claims import Claim, Finding
from .._kit._figures import Figure
from .._kit._shares import share_allowed
from ._square import ALL_LOST, ATOM, atoms, flow, spline

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

# Not printed: the starts, and for how long. The slower of the two rates at (c_*, h_*) is 0.019, and a start next to
# the border first creeps along it.
_C, _H = (-2.0, 2.5), (-0.5, 1.2)
_END = 3000.0
_EPS = 1e-3


def _paths(bench: Bench) -> Data:
    grid, saves = bench.pick(quick=([10, 7], 300), paper=([19, 12], 600))
    return bench.piece(atoms, c=list(_C), h=list(_H), grid=grid, end=_END, saves=saves)


def border(reach: float) -> Data:
    r"""The border of the two basins: the path that ends at (0, 1), followed backwards in time from there.

    With e = 1 - h the motion (Fig. 1) is dc/dt = e^2/2, de/dt = c e to leading order, so c^2 - e^2/2 is constant: paths
    with c < -e/sqrt(2) end at e = 0 with c = -sqrt(c^2 - e^2/2), the others turn around; in between is the border. For
    c < 0 both c and h grow along every path, so the border is a curve h(c).
    """
    from scipy.integrate import solve_ivp

    def back(t: float, y: np.ndarray) -> np.ndarray:
        return -theory.atom_velocity(y[0], y[1])

    def out(t: float, y: np.ndarray) -> float:
        return y[1] + reach

    out.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    tail = np.array([-_EPS / math.sqrt(2.0), 1.0 - _EPS])
    found = solve_ivp(back, (0.0, 1e6), tail, method="LSODA", rtol=1e-10, atol=1e-13, events=out)
    return {"c": np.append(0.0, found.y[0]), "h": np.append(1.0, found.y[1])}


def _border(bench: Bench) -> Data:
    return bench.piece(border, reach=-_H[0])


def _compute(bench: Bench) -> Data:
    line = _border(bench)
    return _paths(bench) | {"border_c": line["c"], "border_h": line["h"]}


def _kinds(data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which starts end at the atom, which at h >= 1 and never moved there, and how far the others are from either."""
    ends = data["paths"][:, -1]
    near = np.hypot(*(ends - np.array(ATOM)).T)
    # From below h = 1 is only approached.
    right = np.maximum(0.0, 1.0 - ends[:, 1])
    return near < right, right <= near, np.minimum(near, right)


def _draw(data: Data) -> bytes:
    return to_png(lambda sheet: _sheet(sheet, data), width=9.0, height=6.2)


def _sheet(sheet: "Sheet", data: Data) -> None:
    axes = sheet.add_subplot()
    left, right, _ = _kinds(data)
    paths = data["paths"]
    still = paths[:, 0, 1] >= 1.0
    names = (f"to $(c_*, h_*)$ = ({ATOM[0]:.3f}, {ATOM[1]:.3f})", "to h = 1 with c < 0", "at rest: h ≥ 1 at the start")
    looks: tuple[tuple[Any, dict[str, Any], str], ...] = (
        (left, {"color": colour(0), "ls": "-"}, "o"),
        (right & ~still, {"color": colour(1), "ls": "--"}, "s"),
    )
    for (which, look, shape), name in zip(looks, names, strict=False):
        for k, path in enumerate(paths[which]):
            axes.plot(path[:, 0], path[:, 1], lw=1.1, label=name if k == 0 else None, **look)
        first = paths[which][:, 0]
        axes.plot(first[:, 0], first[:, 1], ls="", marker=shape, ms=4.5, mfc="white", mec=look["color"])
    axes.plot(*paths[still][:, 0].T, ls="", marker="^", ms=6, color=colour(2), label=names[2])
    ends = paths[right & ~still][:, -1]
    axes.plot(ends[:, 0], ends[:, 1], ls="", marker="s", ms=5.5, color=colour(1))
    axes.plot(data["border_c"], data["border_h"], color="black", lw=1.8, ls="-.", label="border of the two basins")
    axes.plot(*ATOM, ls="", marker="*", ms=19, color="black", zorder=5)
    axes.axhline(1.0, color="#777777", lw=1.0)
    axes.set(xlabel="charge c", ylabel="knot h", xlim=(_C[0] - 0.1, _C[1] + 0.1), ylim=(_H[0] - 0.07, _H[1] + 0.07))
    axes.set_title(_made(data), fontsize=11)
    sheet.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=11.5)


def _made(data: Data) -> str:
    return (
        f"f(x) = x²: {len(data['paths'])} single atoms from a grid of starts chosen here (open marks), followed to "
        f"t = {data['t'][-1]:,.0f}"
    )


def _caption(data: Data) -> str:
    left, right, far = _kinds(data)
    still = int(np.sum(data["paths"][:, 0, 1] >= 1.0))
    ended = data["paths"][right][:, -1, 0]
    moved = ended[data["paths"][right][:, 0, 1] < 1.0]
    return (
        f"{int(left.sum())} of {len(left)} starts end at (c_*, h_*), the star, with loss {_least(data):.3g}; "
        f"{int(right.sum())} end at h ≥ 1, where the atom predicts 0 and the loss is {ALL_LOST:g}: {still} of them "
        f"start there and never move, the others stop at h = 1 with c between {np.min(moved):.2f} and "
        f"{np.max(moved):.2f}. None is farther than {np.max(far):.1g} from its kind of end. The border is the path "
        "that runs into (0, 1), followed backwards in time; it arrives there along c = -(1 - h)/√2. Not printed in the "
        "paper and chosen here: the grid of starts and the end time."
    )


def _least(data: Data) -> float:
    left, _, _ = _kinds(data)
    return float(np.max(data["loss"][left]))


def _alt(data: Data) -> str:
    return (
        "Paths in the plane of charge and knot. Solid ones gather on a slow curve that runs into the star; dashed ones "
        "climb to the line h = 1 at negative charge; triangles above that line stay. " + _caption(data)
    )


FIGURE = Figure(
    name="fig1",
    title="Trajectories of single atoms: two kinds of ends",
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
    cost=Cost(20.0, 110.0),
)


def _two_ends(bench: Bench) -> Finding:
    data = _paths(bench)
    left, right, far = _kinds(data)
    computed = {
        "starts": len(left),
        "to (c_*, h_*)": int(left.sum()),
        "to h >= 1": int(right.sum()),
        "farthest from its end": float(np.max(far)),
    }
    # Both kinds must be there, or the grid would show nothing.
    one_kind = 0.0 if np.any(left) and np.any(right) else math.inf
    return Finding(computed, float(np.max(far)) + one_kind)


def bisected(h: float, steps: int, end: float) -> Data:
    """The charge that parts the starts (c, h) by their ends, by runs of the library."""
    low, high = -2.0, 0.0
    for _ in range(steps):
        middle = 0.5 * (low + high)
        lost = flow([[middle, h]], [0.0, end]).positions[-1, 0, 0] < 0.0
        low, high = (middle, high) if lost else (low, middle)
    return {"low": np.asarray(low), "high": np.asarray(high)}


def _basins(bench: Bench) -> Finding:
    """Every start of the grid on its side of the border, and the border against bisection."""
    data, line = _paths(bench), _border(bench)
    first = data["paths"][:, 0]
    left, _, _ = _kinds(data)
    # c as a function of h on the border, which runs from h = 1 downwards.
    at = np.interp(first[:, 1], line["h"][::-1], line["c"][::-1])
    wrong = int(np.sum(left != ((first[:, 1] < 1.0) & (first[:, 0] > at))))
    steps = 18
    found = {h: bench.piece(bisected, h=h, steps=steps, end=2000.0) for h in (0.0, 0.5, 0.8)}
    apart = 0.0
    computed: dict[str, float] = {"starts on the wrong side": wrong}
    for h, ends in found.items():
        c = float(np.interp(h, line["h"][::-1], line["c"][::-1]))
        middle = 0.5 * float(ends["low"] + ends["high"])
        apart = max(apart, abs(c - middle))
        computed |= {f"border at h = {h:g}": c, f"by bisection at h = {h:g}": middle}
    return Finding(computed, wrong + apart)


def rest(charges: list[float], knots: list[float]) -> Data:
    """The single atom of the library, its residual, and what moves at h >= 1."""
    problem = spline()
    family = analysis.stationary_atoms(problem, 1)
    one = [found for found in family if not found.has_left_mass]
    start = Particles(np.array([[1.0, 0.4]]), blocks=problem.blocks)
    solved = np.asarray(analysis.fixed_point(problem, start).positions)[0]
    right = np.array([[c, h] for c in charges for h in knots])
    each = [analysis.orthogonality(problem, Particles(row[None], blocks=problem.blocks)).violation for row in right]
    together = flow(right, [0.0, 10.0])
    residual = analysis.stationarity(problem, one[0].measure()).conditions
    return {
        "h": np.array([found.knots[0] for found in one]),
        "c": np.array([found.masses[0] for found in one]),
        "solved": solved,
        "residual": np.asarray(residual),
        "violation": np.array(each),
        "all": np.asarray(family.complete == "all"),
        "moved": np.max(np.abs(together.positions[-1] - right)),
        "speed": np.max(np.abs(theory.atom_velocity(right[:, 0], right[:, 1]))),
    }


def _rest(bench: Bench) -> Data:
    return bench.piece(rest, charges=[-2.0, -0.3, 0.0, 1.7], knots=[1.0, 1.1, 3.0])


def _single(bench: Bench) -> Finding:
    found = _rest(bench)
    if len(found["h"]) != 1:
        return Finding({"atoms found": len(found["h"])}, math.inf)
    c, h = float(found["c"][0]), float(found["h"][0])
    apart = np.abs([c - ATOM[0], h - ATOM[1], *(found["solved"] - ATOM)])
    computed = {
        "c_*": c,
        "h_*": h,
        "Newton's method": found["solved"],
        "Proposition 1": float(np.max(found["residual"])),
        "no other": bool(found["all"]),
    }
    others = 0.0 if found["all"] else math.inf
    return Finding(computed, share_allowed((apart, 1e-12), (found["residual"], 1e-12)) + others)


def _right(bench: Bench) -> Finding:
    found = _rest(bench)
    computed = {"atoms": len(found["violation"]), "moved by t = 10": float(found["moved"])}
    return Finding(computed, float(np.max([found["moved"], np.max(found["violation"]), found["speed"]])))


def edge(charge: float, depth: float, end: float) -> Data:
    """A cloud on both sides of h = 1: how fast 1 - h falls on the left, and whether the right moves."""
    offsets = depth * np.array([-1.0, -0.5, -0.1, 0.1, 0.5, 1.0])
    rows = np.stack([np.full(6, charge), 1.0 + offsets], axis=1)
    run = flow(rows, np.linspace(0.0, end, 11), atol=1e-16)
    below = 1.0 - run.positions[:, :3, 1]
    rates = np.polyfit(run.times, np.log(below), 1)[0]
    return {"rates": rates, "moved": np.max(np.abs(run.positions[:, 3:] - rows[3:]))}


def _negative(bench: Bench) -> Finding:
    """No rest for c < 0 < 1 - h; at h = 1 the left side contracts as exp(c t) and the right side does not move."""
    charges = (-0.5, -1.5)
    found = {c: bench.piece(edge, charge=c, depth=1e-3, end=6.0) for c in charges}
    c, h = np.meshgrid(-np.geomspace(1e-3, 1e3, 61), np.linspace(-2.0, 0.99, 300))
    slowest = float(np.min(theory.atom_velocity(c, h)[..., 1]))
    apart = max(float(np.max(np.abs(one["rates"] / c - 1.0))) for c, one in found.items())
    moved = max(float(one["moved"]) for one in found.values())
    computed = {f"rate at h = 1, c = {c:g}": float(np.mean(one["rates"])) for c, one in found.items()}
    computed |= {"least dh/dt over c < 0, h < 1": slowest, "moved on the right": moved}
    stuck = 0.0 if slowest > 0.0 else math.inf
    return Finding(computed, apart + moved + stuck)


CLAIMS = (
    Claim(
        id="single-atom",
        statement="The only stationary atom with h < 1 is (c_*, h_*) = ((4 + sqrt 6)/5, (sqrt 6 - 1)/5).",
        where="3.1, first and second paragraph; A.5, case 1",
        printed={"c_*": (4.0 + math.sqrt(6.0)) / 5.0, "h_*": (math.sqrt(6.0) - 1.0) / 5.0},
        compute=_single,
        tolerance=1.0,
        reason="share of what is allowed: 1e-12 between the print and each of analysis.stationary_atoms and Newton's "
        "method on the fixed-point equation, and 1e-12 in each of Proposition 1's conditions, relative to their parts",
        cost=Cost(5.0, 5.0),
        digits=13,
    ),
    Claim(
        id="right-of-interval",
        statement="Any distribution on {h >= 1} is stationary.",
        where="3.1; A.5, observation 1",
        printed=None,
        compute=_right,
        tolerance=0.0,
        reason="nothing may move: the velocity, the orthogonality of the error and a run of 12 atoms together",
        cost=Cost(5.0, 5.0),
    ),
    Claim(
        id="fig1-two-ends",
        statement="Single atoms converge to a stationary atom of one of two kinds: (c_*, h_*), or h >= 1.",
        where="3.1 and Fig. 1",
        printed="converge to stationary atomic distributions of one of the two kinds",
        compute=_two_ends,
        tolerance=1e-6,
        reason="largest distance from the nearer kind of end at t = 3000 over the grid of starts, both kinds present; "
        "the slower rate at (c_*, h_*) is 0.019, so what is left there is the tolerance of the integration",
        cost=Cost(18.0, 105.0),
    ),
    Claim(
        id="fig1-border",
        statement="The starts of the two kinds are parted by the path that runs into (c, h) = (0, 1), along "
        "c = -(1 - h)/sqrt 2 at last.",
        where="Fig. 1 (not printed)",
        printed=None,
        compute=_basins,
        tolerance=2e-5,
        reason="starts of the grid on the wrong side, plus the largest distance between the border, from the closed "
        "velocity by SciPy backwards in time, and a bisection of 18 steps of 2^-17 with runs of the library",
        cost=Cost(20.0, 105.0),
    ),
    Claim(
        id="negative-charge",
        statement="Stationary atoms with c < 0 are stable in h: they are those at h = 1, where the side h < 1 "
        "contracts as exp(c t) and the side h >= 1 rests. In h < 1 there is none with c < 0: all move right.",
        where="3.1, end (the print does not say that only h >= 1 has them, nor that one side is neutral)",
        printed="stationary points with c_* < 0 are stable and contractive in the h direction",
        compute=_negative,
        tolerance=2e-3,
        reason="relative error of the fitted rates of 1 - h against c, from 1 - h <= 1e-3, which adds that much; plus "
        "any motion at h >= 1; dh/dt must be positive on a grid of c < 0, h < 1",
        cost=Cost(3.0, 3.0),
    ),
)
