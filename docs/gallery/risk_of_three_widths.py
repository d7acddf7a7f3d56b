r"""Does a small network learn along the curve of the wide limit?

A network with few neurons, and one with infinitely many: do they need the same time, and do they end at the same
risk? The black curve is the wide limit, $\partial_t\rho = \nabla\cdot(\rho\,\nabla\psi)$; the coloured ones are
networks of 16, 64 and 256 neurons trained by SGD, four starts of each (a time of 0.02 is a step). Look at how the
bundles close in on the black curve: at t = 10 the risk of 16 neurons is between 0.007 and 0.012, that of 256 between
0.0078 and 0.0088, around the limit's 0.0084.

Alt: Risk against time on logarithmic axes, one black falling curve and three bundles of coloured curves that scatter
around it, the widest networks least.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x, y = wl.data.load("sklearn:digits", classes=(3, 8))  # images of a 3 (y = -1) or an 8 (y = 1)
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, y))
start = wl.laws.product(
    output=wl.laws.Normal(0.0, 1.0), weight=wl.laws.Normal(0.0, 0.125, dim=64), bias=wl.laws.Atom(0.0)
)
times = [0.05 * 1.25**k for k in range(24)]
limit = wl.evolve(problem, start.quantise(512), wl.GradientFlow(), t1=10.0, save_at=times)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for width, colour in zip([16, 64, 256], wl.report.canvas.COLOURS, strict=False):
    keys = jax.random.split(jax.random.key(width), 4)
    masses = np.where(np.arange(256) < width, 1.0 / width, 0.0)  # all widths are one compiled program
    drawn = [start.sample(256, key=jax.random.fold_in(key, 1)) for key in keys]
    starts = [wl.Particles(one.positions, masses, blocks=one.blocks) for one in drawn]
    nets = wl.evolve_many(problem, starts, wl.SGD(0.02, batch=8), t1=10.0, keys=keys, save_at=times)
    for seed, net in enumerate(nets):
        axes.loglog(net.times[1:], net.risk[1:], color=colour, lw=1, label=None if seed else f"{width} neurons")
    print(width, [round(float(net.risk[-1]), 4) for net in nets])
axes.loglog(limit.times[1:], limit.risk[1:], "k", lw=2, label="limit")
axes.set(xlabel="time t (mean-field time)", ylabel="risk", title="Digits 3 against 8, tanh neurons")
axes.legend()
print("limit", limit.risk[-1])
