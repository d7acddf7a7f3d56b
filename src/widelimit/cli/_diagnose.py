"""`widelimit diagnose`: a model and a table from files."""

import pathlib
from typing import TYPE_CHECKING, Any

import typer

from widelimit.runs.errors import BadInput, sentence, tell
from widelimit.runs.folder import print_json

if TYPE_CHECKING:
    from widelimit.problem.data import Table


def diagnose_files(
    model: pathlib.Path,
    data: str,
    reading: dict[str, Any],
    held_out: str | None,
    out: pathlib.Path | None,
    options: dict[str, Any],
    *,
    json: bool,
) -> None:
    """Judge the model on the table, read as `reading` says; print what is said, and write the page."""
    from widelimit._diagnose import diagnose
    from widelimit.problem import losses
    from widelimit.problem.data import read_table

    classes = reading["classes"]
    notes: tuple[str, ...] = ()
    try:
        chosen = options.pop("loss") or ("squared" if not classes else "logistic" if len(classes) == 2 else "softmax")
        loss = losses.registry.make(chosen)
        table = read_table(data, **reading)
        x, y = _rows(table, chosen)
        other = None if held_out is None else _rows(table.like(held_out), chosen)
        notes = table.notes
        found = diagnose(model, x, y, loss=loss, held_out=other, **options)
        page = None if out is None else found.save(out)
    except ValueError as error:
        # What was made of the columns may be why they do not fit.
        made = f" ({data}: {'; '.join(notes)}.)" if notes else ""
        raise BadInput(f"{sentence(error)}{made}") from error
    for note in notes:
        tell(f"notice: {data}: {note}")
    if json:
        print_json(found.record())
        return
    typer.echo(str(found))
    if page is not None:
        typer.echo(f"report: {page}")


def _rows(table: "Table", loss: str) -> tuple[Any, Any]:
    """Inputs and targets. For softmax the classes' -1 and +1 become 0 and 1. Raises `ValueError` as `check_classes`."""
    table.check_classes()
    return table.features, 0.5 * (table.target + 1.0) if loss == "softmax" else table.target
