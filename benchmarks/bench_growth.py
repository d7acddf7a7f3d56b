"""How time and memory of a step grow with neurons N, nodes Q, parameters D and cells, for each dynamics, drawn.

A step's time is the slope of a run's time in its steps; its memory what the compiled chunk needs beside its arguments
and the arguments themselves, as the compiler tells. Exponents are least-squares slopes of the logarithms over the
upper half of the sizes, where the cost of starting a step no longer counts.

    python benchmarks/bench_growth.py [--rounds 3] [--json results/bench_growth.json] [--png growth.png]
"""

import argparse
import json
import pathlib
import platform
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from race import processor

import widelimit as wl
from widelimit._evolve import _host, _verb
from widelimit.dynamics import integrators

STEP = 1e-4
BASE = {"N": 1000, "Q": 500, "D": 20}
SIZES = {"N": (250, 1000, 4000, 16_000, 64_000), "Q": (125, 500, 2000, 8000), "D": (5, 20, 80, 320)}
CELLS = (500, 1000, 2000, 4000, 8000)


def neurons(sizes: dict[str, int]) -> tuple[wl.Problem, wl.Particles]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((sizes["Q"], sizes["D"]))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.Samples(x, np.sin(x[:, 0])))
    return problem, wl.Particles(rng.standard_normal((sizes["N"], sizes["D"] + 1)) / sizes["D"] ** 0.5)


def flow(sizes: dict[str, int]) -> tuple[Any, ...]:
    return *neurons(sizes), wl.GradientFlow(integrators.RungeKutta4(STEP))


def sgd(sizes: dict[str, int]) -> tuple[Any, ...]:
    return *neurons(sizes), wl.SGD(STEP, batch=10)


def transport(sizes: dict[str, int]) -> tuple[Any, ...]:
    problem = wl.problems.isotropic_gaussians(delta=0.8, dim=40).reduced()
    return problem, wl.laws.Normal(1.0, 0.05), wl.TransportPDE(wl.measure.grids.uniform(0.0, 3.0, sizes["cells"]))


KINDS: dict[str, tuple[Callable[[dict[str, int]], tuple[Any, ...]], tuple[str, ...]]] = {
    "flow, RungeKutta4": (flow, ("N", "Q", "D")),
    "SGD, batch 10": (sgd, ("N", "D")),
    "TransportPDE": (transport, ("cells",)),
}


def cost(problem: Any, start: Any, dynamics: Any, rounds: int) -> tuple[float, int]:
    """Seconds and bytes of a step."""
    t1 = 1e3 * STEP
    runs = _verb.set_up(problem, [start], dynamics, t1, [jax.random.key(0)], [t1], (wl.observables.Penalty(),), None)
    moved, prepared, state = runs.watch.dynamics, runs.watch.prepared, runs.states[0]
    stop = jnp.asarray(moved.clock.reading(1e9 * STEP))
    compiled = _host._chunk.lower(moved, prepared, state, stop, jnp.asarray(1)).compile().compiled
    told = compiled.memory_analysis()

    def seconds(steps: int) -> float:
        tick = time.perf_counter()
        jax.block_until_ready(_host._chunk(moved, prepared, state, stop, jnp.asarray(steps))[0].done)
        return time.perf_counter() - tick

    seconds(1)
    # As many steps as take about .3 s.
    many = max(4, min(4000, int(0.3 / max(seconds(8) / 8, 1e-6))))
    best = min((seconds(many) - seconds(1)) / (many - 1) for _ in range(rounds))
    return max(best, 1e-9), int(told.temp_size_in_bytes + told.argument_size_in_bytes)


def exponent(sizes: list[int], values: list[float]) -> float:
    """The slope over the upper half of the sizes."""
    upper = slice(len(sizes) // 2 - (len(sizes) < 4), None)
    return float(np.polyfit(np.log(sizes[upper]), np.log(values[upper]), 1)[0])


def draw(report: dict[str, Any], path: pathlib.Path) -> None:
    from widelimit.report import canvas

    def panels(figure: Any) -> None:
        both = figure.subplots(1, 2)
        names = ("time of a step (s)", "memory of a step (bytes)")
        for axes, what, name in zip(both, ("seconds", "bytes"), names, strict=True):
            rows = [(f"{kind}, {size}", row) for kind, sizes in report.items() for size, row in sizes.items()]
            for i, (label, row) in enumerate(rows):
                style = {"color": canvas.colour(i), "marker": canvas.marker(i), "linestyle": canvas.dash(i)}
                told = f"{label}: {row['seconds_exponent']:.2f}, {row['bytes_exponent']:.2f}"
                axes.loglog(row["sizes"], row[what], label=told, **style)
            axes.set_xlabel("N, Q, D or cells (number)")
            axes.set_ylabel(name)
        title = "exponents of time and memory"
        figure.legend(
            *both[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, title=title, fontsize=9
        )

    path.write_bytes(canvas.to_png(panels, height=5.4))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path, default=None)
    parser.add_argument("--png", type=pathlib.Path, default=None)
    options = parser.parse_args()
    report: dict[str, Any] = {}
    for kind, (make, names) in KINDS.items():
        for name in names:
            sizes = list(CELLS if name == "cells" else SIZES[name])
            pairs = [cost(*make(BASE | {name: size}), options.rounds) for size in sizes]
            row: dict[str, Any] = {"sizes": sizes}
            for what, values in zip(("seconds", "bytes"), map(list, zip(*pairs, strict=True)), strict=True):
                row |= {what: values, f"{what}_exponent": exponent(sizes, values)}
            report.setdefault(kind, {})[name] = row
            print(
                f"{kind}, {name} = {sizes[0]:,} .. {sizes[-1]:,}: time ~ {name}^{row['seconds_exponent']:.2f} "
                f"({row['seconds'][-1]:.3g} s at the end), memory ~ {name}^{row['bytes_exponent']:.2f} "
                f"({row['bytes'][-1] / 2**20:.3g} MiB)",
                flush=True,
            )
    if options.png is not None:
        draw(report, options.png)
    if options.json is not None:
        made = {"how": "python benchmarks/bench_growth.py", "rounds": options.rounds, "base": BASE}
        machine = {"machine": platform.machine(), "processor": processor(), "versions": {"jax": jax.__version__}}
        options.json.write_text(json.dumps(made | machine | {"results": report}, indent=1) + "\n")


if __name__ == "__main__":
    main()
