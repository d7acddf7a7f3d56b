"""Fig. 1: where single atoms go, f = x^2, and the border of the two basins."""

import math
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, arrow, curve, legend_below, marks, title
from ..runs._square import ALL_LOST, ATOM, atoms

# Not printed: the starts, and for how long. The slower of the two rates at (c_*, h_*) is 0.019, and a start next to
# the border first creeps along it.
_C, _H = (-2.0, 2.5), (-0.5, 1.2)
_END = 3000.0
PARAMETERS = (
    Parameter("charges", _C, "the starts lie between these charges", -5.0, 5.0),
    Parameter("knots", _H, "the starts lie between these knots", -2.0, 2.0),
    Parameter("end", _END, "how long they are followed", 10.0, 1e5),
)
_EPS = 1e-3


def paths(bench: Bench) -> Data:
    """The single atoms of the figure."""
    grid, saves = bench.pick(quick=([10, 7], 300), paper=([19, 12], 600))
    c, h, end = list(bench.value("charges", _C)), list(bench.value("knots", _H)), bench.value("end", _END)
    return bench.piece(atoms, c=c, h=h, grid=grid, end=end, saves=saves)


def border(reach: float) -> Data:
    r"""The border of the two basins: the path that ends at (0, 1), followed backwards in time from there.

    With e = 1 - h the motion (Fig. 1) is dc/dt = e^2/2, de/dt = c e to leading order, so c^2 - e^2/2 is constant: paths
    with c < -e/sqrt(2) end at e = 0 with c = -sqrt(c^2 - e^2/2), the others turn around; in between is the border. For
    c < 0 both c and h grow along every path, so the border is a curve h(c).
    """

    def back(t: float, y: np.ndarray) -> np.ndarray:
        return -theory.atom_velocity(y[0], y[1])

    def out(t: float, y: np.ndarray) -> float:
        return y[1] + reach

    out.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    tail = np.array([-_EPS / math.sqrt(2.0), 1.0 - _EPS])
    found = solve_ivp(back, (0.0, 1e6), tail, method="LSODA", rtol=1e-10, atol=1e-13, events=out)
    return {"c": np.append(0.0, found.y[0]), "h": np.append(1.0, found.y[1])}


def border_of(bench: Bench) -> Data:
    """The border as far as the figure shows it."""
    return bench.piece(border, reach=-min(bench.value("knots", _H)[0], _H[0]))


def _compute(bench: Bench) -> Data:
    made = {"charges": bench.value("charges", _C), "knots": bench.value("knots", _H)}
    return paths(bench) | made | {"border": border_of(bench)}


def kinds(data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which starts end at the atom, which at h >= 1 and never moved there, and how far the others are from either."""
    ends = data["paths"][:, -1]
    near = np.hypot(*(ends - np.array(ATOM)).T)
    # From below h = 1 is only approached.
    right = np.maximum(0.0, 1.0 - ends[:, 1])
    return near < right, right <= near, np.minimum(near, right)


def _caption(data: Data) -> str:
    left, right, far = kinds(data)
    still = data["paths"][:, 0, 1] >= 1.0
    ended = data["paths"][right & ~still][:, -1, 0]
    return (
        f"{left.sum()} of {len(left)} starts end at (c_*, h_*), the star, with loss {np.max(data['loss'][left]):.3g}; "
        f"{right.sum()} end at h ≥ 1, where the atom predicts 0 and the loss is {ALL_LOST:g}: {still.sum()} of them "
        f"start there and never move, the others stop at h = 1 with c between {np.min(ended):.2f} and "
        f"{np.max(ended):.2f}. None is farther than {np.max(far):.1g} from its kind of end. The border is the path "
        "that runs into (0, 1), followed backwards in time; it arrives there along c = -(1 - h)/√2. Not printed in the "
        "paper and chosen here: the grid of starts and the end time."
    )


def _alt(data: Data) -> str:
    return (
        "Paths in the plane of charge and knot, with arrows along them. Solid ones gather on a slow curve that runs "
        "into the star; dashed ones climb to the line h = 1 at negative charge; triangles above that line stay."
    )


def _frame(data: Data, k: int, edge: float) -> tuple[float, float]:
    """Of an axis: the starts, where the paths go, and the atom are inside."""
    box = np.asarray((data["charges"], data["knots"])[k])
    ways = data["paths"][..., k]
    low, high = (float(find([find(box), find(ways), ATOM[k]])) for find in (np.min, np.max))
    return low - edge, high + edge


@figure(_compute, caption=_caption, alt=_alt, size=(9.0, 6.2), cost=Cost(20.0, 110.0), parameters=PARAMETERS)
def fig1(sheet: Sheet, data: Data) -> None:
    """Trajectories of single atoms: two kinds of ends."""
    axes = sheet.add_subplot()
    left, right, _ = kinds(data)
    still = data["paths"][:, 0, 1] >= 1.0
    looks: tuple[tuple[np.ndarray, int, str, str, str], ...] = (
        (left, 0, "-", "o", f"to $(c_*, h_*)$ = ({ATOM[0]:.3f}, {ATOM[1]:.3f})"),
        (right & ~still, 1, "--", "s", "to h = 1 with c < 0"),
    )
    open_mark: dict[str, Any] = {"mfc": "white", "ms": 4.5}
    for which, tint, dashes, shape, name in looks:
        for k, path in enumerate(data["paths"][which]):
            curve(axes, *path.T, tint=tint, lw=1.1, ls=dashes, label=name if k == 0 else None)
            arrow(axes, *path.T, tint=tint)
        marks(axes, *data["paths"][which][:, 0].T, tint=tint, marker=shape, **open_mark)
    if np.any(still):
        marks(axes, *data["paths"][still][:, 0].T, tint=2, marker="^", ms=6, label="at rest: h ≥ 1 at the start")
    marks(axes, *data["paths"][right & ~still][:, -1].T, tint=1, marker="s", ms=5.5)
    curve(axes, data["border"]["c"], data["border"]["h"], lw=1.8, ls="-.", label="border of the two basins")
    marks(axes, *np.array([ATOM]).T, marker="*", ms=19, zorder=5)
    axes.axhline(1.0, color="#777777", lw=1.0)
    axes.set(xlabel="charge c", ylabel="knot h", xlim=_frame(data, 0, 0.1), ylim=_frame(data, 1, 0.07))
    starts = f"{len(data['paths'])} single atoms from a grid of starts chosen here (open marks)"
    title(axes, f"f(x) = x²: {starts}, followed to t = {data['t'][-1]:,.0f}")
    legend_below(sheet, axes, 2, fontsize=11.5)
