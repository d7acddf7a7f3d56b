"""The band that is predicted for each width of a run, beside the networks that were trained."""

from typing import Any

import jax
import numpy as np

from widelimit.analysis import halving, predict_widths
from widelimit.report import Band, interpolate, predicted_words

from ..call._build import dynamics_of
from ..call._limit import Limit
from ..call._part import Work
from ._numbers import Trained, value_at

# Operations that a prediction may take: some minutes. The flow takes about so many velocities.
_MOST_WORK, _VELOCITIES = 1e13, 500.0
_PARTICLES, _DIRECTIONS = 256, 32


def predicted_of(work: Work, limit: Limit, trained: Trained) -> dict[str, Any]:
    """`bands`: one record a [[networks]] table and width; `sentences` on them; `reasons`: why a table has none."""
    found: dict[str, Any] = {"bands": [], "sentences": [], "reasons": {}}
    order = work.file.predict.order
    if order == 0 or not work.file.networks:
        return found
    work.say(f"predicted bands, {'first' if order == 1 else 'second'} order ...")
    for number, table in enumerate(work.file.networks):
        runs = [(network, run) for network, run in trained if network.table == number and run.outcome.ok]
        words = next((network.words for network, _ in runs), table.dynamics)
        try:
            found["bands"] += _bands(work, limit, number, runs, words)
        except ValueError as error:
            found["reasons"][f"no band is predicted for {words}"] = str(error)
    return found | {"sentences": list(predicted_words([band_of(record) for record in found["bands"]]))}


def band_of(record: dict[str, Any]) -> Band:
    """A record as the report draws it."""
    curves = {name: np.array(record[name], float) for name in ("times", "mean", "lower", "upper")}
    said = ("width", "dynamics", "level", "order", "directions", "inside", "trained", "parts", "halving")
    return Band(**curves, **{name: record[name] for name in said}, trusted=all(record["trusted"]))


def _bands(work: Work, limit: Limit, number: int, runs: Trained, words: str) -> list[dict[str, Any]]:
    table, problem, best, t1 = work.file.networks[number], work.built.problem, limit.runs[-1], work.file.time.t1
    problem.two_layer("the expansion around the limit")
    moves = dynamics_of(table)
    steps = float(moves.clock.reading(t1)) if moves.clock.counts else _VELOCITIES
    size = 0 if problem.data.nodes is None else problem.data.nodes.x.size
    operations = 8.0 * steps * _DIRECTIONS * _PARTICLES * size
    if operations > _MOST_WORK:
        raise ValueError(f"it would take about {operations:.0e} operations; widelimit.predict does it all the same.")

    def flow_risk(times: np.ndarray) -> np.ndarray:
        return interpolate(best.times, np.asarray(best.risk, float), np.minimum(times, best.times[-1]))

    found = predict_widths(
        problem,
        work.built.start,
        moves,
        widths=sorted(table.widths),
        t1=t1,
        save_at=work.built.save_at,
        limit=flow_risk,
        order=work.file.predict.order,
        particles=_PARTICLES,
        directions=_DIRECTIONS,
        key=jax.random.key(0),
        progress=work.progress,
    )
    records = []
    for band in found.bands:
        ends = [(run, value_at(run, "risk", t1)) for network, run in runs if network.width == band.width]
        inside = [value for _, value in ends if value is not None and band.lower[-1] <= value <= band.upper[-1]]
        now = found.at(band.width)
        parts = {"width": found.terms.width / now.width}
        if found.step is not None:
            noise = found.terms.noise * now.step / now.batch
            parts |= {"batch": noise, "step": found.terms.step * now.step}
        levers = {name: value for name, value in halving(found.terms, now).items() if name in parts}
        records.append(
            {
                "width": band.width,
                "dynamics": words,
                "level": band.level,
                "order": band.order,
                "directions": band.directions,
                "statement": band.statement,
                "trained": len(ends),
                "inside": len(inside),
                "parts": parts,
                "halving": levers,
                **{name: getattr(band, name).tolist() for name in ("times", "limit", "mean", "lower", "upper")},
                "trusted": band.trusted.tolist(),
            }
        )
    return records
