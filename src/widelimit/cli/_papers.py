"""`widelimit reproduce` and `widelimit claims`."""

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import typer

from widelimit.papers import (
    Bench,
    Checked,
    Claim,
    Figure,
    Paper,
    Scale,
    check_claims,
    duration,
    named,
    names,
    reproduce,
)
from widelimit.results import one_of
from widelimit.runs.errors import FAILED, BadInput, Interrupted, sentence, tell
from widelimit.runs.folder import locked, print_json, writing

_KINDS = ("png", "svg", "pdf")


def list_parameters(what: str | None) -> None:
    """`widelimit reproduce --list`: the figures, and what may be set in each."""
    with _asked():
        name, _, figure = (what or "").partition("/")
        for paper in [named(name)] if what is not None else [named(name) for name in names()]:
            for one in (paper.figure(figure),) if figure else paper.figures:
                typer.echo(f"{paper.name}/{one.name}: {one.title} ({_times(one)})")
                for parameter in one.parameters:
                    typer.echo(f"    {parameter.words}")
                if one.fixed:
                    typer.echo(f"    nothing can be set: {one.fixed}")


def reproduce_papers(
    what: str | None, scale: str, out: pathlib.Path, settings: Sequence[str], formats: Sequence[str]
) -> None:
    """`widelimit reproduce`: figures and claims of a paper, or of all, or one figure, with parameters that are set."""
    from widelimit.runs.parse import read_settings

    given = read_settings(settings)
    with _asked():
        size = _scale(scale)
        kinds = [one_of(kind, _KINDS, "--format") for kind in formats]
        name, _, figure = (what or "").partition("/")
        papers = [named(name)] if what is not None else [named(name) for name in names()]
        if what is not None and "/" in what:
            papers[0].figure(figure)
        if given:
            if not figure:
                raise BadInput("--set goes with one figure: `widelimit reproduce mei2018/fig1 --set delta=0.5`.")
            papers[0].figure(figure).checked(given, what or "", size)
    _writable(out, papers)
    if not figure:
        for paper in papers:
            tell(_contents(paper, size))
    options = {"figure": figure or None, "settings": given, "formats": kinds}
    news = []
    for paper in papers:
        with locked(out / paper.name), _stoppable("reproduce", out):
            done = reproduce(paper, out, scale=size, tell=tell, **options)
        if done.checked:
            _show(paper, done.checked)
        typer.echo(str(done.page))
        news += [f"{paper.name}/{figure}: {why}" for figure, why in done.failed.items()] + _news(paper, done.checked)
    _end(news)


def check_papers(name: str | None, scale: str, only: list[str], out: pathlib.Path | None, *, json: bool) -> None:
    """`widelimit claims`: the claims of a paper, or of all."""
    with _asked():
        size = _scale(scale)
        papers = [named(name)] if name is not None else [named(name) for name in names()]
        chosen = [(paper, _chosen(paper, only, alone=len(papers) == 1)) for paper in papers]
        if only and not any(claims for _, claims in chosen):
            raise BadInput(f"--only {only[0]}: no paper has a claim of this name.")
    if out is not None:
        _writable(out, [paper for paper, _ in chosen])
    found = [(paper, _check(paper, claims, size, out)) for paper, claims in chosen if claims]
    if json:
        records = {paper.name: [row.record() for row in checked] for paper, checked in found}
        print_json({"scale": size.value, "papers": records})
    else:
        for paper, checked in found:
            _show(paper, checked, full=bool(only))
    _end([line for paper, checked in found for line in _news(paper, checked)])


def _check(paper: Paper, claims: list[Claim], size: Scale, out: pathlib.Path | None) -> tuple[Checked, ...]:
    """Check claims; with a folder the pieces and the results are kept there."""
    if out is None:
        return check_claims(claims, Bench(size, None, tell))
    from widelimit.papers import Results

    results = Results(out / paper.name, size)
    with locked(out / paper.name), _stoppable("claims", out):
        return check_claims(claims, results.bench(tell), keep=results)


def _chosen(paper: Paper, only: list[str], *, alone: bool) -> list[Claim]:
    """The claims asked for; where one paper alone is asked, each must be there."""
    if not only:
        return list(paper.claims)
    if alone:
        return [paper.claim(id) for id in only]
    return [claim for claim in paper.claims if claim.id in only]


def _times(figure: Figure) -> str:
    """What the paper's parameters take; other ones may take more or less."""
    quick, full = (duration(figure.cost.at(scale)) for scale in (Scale.QUICK, Scale.PAPER))
    return f"about {quick}" if quick == full else f"about {quick}, paper scale {full}"


def _contents(paper: Paper, size: Scale) -> str:
    figures = ", ".join(figure.name for figure in paper.figures)
    seconds = sum(part.cost.at(size) for part in (*paper.figures, *paper.claims))
    return f"{paper.name}: figures {figures}; {len(paper.claims)} claims; all of it about {duration(seconds)}"


def _show(paper: Paper, checked: tuple[Checked, ...], *, full: bool = False) -> None:
    from ._show_claims import print_claims

    print_claims(paper.name, checked, full=full)


def _news(paper: Paper, checked: tuple[Checked, ...]) -> list[str]:
    return [f"{paper.name}, {row.id}: {row.verdict.value} ({row.why})" for row in checked if not row.as_expected]


def _end(news: list[str]) -> None:
    """Exit code 1 with the sentences, if something is not as it should be."""
    for line in news:
        tell(f"widelimit: {sentence(line)}")
    if news:
        raise typer.Exit(FAILED)


def _scale(text: str) -> Scale:
    return Scale(one_of(text, [scale.value for scale in Scale], "--scale"))


def _writable(out: pathlib.Path, papers: list[Paper]) -> None:
    """Make the papers' folders, or say that they cannot be written."""
    for paper in papers:
        with writing(f"--out {out}"):
            (out / paper.name).mkdir(parents=True, exist_ok=True)
            (out / paper.name / ".part").write_bytes(b"")
            (out / paper.name / ".part").unlink()


@contextlib.contextmanager
def _asked() -> Iterator[None]:
    """What the user asked for is not there: the library's sentence."""
    try:
        yield
    except BadInput:
        raise
    except ValueError as error:
        raise BadInput(sentence(error)) from error


@contextlib.contextmanager
def _stoppable(command: str, out: pathlib.Path) -> Iterator[None]:
    """Ctrl-C and a full disk leave what was finished."""
    try:
        with writing(f"--out {out}"):
            yield
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; the same `widelimit {command}` goes on from what is finished in {out}") from None
