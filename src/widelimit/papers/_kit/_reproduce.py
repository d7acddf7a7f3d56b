"""The two verbs on a paper: draw its figures, check its claims."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence

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
    tell: Callable[[str], None] = print,
) -> Reproduction:
    """Draw the paper's figures and check its claims, into `out`/<paper>/<scale>; or one figure and no claim.

    A run that was stopped goes on where it stopped: finished pieces are kept in `out`/<paper>/pieces.

    **Raises** `ValueError` for a figure that is not there, `OSError` where `out` cannot be written.
    """
    chosen = paper.figures if figure is None else (paper.figure(figure),)
    results = Results(out / paper.name, scale)
    bench = results.bench(tell)
    failed = {}
    for one in chosen:
        trouble = _draw(one, paper, results, bench)
        if trouble:
            failed[one.name] = trouble
    checked: tuple[Checked, ...] = ()
    if figure is None:
        checked = check_claims(paper.claims, bench, keep=results)
    return Reproduction(_write_page(paper, results), failed, checked)


def check_claims(claims: Sequence[Claim], bench: Bench, *, keep: Results | None = None) -> tuple[Checked, ...]:
    """Check claims one after the other; each is stored as soon as it is known where `keep` says where."""
    checked = []
    for number, claim in enumerate(claims, 1):
        bench.tell(f"claim {number}/{len(claims)} {claim.id}{about(claim.cost.at(bench.scale))}")
        checked.append(claim.check(bench))
        if keep is not None:
            keep.keep_claims(checked[-1:])
    return tuple(checked)


def about(seconds: float) -> str:
    """`, about 40 s` for what takes longer than 2 s; nothing else."""
    if seconds <= 2.0:
        return ""
    return f", about {seconds:.0f} s" if seconds < 120.0 else f", about {seconds / 60.0:.0f} min"


def _draw(figure: Figure, paper: Paper, results: Results, bench: Bench) -> str:
    """Compute, draw and store one figure; what went wrong, or nothing."""
    bench.tell(f"{paper.name}/{figure.name}: {figure.title}{about(figure.cost.at(bench.scale))}")
    began = time.monotonic()
    try:
        data = figure.compute(bench)
        png = figure.draw(data)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        bench.tell(f"{paper.name}/{figure.name}: failed: {error}")
        return " ".join(str(error).split())
    results.keep_figure(figure, data, png, time.monotonic() - began)
    _write_page(paper, results)
    return ""


def _write_page(paper: Paper, results: Results) -> pathlib.Path:
    results.place.mkdir(parents=True, exist_ok=True)
    return paper_page(paper, results).save(results.page)
