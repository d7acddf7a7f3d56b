"""A diagnosis in sentences, in numbers, and as a page."""

import math
from typing import TYPE_CHECKING, Any

from widelimit.report.pages import Page, Section, Table, make_page

from ._training import STEPS

if TYPE_CHECKING:
    from ._diagnosis import Diagnosis

# A gain that is worth a sentence, as a share of what there is.
_WORTH = 0.05
# How many indices a sentence lists.
_LISTED = 12

_WAYS = {
    "longer": "train longer",
    "another start": "train from another start",
    "wider": "take more neurons",
    "smaller steps": "take smaller steps, or larger batches",
    "more data": "get more data",
}


def sentences(d: "Diagnosis") -> tuple[str, ...]:
    """What there is to say, the advice first."""
    said = [_advice(d), _training(d), _time(d), _gap(d), _dead(d), *_duplicates(d), _smaller(d), _regime(d), _data(d)]
    return tuple(sentence for sentence in said if sentence)


def _advice(d: "Diagnosis") -> str:
    how = d.training
    worth = [(name, gain) for name, gain in d.helps if gain > _WORTH * _whole(d, name)]
    if not worth:
        tried = ", ".join(_WAYS[name] for name, _ in d.helps)
        return (
            f"Nothing that was tried helps much: each of ({tried}) gains less than {_WORTH:.0%} of {how.objective:.3g}."
        )
    name, gain = worth[0]
    what = "the risk on other rows is above that on its own" if name == "more data" else "the objective falls"
    rest = "".join(f"; then to {_WAYS[other]} ({more:.3g})" for other, more in worth[1:])
    return f"What would help most is to {_WAYS[name]}: {what} by {gain:.3g}, of {_whole(d, name):.3g}{rest}."


def _whole(d: "Diagnosis", name: str) -> float:
    return d.held_out if name == "more data" and d.held_out is not None else d.training.objective


def _training(d: "Diagnosis") -> str:
    how = d.training
    rest = f"grad psi is {how.stationarity.conditions[1]:.2g} of its parts"
    if how.trained:
        return (
            f"Training was done: {STEPS} more steps with all rows at once (L-BFGS) bring the objective from "
            f"{how.objective:.4g} to no less than {how.longer:.4g}; {rest}."
        )
    return (
        f"Training was not done: {STEPS} more steps with all rows at once (L-BFGS) bring the objective from "
        f"{how.objective:.4g} to {how.longer:.4g}; {rest}."
    )


def _time(d: "Diagnosis") -> str:
    spectrum = d.training.spectrum
    if spectrum is None:
        return ""
    if math.isinf(spectrum.half):
        return (
            "By the linear theory at this point gradient descent never halves the risk: more than half of it lies "
            "where the tangent kernel does not reach."
        )
    said = (
        f"By the linear theory at this point plain gradient descent halves the risk after a time of "
        f"{spectrum.half:.3g} (learning rate times steps); its time constants go "
        f"from {spectrum.times[0]:.2g} to {spectrum.times[-1]:.2g}."
    )
    if d.problem.penalty is not None:
        said += " That leaves the penalty out."
    return said


def _gap(d: "Diagnosis") -> str:
    gap = d.gap
    said = gap.bracket if gap.informs else gap.statement
    return "Networks of any width: " + _small(said).replace("(as given)", "(the model's own)")


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def _dead(d: "Diagnosis") -> str:
    if not d.dead:
        return f"None of the {len(d.measure)} neurons is dead."
    return (
        f"{len(d.dead)} of the {len(d.measure)} neurons are dead, their part of the prediction is constant on the "
        f"rows: {_listed(d.dead)}."
    )


def _duplicates(d: "Diagnosis") -> list[str]:
    out = []
    if d.duplicates:
        spare = sum(len(group) - 1 for group in d.duplicates)
        out.append(
            f"{len(d.duplicates)} groups of neurons do the same on the rows, {spare} neurons could be merged into "
            f"others: {_listed(d.duplicates)}."
        )
    if d.cancelling:
        out.append(f"{len(d.cancelling)} of these groups nearly cancel in themselves: {_listed(d.cancelling)}.")
    return out


def _listed(items: Any) -> str:
    shown = ", ".join(str(item) for item in items[:_LISTED])
    return shown if len(items) <= _LISTED else f"{shown} and {len(items) - _LISTED} more"


def _smaller(d: "Diagnosis") -> str:
    small = d.smaller
    if small.width == len(d.measure):
        return "No smaller network was found that predicts the same within the tolerance."
    how = "trained on its predictions" if small.trained else "taken from the model and with other output weights"
    return (
        f"{small.width} neurons, {how}, predict the same to {small.difference:.2g} of the predictions' standard "
        f"deviation, on the rows and halfway between them; the largest difference is {small.largest:.2g}."
    )


def _regime(d: "Diagnosis") -> str:
    if d.regime is None:
        return ""
    moved = "" if d.regime.inner is None else f", the inner weights moved by {d.regime.inner:.2g} of their size"
    return (
        f"It learned {'as a kernel method' if d.regime.verdict == 'kernel' else 'with features of its own'} "
        f"({d.regime.verdict}): the tangent kernel changed by {d.regime.kernel_change:.2g}{moved}."
    )


def _data(d: "Diagnosis") -> str:
    if d.held_out is None:
        return ""
    return f"The risk is {d.risk:.4g} on the rows and {d.held_out:.4g} on those that were held out."


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def record(d: "Diagnosis") -> dict[str, Any]:
    """The numbers, for JSON."""
    how, gap, small = d.training, d.gap, d.smaller
    return {
        "source": d.source,
        "width": len(d.measure),
        "sentences": list(d.sentences),
        "difference": d.difference,
        "risk": d.risk,
        "held_out_risk": d.held_out,
        "objective": how.objective,
        "gap": {
            "gap": _number(gap.gap),
            "lower": _number(gap.lower),
            "upper": _number(gap.upper),
            "budget": _number(gap.budget),
            "certified": gap.certified,
            "statement": gap.statement,
        },
        "training": {
            "done": how.trained,
            "longer": how.longer,
            "another_start": how.restarted,
            "wider": how.wider,
            "wider_width": how.wider_width,
            "stationarity": [float(v) for v in how.stationarity.conditions],
            "half_time": None if how.spectrum is None else _number(how.spectrum.half),
        },
        "dead": list(d.dead),
        "duplicates": [list(group) for group in d.duplicates],
        "cancelling": [list(group) for group in d.cancelling],
        "smaller": {
            "width": small.width,
            "difference": small.difference,
            "largest": small.largest,
            "trained": small.trained,
        },
        "regime": None if d.regime is None else d.regime.verdict,
        "helps": {name: gain for name, gain in d.helps},
    }


def page(d: "Diagnosis") -> Page:
    """The diagnosis as an HTML page."""
    how = d.training
    rows = (
        ("as it is", f"{how.objective:.5g}"),
        (f"trained on, {STEPS} steps with all rows", f"{how.longer:.5g}"),
        ("from another random start", f"{how.restarted:.5g}"),
        (f"{how.wider_width} neurons from a random start", f"{how.wider:.5g}"),
    )
    ways = tuple((_WAYS[name], f"{gain:.3g}") for name, gain in d.helps)
    sections = (
        Section(
            "training",
            "What was tried",
            (_training(d), _time(d) or "The loss is not squared: there is no linear theory of the time that is left."),
            tables=(Table("Objective on the rows", ("network", "objective"), rows),),
        ),
        Section("advice", "What helps", tables=(Table("By how much", ("to", "it falls by"), ways),)),
        Section("width", "Networks of any width", (d.gap.statement, d.gap.bracket)),
        Section("neurons", "The neurons", (_dead(d), *_duplicates(d), _smaller(d))),
    )
    notes = tuple(filter(None, (_regime(d), _data(d))))
    lead = (f"{d.source}: {len(d.measure)} hidden neurons, objective {how.objective:.4g} on its rows.", d.statement)
    return make_page("Diagnosis of a trained network", lead, (), sections, notes=notes)
