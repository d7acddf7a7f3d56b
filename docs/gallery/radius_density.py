r"""Is the transport equation right, and how do neurons move in it?

Neurons as a gas: the density of their lengths $r = |w|$ follows $\partial_t\rho = \partial_r(\rho\,\partial_r\psi)$
(mei2018, Fig. 1, $\Delta = 0.8$, $d = 40$). The coloured densities are solved on a grid; the black steps are the
lengths in a network of 800 neurons of 40 inputs that SGD trains on one fresh sample a step. First all neurons grow
together, then they part: most become long, and a few shrink to almost nothing. The mean lengths of grid and network
differ by less than 0.01 at all four times, the risks at the end are 0.695 and 0.678.

Alt: Densities of the lengths of neurons at four times: narrow bumps that move to the right, then a broad hump with a
small peak near zero; the network's histogram follows each.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

problem = wl.problems.isotropic_gaussians(delta=0.8, dim=40)
small = problem.reduced()  # in r = |w|: one parameter for forty
start = wl.laws.Normal(0.0, 0.8 / 40**0.5, dim=40)
times = [0.0, 0.5, 1.5, 5.0]
grid = wl.grids.uniform(0.0, 4.0, 600)
pde = wl.evolve(small, small.project(start), wl.TransportPDE(grid), t1=5.0, save_at=times)
sgd = wl.SGD(step=5e-5, dtype=jnp.float32)
net = wl.evolve(problem, start.sample(800, key=jax.random.key(0)), sgd, t1=5.0, key=jax.random.key(1), save_at=times)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
r = np.asarray(grid.points[:, 0])
for index, (time, colour) in enumerate(zip(times, wl.report.canvas.COLOURS, strict=False)):
    density = np.asarray(pde[index].masses / grid.volumes)
    lengths = np.linalg.norm(net[index]["weight"], axis=1)
    axes.plot(r, density, color=colour, lw=2, label=f"t = {time:g}")
    axes.hist(lengths, bins=np.linspace(0, 4, 81), density=True, histtype="step", color="k", lw=0.8)
    print(f"t = {time:g}: mean length {np.sum(r * pde[index].masses):.4f}, network {lengths.mean():.4f}")
axes.set(xlabel="length |w| of a neuron", ylabel="density", xlim=(0, 4))
axes.legend()
print(f"risk at the end: limit {pde.risk[-1]:.3f}, network {net.risk[-1]:.3f}")
