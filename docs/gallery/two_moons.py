r"""How much do the borders of small networks differ from one another?

Two half-moons of 100 points each, with the logistic loss. Each thin line is the border $f = 0$ of a network that was
drawn and trained anew (SGD, eight seeds), the thick black one that of the wide limit, for which there is nothing to
draw. With 8 neurons the borders differ most where there are no points; with 64 they are close to the limit's. By the
points alone one would hardly see it: 1.5 to 4.5 % of them are on the wrong side with 8 neurons, 2 to 4 % with 64, and
3.5 % in the limit, which none of these networks is far from in risk (0.105 to 0.15 and 0.123 to 0.138 against 0.130).

Alt: Two half-moons of points, in each panel, with a thick black border that winds between them and eight thin ones:
with 8 neurons they fan out at the edges, with 64 less.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_moons

import widelimit as wl

x, label = make_moons(200, noise=0.15, random_state=0)
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, 2.0 * label - 1.0), wl.losses.logistic())
law = wl.laws.product(
    output=wl.laws.Normal(0.0, 2.0), weight=wl.laws.Normal(0.0, 2.0, dim=2), bias=wl.laws.Normal(0.0, 1.0)
)
limit = wl.evolve(problem, law.quantise(256), wl.GradientFlow(), t1=200.0, save_at=[200.0])
u, v = np.meshgrid(np.linspace(-1.5, 2.5, 100), np.linspace(-1.0, 1.5, 80))
points = np.column_stack([u.ravel(), v.ravel()])

figure, panels = plt.subplots(1, 2, figsize=(7, 4), sharey=True, layout="constrained")
for width, axes in zip([8, 64], panels, strict=True):
    keys = jax.random.split(jax.random.key(width), 8)
    masses = np.where(np.arange(64) < width, 1.0 / width, 0.0)  # both widths are one compiled program
    starts = [wl.Particles(law.sample(64, key=key).positions, masses, blocks=problem.blocks) for key in keys]
    nets = wl.evolve_many(problem, starts, wl.SGD(0.2, batch=8), t1=200.0, keys=keys, save_at=[200.0])
    for sign, colour, mark in ((0, wl.report.canvas.COLOURS[0], "o"), (1, wl.report.canvas.COLOURS[1], "^")):
        axes.plot(*x[label == sign].T, mark, color=colour, ms=3)
    for net in nets:
        axes.contour(u, v, np.reshape(problem.predict(net.final, points), u.shape), [0.0], colors="0.4", linewidths=0.8)
    axes.contour(u, v, np.reshape(problem.predict(limit.final, points), u.shape), [0.0], colors="k", linewidths=2.5)
    axes.set(title=f"{width} neurons, eight seeds", xlabel="first coordinate")
    wrong = [np.mean(np.sign(problem.predict(net.final, x)) != 2 * label - 1) for net in nets]
    risks = [round(float(net.risk[-1]), 3) for net in nets]
    print(f"{width} neurons: {100 * min(wrong):.1f} to {100 * max(wrong):.1f} % wrong, risks {risks}")
panels[0].set_ylabel("second coordinate")
wrong = np.mean(np.sign(problem.predict(limit.final, x)) != 2 * label - 1)
print(f"limit: {100 * wrong:.1f} % wrong, risk {limit.risk[-1]:.3f}")
