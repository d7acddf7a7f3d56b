r"""What function does an infinitely wide ReLU network draw through a few points?

Where only the output weights learn, training ends at the interpolant of least norm for the kernel $K(x, x') = \int
(ax+b)_+(ax'+b)_+\,d\rho$, and which this is depends on where the knots were drawn (williams2019, Theorem 5): spread
evenly over $[-4, 4]$ they give the natural cubic spline to 0.2 %; crowded around zero a curve that bends hard there
and is nearly straight elsewhere. On the way there (right, knots even) the broad bends come first. Time is that of the
kernel's flow, for half the sum of the squared errors.

Alt: Left, six points with two curves through them; one lies on the natural cubic spline, the other swings further in
the middle; right, four curves that come nearer to the points the longer the training.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import CubicSpline

import widelimit as wl

x, y = np.linspace(-0.9, 0.9, 6), np.array([1.0, -1.0, 0.5, 0.2, -0.7, 0.9])
relu = wl.units.Neuron(wl.activations.relu)
signs = wl.laws.Empirical([[-1.0], [1.0]])
even = wl.kernels.random_features(relu, wl.laws.product(weight=signs, bias=wl.laws.Uniform(-4.0, 4.0)))
crowded = wl.kernels.random_features(relu, wl.laws.product(weight=signs, bias=wl.laws.Normal(0.0, 0.25)))
fine = np.linspace(-1.2, 1.2, 400)

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), sharey=True, layout="constrained")
inside = fine[np.abs(fine) < 0.9]
left.plot(inside, CubicSpline(x, y, bc_type="natural")(inside), "k", lw=3, alpha=0.4, label="natural cubic spline")
for name, kernel, colour in zip(["even", "around 0"], [even, crowded], wl.report.canvas.COLOURS, strict=False):
    f = wl.kernels.interpolate(kernel, x, y)
    left.plot(fine, f(fine), color=colour, label=f"knots {name}")
    print(f"knots {name}: squared norm {f.norm_squared:.1f}, relative error at most {f.error:.1e}")
print("from the natural spline:", wl.kernels.natural_spline_distance(wl.kernels.interpolate(even, x, y)))
for time, colour in zip([1.0, 1e2, 1e3, 1e4], wl.report.canvas.COLOURS, strict=False):
    right.plot(fine, wl.kernels.interpolate(even, x, y, time=time)(fine), color=colour, label=f"t = {time:g}")
for axes in (left, right):
    axes.plot(x, y, "ko")
    axes.set(xlabel="input x", ylabel="prediction f(x)", ylim=(-2.2, 3.2))
    axes.legend(loc="upper center")
