"""The two verbs on a paper: draw its figures, check its claims."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ._bench import Bench, Scale
from ._claims import Checked, Claim
from ._figures import Figure
from ._folder import Results
from ._page import paper_page
from ._paper import Paper


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """What was done: the page, the figures that failed (name -> why), the claims that were checked."""

    page: pathlib.Path
    failed: dict[str, str]
    checked: tuple[Checked, ...]

    @property
    def ok(self) -> bool:
        """Whether every figure was drawn and every claim is as expected."""
        return not self.failed and all(row.as_expected for row in self.checked)


def reproduce(
    paper: Paper,
    out: pathlib.Path,
    *,
    scale: Scale = Scale.QUICK,
    figure: str | None = None,
    settings: Mapping[str, Any] | None = None,
    formats: Sequence[str] = (),
    tell: Callable[[str], None] = print,
) -> Reproduction:
    """Draw the paper's figures and check its claims, into `out`/<paper>/<scale>; or one figure and no claim.

    A run that was stopped goes on where it stopped: finished pieces are kept in `out`/<paper>/pieces.

    - `settings`: parameters of the one figure in place of the paper's. It then has a name and a page of its own.
    - `formats`: "svg", "pdf": pictures beside the PNG.

    **Raises** `ValueError` for a figure or a parameter that is not there, `OSError` where `out` cannot be written.
    """
    results = Results(out / paper.name, scale)
    if settings:
        if figure is None:
            raise ValueError(f"{paper.name}: parameters are those of one figure; name it: {paper.name}/fig1.")
        changes = paper.figure(figure).checked(settings, f"{paper.name}/{figure}", scale)
        if changes:
            return _changed(paper, paper.figure(figure), results, results.bench(tell, changes), formats)
    chosen = paper.figures if figure is None else (paper.figure(figure),)
    bench = results.bench(tell)
    failed = {}
    for one in chosen:
        trouble = _draw(one, paper, results, bench, formats)
        if trouble:
            failed[one.name] = trouble
        else:
            _write_page(paper, results)
    rows: tuple[Checked, ...] = ()
    if figure is None:
        rows = check_claims(paper.claims, bench, keep=results)
    return Reproduction(_write_page(paper, results), failed, rows)


def check_claims(claims: Sequence[Claim], bench: Bench, *, keep: Results | None = None) -> tuple[Checked, ...]:
    """Check claims one after the other; each is stored as soon as it is known where `keep` says where."""
    rows = []
    for number, claim in enumerate(claims, 1):
        bench.tell(f"claim {number}/{len(claims)} {claim.id}{about(claim.cost.at(bench.scale))}")
        rows.append(claim.check(bench))
        if keep is not None:
            keep.keep_claims(rows[-1:])
    return tuple(rows)


def about(seconds: float) -> str:
    """`, about 40 s` for what takes longer than 2 s; nothing else."""
    return f", about {duration(seconds)}" if seconds > 2.0 else ""


def duration(seconds: float) -> str:
    """`40 s`, `5 min`, `3 h`: a rough one, in the unit that leaves at least two of it."""
    for unit, name in ((3600.0, "h"), (60.0, "min")):
        if seconds >= 2.0 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def _changed(paper: Paper, figure: Figure, results: Results, bench: Bench, formats: Sequence[str]) -> Reproduction:
    """One figure with other parameters, on a page of its own."""
    other = figure.changed(dict(bench.changes), bench.scale)
    trouble = _draw(other, paper, results, bench, formats)
    alone = dataclasses.replace(paper, figures=(other,), claims=())
    page = results.place / f"{other.name}.html"
    if not trouble:
        paper_page(alone, results).save(page)
    return Reproduction(page, {other.name: trouble} if trouble else {}, ())


def _draw(figure: Figure, paper: Paper, results: Results, bench: Bench, formats: Sequence[str]) -> str:
    """Compute, draw and store one figure; what went wrong, or nothing."""
    # What other parameters cost is not known.
    usual = about(figure.cost.at(bench.scale)) + (" for the paper's" if bench.changes else "")
    bench.tell(f"{paper.name}/{figure.name}: {figure.title}{usual}")
    began = time.monotonic()
    try:
        data = figure.compute(bench)
        png = figure.draw(data)
        others = {kind: figure.draw(data, kind) for kind in formats if kind != "png"}
    except (ValueError, RuntimeError, ArithmeticError) as error:
        bench.tell(f"{paper.name}/{figure.name}: failed: {error}")
        return " ".join(str(error).split())
    results.keep_figure(figure, data, png, time.monotonic() - began)
    for kind, picture in others.items():
        results.keep_picture(figure, kind, picture)
    return ""


def _write_page(paper: Paper, results: Results) -> pathlib.Path:
    results.place.mkdir(parents=True, exist_ok=True)
    return paper_page(paper, results).save(results.page)
