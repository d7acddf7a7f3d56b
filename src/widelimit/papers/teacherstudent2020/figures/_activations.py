"""Which differences from the teacher the function of one input shows, activation by activation."""

import numpy as np

from widelimit.theory import teacherstudent2020 as theory

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, curve, marks, title
from ..runs._students import CENTRE, line, tilted

_ACTIVATIONS = ("gaussian", "quadratic", "tanh", "arctan", "identity", "sigmoid", "softplus")
_NAMES = ("Gaussian", "z²", "tanh", "arctan", "z", "sigmoid", "softplus")
_KINDS = ("odd", "odd without first moment", "even", "even without second moment")
# Losses below are rounding.
_FLOOR = 1e-12
PARAMETERS = (Parameter("centre", CENTRE, "of the teacher's normal law, of variance 1, cut off at +-3.5", -1.5, 1.5),)


def _compute(bench: Bench) -> Data:
    theta, teacher = line(bench.value("centre", CENTRE))
    more = bench.given(centre="centre")
    losses = [
        [bench.piece(tilted, activation=activation, kind=kind, **more)["loss"] for kind in _KINDS]
        for activation in _ACTIVATIONS
    ]
    width = theta[1] - theta[0]
    return {
        "theta": theta,
        "teacher": teacher / width,
        "students": np.stack([(teacher + theory.tilt(theta, teacher, kind)) / width for kind in ("odd", "even")]),
        "losses": np.array(losses),
    }


def _caption(data: Data) -> str:
    hidden = data["losses"] < _FLOOR
    said = "; ".join(
        f"{name}: {', '.join(kind for kind, there in zip(_KINDS, row, strict=True) if there)}"
        for name, row in zip(_NAMES, hidden, strict=True)
    )
    return (
        "Example 2. Left: a teacher's density and two students that are positive wherever it is, and differ from it "
        "by an odd and by an even charge. Right: the loss over that of f = 0 of students that differ by four kinds of "
        f"charges; open marks at the left are losses of at most {np.max(data['losses'][hidden]):.0e}, rounding: these "
        f"students are stationary. Hidden are, for {said}. For the Gaussian, tanh, arctan, the sigmoid and softplus "
        "this is what the paper says; z² and z are even and odd as well, but hide more."
    )


def _alt(data: Data) -> str:
    return (
        "Left: three bell-shaped curves, two of them with waves. Right: seven rows of four marks, some of them open at "
        "the left edge, the others between one part in a million and one."
    )


@figure(_compute, caption=_caption, alt=_alt, size=(12.5, 5.0), cost=Cost(4.0), parameters=PARAMETERS)
def activations(sheet: Sheet, data: Data) -> None:
    """What the function fixes of a student's measure, for activations of one input."""
    left, right = sheet.subplots(1, 2, width_ratios=(1.0, 1.35))
    curve(left, data["theta"], data["teacher"], lw=2.4, label="teacher")
    for i, name in enumerate(("odd", "even")):
        curve(left, data["theta"], data["students"][i], 2 * i, ls=("-", "--")[i], label=f"{name} difference")
    left.set(xlabel="θ", ylabel="density", ylim=(0.0, None))
    left.legend(loc="upper left")
    title(left, "A teacher and two students")
    place, edge = np.arange(len(_NAMES)), 1e-8
    for k, kind in enumerate(_KINDS):
        y, loss = place + 0.18 * (k - 1.5), data["losses"][:, k]
        seen = loss > _FLOOR
        marks(right, loss[seen], y[seen], k, "osv^"[k], ms=8, label=kind)
        marks(right, np.full(np.sum(~seen), edge), y[~seen], k, "osv^"[k], ms=8, mfc="none", mew=1.6)
    right.set(xscale="log", xlabel="loss over that of f = 0", xlim=(3e-9, 3.0))
    right.set_xticks([edge, 1e-6, 1e-4, 1e-2, 1.0], ["zero", *(f"$10^{{{k}}}$" for k in (-6, -4, -2, 0))])
    right.minorticks_off()
    right.set_yticks(place, _NAMES)
    right.invert_yaxis()
    right.grid(axis="y", visible=False)
    for border in place[:-1] + 0.5:
        right.axhline(border, color="#DDDDDD", lw=0.8)
    sheet.legend(
        *right.get_legend_handles_labels(), loc="outside lower center", ncols=4, title="difference from the teacher"
    )
    title(right, "What shows, and what does not")
