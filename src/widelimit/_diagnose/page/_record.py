"""A diagnosis in numbers, for JSON."""

import math
from typing import TYPE_CHECKING, Any

from widelimit.analysis import Classification

from .._helps import Help
from .._training import Trials
from .._width import WidthBand
from ._sentences import own_budget

if TYPE_CHECKING:
    from .._diagnosis import Diagnosis


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
            "statement": own_budget(gap.statement),
        },
        "training": {
            "done": how.trained,
            "longer": how.longer,
            "constant": how.constant,
            "another_start": _trials(how.again),
            "wider": _trials(how.large),
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
        "band": _band(d.band),
        "helps": _helps(d.helps),
        "helps_held_out": _helps(d.helps_held_out),
        "classes": _classes(d.classes),
        "classes_held_out": _classes(d.classes_held_out),
    }


def _trials(trials: Trials) -> dict[str, Any]:
    return {
        "width": trials.width,
        "objectives": trials.objectives.tolist(),
        "mean": trials.mean,
        "interval": trials.error,
    }


def _helps(helps: tuple[Help, ...]) -> dict[str, Any]:
    return {help.way: {name: value for name, value in help._asdict().items() if name != "way"} for help in helps}


def _classes(found: Classification | None) -> dict[str, Any] | None:
    return None if found is None else found._asdict()


def _band(band: WidthBand | None) -> dict[str, Any] | None:
    if band is None:
        return None
    found = band.prediction
    ends = {name: float(getattr(found, name)[-1]) for name in ("limit", "mean", "mean_error", "lower", "upper")}
    return ends | {"level": found.level, "networks": found.networks, "risk": band.risk, "inside": band.inside}
