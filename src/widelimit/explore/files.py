"""The page of a problem file: its own data, unit and start, with the sliders that any problem has."""

import dataclasses
import functools
import math
import pathlib
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from widelimit.dynamics import SGD, GradientFlow, integrators, stable_step
from widelimit.measure import Particles, join, split
from widelimit.problem import Problem
from widelimit.problem.data import require_nodes
from widelimit.runs.call import Built, build
from widelimit.runs.errors import BadInput
from widelimit.runs.parse import ProblemFile, plugged, read_problem_file

from ._axes import Axis, axis
from ._history import History, history, sgd, steps_to
from ._items import Dots, Growing
from ._page import Arrays, Page, Slider, Values, round_numbers
from ._sheet import Panel

WIDTHS, _BATCHES, _MOMENTS = (2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0), (1.0, 2.0, 4.0, 8.0, 16.0), 25
# Multiplications at once, and when the sliders rest: a tenth of a second, and some seconds.
_WORK = (1e8, 2e10)


@dataclasses.dataclass(frozen=True, eq=False)
class _Case:
    """A problem with the numbers that its runs need, made once: positions [N, D] to begin with."""

    problem: Problem
    end: float
    network: Particles
    limits: tuple[Particles, ...]
    batch: int
    noisy: bool

    @functools.cached_property
    def cost(self) -> float:
        """Multiplications a particle and row: of the network and its gradient."""
        return 6.0 * self.problem.dim

    @functools.cached_property
    def rows(self) -> int:
        return len(require_nodes(self.problem.data, "explore").weights)

    @functools.cached_property
    def ranks(self) -> np.ndarray:
        """The number of each neuron on its level."""
        levels = self.problem.levels
        where = np.zeros(len(self.network)) if levels is None else np.asarray(self.network[levels.block.name]).ravel()
        order = np.zeros(len(where), int)
        for level in np.unique(where):
            order[where == level] = np.arange(np.sum(where == level))
        return order

    @functools.lru_cache(maxsize=32)  # noqa: B019 (a case lives as long as the process)
    def limit(self, size: float, level: int) -> dict[str, np.ndarray]:
        """It does not depend on the network's sliders."""
        start = self.limits[min(level, 1)]
        most = int(np.clip(_WORK[min(level, 1)] / (7.0 * self.cost * self.rows * len(start)), 20, 2000))
        found = _limit(self.problem, start, jnp.asarray(size), self.times, jnp.asarray(most))
        return _came(*found)

    @property
    def times(self) -> np.ndarray:
        return self.end * np.linspace(0.0, 1.0, _MOMENTS) ** 2

    def trained(self, values: Values, level: int) -> dict[str, np.ndarray]:
        most = int(np.clip(_WORK[min(level, 1)] / (self.cost * self.batch * len(self.network)), 100, 200_000))
        here = self.ranks < values["width"]
        weights = here / np.sum(here)
        size, step = jnp.asarray(values["size"]), jnp.asarray(values["step"])
        rows, heat = (jnp.asarray(values.get(name, least)) for name, least in (("batch", 1.0), ("temperature", 0.0)))
        net = Particles(self.network.positions, weights, blocks=self.network.blocks)
        found = _network(
            self.problem, net, size, step, rows, heat, self.batch, self.noisy, self.times, jnp.asarray(most)
        )
        return _came(*found) | {"here": here}


def _came(run: History, risk: Array, seen: Array) -> dict[str, np.ndarray]:
    came = max(int(np.sum(np.asarray(run.reached))), 1)
    return {"risk": np.asarray(risk)[:came], "seen": np.asarray(seen)[:came]}


def _scaled(problem: Problem, start: Particles, size: Array) -> Particles:
    """The blocks that a network draws, `size` times as large; a level is where it is."""
    frozen = None if problem.levels is None else problem.levels.block.name
    theta = split(start.blocks, start.positions)
    parts = {name: part if name == frozen else size * part for name, part in theta._asdict().items()}
    return Particles(join(start.blocks, type(theta)(**parts)), start.weights, blocks=start.blocks)


def _shown(problem: Problem, run: History) -> tuple[Array, Array]:
    """Risks [T], and of each particle the two numbers of `_axes_of` [T, N, 2]."""

    def one(at: Array) -> tuple[Array, Array]:
        theta = split(problem.blocks, at)
        parts = [_number(getattr(theta, name)) for name in _axes_of(problem)]
        return problem.risk(Particles(at, run.weights, blocks=problem.blocks)), jnp.stack(parts, axis=1)

    return jax.lax.map(one, run.positions)


def _number(block: Float[Array, "N ..."]) -> Float[Array, " N"]:
    """A block's number, or its length where it is a vector."""
    flat = block.reshape(block.shape[0], -1)
    return flat[:, 0] if flat.shape[1] == 1 else jnp.linalg.norm(flat, axis=1)


def _axes_of(problem: Problem) -> tuple[str, str]:
    """The two blocks that are shown: the largest, and the one that the output is linear in, or else the next."""
    frozen = None if problem.levels is None else problem.levels.block
    blocks = [block for block in problem.blocks if block != frozen]
    linear = None if problem.network.unit is None else problem.network.unit.linear
    size = sorted(blocks, key=lambda block: (block.name == linear, -math.prod(block.shape)))
    second = linear if linear is not None and len(blocks) > 1 else size[min(1, len(size) - 1)].name
    return size[0].name, second


@eqx.filter_jit
def _limit(problem: Problem, start: Particles, size: Any, times: Any, most: Any) -> tuple[History, Array, Array]:
    flow = GradientFlow(integrators.Tsit5(1e-3, 1e-5))
    run = history(flow, problem, _scaled(problem, start, size), times, most=most)
    return run, *_shown(problem, run)


@eqx.filter_jit
def _network(
    problem: Problem,
    start: Particles,
    size: Any,
    step: Any,
    batch: Any,
    heat: Any,
    largest: int,
    noisy: bool,
    times: Any,
    most: Any,
) -> tuple[History, Array, Array]:
    moves = sgd(step, batch, largest=largest, temperature=heat if noisy else None)
    key = jax.random.key(1)
    run = history(moves, problem, _scaled(problem, start, size), steps_to(times, step), key=key, most=most)
    return run, *_shown(problem, run)


def page_of_file(path: pathlib.Path, plugins: Sequence[pathlib.Path] = ()) -> Page:
    """The page of a problem file. Raises `BadInput` for a file that is wrong, or whose limit is no gradient flow."""
    with plugged(plugins):
        file, _ = read_problem_file(path)
        built = build(file, str(path))
    case = _case(file, built, path)
    title = file.title or path.stem

    def compute(values: Values, level: int) -> Arrays:
        limit, net = case.limit(values["size"], level), case.trained(values, level)
        return {
            "t": case.times,
            "limit": limit["seen"],
            "limit risk": limit["risk"],
            "network": net["seen"][:, net["here"]],
            "risk": net["risk"],
            "width": values["width"],
            "temperature": values.get("temperature", 0.0),
        }

    return Page(
        name="file",
        title=title,
        question="What do width, step, batch and start change on this problem?",
        text=(
            f"`{path.name}`: {case.rows} rows, {case.problem.dim} parameters a neuron, trained to t = {case.end:g} by "
            "SGD on rows drawn with replacement; the limit is the gradient flow of many neurons from the same start. "
            "The first picture may end early: the rest comes when the sliders rest. `widelimit run` computes it all, "
            "with errors, as finely as the file asks for."
        ),
        sliders=_sliders(file, case),
        compute=compute,
        draw=functools.partial(_draw, _axes_of(case.problem)),
        caption=_caption,
        alt=_alt,
    )


def _case(file: ProblemFile, built: Built, path: pathlib.Path) -> _Case:
    problem = built.problem
    most = int(WIDTHS[-1])
    rows = len(require_nodes(problem.data, "explore").weights)
    levels = problem.levels
    many = [int(np.clip(work / (7.0 * 6.0 * problem.dim * rows * 60.0), 16, 256)) for work in _WORK]
    if levels is None:
        limits = tuple(built.start.quantise(count) for count in many)
    else:
        limits = tuple(problem.start(built.start.quantise(count), count) for count in many)
    limits = tuple(particles.arranged(problem.blocks) for particles in limits)
    network = built.sample(most, jax.random.key(0)).arranged(problem.blocks)
    batch = int(max(size for size in _BATCHES if size <= rows))
    noisy = SGD(1.0, batch=1, temperature=1.0).accepts(problem, network) is None
    for moves in (GradientFlow(), SGD(1.0, batch=1)):
        if reason := moves.accepts(problem, network):
            raise BadInput(f"{path}: explore has no page for it: {reason}")
    return _Case(problem, file.time.t1, network, limits, batch, noisy)


def _sliders(file: ProblemFile, case: _Case) -> tuple[Slider, ...]:
    asked = [table.model_dump()["step"] for table in file.networks if "step" in table.model_dump()]
    step = float(asked[0]) if asked else 0.1 * (stable_step(case.problem, case.network, 1.0) or 0.1)
    # No step takes more than some thousands to the end.
    low = max(step / 10.0, case.end / 20_000.0)
    values = tuple(sorted({*round_numbers(low, 20.0 * low), max(step, low)}))
    begin = min(values, key=lambda value: abs(math.log(value / step)))
    batches = tuple(size for size in _BATCHES if size <= case.batch)
    found = [
        Slider("width", "N, neurons", WIDTHS, 32.0, "Of the network, a level where it has levels; the limit is N = ∞."),
        Slider("step", "ε, step of SGD", values, begin, "Time is ε times the number of steps."),
        Slider("size", "size of the start", (0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0), 1.0, "Times that of the file."),
    ]
    if len(batches) > 1:
        found.append(Slider("batch", "batch, rows a step", batches, batches[-1], "The noise of a step falls with it."))
    if case.noisy:
        heat = (0.0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1)
        text = "Noise of variance 2 ε T a step. The limit that is shown is the one without noise, T = 0."
        found.append(Slider("temperature", "T, temperature of the network", heat, 0.0, text))
    return tuple(found)


def _draw(names: tuple[str, str], arrays: Arrays) -> tuple[Panel, ...]:
    limit, net, t = arrays["limit"], arrays["network"], arrays["t"]
    across, up = (axis(name, limit[..., k], net[..., k]) for k, name in enumerate(names))
    neurons = Panel(
        f"Neurons: {names[0]} and {names[1]}",
        across,
        up,
        (
            Dots(limit[..., 0], limit[..., 1], "limit", "limit", 2.0),
            Dots(net[..., 0], net[..., 1], "network", f"network, {net.shape[1]} neurons"),
        ),
    )
    risks = arrays["limit risk"], arrays["risk"]
    span = Axis("time t = step x number of steps", 0.0, float(t[-1])), axis("risk R", [0.0], *risks)
    curves = (
        Growing(t[: len(risks[0])], risks[0], "limit", "limit" if arrays["temperature"] == 0 else "limit at T = 0"),
        Growing(t[: len(risks[1])], risks[1], "network", "network"),
    )
    return neurons, Panel("Risk", span[0], span[1], curves)


def _caption(arrays: Arrays) -> str:
    t, risk, limit = arrays["t"], arrays["risk"], arrays["limit risk"]
    return (
        f"One network of {arrays['network'].shape[1]} neurons has the risk {risk[-1]:.4g} at "
        f"t = {t[len(risk) - 1]:.3g}; the limit, by {arrays['limit'].shape[1]} particles, {limit[-1]:.4g} at "
        f"t = {t[len(limit) - 1]:.3g}."
    )


def _alt(arrays: Arrays) -> str:
    risk = arrays["risk"]
    return (
        f"Left: {arrays['network'].shape[1]} blue dots, the neurons, among the black ones of the limit. Right: the "
        f"risk over time, from {risk[0]:.3g} to {risk[-1]:.3g} for the network."
    )
