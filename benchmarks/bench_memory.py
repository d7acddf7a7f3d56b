"""Peak memory against the stated budget: a flow, SGD, a potential, a search for the minimum, and kernels.

Each is a process of its own. Its baseline is what it holds with packages, data and particles loaded, before the first
compilation; the peak is that of the whole process afterwards, as the system tells, so compilation is in it. A budget of
2^26 numbers has 512 MiB; what is asked for beside it (the kernel's matrix) is said and taken off.

    python benchmarks/bench_memory.py [--json results/bench_memory.json]
"""

import json
import subprocess
import sys

from race import Race

BUDGET = 2**26
WORKS = (
    "flow",
    "SGD, full batches",
    "SGD, batch 10,000",
    "potential",
    "optimality gap",
    "minimise",
    "kernel",
    "kernel of any unit",
)
_WORK = """
import json, resource, sys
import jax, jax.numpy as jnp, numpy as np, widelimit as wl
from widelimit.dynamics import integrators

kind, budget = sys.argv[1], int(sys.argv[2])
rng = np.random.default_rng(0)
x = rng.standard_normal((40_000, 3))
unit = wl.units.RadialBasis(1.0) if kind == "kernel of any unit" else wl.units.Neuron(wl.activations.tanh)
problem = wl.Problem(unit, wl.data.Samples(x, np.sin(x[:, 0])), budget=budget, penalty=wl.penalties.l2(1e-3))
rho = wl.Particles(rng.standard_normal((4000, problem.dim)))
key = jax.random.key(0)

def held():
    return int(open("/proc/self/status").read().split("VmRSS:")[1].split()[0]) * 1024

def moved(dynamics):
    return wl.evolve(problem, rho, dynamics, t1=0.01, save_at=[0.01], key=key, progress=False).positions

works = {
    "flow": lambda: moved(wl.GradientFlow(integrators.RungeKutta4(0.01))),
    "SGD, full batches": lambda: moved(wl.SGD(0.005, sampling=wl.sampling.Full())),
    "SGD, batch 10,000": lambda: moved(wl.SGD(0.005, batch=10_000)),
    "potential": lambda: problem.potential(rho).gradient(rho.positions),
    "optimality gap": lambda: wl.analysis.optimality_gap(problem, rho, starts=64, competitor=False).gap,
    "minimise": lambda: wl.analysis.minimise(problem, max_seconds=20.0).gap,
    "kernel": lambda: wl.kernels.tangent_kernel(problem, rho, x[:2000], x[:2000]),
    "kernel of any unit": lambda: wl.kernels.tangent_kernel(problem, rho, x[:2000], x[:2000]),
}
before = held()
found = works[kind]()
jax.block_until_ready(found)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"bytes": peak - before, "result_bytes": np.asarray(found).nbytes, "baseline_bytes": before}))
"""


def main() -> None:
    race, rows = Race(__doc__, rounds=1), []
    for kind in WORKS:
        command = [sys.executable, "-c", _WORK, kind, str(BUDGET)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{kind}: {done.stderr}")
        row = {"work": kind, "budget_bytes": 8 * BUDGET} | json.loads(done.stdout.splitlines()[-1])
        row["ratio"] = (row["bytes"] - row["result_bytes"]) / row["budget_bytes"]
        rows.append(row)
        print(
            f"{kind}: {row['bytes'] / 2**20:.0f} MiB above the baseline, {row['result_bytes'] / 2**20:.0f} MiB of them "
            f"the result: {row['ratio']:.2f} of the budget (wanted: at most 1.5)",
            flush=True,
        )
    race.end(results=rows)


if __name__ == "__main__":
    main()
