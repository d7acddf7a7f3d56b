"""Fig. 4: the eigenfunctions (50) of the operator with kernel (36)."""

import numpy as np

from widelimit.analysis import spectrum
from widelimit.report.canvas import marker
from widelimit.theory import yarotsky2018 as theory

from ..._kit import Bench, Cost, Data, figure
from ..._kit._drawing import Sheet, curve, key, marks
from ..._kit._shares import apart
from ..runs._splines import uniform, wave_problem

SHOWN = 5


def dual_functions(count: int, places: int) -> Data:
    """The first eigenfunctions of K~ by the library, s_k(0) > 0, and its eigenvalues; no formula of A.6 goes in."""
    found = spectrum(wave_problem(1.0, 1), uniform(), trainable=("c",))
    h = np.linspace(0.0, 1.0, places)
    s = found.dual(np.stack([np.zeros(places), h], axis=1))[:, 0, :count]
    return {"h": h, "s": (s * np.sign(s[0])).T, "zeta": found.eigenvalues[:count]}


def spectrum_of(bench: Bench) -> Data:
    """The library's eigenvalues and eigenfunctions that the figure and the claims share."""
    return bench.piece(dual_functions, count=41, places=401)


def _compute(bench: Bench) -> Data:
    found = spectrum_of(bench)
    exact = theory.eigenfunction(np.arange(SHOWN)[:, None], found["h"])
    return {"h": found["h"], "s": exact, "found": found["s"][:SHOWN]}


def _caption(data: Data) -> str:
    gap = apart(data["s"], data["found"])
    return (
        "The eigenfunctions (50) of the operator with kernel (36), of length one: lines by (50) in a form without "
        "cancellation, markers by the library's spectrum of the tangent kernel with the charges alone trainable. The "
        f"two differ by at most {gap:.1e}. All are 2 at h = 0 (signs chosen so) and vanish with their slope at "
        "h = 1; s_k has k zeros inside."
    )


def _alt(data: Data) -> str:
    zeros = ", ".join(str(int(np.sum(np.diff(np.sign(s[:-1])) != 0))) for s in data["s"])
    return f"Five waves that start at 2 and end flat at 0, with {zeros} sign changes."


_FIXED = "the operator with kernel (36) has no parameter, and its first eigenfunctions are what is shown."


@figure(_compute, caption=_caption, alt=_alt, size=(8.0, 4.8), cost=Cost(2.0), fixed=_FIXED)
def fig4(sheet: Sheet, data: Data) -> None:
    """Eigenfunctions of the small-charge operator."""
    axes = sheet.add_subplot()
    for k in range(SHOWN):
        some = slice(4 * k, None, 25)
        curve(axes, data["h"], data["s"][k], k)
        marks(axes, data["h"][some], data["found"][k, some], k, marker(k), ms=5.5, label=f"k = {k}")
    key(axes, "(50), stable form")
    key(axes, "spectrum of the library", marker="o", ms=5.5, ls="")
    axes.set(xlabel="h", ylabel="$s_k(h)$", ylim=(-1.7, 2.75))
    axes.legend(fontsize=10.5, ncols=4, loc="upper right")
