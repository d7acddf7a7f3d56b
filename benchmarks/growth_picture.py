"""Time and memory of a step against each size, a panel a dynamics: python benchmarks/growth_picture.py growth.png."""

import json
import pathlib
import sys
from typing import Any

from widelimit.report import canvas

HERE = pathlib.Path(__file__).parent
COLUMNS = 3
# One style a letter in all panels.
LETTERS = ("N", "Q", "D", "T", "B", "L")
ALIASES = {"d": "D"}


# Where a fitted exponent is further from the expected one than this and twice its standard error, it is marked.
APART = 0.15


def as_expected(fit: dict[str, Any], what: str) -> bool:
    """Whether an exponent is that of the largest term. Memory is a sum of arrays, most of which do not grow with one
    size: it may grow less.
    """
    apart = fit["exponent"] - fit["expected"]
    return (apart if what == "bytes" else abs(apart)) <= APART + 2.0 * fit["error"]


def png(growth: dict[str, Any]) -> bytes:
    """Two panels a dynamics, time above memory, relative to the value at the smallest size."""
    names = list(growth)
    bands = -(-len(names) // COLUMNS)

    def draw(figure: Any) -> None:
        panels = figure.subplots(2 * bands, COLUMNS, squeeze=False)
        for axes in panels.ravel():
            axes.set_visible(False)
        for place, name in enumerate(names):
            band, column = divmod(place, COLUMNS)
            for k, what in enumerate(("seconds", "bytes")):
                axes = panels[2 * band + k, column]
                axes.set_visible(True)
                _panel(axes, growth[name]["grown"], what)
                if column == 0:
                    axes.set_ylabel(("time", "memory")[k] + " (ratio)", fontsize=9)
            panels[2 * band, column].set_title(name, fontsize=10.5)
            panels[2 * band + 1, column].set_xlabel("size (ratio to the smallest)", fontsize=9)

    return canvas.to_png(draw, width=8.0, height=3.3 * bands)


def _panel(axes: Any, rows: dict[str, Any], what: str) -> None:
    axes.loglog([1.0, 300.0], [1.0, 300.0], color="#999999", linestyle=":", linewidth=1.0)
    for letter, row in rows.items():
        if letter == "T" and what == "bytes":
            # One program, whatever the number of steps.
            continue
        i = LETTERS.index(ALIASES.get(letter, letter))
        fit, sizes = row[what], row["sizes"]
        x = [size / sizes[0] for size in sizes]
        y = [value / fit["values"][0] for value in fit["values"]]
        mark = "" if as_expected(fit, what) else " !"
        label = f"{letter} {fit['exponent']:.2f} ({fit['expected']:g}){mark}"
        axes.loglog(x, y, color=canvas.colour(i), marker=canvas.marker(i), markersize=4, linewidth=1.3, label=label)
    axes.tick_params(labelsize=8.5)
    axes.legend(fontsize=8, handlelength=1.4, borderpad=0.3, labelspacing=0.25, loc="upper left")
    # The same axes for all, with room for the legend, so that slopes compare.
    axes.set(xlim=(0.8, 400.0), ylim=(0.5, 5e5))
    axes.set_yticks([1.0, 1e2, 1e4])
    axes.minorticks_off()


if __name__ == "__main__":
    record = json.loads((HERE / "results" / "bench_growth.json").read_text())
    pathlib.Path(sys.argv[1]).write_bytes(png(record["growth"]))
