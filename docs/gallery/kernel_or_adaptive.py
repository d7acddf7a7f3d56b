r"""When do the knots of a ReLU network move?

Along the gradient flow of $c\,(a x + b)_+$ each neuron keeps its $\delta = c^2 - a^2 - b^2$ (williams2019). At
$\delta = -\infty$ the inner weights rest: no knot moves to a sample, and training is a kernel method, which draws a
smooth curve. At 0 and above knots run to the samples, where they stick (74 and 106 of 200), and the curve is made of
a few straight lines. All three start from the same neurons and fit; the time of the first is that of the kernel.
`regime` compares the tangent kernel at the start and the end: kernel, adaptive, and, at $\delta = 100$, something
between.

Alt: Three panels with six points and the network through them: on the left a smooth curve, in the middle and on the
right straight lines with corners.
"""

import math

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x, y = np.linspace(-0.9, 0.9, 6), np.array([1.0, -1.0, 0.5, 0.2, -0.7, 0.9])
law = wl.laws.product(r=wl.laws.Normal(0.0, 3.0), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))
fine = np.linspace(-1.2, 1.2, 400)

figure, panels = plt.subplots(1, 3, figsize=(7, 4), sharey=True, layout="constrained")
for delta, end, axes, colour in zip(
    [-math.inf, 0.0, 100.0], [4000.0, 40.0, 40.0], panels, wl.report.canvas.COLOURS, strict=False
):
    problem = wl.problems.canonical_relu(x, y, delta=delta)
    start = problem.start(law, width=200, key=jax.random.key(0))
    run = wl.evolve(problem, start, wl.GradientFlow(wl.integrators.Filippov(end / 4000)), t1=end)
    axes.plot(fine, problem.predict(run.final, fine), color=colour)
    axes.plot(x, y, "ko")
    name = r"$-\infty$" if delta < -1e9 else f"{delta:g}"
    axes.set(title=rf"$\delta$ = {name}", xlabel="input x")
    print(f"delta = {delta:g}: risk {run.risk[-1]:.1e}, {run.sticking[-1]} of 200 knots on a sample")
    print("   ", wl.analysis.regime(problem, run).verdict)
panels[0].set_ylabel("prediction f(x)")
