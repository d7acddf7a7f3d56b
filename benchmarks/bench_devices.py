"""One run shared out among devices: strong and weak scaling as far as the cores of one machine go.

Each count of devices is a process of its own with as many forced host devices, one thread each; a flow step (classical
Runge-Kutta, 100 samples of 20 inputs, float64). Strong: 100,000 neurons in all; weak: 50,000 a device. The exchange of
a step is counted from the compiled program: numbers in its all-reduces, those inside loops once a turn.

    python benchmarks/bench_devices.py [--rounds 3] [--counts 1 2] [--json results/bench_devices.json]
"""

import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

from race import processor

_WORK = """
import json, re, sys, time
import jax, jax.numpy as jnp, numpy as np, widelimit as wl
from widelimit._evolve import _devices, _host, _verb

count, neurons, rounds = map(int, sys.argv[1:4])
rng = np.random.default_rng(0)
x = rng.standard_normal((100, 20))
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])))
start = wl.Particles(rng.standard_normal((neurons, 22)))
flow = wl.GradientFlow(wl.dynamics.integrators.RungeKutta4(1e-3))
runs = _verb.set_up(problem, [start], flow, 10.0, [None], [10.0], (wl.observables.Penalty(),), None)
shares = _devices.Shares.of(count, problem, flow, runs.weights[0])
state, prepared, moved = shares.placed(runs.states[0]), shares.widened(runs.watch.prepared), runs.watch.dynamics
stop = jnp.asarray(10.0)

def seconds(steps):
    tick = time.perf_counter()
    jax.block_until_ready(_host._chunk(moved, prepared, state, stop, jnp.asarray(steps))[0].done)
    return time.perf_counter() - tick

seconds(1)
times = [(seconds(6) - seconds(1)) / 5 for _ in range(rounds)]
text = _host._chunk.lower(moved, prepared, state, stop, jnp.asarray(1)).compile().compiled.as_text()
reduced = re.findall(r"= f64\\[([\\d,]*)\\][^=]* all-reduce\\(", text)
numbers = sum(int(np.prod([int(n) for n in shape.split(",") if n])) for shape in reduced)
print(json.dumps({"times": times, "all_reduces": len(reduced), "numbers": numbers}))
"""


def measured(count: int, neurons: int, rounds: int) -> dict[str, object]:
    flags = f"--xla_force_host_platform_device_count={count} --xla_cpu_multi_thread_eigen=false"
    environment = os.environ | {"XLA_FLAGS": flags, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", _WORK, str(count), str(neurons), str(rounds)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--counts", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--json", type=pathlib.Path, default=None)
    options = parser.parse_args()
    rows = []
    for kind, size in (("strong", lambda _: 100_000), ("weak", lambda count: 50_000 * count)):
        alone = None
        for count in options.counts:
            found = measured(count, size(count), options.rounds)
            seconds = statistics.median(found.pop("times"))
            alone = seconds if alone is None else alone
            gain = alone / seconds
            rows.append(
                {"kind": kind, "devices": count, "neurons": size(count), "seconds": seconds, "gain": gain} | found
            )
            print(
                f"{kind}, {count} device(s), {size(count):,} neurons: {1e3 * seconds:.1f} ms a step, {gain:.2f} of one "
                f"device's speed; {found['all_reduces']} all-reduce(s) of {found['numbers']} numbers in all",
                flush=True,
            )
    if options.json is not None:
        made = {"how": "python benchmarks/bench_devices.py", "rounds": options.rounds, "cores": os.cpu_count()}
        machine = {"machine": platform.machine(), "processor": processor()}
        options.json.write_text(json.dumps(made | machine | {"results": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
