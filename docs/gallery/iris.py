r"""Where does a wide network draw the borders between three classes?

The petals of 150 irises of three species. A softmax over three outputs, $\ell = \log\sum_c e^{f_c} - f_y$, is one
more convex loss, so there is a wide limit as for the squared one. Colours: the classes that the limit gives at $t =
30$; black lines: the borders of a network of 20 neurons that SGD trained from the same law. Where flowers of two
species meet the two agree; in the empty gap and far from all flowers the data do not say where the border is, and
they differ. On these flowers 143 and 144 of 150 are right.

Alt: Left, petal length and width of three groups of flowers on three coloured regions, with two black borders that
cross the coloured ones; right, two falling curves of the risk that nearly agree.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_iris

import widelimit as wl

table = load_iris()
x, label = table.data[:, 2:], table.target
x = (x - x.mean(0)) / x.std(0)
unit = wl.units.Neuron(wl.activations.tanh)
problem = wl.Problem(unit, wl.data.Samples(x, np.eye(3)[label]), wl.losses.softmax())
law = wl.laws.Normal(0.0, 1.0, dim=3 + 2 + 1)  # three output weights, two weights, a bias
flow = wl.evolve(problem, law.quantise(256), wl.GradientFlow(), t1=30.0)
sgd = wl.SGD(0.05, batch=8)
net = wl.evolve(problem, law.sample(20, key=jax.random.key(0)), sgd, t1=30.0, key=jax.random.key(1))

u, v = np.meshgrid(np.linspace(-2, 2, 120), np.linspace(-2, 2, 120))
points = np.column_stack([u.ravel(), v.ravel()])
regions = [np.argmax(problem.predict(run.final, points), -1).reshape(u.shape) for run in (flow, net)]

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), width_ratios=[3, 2], layout="constrained")
colours = wl.report.canvas.COLOURS[:3]
left.contourf(u, v, regions[0], [-0.5, 0.5, 1.5, 2.5], colors=colours, alpha=0.25)
left.contour(u, v, regions[1], [0.5, 1.5], colors="k", linewidths=1)
for kind, name in enumerate(table.target_names):
    left.plot(*x[label == kind].T, "os^"[kind], color=colours[kind], ms=4, label=name)
left.set(xlabel="petal length (standard deviations)", ylabel="petal width (standard deviations)")
left.legend()
right.semilogy(flow.times, flow.risk, "k", label="limit")
right.semilogy(net.times, net.risk, color=wl.report.canvas.COLOURS[3], label="20 neurons")
right.set(xlabel="time t (mean-field time)", ylabel="risk (softmax loss)")
right.legend()
for name, run in (("limit", flow), ("20 neurons", net)):
    right_ones = np.argmax(problem.predict(run.final, x), -1) == label
    print(f"{name}: risk {run.risk[-1]:.4f}, {right_ones.sum()} of 150 right")
