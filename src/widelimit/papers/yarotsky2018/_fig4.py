"""Fig. 4: the eigenfunctions (50) of the operator with kernel (36)."""

from typing import TYPE_CHECKING

import numpy as np

from widelimit.analysis import spectrum
from widelimit.report.canvas import colour, marker, to_png
from widelimit.theory import yarotsky2018 as theory

from .._kit._bench import Bench, Cost, Data
from .._kit._figures import Figure
from ._runs import uniform, wave_problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Sheet

SHOWN = 5


def dual_functions(count: int, places: int) -> Data:
    """The first eigenfunctions of K~ by the library, s_k(0) > 0, and its eigenvalues; no formula of A.6 goes in."""
    found = spectrum(wave_problem(1.0, 1), uniform(), trainable=("c",))
    h = np.linspace(0.0, 1.0, places)
    s = found.dual(np.stack([np.zeros(places), h], axis=1))[:, 0, :count]
    return {
        "h": h,
        "s": (s * np.sign(s[0])).T,
        "zeta": found.eigenvalues[:count],
        "resolved": np.asarray(found.resolved),
    }


def _compute(bench: Bench) -> Data:
    found = bench.piece(dual_functions, count=41, places=401)
    h = np.linspace(0.0, 1.0, 401)
    k = np.arange(SHOWN)
    return {"h": h, "s": theory.eigenfunction(k[:, None], h), "at": found["h"], "found": found["s"][:SHOWN]}


def _draw(data: Data) -> bytes:
    return to_png(lambda sheet: _sheet(sheet, data), width=8.0, height=4.8)


def _sheet(sheet: "Sheet", data: Data) -> None:
    axes = sheet.add_subplot()
    for k in range(SHOWN):
        axes.plot(data["h"], data["s"][k], color=colour(k), lw=1.9)
        look = {"color": colour(k), "marker": marker(k), "ms": 5.5, "ls": ""}
        axes.plot(data["at"][4 * k :: 25], data["found"][k, 4 * k :: 25], label=f"k = {k}", **look)
    axes.plot([], [], "k-", lw=1.9, label="(50), stable form")
    axes.plot([], [], "k", marker="o", ms=5.5, ls="", label="spectrum of the library")
    axes.set(xlabel="h", ylabel="$s_k(h)$")
    axes.set_ylim(-1.7, 2.75)
    axes.legend(fontsize=10.5, ncols=4, loc="upper right")


def _gap(data: Data) -> float:
    return float(np.max(np.abs(data["s"] - data["found"])))


def _caption(data: Data) -> str:
    return (
        "The eigenfunctions (50) of the operator with kernel (36), of length one: lines by (50) in a form without "
        "cancellation, markers by the library's spectrum of the tangent kernel with the charges alone trainable. The "
        f"two differ by at most {_gap(data):.1e}. All are 2 at h = 0 (signs chosen so) and vanish with their slope at "
        "h = 1; s_k has k zeros inside."
    )


def _alt(data: Data) -> str:
    zeros = ", ".join(str(int(np.sum(np.diff(np.sign(s[:-1])) != 0))) for s in data["s"])
    return f"Five waves that start at 2 and end flat at 0, with {zeros} sign changes. " + _caption(data)


FIGURE = Figure(
    name="fig4",
    title="Eigenfunctions of the small-charge operator",
    compute=_compute,
    draw=_draw,
    caption=_caption,
    alt=_alt,
    cost=Cost(2.0, 2.0),
)
