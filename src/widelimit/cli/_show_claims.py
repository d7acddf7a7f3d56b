"""What checked claims look like on a terminal."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from widelimit.papers import Checked, Verdict, shown, tally

_COLOURS = {Verdict.REPRODUCED: "green", Verdict.CORRECTED: "cyan", Verdict.NOT_REPRODUCED: "red"}


def print_claims(title: str, checked: Sequence[Checked], *, full: bool) -> None:
    """A table and a line with the counts, on standard output; `full` prints every field of each claim instead."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    if full:
        for row in checked:
            _print_one(console, row)
    else:
        console.print(_table(title, checked))
    console.print(escape(f"{title}: {tally(checked)}"), soft_wrap=True)


def _table(title: str, checked: Sequence[Checked]) -> Table:
    table = Table("claim", "statement", "printed", "computed", "verdict", title=title, show_lines=True)
    for row in checked:
        remark = f"\nmisprint: {row.misprint}" if row.misprint else ""
        why = f"\n{row.why}" if row.why and row.verdict is Verdict.NOT_REPRODUCED else ""
        table.add_row(
            escape(row.id),
            escape(f"{row.statement} ({row.where})"),
            escape(shown(row.printed, row.digits)),
            escape(shown(row.computed, row.digits)),
            f"[{_COLOURS[row.verdict]}]{row.verdict.value}[/]" + escape(remark + why),
        )
    return table


def _print_one(console: Console, row: Checked) -> None:
    table = Table(show_header=False, title=escape(row.id), show_lines=True)
    fields = (
        ("statement", row.statement),
        ("where", row.where),
        ("printed", shown(row.printed, row.digits)),
        ("misprint", row.misprint),
        ("computed", shown(row.computed, row.digits)),
        ("deviation", f"{row.deviation:.3g}, allowed {row.tolerance:.3g}: {row.reason}"),
        ("verdict", row.verdict.value),
        ("why", row.why),
        ("scale", f"{row.scale.value}, {row.seconds:.1f} s"),
    )
    for name, text in fields:
        if text:
            table.add_row(name, escape(text))
    console.print(table)
