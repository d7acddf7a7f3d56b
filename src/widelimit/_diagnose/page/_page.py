"""A diagnosis as an HTML page."""

from typing import TYPE_CHECKING

from widelimit.report.pages import Page, Section, Table, make_page

from .._helps import Help
from .._training import STARTS
from . import _pictures, _sentences

if TYPE_CHECKING:
    from .._diagnosis import Diagnosis

_VERDICTS = {"helps": "yes", "no": "no", "undecided": "not decided"}

_AGAINST = (
    "Each way is judged against the best without it: longer training against this network, another start against both, "
    "more neurons against all three. A gain below zero is a loss."
)


def page(d: "Diagnosis") -> Page:
    """The diagnosis as an HTML page."""
    how = d.training
    rows = (
        ("as it is", f"{how.objective:.5g}"),
        (f"trained on, {how.steps} steps with all rows", f"{how.longer:.5g}"),
        (f"{STARTS} other random starts, as many steps", _sentences.ends(how.again)),
        (f"{how.large.width} neurons, {STARTS} random starts, as many steps", _sentences.ends(how.large)),
        ("the best constant", f"{how.constant:.5g}"),
    )
    lost = _sentences.time_left(d) or "The loss is not squared: there is no linear theory of the time that is left."
    tables = [_helps("What lowers the objective on its own rows", d.helps)]
    if d.helps_held_out:
        tables.insert(0, _helps("What lowers the risk on rows that were held out", d.helps_held_out))
    sections = (
        Section("advice", "What helps", (*_sentences.advice(d)[1:], _AGAINST), tables=tuple(tables)),
        Section(
            "training",
            "What was tried",
            (_sentences.trained(d), _sentences.starts(d), lost),
            (_pictures.objectives(d),),
            (
                Table(
                    "Objective on the rows (\N{PLUS-MINUS SIGN}: interval of 95 % of the mean)",
                    ("network", "objective"),
                    rows,
                ),
            ),
        ),
        Section("predictions", "Predictions", tuple(_sentences.data(d)), (_pictures.predictions(d),)),
        Section(
            "neurons",
            "The neurons",
            (_sentences.dead(d), *_sentences.duplicates(d), _sentences.smaller(d)),
            (_pictures.neurons(d),),
        ),
        Section(
            "width",
            "Networks of any width",
            tuple(
                filter(
                    None,
                    (*_sentences.band(d), _sentences.own_budget(d.gap.statement), _sentences.own_budget(d.gap.bracket)),
                )
            ),
        ),
    )
    notes = tuple(filter(None, (_sentences.learned(d),)))
    lead = (f"{d.source}: {len(d.measure)} hidden neurons, objective {how.objective:.4g} on its rows.", d.statement)
    return make_page("Diagnosis of a trained network", lead, (), sections, notes=notes)


def _helps(caption: str, helps: tuple[Help, ...]) -> Table:
    rows = tuple((_sentences.WAYS[help.way], _sentences.fall(help), _VERDICTS[help.verdict]) for help in helps)
    return Table(caption, ("to", "falls by (\N{PLUS-MINUS SIGN} 95 %)", "helps"), rows)
