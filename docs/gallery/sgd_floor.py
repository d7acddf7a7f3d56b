r"""What do the step and the batch cost?

SGD does not end at the risk of the gradient flow: it hovers above it, at a height that goes as step over batch,
$\Delta t/P$ (rotskoff2018, Section 3). The curves are means of 40 runs of 128 neurons, with two standard errors. The
targets have a part that no smooth function fits, so that the samples disagree at every step. From $t = 20$ on the
height is 0.159 ± 0.011, 0.163 ± 0.015 and 0.181 ± 0.022 times $\Delta t/P$: one number, within these errors. Four
samples a batch are worth what a quarter of the step is.

Alt: Three noisy curves of the risk above that of the flow, one above the other in the ratio of 16 to 4 to 1.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 20)
y = np.sin(2.0 * x) + 0.5 * np.where(np.arange(20) % 2, 1.0, -1.0)  # what no smooth function fits
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.Samples(x, y))
start = wl.laws.product(output=wl.laws.Normal(0.0, 1.0), weight=wl.laws.Normal(0.0, 1.5, dim=1))
neurons = start.quantise(128)
times = np.linspace(0.0, 40.0, 41)
flow = wl.evolve(problem, neurons, wl.GradientFlow(), t1=40.0, save_at=times)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for step, batch, colour in zip([0.4, 0.1, 0.1], [1, 1, 4], wl.report.canvas.COLOURS, strict=False):
    keys = jax.random.split(jax.random.key(0), 40)
    nets = wl.evolve_many(problem, [neurons] * 40, wl.SGD(step, batch=batch), t1=40.0, keys=keys, save_at=times)
    excess = np.array([net.risk for net in nets]) - flow.risk
    mean, error = excess.mean(0), excess.std(0) / len(nets) ** 0.5
    axes.semilogy(times, mean, color=colour, label=f"step {step}, batch {batch}: step/batch = {step / batch:g}")
    axes.fill_between(times, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2)
    late = excess[:, times >= 20.0].mean(axis=1)
    ratio, doubt = late.mean() * batch / step, 2.0 * late.std() / 40**0.5 * batch / step
    print(f"step {step}, batch {batch}: excess {late.mean():.4f}, over step/batch {ratio:.3f} +- {doubt:.3f}")
axes.set(xlabel="time t (mean-field time)", ylabel="mean risk above the flow's", ylim=(1e-3, 0.2))
axes.legend()
