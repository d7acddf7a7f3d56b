r"""When does a wide network learn like a linear model?

In a linear theory the tangent kernel stays what it was at the start (dashed). The same network learns targets $a \sin
2x$ of three sizes $a$ (solid), from one start with $f = 0$. In the linear theory the size does not matter: its three
curves are one. The smaller the target, the less the neurons have to move, and the longer the theory holds: its
prediction is off by a tenth of the error from $t = 10$, 32 and 147 on for $a = 3$, 0.3 and 0.03. To leave it need not
be a gain at once: the network with $a = 0.3$ is first slower than its linear theory, then much faster.

Alt: Risk relative to the start against time: one dashed curve for the linear theory; the solid curve of the smallest
target stays on it, those of larger ones leave it and end far below.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 20)
half = np.asarray(wl.laws.Normal(0.0, 1.0, dim=3).sample(256, key=jax.random.key(0)).positions)
start = wl.Particles(np.concatenate([half, half * [-1.0, 1.0, 1.0]]))  # each neuron (c, w, b) with its negative: f = 0
times = np.geomspace(0.1, 1000.0, 25)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for size, colour in zip([0.03, 0.3, 3.0], wl.report.canvas.COLOURS, strict=False):
    problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, size * np.sin(2.0 * x)))
    flow = wl.evolve(problem, start, wl.GradientFlow(), t1=1000.0, save_at=times)
    linear = wl.evolve(problem, start, wl.TangentFlow(), t1=1000.0, save_at=times)
    axes.loglog(flow.times[1:], flow.risk[1:] / flow.risk[0], color=colour, label=f"a = {size:g}")
    axes.loglog(linear.times[1:], linear.risk[1:] / linear.risk[0], "--", color=colour)
    print(f"a = {size:g}: {wl.analysis.linearity(problem, flow).verdict}")
axes.set(xlabel="time t (mean-field time)", ylabel="risk / risk at the start")
axes.legend(title="solid: network\ndashed: linear theory")
