"""`widelimit diagnose`: a model and a table from files."""

import pathlib
from typing import Any

import typer

from widelimit.runs.errors import BadInput, sentence
from widelimit.runs.folder import print_json


def diagnose_files(
    model: pathlib.Path,
    data: str,
    target: list[str] | None,
    classes: list[str] | None,
    held_out: str | None,
    out: pathlib.Path | None,
    options: dict[str, Any],
    *,
    json: bool,
) -> None:
    """Judge the model on the table; print what is said, and write the page."""
    from widelimit._diagnose import diagnose
    from widelimit.problem import losses

    try:
        chosen = options.pop("loss") or ("squared" if not classes else "logistic" if len(classes) == 2 else "softmax")
        loss = losses.registry.make(chosen)
        x, y = _table(data, target, classes, chosen)
        other = None if held_out is None else _table(held_out, target, classes, chosen)
        found = diagnose(model, x, y, loss=loss, held_out=other, **options)
        page = None if out is None else found.save(out)
    except ValueError as error:
        raise BadInput(sentence(error)) from error
    if json:
        print_json(found.record())
        return
    typer.echo(str(found))
    if page is not None:
        typer.echo(f"report: {page}")


def _table(source: str, target: list[str] | None, classes: list[str] | None, loss: str) -> tuple[Any, Any]:
    """The rows. For softmax the classes' -1 and +1 become 0 and 1. Raises `ValueError` for a class of one row."""
    import numpy as np

    from widelimit.problem.data import read_table

    table = read_table(source, target=target or None, classes=classes or None)
    y = table.target
    if classes:
        counts = (y > 0).sum(axis=0) if y.ndim == 2 else np.array([(y < 0).sum(), (y > 0).sum()])
        if np.any(counts == 1):
            name = table.classes[int(np.argmax(counts == 1))]
            raise ValueError(f"{source}: the class {name!r} appears once; nothing can be said of a class of one row.")
    return table.features, 0.5 * (y + 1.0) if loss == "softmax" else y
