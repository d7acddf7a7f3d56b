"""The text of a problem file, with comments that say what each line does and what else it could be."""

import json
import math
import pathlib
from collections.abc import Sequence

import jax

from widelimit.dynamics import stable_step
from widelimit.problem.data import as_number

from ..call._build import build
from ..parse._problem_file import check_beside, parse
from ._guess import Guess

# The finest limit may take about so many operations: a minute or two.
_WORK = 2e11
_MOST_PARTICLES, _FIRST_PARTICLES, _LEAST_PARTICLES = 2048, 128, 256
_VELOCITIES, _OPERATIONS = 500.0, 6.0
# A fifth of the rows is held out where that leaves enough of both.
_ENOUGH_ROWS = 20


def draft(found: Guess, source: str, place: pathlib.Path) -> str:
    """A problem file at `place` for the table, which `source` names from there; built once, so that it runs as it is.

    The step is the largest of 1, 2 and 5 times a power of ten that is at most an eighth of what diverges at the start.
    Raises `ProblemFileError` where the table turns out to be unfit.
    """
    first = _text(found, source, 1e-3)
    file = check_beside(parse(first.encode(), str(place)), place)
    built = build(file, str(place))
    step = stable_step(built.problem, built.sample(64, jax.random.key(0)), 1.0)
    return first if step is None else _text(found, source, round_below(min(step, 0.05)))


def round_below(value: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is not above `value` > 0."""
    power = math.floor(math.log10(value))
    lead = next(lead for lead in (5, 2, 1) if lead <= value / 10.0**power * (1 + 1e-12))
    return float(f"{lead}e{power}")


def _text(found: Guess, source: str, step: float) -> str:
    blocks = (
        _head(found),
        _data(found, source),
        _unit(),
        _loss(found),
        _start(),
        _time(),
        _limit(found),
        _networks(found, step),
    )
    return "\n\n".join(blocks) + "\n"


def _head(found: Guess) -> str:
    learned = " and ".join(found.target)
    kind = f"which of {len(found.classes)} classes" if found.classes else "which number"
    return (
        f"# What does a wide two-layer network learn of {_words(learned)} ({kind} it is), and how wide must it be?\n"
        "#     widelimit run THIS-FILE --dry-run     # what it would take\n"
        "#     widelimit run THIS-FILE               # numbers and a report in runs/\n"
        "#     widelimit run THIS-FILE --set time.t1=1 --set networks.widths=[32]\n"
        "# Lines that begin with # are comments: those with a key in them are ready to be used.\n\n"
        f"title = {_quoted(f'{_name_of(found.source)}: {learned}')}"
    )


def _data(found: Guess, source: str) -> str:
    lines = ["[data]", f"source = {_quoted(source)}"]
    if not found.source.startswith("sklearn:"):
        lines[1] += "    # a path counts from the folder of this file"
    lines.append(f"target = {_listed(found.target)}")
    lines += [f"# {_words(name)} is left out: {_words(why)}" for name, why in found.left_out.items()]
    if found.left_out:
        lines.append(f"features = {_listed(found.features, always=True)}")
    else:
        lines.append(f"# The inputs are the other columns, {_some(found.features)}; features = [...] takes some.")
    lines.append('scaling = "unit-variance"    # every input to mean 0 and variance 1; or "unit-norm", "none"')
    if found.classes:
        lines.append(_classes(found))
        if found.numbered:
            lines.append('# They look like classes. If they are amounts: leave this out and take [loss] "squared".')
    else:
        low, high = found.span
        lines.append(
            f'target_scaling = "unit-variance"    # from {low:g} to {high:g}; scaled, guessing the mean costs 0.5'
        )
    if found.rows >= _ENOUGH_ROWS:
        lines.append(f"held_out = 0.2    # of the {found.rows} rows: not trained on, they say what was learned")
        lines.append("seed = 0    # which rows those are")
    else:
        lines.append(f"# held_out = 0.2    # with {found.rows} rows there is not much to keep for testing")
    return "\n".join(lines)


def _classes(found: Guess) -> str:
    shown = [label if _is_whole(label) else _quoted(label) for label in found.classes]
    meaning = "-1 and +1" if len(shown) == 2 else "each a column of its own, +1 for its rows and -1 elsewhere"
    return f"classes = [{', '.join(shown)}]    # in this order: {meaning}"


def _unit() -> str:
    return (
        "[unit]    # a neuron: output * tanh(weight . x + bias); the network is the mean over its neurons\n"
        'kind = "neuron"\n'
        'activation = "tanh"    # or "relu", "erf", "sigmoid", "softplus", ...'
    )


def _loss(found: Guess) -> str:
    if found.classes:
        which = "of each class against the rest" if len(found.classes) > 2 else "y f > 0 is right"
        return (
            f"[loss]    # log(1 + exp(-y f)), {which}\n"
            'kind = "logistic"\n\n'
            "[penalty]    # keeps the logistic loss from driving the output to infinity\n"
            "l2 = 0.001    # times the squared parameters of a neuron, mean over the neurons"
        )
    return (
        "[loss]    # (f - y)^2 / 2\n"
        'kind = "squared"    # "huber" forgives rows that are far from the rest\n\n'
        "# [penalty]\n"
        "# l2 = 0.001    # times the squared parameters of a neuron: less of the noise is learned"
    )


def _start() -> str:
    return (
        "[start]    # what the neurons are drawn from at time 0\n"
        'output = { law = "normal", std = 1.0 }\n'
        'weight = { law = "normal", std = "1/sqrt(d)" }    # d: the number of inputs\n'
        'bias = { law = "atom", value = 0.0 }'
    )


def _time() -> str:
    return (
        "[time]\n"
        "t1 = 10.0    # steps of training times their size; longer if the risk still falls at the end\n"
        "saves = 33    # points of the curves"
    )


def _limit(found: Guess) -> str:
    rows, dim = 0.8 * found.rows, len(found.features) + 2
    each = 2.0 * _OPERATIONS * dim * rows * _VELOCITIES
    most = _MOST_PARTICLES
    while most > 4 * _LEAST_PARTICLES and each * most > _WORK:
        most //= 2
    return (
        "[limit]    # infinitely many neurons: more and more particles until the risk curve rests, that is\n"
        "tolerance = 0.02    # until two doublings in a row move it by less than this fraction of its maximum\n"
        f"first_particles = {min(_FIRST_PARTICLES, most // 4)}\n"
        f"most_particles = {most}"
    )


def _networks(found: Guess, step: float) -> str:
    batch = min(10, max(1, found.rows // 4))
    return (
        "[[networks]]    # trained beside the limit; there may be several such tables\n"
        'dynamics = "sgd"    # "gradient_flow" for infinitely small steps\n'
        "widths = [64, 256]\n"
        "seeds = 3    # of each width, so that there is a mean and a spread\n"
        f"step = {step:g}    # an eighth of what could diverge at the start, or less\n"
        f"batch = {batch}    # rows a step: the fewer, the more noise\n"
        'sampling = "epochs"    # all rows in a new order again and again; "full" is plain gradient descent'
    )


def _quoted(text: str) -> str:
    """A TOML string. JSON's escapes are among TOML's, which wants DEL escaped as well."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _words(text: str) -> str:
    """Text for a comment, which a control character would end."""
    return text if text.isprintable() else repr(text)


def _listed(names: Sequence[str], *, always: bool = False) -> str:
    quoted = [_quoted(name) for name in names]
    return quoted[0] if len(quoted) == 1 and not always else f"[{', '.join(quoted)}]"


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(map(_words, names[:8]))
    return shown if len(names) <= 8 else f"{shown}, ... ({len(names)} in all)"


def _is_whole(label: str) -> bool:
    number = as_number(label)
    return number is not None and label.lstrip("-").isdecimal() and abs(number) < 2**53


def _name_of(source: str) -> str:
    return source.removeprefix("sklearn:") if source.startswith("sklearn:") else pathlib.Path(source).stem
