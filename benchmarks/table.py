"""Write RESULTS.md from what the benchmarks kept in results/: python benchmarks/table.py."""

import json
import pathlib
from typing import Any

from growth_picture import as_expected

HERE = pathlib.Path(__file__).parent
HEAD = (
    "# Benchmarks: results\n\n"
    "Written by `python benchmarks/table.py` from `results/*.json`, which `python benchmarks/bench_X.py --json "
    "results/bench_X.json` makes.\nA ratio is the peer's time over ours: the median over rounds in one process, in "
    "turn, with its range; both sides compute the same numbers to\nwhat stands beside it. Times are medians without "
    "compilation. Bold: below what was wanted.\n\n"
    "| work | peer | at least | ratio | range | ours | peer's | results differ by |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
GROWTH = (
    "\n## How a step grows\n\n"
    "`python benchmarks/bench_growth.py`: processor time of a step on one core and the memory that its program needs, "
    "against one size each, the others as they\nstand beside the name: N particles (nodes, cells), Q samples, D "
    "parameters (d inputs of a residual network), L levels, B samples a step, T steps. Exponents are fitted without "
    "the\nsmallest size, with standard errors; beside them that of the count of operations, and for memory that of the "
    "largest array, which it is at most. Bold: not so.\n\n"
    "| dynamics | size | time at the end | exponent | expected | memory at the end | exponent | at most |\n"
    "|---|---|---|---|---|---|---|---|\n"
)


def span(seconds: float) -> str:
    """A time in s, ms, us or ns."""
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"


def line(row: dict[str, Any]) -> str:
    reached = row["ratio"] >= row["wanted"]
    ratio = f"{row['ratio']:.2f}" if reached else f"**{row['ratio']:.2f}**"
    low, high = row["range"]
    cells = (
        row["work"],
        row["peer"],
        f"{row['wanted']:g}",
        ratio,
        f"{low:.2f} to {high:.2f}",
        span(row["seconds"]),
        span(row["peer_seconds"]),
        f"{row['apart']:.0e}",
    )
    return f"| {' | '.join(cells)} |\n"


def growth(record: dict[str, Any]) -> str:
    """The exponents, a line a dynamics and size."""
    lines = []
    for name, case in record["growth"].items():
        base = ", ".join(f"{size} = {value:,}" for size, value in case["base"].items())
        for size, row in case["grown"].items():
            cells = [f"{name} ({base})", f"{size} = {row['sizes'][0]:,} to {row['sizes'][-1]:,}"]
            for what, last in (("seconds", span), ("bytes", lambda held: f"{held / 2**20:.3g} MiB")):
                fit = row[what]
                slope = f"{fit['exponent']:.2f} +- {fit['error']:.2f}"
                shown = slope if as_expected(fit, what) else f"**{slope}**"
                cells += [last(fit["values"][-1]), shown, f"{fit['expected']:g}"]
            lines.append(f"| {' | '.join(cells)} |\n")
    return GROWTH + "".join(lines)


def main() -> None:
    records = {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "results").glob("*.json"))}
    raced = {name: record for name, record in records.items() if "rows" in record}
    text = HEAD + "".join(line(row) for record in raced.values() for row in record["rows"])
    notes = (HERE / "limits.md").read_text() if (HERE / "limits.md").exists() else ""
    text += f"\n{notes}" if notes else ""
    text += "".join(growth(record) for record in records.values() if "growth" in record)
    text += "\n## How they were made\n\n"
    for record in raced.values():
        versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
        text += (
            f"- `{record['how']}`: {record['rounds']} rounds, {record['cores']} core(s) of {record['processor']}; "
            f"{versions}.\n"
        )
    (HERE / "RESULTS.md").write_text(text)


if __name__ == "__main__":
    main()
