"""One page for a paper: its figures, and its claims in a table."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ._claims import Checked, Verdict, shown, tally
from ._folder import Results, Shown
from ._mathematics import mathematics
from ._paper import Paper

if TYPE_CHECKING:
    from widelimit.report.pages import Page, Section

_SCALES = {
    "quick": "Quick scale: fewer SGD steps, neurons or points than in the paper where a minute asks for it; "
    "each picture says what it was made with.",
    "paper": "Paper scale: the paper's sizes; where a step is larger than the paper's, the picture says which and why.",
}


def paper_page(paper: Paper, results: Results) -> "Page":
    """What is finished in the folder, as a page."""
    from widelimit.report.pages import Picture, Section, make_page

    figures = results.figures(figure.name for figure in paper.figures)
    order = [claim.id for claim in paper.claims]
    rows = sorted((row for row in results.claims() if row.id in order), key=lambda row: order.index(row.id))
    sections = [
        Section(
            figure.name,
            _heading(figure, paper),
            (_links(figure.name),),
            (Picture(figure.name, figure.png, mathematics(figure.caption), figure.alt),),
        )
        for figure in figures
    ]
    if rows:
        sections.append(_claims_section(rows))
    lead = [paper.citation, _SCALES[results.scale.value], *([mathematics(paper.symbols)] if paper.symbols else [])]
    return make_page(f"{paper.name}, reproduced", lead, _warnings(paper, figures, rows), sections)


def _heading(figure: Shown, paper: Paper) -> str:
    """Only a figure that the paper prints has a number."""
    number = figure.name.removeprefix("fig").partition(",")[0]
    return figure.title if not figure.name.startswith("fig") else f"Fig. {number} of {paper.name}: {figure.title}"


def _links(name: str) -> Any:
    """To what the figure is drawn from: files beside the page."""
    from markupsafe import Markup

    files = ", ".join(f'<a href="{name}.{kind}">{name}.{kind}</a>' for kind in ("npz", "png", "json"))
    return Markup(f"Its arrays, the picture and its words: {files}.")


def _claims_section(claims: Sequence[Checked]) -> "Section":
    """What was found, and below it, on request, how it was compared."""
    from widelimit.report.pages import Section, Table

    found = Table("", ("claim", "statement", "printed", "computed", "verdict"), tuple(_row(claim) for claim in claims))
    compared = tuple(
        (claim.id, f"{claim.deviation:.2g}", f"{claim.tolerance:.2g}", mathematics(claim.reason)) for claim in claims
    )
    how = Table("How each was compared", ("claim", "off by", "allowed", "what is compared, and why so much"), compared)
    return Section("claims", "Claims", (f"{tally(claims)}.",), tables=(found,), folded=(how,))


def _row(claim: Checked) -> tuple[str, ...]:
    said = [claim.verdict.value, f"misprint: {claim.misprint}" if claim.misprint else "", claim.why]
    return (
        claim.id,
        mathematics(f"{claim.statement} ({claim.where})"),
        mathematics(shown(claim.printed, claim.digits)),
        mathematics(shown(claim.computed, claim.digits)),
        mathematics(". ".join(part.rstrip(".") for part in said if part) + "."),
    )


def _warnings(paper: Paper, figures: Sequence[Shown], claims: Sequence[Checked]) -> list[str]:
    """What is missing, and what is not as it should be."""
    there = {figure.name for figure in figures}
    missing = [figure.name for figure in paper.figures if figure.name not in there]
    said = [f"Not drawn yet at this scale: {', '.join(missing)}."] if missing else []
    news = [claim for claim in claims if not claim.as_expected]
    said += [f"{claim.id}: {claim.verdict.value}, expected {claim.expected.value}. {claim.why}" for claim in news]
    known = [claim.id for claim in claims if claim.as_expected and claim.verdict is Verdict.NOT_REPRODUCED]
    return said + ([f"Known not to be reproduced, with the reason in the table: {', '.join(known)}."] if known else [])
