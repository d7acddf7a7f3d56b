r"""How far is the function of a finite network from the limit's?

The function $f_n$ of $n$ neurons scatters around that of the limit as means of independent draws do: $E|f_n - f|^2 =
V/n$ to leading order, and $V$, also after training, follows from the limit alone (rotskoff2018, Section 2.3). Left,
that line ($V = 0.034$ at $t = 2$) and 100 trained networks of each width with two standard errors: they agree. Right,
the limit and 30 of the networks of 32 neurons.

Alt: Left, three points with error bars on a line of slope -1 on logarithmic axes; right, a black curve with a bundle
of thin ones around it.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 20)
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.Samples(x, np.sin(2.0 * x)))
start = wl.laws.product(output=wl.laws.Empirical([[-1.0], [1.0]]), weight=wl.laws.Uniform(-3.0, 3.0, dim=1))
atoms, flow = start.quantise(32, wl.laws.Gauss()), wl.GradientFlow(wl.integrators.RungeKutta4(0.1))
limit = problem.predict(wl.evolve(problem, atoms, flow, t1=2.0, save_at=[2.0]).final, x)
found = wl.analysis.fluctuations(problem, atoms, t1=2.0, save_at=[2.0])
variance = found.prediction_variance[-1]

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
widths, orange = np.array([8, 32, 128]), wl.report.canvas.COLOURS[1]
drawn = np.reshape(start.sample(3 * 100 * 128, key=jax.random.key(0)).positions, (3, 100, 128, 2))
for n, many in zip(widths, drawn, strict=True):
    masses = np.where(np.arange(128) < n, 1.0 / n, 0.0)  # none beyond the n-th: all widths are one compiled program
    starts = [wl.Particles(rows, masses, blocks=problem.blocks) for rows in many]
    nets = wl.evolve_many(problem, starts, flow, t1=2.0, save_at=[2.0])
    functions = np.array([problem.predict(net.final, x) for net in nets])
    squares = np.mean((functions - limit) ** 2, axis=1)
    mean, error = squares.mean(), 2.0 * squares.std() / len(squares) ** 0.5
    left.errorbar(n, mean, error, fmt="o", color=orange, capsize=3, label="100 networks" if n == 8 else None)
    print(f"n = {n}: {mean:.5f} +- {error:.5f}, theory {variance / n:.5f}")
    if n == 32:
        right.plot(x, functions[:30].T, color=orange, lw=0.6)
left.loglog(widths, variance / widths, "k", label=f"V/n, V = {variance:.3f}")
left.set(xlabel="width n (neurons)", ylabel=r"mean of $|f_n - f|^2$, t = 2")
left.set_xticks(widths, widths)
left.legend()
right.plot(x, limit, "k", lw=2.5, label="limit, 30 networks of 32")
right.set(xlabel="input x", ylabel="prediction f(x), t = 2", ylim=(-0.42, 0.36))
right.legend(loc="lower right")
