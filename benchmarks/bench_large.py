"""The largest runs a machine of 24 GiB is asked for: 10,000,000 particles of a reduced problem, 1,000,000 of 64 inputs.

Two steps of classical Runge-Kutta each, saved to a store while they go.

Each is a process of its own, one after another. Peak memory is that of the whole process, as the system tells; it is
also given in copies of the particles. What is in the store is read back, a save point at a time.

    python benchmarks/bench_large.py [--json results/bench_large.json]
"""

import json
import subprocess
import sys
import tempfile

from race import Race

_WORK = """
import json, os, pathlib, resource, sys, time
import jax, numpy as np, widelimit as wl

kind, count, store = sys.argv[1], int(sys.argv[2]), pathlib.Path(sys.argv[3])

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

if kind == "reduced":
    problem = wl.problems.isotropic_gaussians(delta=0.8, dim=40).reduced()
    rho = problem.project(wl.laws.Normal(0.0, 0.8 / 40**0.5, dim=40)).sample(count, key=jax.random.key(0))
else:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 64))
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(x[:, 0])))
    rho = wl.Particles(rng.standard_normal((count, problem.dim)) / 8.0)
bytes_of_particles, before = rho.positions.nbytes, peak()
flow = wl.GradientFlow(wl.integrators.RungeKutta4(0.02))
tick, used = time.perf_counter(), time.process_time()
run = wl.evolve(problem, rho, flow, t1=0.04, save_at=[0.02, 0.04], store=store, progress=False)
seconds, processor = time.perf_counter() - tick, time.process_time() - used
most = peak()
again = wl.load(store, lazy=True)
same = all(np.array_equal(again.positions[i], run.positions[i]) for i in (0, 2))
moved = float(np.abs(again.positions[2] - again.positions[0]).max())
print(json.dumps({
    "particles": count, "parameters": problem.dim, "nodes": len(problem.data.nodes.weights), "steps": run.steps,
    "seconds": seconds, "processor_seconds": processor, "peak_bytes": most, "before_bytes": before,
    "bytes_of_particles": bytes_of_particles, "risk": np.asarray(run.risk).tolist(), "read_back": same, "moved": moved,
    "store_bytes": sum(path.stat().st_size for path in store.rglob("*") if path.is_file()),
}))
"""
RUNS = (("reduced", 10_000_000), ("64 inputs", 1_000_000))


def main() -> None:
    race, rows = Race(__doc__, "zarr", rounds=1, flags=("--small",)), []
    for kind, count in RUNS:
        with tempfile.TemporaryDirectory() as folder:
            size = count // 100 if race.options.small else count
            command = [sys.executable, "-c", _WORK, kind, str(size), f"{folder}/run.zarr"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{kind}: {done.stderr}")
        row = {"work": kind} | json.loads(done.stdout.splitlines()[-1])
        rows.append(row)
        if not (row["read_back"] and row["moved"] > 0 and row["risk"][-1] < row["risk"][0]):
            raise SystemExit(f"{kind}: the run is not what it should be: {row}")
        print(
            f"{kind}, {row['particles']:,} particles of {row['parameters']} numbers, {row['nodes']} nodes, "
            f"{row['steps']} steps: {row['seconds']:.0f} s ({row['processor_seconds']:.0f} s of processors); "
            f"peak {row['peak_bytes'] / 2**30:.2f} GiB, {row['peak_bytes'] / row['bytes_of_particles']:.1f} copies of "
            f"the particles; store {row['store_bytes'] / 2**30:.2f} GiB",
            flush=True,
        )
    race.end(results=rows)


if __name__ == "__main__":
    main()
