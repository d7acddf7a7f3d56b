"""A diagnosis in sentences, each true at the errors of its numbers."""

import math
from typing import TYPE_CHECKING, Any

from widelimit.analysis import Classification
from widelimit.report.words import apart, count, listed, with_error

from .._helps import WORTH, Help
from .._training import FLOOR, STARTS, Trials

if TYPE_CHECKING:
    from .._diagnosis import Diagnosis

# How many indices a sentence lists.
_LISTED = 12

WAYS = {
    "longer": "train longer",
    "another start": "train from another start",
    "wider": "take more neurons",
    "smaller steps": "take smaller steps, or larger batches",
    "more data": "get more data",
}

_LEARNED = {
    "kernel": "It learned as a kernel method (kernel)",
    "intermediate": "It learned between a kernel method and features of its own (intermediate)",
    "adaptive": "It learned with features of its own (adaptive)",
}


def sentences(d: "Diagnosis") -> tuple[str, ...]:
    """What there is to say, the advice first."""
    said = [
        *advice(d),
        trained(d),
        starts(d),
        time_left(d),
        any_width(d),
        dead(d),
        *duplicates(d),
        smaller(d),
        learned(d),
        *band(d),
        *data(d),
    ]
    return tuple(sentence for sentence in said if sentence)


def advice(d: "Diagnosis") -> list[str]:
    """What would help: on rows that were held out, where there are some, and on the model's own."""
    own = _best(d.helps, "on its own rows", "objective", f"{d.training.objective:.3g}")
    if d.held_out is None:
        open_end = " Whether it helps on other rows is not known; held_out= tells."
        return [own[:1].upper() + own[1:] + (open_end if _worth(d.helps) else "")]
    other = _best(d.helps_held_out, "on rows that were held out", "risk", f"{d.held_out:.3g}")
    return [text[:1].upper() + text[1:] for text in (other, *_harms(d), own)]


def _worth(helps: tuple[Help, ...]) -> list[Help]:
    return [help for help in helps if help.verdict == "helps"]


def _best(helps: tuple[Help, ...], where: str, what: str, of: str) -> str:
    worth = _worth(helps)
    open_ones = [f"to {WAYS[help.way]} ({fall(help)})" for help in helps if help.verdict == "undecided"]
    doubt = f" Not decided is whether it helps {where} {listed(open_ones)}." if open_ones else ""
    if not worth:
        tried = [f"to {WAYS[help.way]}" for help in helps if help.verdict == "no"]
        less = f"{WORTH:.0%} of its {what} of {of} (or than a {1 / FLOOR:,.0f}th of that of a constant)"
        why = f": {listed(tried)} gain{'s' * (len(tried) == 1)} less than {less}" if tried else ""
        return f"{where}, nothing that was tried is seen to help much{why}.{doubt}"
    first, *rest = worth
    then = "".join(f"; then to {WAYS[help.way]} ({_by(help, what)})" for help in rest)
    return f"{where}, what would help most is to {WAYS[first.way]}: {_by(first, what)}, of {of}{then}.{doubt}"


def _by(help: Help, what: str) -> str:
    if help.way == "more data":
        return f"the {what} there is {fall(help)} above that on its own rows, about the most that more data can gain"
    if help.way == "smaller steps":
        return f"by the linear theory {fall(help)} of it is noise of the steps"
    beyond = {
        "another start": " beyond what training longer gains",
        "wider": " beyond what longer training or other starts gain",
    }
    return f"the {what} falls by {fall(help)}{beyond.get(help.way, '')}"


def fall(help: Help) -> str:
    """A gain with half of its interval of 95 %."""
    return f"{help.gain:.3g}" + (f" ± {help.error:.2g}" if help.error else "")


def _harms(d: "Diagnosis") -> list[str]:
    """That training longer raises the risk on rows that were held out."""
    longer = next(help for help in d.helps_held_out if help.way == "longer")
    if longer.gain + longer.error > -WORTH * longer.whole:
        return []
    rise = longer._replace(gain=-longer.gain)
    return [
        f"to train longer harms there: the risk on rows that were held out rises by {fall(rise)} to "
        f"{longer.reached:.3g}, the objective on its own rows falls by {d.training.objective - d.training.longer:.3g}."
    ]


def trained(d: "Diagnosis") -> str:
    """Whether training was done."""
    how = d.training
    verdict = "done" if how.trained else "not done"
    no_less = "no less than " if how.trained else ""
    return (
        f"Training was {verdict}: {how.steps} more steps with all rows at once (L-BFGS) bring the objective on the "
        f"rows from {how.objective:.4g} to {no_less}{how.longer:.4g} (the best constant has {how.constant:.3g}); the "
        f"gradient is {how.stationarity.conditions[0]:.2g} of what it is made of."
    )


def starts(d: "Diagnosis") -> str:
    """Where other starts and wider networks end."""
    how = d.training
    return (
        f"From {STARTS} other random starts as many steps of the same end at {ends(how.again)}; with "
        f"{how.large.width} neurons at {ends(how.large)} (means and their intervals of 95 %)."
    )


def ends(trials: Trials) -> str:
    """The mean objective of trials, and half of its interval."""
    return f"{trials.mean:.4g} ± {trials.error:.2g}"


def time_left(d: "Diagnosis") -> str:
    """The time that the linear theory gives training on; nothing where the loss is not squared."""
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


def any_width(d: "Diagnosis") -> str:
    """How much networks of any width could still gain."""
    gap = d.gap
    return "Networks of any width: " + _small(own_budget(gap.bracket if gap.informs else gap.statement))


def own_budget(text: str) -> str:
    """The budget of a gap is the model's own, whoever gave it."""
    return text.replace("(as given)", "(the model's own)").replace("(that of the measure itself)", "(the model's own)")


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]


def dead(d: "Diagnosis") -> str:
    """Which neurons are dead."""
    if not d.dead:
        many = len(d.measure) > 1
        return f"None of the {len(d.measure)} neurons is dead." if many else "The one neuron is not dead."
    are = "is dead, its" if len(d.dead) == 1 else "are dead, their"
    return (
        f"{len(d.dead)} of {count(len(d.measure), 'neuron')} {are} part of the prediction is constant on the rows: "
        f"{indices(d.dead)}."
    )


def duplicates(d: "Diagnosis") -> list[str]:
    """Which neurons do the same, and which of these cancel."""
    out = []
    if d.duplicates:
        spare = sum(len(group) - 1 for group in d.duplicates)
        do = "group of neurons does" if len(d.duplicates) == 1 else "groups of neurons do"
        out.append(
            f"{len(d.duplicates)} {do} the same on the rows, {count(spare, 'neuron')} could be merged into others: "
            f"{indices(d.duplicates)}."
        )
    if d.cancelling:
        nearly = "nearly cancels in itself" if len(d.cancelling) == 1 else "nearly cancel in themselves"
        out.append(f"{len(d.cancelling)} of these groups {nearly}: {indices(d.cancelling)}.")
    return out


def indices(items: Any) -> str:
    shown = ", ".join(str(item) for item in items[:_LISTED])
    return shown if len(items) <= _LISTED else f"{shown} and {len(items) - _LISTED} more"


def smaller(d: "Diagnosis") -> str:
    """The smaller network that predicts the same."""
    small = d.smaller
    if small.width == len(d.measure):
        return "No smaller network was found that predicts the same within the tolerance."
    how = "trained on its predictions" if small.trained else "taken from the model and with other output weights"
    return (
        f"{small.width} neurons, {how}, predict the same to {small.difference:.2g} of the predictions' standard "
        f"deviation, on the rows and halfway between them; the largest difference is {small.largest:.2g}."
    )


def learned(d: "Diagnosis") -> str:
    """Kernel or adaptive, where the start is known."""
    if d.regime is None:
        return ""
    moved = "" if d.regime.inner is None else f", the inner weights moved by {d.regime.inner:.2g} of their size"
    return f"{_LEARNED[d.regime.verdict]}: the tangent kernel changed by {d.regime.kernel_change:.2g}{moved}."


def band(d: "Diagnosis") -> list[str]:
    """How far networks made like it are from their limit, and where it is among them."""
    if d.band is None:
        return []
    p, risk = d.band.prediction, d.band.risk
    mean, error, limit = float(p.mean[-1]), float(p.mean_error[-1]), float(p.limit[-1])
    low, high = p.content
    side = "inside" if d.band.inside else "below it" if risk < p.lower[-1] else "above it"
    rare = "" if d.band.inside else f", where about one network in {2 / (1 - p.level):.0f} is"
    return [
        f"Other networks of {count(p.width, 'neuron')}, started and trained like this one, end with a mean risk of "
        f"{with_error(mean, error)} on the rows; their limit of infinite width has {limit:.4g}: their mean is "
        f"{apart(mean - limit, error, p.networks, 0.0, 'it')}.",
        f"{p.level:.0%} of them end between {p.lower[-1]:.4g} and {p.upper[-1]:.4g} ({p.networks} trained networks: "
        f"such a band holds {low:.0%} to {high:.0%} of all); this one, at {risk:.4g}, is {side}{rare}.",
    ]


def data(d: "Diagnosis") -> list[str]:
    """The risks on the rows and on those held out, and how many are classified right."""
    out = []
    if d.held_out is not None:
        out.append(f"The risk is {d.risk:.4g} on the rows and {d.held_out:.4g} on those that were held out.")
    if d.classes is not None:
        other = d.classes_held_out
        there = "" if other is None else f", and {share(other, sampled=True)} of those that were held out{auc(other)}"
        out.append(f"It classifies {share(d.classes)} of the rows right{auc(d.classes)}{there}.")
    return out


def share(classes: Classification, *, sampled: bool = False) -> str:
    """The accuracy in per cent; of rows that stand for others with its standard error."""
    error = f" \N{PLUS-MINUS SIGN} {100 * classes.accuracy_error:.2g}" if sampled else ""
    return f"{100 * classes.accuracy:.4g}{error} %"


def auc(classes: Classification) -> str:
    return "" if classes.auc is None else f" (area under the ROC curve {classes.auc:.4g})"
