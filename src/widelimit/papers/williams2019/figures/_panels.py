"""The panels that several figures are made of: a function with its knots, and neurons in the uv plane."""

from typing import Any

import numpy as np

from widelimit.report.canvas import colour

from ..._kit._drawing import Axes, Sheet, curve, marks
from ..runs._networks import knots, value

# Of neurons with r > 0 and r < 0: colour and mark.
SIGNS = ((0, "o", "r > 0"), (1, "^", "r < 0"))
# At most so many knots are drawn.
_MOST = 150


def function_panel(axes: Axes, x: Any, y: Any, rows: Any, places: Any, f: Any, *, legend: bool = True) -> None:
    """f with its knots as circles, a share of them where there are many, and the samples as crosses."""
    curve(axes, places, f, 2, lw=1.6, label="network" if legend else None)
    at = knots(rows)
    inside = np.flatnonzero((at > np.min(places)) & (at < np.max(places)))
    shown = at[inside[:: max(1, len(inside) // _MOST)]]
    look: dict[str, Any] = {"ms": 4.5, "mfc": "none", "mew": 0.8, "label": "knots" if legend else None}
    marks(axes, shown, value(shown, rows), "#006446", "o", **look)
    marks(axes, x, y, 0, "x", ms=7, mew=1.8, zorder=4, label="samples" if legend else None)


def plane(rows: Any) -> np.ndarray:
    """(u, v) = |r| (cos theta, sin theta), [..., 2]."""
    rows = np.asarray(rows)
    return np.abs(rows[..., :1]) * np.stack([np.cos(rows[..., 1]), np.sin(rows[..., 1])], axis=-1)


def reach_of(rows: Any, share: float = 0.99) -> float:
    """Half the side of a square plane that holds this share of the neurons."""
    return 1.1 * float(np.quantile(np.max(np.abs(plane(rows)), axis=-1), share))


def sample_lines(axes: Axes, x: Any, reach: float) -> None:
    """u x_j + v = 0 of every sample, in a square plane."""
    for k, place in enumerate(np.asarray(x)):
        u = np.array([-4.0, 4.0]) * reach
        curve(axes, u, -u * place, "#999999", lw=0.7, zorder=1, label="sample lines" if k == 0 else None)
    axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", xlabel="u", ylabel="v")
    axes.grid(False)


def neurons_panel(axes: Axes, rows: Any, x: Any, reach: float | None = None, *, size: float = 2.6) -> None:
    """Neurons in the uv plane, by the sign of r, with the sample lines."""
    rows, reach = np.asarray(rows), reach or reach_of(rows)
    sample_lines(axes, x, reach)
    for side, (tint, shape, name) in zip((1.0, -1.0), SIGNS, strict=True):
        some = plane(rows[side * rows[:, 0] > 0.0])
        marks(axes, *some.T, tint=tint, marker=shape, ms=size, mew=0.0, alpha=0.75, zorder=3, label=name)


def paths_panel(axes: Axes, paths: Any, x: Any, reach: float | None = None) -> None:
    """The way of each neuron, [T, n, 2], with a ring at its start and a dot at its end."""
    reach = reach or max(reach_of(paths[0]), reach_of(paths[-1]))
    sample_lines(axes, x, reach)
    for side, (tint, shape, _) in zip((1.0, -1.0), SIGNS, strict=True):
        some = side * paths[0, :, 0] > 0.0
        way = plane(paths[:, some])
        for k in range(way.shape[1]):
            axes.plot(*way[:, k].T, color=colour(tint), lw=0.8, zorder=2)
        marks(axes, *way[0].T, tint=tint, marker=shape, ms=3.2, mfc="white", mew=0.7, zorder=3)
        marks(axes, *way[-1].T, tint=tint, marker=shape, ms=3.2, mew=0.0, zorder=4)


def legend_of(sheet: Sheet, panels: Any, columns: int = 6) -> None:
    """One legend below all panels, for what is drawn in these."""
    found = {}
    for axes in panels:
        found |= dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
    sheet.legend(found.values(), found.keys(), loc="outside lower center", ncols=columns, fontsize=10.5)


def delta_name(delta: float) -> str:
    """For a title."""
    return "$\\delta$ = " + {np.inf: "$+\\infty$", -np.inf: "$-\\infty$"}.get(delta, f"{delta:g}")
