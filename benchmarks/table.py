"""Write RESULTS.md from what the benchmarks kept in results/: python benchmarks/table.py."""

import json
import pathlib
from typing import Any

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


def main() -> None:
    records = {path.stem: json.loads(path.read_text()) for path in sorted((HERE / "results").glob("*.json"))}
    raced = {name: record for name, record in records.items() if "rows" in record}
    text = HEAD + "".join(line(row) for record in raced.values() for row in record["rows"])
    notes = (HERE / "limits.md").read_text() if (HERE / "limits.md").exists() else ""
    text += f"\n{notes}" if notes else ""
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
