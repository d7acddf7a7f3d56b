r"""What does weight decay do to the neurons of a wide network?

Two hundred neurons $c\,\tanh(w x)$ learn the same noisy curve, once without and once with weight decay $\lambda(c^2 +
w^2)$. Both times they gather in four groups, which are two neurons ($(-c, -w)$ is the same as $(c, w)$). Without
decay the output weights of a group stay spread, by 0.9 and 1.3, for only their sum counts; with it equal shares are
the cheapest, and the neurons of a group become one and the same: the spread is 0.04 and 0.10 and still falling. The
price is a risk of 0.235 in the place of 0.067.

Alt: Two panels with the neurons in the plane of output weight and weight, grey at the start: without decay four short
rows at the end, with decay four points.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 30)
y = 2.0 * np.sin(2.0 * x) + 0.2 * np.random.default_rng(0).normal(size=30)
start = wl.laws.Normal(0.0, 1.0, dim=2).sample(200, key=jax.random.key(0))

figure, panels = plt.subplots(1, 2, figsize=(7, 4), sharex=True, sharey=True, layout="constrained")
for decay, axes in zip([0.0, 0.003], panels, strict=True):
    unit = wl.units.Neuron(wl.activations.tanh, bias=False)
    problem = wl.Problem(unit, wl.data.Samples(x, y), penalty=wl.penalties.l2(decay))
    traj = wl.evolve(problem, start, wl.GradientFlow(), t1=500.0, save_at=[500.0])
    wl.report.neurons(traj, axes)
    axes.set(title=rf"$\lambda$ = {decay:g}", xlabel="output weight c", ylabel="weight w")
    c, w = np.abs(traj.final.positions).T
    print(f"lambda = {decay:g}: risk {traj.risk[-1]:.4f}")
    for steep in (False, True):
        group = (w > 1.2) == steep
        size, height = w[group], c[group]
        print(f"   {group.sum()} with |w| = {size.mean():.2f}: |c| {height.mean():.1f}, spread {height.std():.2f}")
