"""What a ReLU network's function fixes of the directions, and what it does not."""

import numpy as np

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, marks, title
from ..runs._students import TRIANGLE, reversed_pair, spectrum

_DIMENSIONS = (2, 3, 10)
_MOST = 12
PARAMETERS = (Parameter("dims", _DIMENSIONS, "inputs of the spectra at the left", 2, 100, counts=(2, 4)),)


def _compute(bench: Bench) -> Data:
    pair = bench.piece(reversed_pair, rows=TRIANGLE, angles=181)
    dims = bench.value("dims", _DIMENSIONS)
    values = [bench.piece(spectrum, d=d)["values"][: _MOST + 1] for d in dims]
    return {"dims": np.array(dims), "spectra": np.stack(values), **pair, "rows": TRIANGLE}


def _caption(data: Data) -> str:
    apart = float(np.max(np.abs(data["f"][0] - data["f"][1])))
    return (
        "Example 1. Left: eigenvalues of the operator with the kernel (u · v)₊ on the unit sphere of R^d by the "
        "degree of the harmonics, over the first; open marks at the bottom are exact zeros: every odd degree from 3 "
        "on is in the null space, which the print takes to be trivial. Middle: three neurons whose θ_j sum to zero, "
        "and the same reversed; in each of the six directions one student has a neuron and the other has none. Right: "
        f"their functions on the unit circle, {apart:.0e} apart at most: zero loss fixes only the sum of m(u) and "
        "m(-u), m(u) the mean of |θ| in the direction u, and the mean of θ."
    )


def _alt(data: Data) -> str:
    return (
        "Left: marks that fall over even degrees on a logarithmic axis, with open marks at the bottom for degrees 3, 5 "
        "and so on. Middle: a star of three full and three dashed arrows at 60 degrees from each other. Right: a wave "
        "with six humps, drawn full and dashed on top of each other."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(13.0, 4.6), cost=Cost(4.0), parameters=PARAMETERS)
def directions(sheet: Sheet, data: Data) -> None:
    """What ReLU fixes of directions: its spectrum on the sphere, and three neurons that can be reversed."""
    left, middle, right = sheet.subplots(1, 3, width_ratios=(1.2, 0.9, 1.1))
    sizes = np.abs(data["spectra"] / data["spectra"][:, :1])
    # Room for the zeros below the least of the others: the more inputs, the faster they fall.
    low = min(1e-7, 1e-2 * float(np.min(sizes[sizes > 0.0])))
    left.set(yscale="log", xlabel="degree of the harmonics", ylabel="|eigenvalue| over the first", ylim=(low, 2.0))
    floor = 3.0 * low
    for i, (d, size) in enumerate(zip(data["dims"], sizes, strict=True)):
        degrees, seen = np.arange(len(size)), size > 0.0
        marks(left, degrees[seen], size[seen], i, "os^v"[i], ms=7, label=f"d = {d}")
        marks(left, degrees[~seen] + 0.22 * (i - 1), np.full(np.sum(~seen), floor), i, "os^v"[i], ms=6, mfc="none")
    left.annotate("exactly zero", (7.0, floor), (0.0, 6.0), textcoords="offset points", ha="center", fontsize=10)
    left.set_xticks(np.arange(0, _MOST + 1, 2))
    left.legend()
    title(left, "ReLU on the sphere")
    for side, look in ((1.0, {"ls": "-"}), (-1.0, {"ls": "--"})):
        tint = "#0072B2" if side > 0.0 else "#D55E00"
        for row in side * data["rows"]:
            arrow = {"arrowstyle": "-|>", "color": tint, "lw": 2.0, **look, "shrinkA": 0.0, "shrinkB": 0.0}
            middle.annotate("", row, (0.0, 0.0), arrowprops=arrow)
        curve(middle, [], [], tint, label="$θ_j$" if side > 0.0 else "$-θ_j$", **look)
    middle.set(xlim=(-1.25, 1.25), ylim=(-1.25, 1.45), aspect="equal", xlabel="$θ_{j1}$", ylabel="$θ_{j2}$")
    middle.legend(loc="upper center", ncols=2)
    title(middle, "Two students, Σ $θ_j$ = 0")
    curve(right, data["angle"], data["f"][0], "#0072B2", lw=4.0, alpha=0.6, label="$θ_j$")
    curve(right, data["angle"], data["f"][1], "#D55E00", ls="--", label="$-θ_j$")
    right.set(xlabel="angle of x (radians)", ylabel="f(x), |x| = 1", ylim=(0.285, 0.345))
    right.legend(loc="upper right", ncols=2)
    title(right, "Their functions are the same")
