"""The numbers of a run: what numbers.json holds and what is printed."""

import importlib.metadata
import json
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

from widelimit import dynamics
from widelimit.analysis import dissipation, optimality_gap, regime, stationarity
from widelimit.measure import laws
from widelimit.problem import domains, losses, mobilities, networks, penalties, scales, units
from widelimit.report import interpolate
from widelimit.trajectory import Trajectory

from ..call._build import Built
from ..call._limit import Limit, finely
from ..call._networks import Network, networks_of
from ..call._part import Work
from ..folder import FORMAT, RunFolder
from ..parse._problem_file import ProblemFile
from ..parse._words import in_words

# More lines than this, or more dots, would hide each other.
_MOST_FUNCTIONS, _MOST_ROWS = 4, 1000
Trained = list[tuple[Network, Trajectory]]


def checks_of(work: Work, limit: Limit) -> dict[str, Any]:
    """Gap, stationarity and dissipation of the finest flow; what cannot be stated is None with a reason."""
    last, problem = limit.runs[-1], work.built.problem
    checks: dict[str, Any] = {"particles": len(last.final), "reasons": {}}
    try:
        gap = optimality_gap(problem, last.final)
        checks |= {
            "gap": _number(gap.gap),
            "gap_budget": _number(gap.budget),
            "largest_correlation": _number(gap.largest_correlation),
            "gap_certified": bool(gap.certified),
            "gap_statement": gap.statement,
            "gap_lower": _number(gap.lower),
            "gap_upper": _number(gap.upper),
            "gap_bracket": gap.bracket,
            "gap_informs": gap.informs,
        }
        if checks["gap"] is None:
            checks["reasons"]["gap"] = gap.statement
        if gap.largest_correlation is None:
            said = "the unit has no linear block, or a penalty on all blocks bounds the first variation itself"
            checks["reasons"]["largest_correlation"] = said
    except ValueError as error:
        checks |= dict.fromkeys(("gap", "gap_budget", "largest_correlation", "gap_lower", "gap_upper"))
        checks |= {"gap_certified": False, "gap_statement": f"No gap can be stated: {error}"}
        checks |= {"gap_bracket": "", "gap_informs": False}
        checks["reasons"]["gap"] = str(error)
    rest = stationarity(problem, last.final)
    checks |= {"stationarity_rms": _number(rest.rms), "stationarity_largest": _number(rest.largest)}
    try:
        balance = dissipation(last)
        checks |= {"dissipation_defect": _number(balance.defect), "dissipation_method": balance.method}
    except ValueError as error:
        checks |= {"dissipation_defect": None, "dissipation_method": "none"}
        checks["reasons"]["dissipation_defect"] = str(error)
    if checks["dissipation_defect"] is None:
        checks["reasons"].setdefault("dissipation_defect", "the objective did not fall")
    try:
        learned = regime(problem, last[0], last.final)
        checks |= {"kernel_change": _number(learned.kernel_change), "regime": f"{learned.verdict}: {learned.sentence}"}
    except ValueError as error:
        checks |= {"kernel_change": None, "regime": ""}
        checks["reasons"]["kernel_change"] = str(error)
    return checks


def numbers_of(
    work: Work, limit: Limit, trained: Trained, checks: dict[str, Any], predicted: dict[str, Any]
) -> dict[str, Any]:
    """All numbers as plain data. `reasons` says why a number is null."""
    final, parts, t1 = limit.runs[-1], work.folder.status["parts"], work.file.time.t1
    return {
        "format": FORMAT,
        "title": work.file.title,
        "problem": describe(work.file, work.built) | _changed(work.folder),
        "t1": t1,
        "limit": {
            "dynamics": in_words(dynamics.registry, work.file.limit.model_dump(), brief=True),
            "resolution": finely(work.file, limit.sizes[-1]),
            "particles": len(final.final),
            "risk_start": float(final.risk[0]),
            "risk": value_at(final, "risk", t1),
            "risk_error": float(limit.error[-1]),
            "largest_risk_error": float(np.max(limit.error)),
            "held_out_risk": value_at(final, "held_out_risk", t1),
            "converged": limit.converged,
            "note": limit.note,
            "sizes": list(limit.sizes),
            "risks": [value_at(run, "risk", t1) for run in limit.runs],
            "movements": list(limit.movements),
        },
        "networks": _networks(work, trained, limit),
        "predicted": predicted,
        "function": _function(work, limit, trained),
        "failed": work.folder.status["failed"],
        "checks": checks,
        "notices": list(work.built.notices),
        "seconds": {
            "total": sum(part["seconds"] for part in parts.values()),
            "parts": {name: part["seconds"] for name, part in parts.items()},
        },
        "versions": _versions(),
        "platform": platform.platform(),
    }


def _function(work: Work, limit: Limit, trained: Trained) -> dict[str, Any] | None:
    """What the limit and a network of each width compute, of one input and one output; else None."""
    problem, nodes = work.built.problem, work.built.problem.data.nodes
    if nodes is None or problem.data.inputs != 1 or problem.data.outputs != ():
        return None
    inputs, targets = np.asarray(nodes.x)[:, 0], np.asarray(nodes.y)
    room = 0.05 * float(np.ptp(inputs))
    x = np.linspace(np.min(inputs) - room, np.max(inputs) + room, 200)
    shown = {"limit": limit.runs[-1].final}
    for network, trajectory in trained:
        name = f"width {network.width}, seed {network.seed}"
        alike = any(known.startswith(f"width {network.width},") for known in shown)
        if trajectory.outcome.ok and not alike and len(shown) <= _MOST_FUNCTIONS:
            shown[name] = trajectory.final
    kept = np.unique(np.linspace(0, len(inputs) - 1, min(len(inputs), _MOST_ROWS)).astype(int))
    return {
        "x": x.tolist(),
        "functions": {name: np.asarray(problem.predict(rho, x[:, None])).tolist() for name, rho in shown.items()},
        "inputs": inputs[kept].tolist(),
        "targets": targets[kept].tolist(),
    }


def _changed(folder: RunFolder) -> dict[str, str]:
    """What was set when the run began, beside what its file says."""
    return {"set": settings_words(folder.settings)} if folder.settings else {}


def settings_words(settings: Mapping[str, Any]) -> str:
    """`time.t1 = 5, networks.widths = [64, 256]`."""
    return ", ".join(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in settings.items())


def describe(file: ProblemFile, built: Built) -> dict[str, str]:
    """The problem in words, one line a part."""
    facts = built.facts
    held_out = f", {facts['held_out_rows']} held out" if built.held_out else ""
    inputs = "1 input" if len(facts["features"]) == 1 else f"{len(facts['features'])} inputs"
    classes = f", classes {', '.join(facts['classes'])}" if facts["classes"] else ""
    names = [factor.name for factor in built.start.blocks]
    made = [(part.registry, said) for part, said in ((units, file.unit), (networks, file.network)) if said is not None]
    words = {
        "data": f"{facts['source']}{classes}: {facts['rows']} rows{held_out}, {inputs}",
        **{registry.concept: in_words(registry, said.model_dump()) for registry, said in made},
        "loss": in_words(losses.registry, file.loss.model_dump()),
        "start": "; ".join(f"{name}: {in_words(laws.registry, file.law(name))}" for name in names),
        "time": f"0 to {file.time.t1:g}, {file.time.saves} save times",
    }
    if built.problem.levels is not None:
        words["width"] = f"neurons on each of the {built.problem.levels.count} levels; the limit's are counted in all"
    if facts["notes"]:
        words["table"] = "; ".join(facts["notes"])
    for name, registry in (("mobility", mobilities.registry), ("scale", scales.registry)):
        if (section := getattr(file, name)) is not None:
            words[name] = in_words(registry, section.model_dump())
    if terms := file.penalty.tables(penalties.registry):
        words["penalty"] = "; ".join(in_words(penalties.registry, term) for term in terms)
    if file.domain:
        said = {block: in_words(domains.registry, domain.model_dump()) for block, domain in file.domain.items()}
        words["domain"] = "; ".join(f"{block}: {each}" for block, each in said.items())
    return words


def _networks(work: Work, trained: Trained, limit: Limit) -> list[dict[str, Any]]:
    """One record for every [[networks]] table and width: mean, spread and error over the seeds that reached the end."""
    groups: dict[tuple[int, int], list[Network]] = {}
    for network in networks_of(work.file):
        groups.setdefault((network.table, network.width), []).append(network)
    runs = {network.name: trajectory for network, trajectory in trained if trajectory.outcome.ok}
    t1, records = work.file.time.t1, []
    (last,) = _known([limit.runs[-1]], "risk", t1)
    for (_, width), members in groups.items():
        ended = [runs[network.name] for network in members if network.name in runs]
        risk, held_out = (_spread(_known(ended, name, t1)) for name in ("risk", "held_out_risk"))
        above, error = (None, None) if risk is None else (risk["mean"] - last, risk["error"])
        # The limit's own error counts as well.
        error = None if error is None else float(np.hypot(error, limit.error[-1]))
        record = {"width": width, "dynamics": members[0].words, "seeds": [network.seed for network in members]}
        record |= {
            "ended": len(ended),
            "risk": risk,
            "above_limit": above,
            "above_limit_error": error,
            "held_out_risk": held_out,
        }
        records.append(record if ended else record | {"reason": "no network of this width reached the end"})
    return records


def value_at(run: Trajectory, name: str, time: float) -> float | None:
    """An observable at t1: what goes by steps ends with its first step past t1, the step before being short of it."""
    if name not in run.observables:
        return None
    values = np.asarray(run.observables[name], float)
    if run.times[-1] <= time * (1 + 1e-9):
        return float(values[-1])
    return float(interpolate(run.times, values, np.array([time]))[0])


def _known(runs: list[Trajectory], name: str, time: float) -> list[float]:
    return [value for run in runs if (value := value_at(run, name, time)) is not None]


def _spread(values: list[float]) -> dict[str, Any] | None:
    """Mean, standard deviation over the seeds and standard error of the mean; the last two of one value are null."""
    if not values:
        return None
    found: dict[str, Any] = {"mean": float(np.mean(values)), "std": None, "error": None, "values": values}
    if len(values) == 1:
        return {**found, "reason": "one seed has no spread"}
    std = float(np.std(values, ddof=1))
    return {**found, "std": std, "error": std / len(values) ** 0.5}


def _number(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _versions() -> dict[str, str]:
    packages = ("widelimit", "jax", "jaxlib", "equinox", "diffrax", "numpy")
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}
