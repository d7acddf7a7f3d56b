"""All end risks of a sweep in one labelled data set, one axis a factor."""

import dataclasses
import pathlib
import shutil
import uuid
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from widelimit.runs.call import networks_of
from widelimit.runs.errors import BadInput
from widelimit.runs.folder import read_json, writing
from widelimit.runs.parse import check

from ._folder import SweepFolder
from ._plan import PlannedRun
from ._section import Factor, value_in_words

if TYPE_CHECKING:
    import xarray

# The limit has no seed.
_NO_SEED = -1


@dataclasses.dataclass(frozen=True)
class Axis:
    """One axis: its name, the keys that vary along it, its levels as key -> value and in words."""

    name: str
    levels: tuple[dict[str, Any], ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(", ".join(value_in_words(value) for value in level.values()) for level in self.levels)

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.levels[0])


def gather(folder: SweepFolder) -> "xarray.Dataset":
    """The data set of a sweep; a run that is not there, or whose network did not reach its end, is NaN.

    One dimension for each key of the grid under the key's name, `zip` and `list` for the keys that vary together (which
    are coordinates along it), `table` and `width` where a run has networks of several, and `seed`.

    - `risk`, `held_out_risk`: of each network at t1; `operations`: the estimated cost of training it.
    - `limit_risk`, `limit_risk_error`: of the limit beside them; `run`: the name of the run's folder; `seconds`: that
      its networks took.
    """
    import xarray

    own = axes_of(folder)
    inner = inner_axes(folder)
    seeds = _seeds(folder)
    outer, shape = tuple(len(axis.levels) for axis in own), tuple(len(axis.levels) for axis in inner)
    networks = {name: np.full((*outer, *shape, len(seeds)), np.nan) for name in ("risk", "held_out_risk")}
    cost = np.full((*outer, *shape), np.nan)
    whole = {name: np.full(outer, np.nan) for name in ("limit_risk", "limit_risk_error", "seconds")}
    names = np.full(outer, "", object)
    for run in folder.plan.runs:
        names[run.level] = run.name
        if folder.state(run.name) != "finished":
            continue
        numbers = _numbers(folder, run)
        whole["limit_risk"][run.level] = numbers["limit"]["risk"]
        whole["limit_risk_error"][run.level] = numbers["limit"]["risk_error"]
        taken = numbers["seconds"]["parts"]
        whole["seconds"][run.level] = sum(s for part, s in taken.items() if part.startswith("network"))
        for position, record in enumerate(numbers["networks"]):
            at = (*run.level, *np.unravel_index(position, shape))
            cost[at] = run.cost.networks[position]
            for name, array in networks.items():
                for seed, value in _by_seed(record, name):
                    array[(*at, seeds.index(seed))] = value
        if not numbers["networks"]:
            networks["risk"][(*run.level, *(0 for _ in shape), 0)] = numbers["limit"]["risk"]
            held_out = numbers["limit"]["held_out_risk"]
            networks["held_out_risk"][(*run.level, *(0 for _ in shape), 0)] = np.nan if held_out is None else held_out
            cost[(*run.level, *(0 for _ in shape))] = run.cost.limit
    dims = tuple(axis.name for axis in (*own, *inner))
    first = tuple(axis.name for axis in own)
    variables: dict[str, Any] = {name: ((*dims, "seed"), array) for name, array in networks.items()}
    if np.all(np.isnan(networks["held_out_risk"])):
        del variables["held_out_risk"]
    variables |= {"operations": (dims, cost), "run": (first, names)}
    variables |= {name: (first, array) for name, array in whole.items()}
    coordinates: dict[str, Any] = {"seed": seeds}
    for axis in (*own, *inner):
        for key in axis.keys:
            name = axis.name if len(axis.keys) == 1 else key
            coordinates[name] = (axis.name, _column([level[key] for level in axis.levels]))
    section = folder.plan.section
    said = {"title": folder.plan.title, "response": section["response"], "tolerance": section["tolerance"]}
    return xarray.Dataset(variables, coords=coordinates, attrs=said)


def save(data: "xarray.Dataset", path: pathlib.Path) -> None:
    """As Zarr, whole or not at all."""
    fresh = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with writing(str(path)), warnings.catch_warnings():
            # As in `Trajectory.save`: the summary of all metadata is not in the specification of Zarr 3.
            warnings.filterwarnings("ignore", message="Consolidated metadata")
            data.to_zarr(fresh, mode="w", consolidated=True)
            shutil.rmtree(path, ignore_errors=True)
            fresh.rename(path)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def axes_of(folder: SweepFolder) -> tuple[Axis, ...]:
    """One a factor of the sweep."""
    return tuple(Axis(_axis_name(folder, factor), factor.levels) for factor in folder.plan.factors)


def _axis_name(folder: SweepFolder, factor: Factor) -> str:
    if len(factor.keys) == 1:
        return factor.keys[0]
    return "zip" if set(factor.keys) == set(folder.plan.section["zip"]) else "list"


def inner_axes(folder: SweepFolder) -> tuple[Axis, ...]:
    """What every run has several of by itself: tables of networks, and widths."""
    first = folder.plan.runs[0].problem["networks"] if folder.plan.runs else []
    counts = {tuple(len(table["widths"]) for table in run.problem["networks"]) for run in folder.plan.runs}
    if len(counts) > 1:
        raise BadInput(f"{folder.path}: the runs have different numbers of widths; sweep over one width at a time.")
    (sizes,) = counts
    if len(set(sizes)) > 1:
        every = [{"network": f"{width}, table {i + 1}"} for i, table in enumerate(first) for width in table["widths"]]
        return (Axis("network", tuple(every)),)
    found = []
    if len(sizes) > 1:
        found.append(Axis("table", tuple({"table": number + 1} for number in range(len(sizes)))))
    if sizes and sizes[0] > 1:
        swept = any("networks.widths" in factor.keys for factor in folder.plan.factors)
        widths = range(1, sizes[0] + 1) if swept else first[0]["widths"]
        found.append(Axis("width", tuple({"width": width} for width in widths)))
    return tuple(found)


def _seeds(folder: SweepFolder) -> list[int]:
    tables = [table for run in folder.plan.runs for table in run.problem["networks"]]
    return sorted({seed for table in tables for seed in table["seeds"]}) or [_NO_SEED]


def _numbers(folder: SweepFolder, run: PlannedRun) -> dict[str, Any]:
    """The numbers of a run, each record of its networks with the seeds that reached the end."""
    path = folder.run_path(run.name) / "numbers.json"
    numbers = read_json(path)
    members: dict[tuple[int, int], list[Any]] = {}
    for network in networks_of(check(run.problem, str(path))):
        members.setdefault((network.table, network.width), []).append(network)
    try:
        for record, group in zip(numbers["networks"], members.values(), strict=True):
            record["ended_seeds"] = [network.seed for network in group if network.name not in numbers["failed"]]
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f"{path}: is damaged ({error!r}); `widelimit resume {path.parent}` makes it again.") from None
    return numbers


def _by_seed(record: dict[str, Any], name: str) -> list[tuple[int, float]]:
    if record[name] is None:
        return []
    return list(zip(record["ended_seeds"], record[name]["values"], strict=True))


def _column(values: list[Any]) -> np.ndarray:
    """Numbers as numbers; anything else in words."""
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return np.asarray(values)
    said = [value if isinstance(value, str) else value_in_words(value) for value in values]
    return np.asarray(said, object)
