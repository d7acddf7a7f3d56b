"""Fig. 4: a non-monotone activation; one start ends well, another does not."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from widelimit.dynamics import SGD
from widelimit.report.canvas import dash
from widelimit.trajectory import observables

from ..._kit import Bench, Cost, Data, Parameter, figure
from ..._kit._drawing import Sheet, logarithmic, title
from ..._kit._runs import trained
from ..._kit._shares import largest
from ..runs._curves import behind, curves, draw_pair, draw_small
from ..runs._isotropic import full, limit, weights

DELTA, DIM, SIGMA = 0.5, 320, "nonmonotone"
KAPPAS = (0.1, 0.4)
FIRST, END = 1e-3, 10.0
PARAMETERS = (
    Parameter("delta", DELTA, "half the difference of the classes' standard deviations", 0.0, 1.0, open=True),
    Parameter("dim", DIM, "inputs", 2, 2000),
    Parameter("kappas", KAPPAS, "the starts of the weights are N(0, kappa^2/dim)", 0.01, 10.0, counts=(2, 4)),
    Parameter("neurons", 800, "of the network", 2, 10_000, quick=400),
    Parameter("step", 5e-5, "of SGD", 1e-6, 0.01, quick=1e-4),
    Parameter("batch", 50, "samples a step", 1, 1000),
)


def _times(last: float, count: int) -> list[float]:
    return [float(t) for t in np.geomspace(FIRST, last, count)]


def _problem_of(bench: Bench) -> dict[str, Any]:
    return {"delta": bench.value("delta", DELTA), "dim": bench.value("dim", DIM)}


def limit_of(bench: Bench, kappa: float) -> Data:
    """One of the lines, and the mean of r."""
    times, made = _times(END, 60), _problem_of(bench)
    line = bench.piece(limit, delta=made["delta"], d=made["dim"], sigma=SIGMA, kappa=kappa, times=times, rtol=1e-7)
    return {**line, "mean": np.mean(line["radii"], axis=1)}


def network(
    kappa: float,
    delta: float,
    dim: int,
    neurons: int,
    step: float,
    batch: int,
    times: list[float],
    samples: int,
    seed: int,
) -> Data:
    """A network trained by SGD on fresh batches: its risk on fresh samples, and the mean length of its weights.

    The noise of the steps pushes a weight out of the cone at 0 to a radius of about 4000 step/batch, which must be
    small beside the distance to the barrier.
    """
    mean = observables.Function("mean", lambda _, rho: rho.weights @ jnp.linalg.norm(rho.positions, axis=1))
    sgd, seen = SGD(step, batch=batch, dtype=jnp.float32), (observables.Risk(samples=samples), mean)
    return curves(trained(full(delta, dim, SIGMA), weights(dim, kappa), neurons, sgd, times, seen, seed), "mean")


def _settings(bench: Bench) -> dict[str, Any]:
    quick = {"neurons": 400, "step": 1e-4, "batch": 50, "times": _times(1.0, 14), "samples": 20000}
    paper = {"neurons": 800, "step": 5e-5, "batch": 50, "times": _times(5.0, 24), "samples": 40000}
    return bench.pick(quick=quick, paper=paper) | bench.given(neurons="neurons", step="step", batch="batch")


def compared(bench: Bench) -> Data:
    """For each start the limit and a network."""
    settings, made, kappas = _settings(bench), _problem_of(bench), bench.value("kappas", KAPPAS)
    runs = [bench.piece(network, kappa=kappa, seed=40 + k, **made, **settings) for k, kappa in enumerate(kappas)]
    pairs = [{"limit": limit_of(bench, kappa), "sgd": run} for kappa, run in zip(kappas, runs, strict=True)]
    return {"kappas": kappas, "runs": pairs, **{name: settings[name] for name in ("neurons", "step", "batch")}, **made}


def gaps(data: Data) -> list[float]:
    """max |R_SGD - R_limit| over t, for each start."""
    return [largest(behind(run["sgd"], run["limit"])[1]) for run in data["runs"]]


def _caption(data: Data) -> str:
    bad, good = (run["limit"]["risk"][-1] for run in data["runs"])
    near, far = gaps(data)
    return (
        f"From κ = 0.1 the limit ends at risk {bad:.4f}, from κ = 0.4 at {good:.4f} (t = {END:g}). The "
        f"networks are at most {near:.2g} and {far:.2g} away from their limits. Batches keep the noise of "
        f"the steps small: with one sample a step of 1e-4 it lifts the neurons out of r = 0 and over the barrier."
    )


def _alt(data: Data) -> str:
    (bad, good), at = (run["limit"]["risk"] for run in data["runs"]), "on a logarithmic axis"
    return (
        f"Risk over time {at}, crosses on lines: it falls from {bad[0]:.3g} and {good[0]:.3g}; one curve "
        f"stays at {bad[-1]:.3g}, the other goes to {good[-1]:.2g}. In the inset the mean of |w| falls to 0 for the "
        "former and rises for the latter."
    )


@figure(compared, caption=_caption, alt=_alt, size=(9.0, 5.2), cost=Cost(55.0, 1500.0), parameters=PARAMETERS)
def fig4(sheet: Sheet, data: Data) -> None:
    """A non-monotone activation: two starts, two ends."""
    axes = sheet.add_subplot()
    inset = axes.inset_axes((0.61, 0.31, 0.36, 0.31))
    top = largest(*(run[kind]["risk"] for run in data["runs"] for kind in ("limit", "sgd")))
    logarithmic(axes, "x", "time t", "risk R", ylim=(0.0, max(10.5, 1.1 * top)))
    logarithmic(inset, "x", "", "mean |w|")
    for k, (kappa, run) in enumerate(zip(data["kappas"], data["runs"], strict=True)):
        line, dots, dashes = run["limit"], run["sgd"], "-" if k == 0 else dash(k - 1)
        draw_pair(axes, line, dots, k, dashes, f"limit, κ = {kappa:g}", f"SGD, κ = {kappa:g}")
        draw_small(inset, (line["t"], dots["t"]), (line["mean"], dots["mean"]), k, dashes)
    title(
        axes,
        f"Δ = {data['delta']:g}, d = {data['dim']}. Lines: the limit at this d. "
        f"Crosses: N = {data['neurons']}, ε = {data['step']:g},\n"
        f"{int(data['runs'][0]['sgd']['steps']):,} steps of {data['batch']} samples (bars: 2 standard errors)",
    )
    axes.legend(loc="upper right", ncols=2, fontsize=11)
    inset.tick_params(labelsize=10)
    inset.set_xlabel("time t", fontsize=11)
