r"""What does noise do to the neurons?

At temperature $T$ every neuron is kicked about while it learns. The end is then no longer a few atoms but the Gibbs
density $\rho \propto e^{-\psi(\cdot;\rho)/T}$, the one minimum of the free energy, risk $+\,T\int\rho\log\rho$
(mei2018). Left, what this costs in risk: 0.0097, 0.013 and 0.015. Right, where the neurons $\tanh(w x)$ are at $t =
300$: without noise in two spikes (clipped here), with it all over the box. Dotted, the Gibbs densities, solved for
directly: at $T = 0.05$ the run has arrived; at $T = 0.01$ neurons are still on their way to the ends of the box,
where $\psi$ is nearly flat, and the free energy is 0.001 above its minimum.

Alt: Left, three curves of the risk that level off, the higher the temperature the higher; right, densities of the
weight w: two spikes without noise, two hills at T = 0.01, nearly flat steps at T = 0.05.
"""

import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 40)
unit = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False)  # tanh(w x): one parameter
problem = wl.Problem(unit, wl.data.Samples(x, 0.7 * np.sin(1.5 * x)), domain=wl.domains.Box(-6.0, 6.0))
grid = wl.grids.uniform(-6.0, 6.0, 400)
w = np.asarray(grid.points[:, 0])

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
for heat, colour in zip([0.0, 0.01, 0.05], ["k", *wl.report.canvas.COLOURS], strict=False):
    run = wl.evolve(problem, wl.laws.Uniform(-1.0, 1.0), wl.TransportPDE(grid, temperature=heat), t1=300.0)
    left.plot(run.times, run.risk, color=colour, label=f"T = {heat:g}")
    right.plot(w, run.final.masses / grid.volumes, color=colour)
    print(f"T = {heat:g}: risk {run.risk[-1]:.4f}, free energy {run.free_energy[-1]:.6f}")
    if heat > 0.0:
        gibbs = wl.analysis.gibbs(problem, temperature=heat, grid=grid)
        right.plot(w, gibbs.density.masses / grid.volumes, ":", color="k")
        print(f"   Gibbs: risk {gibbs.objective:.4f}, free energy {gibbs.free_energy:.6f}")
left.set(xscale="symlog", yscale="log", xlabel="time t (mean-field time)", ylabel="risk")
left.legend()
right.set(xlabel="weight w", ylabel="density of neurons", ylim=(0, 0.6))
