r"""What does a wide network learn first, and what last?

Where only the output weights learn, the error is a sum of modes, each of which decays as $e^{-\lambda_k t}$. Here are
the $\lambda_k$ of free-knot splines on $[0, 1]$ with evenly spread knots (yarotsky2018, (19) to (26)) and the first
four shapes. From the second on the rates are close to $(\pi(k - 1/2))^{-4}$: the more wavy a mode, the slower. The
first decays 39 times as fast as the second and 308 times as fast as the third; so a risk of 1e-4, for the target
$x^2$, takes until $t = 586$, one of 1e-8 until $t = 8 \cdot 10^5$.

Alt: Left, eigenvalues against their number fall along a straight line on logarithmic axes; right, four functions with
zero to three sign changes.
"""

import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

problem = wl.problems.free_knot_spline(target=lambda x: x**2)
start = wl.laws.product(c=wl.laws.Atom(0.0), h=wl.laws.Uniform(0.0, 1.0))
found = wl.analysis.spectrum(problem, start, trainable=("c",))

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
k, rates = np.arange(1, 21), found.eigenvalues[:20]
left.loglog(k, rates, "ko", label="eigenvalues")
left.loglog(k, (np.pi * (k - 0.5)) ** -4.0, color=wl.report.canvas.COLOURS[1], label=r"$(\pi(k - 1/2))^{-4}$")
left.set(xlabel="mode k", ylabel=r"rate $\lambda_k$ (1 / mean-field time)")
left.legend()
x = np.linspace(0.0, 1.0, 200)
shapes = found.eigenfunctions(x)[:, :4]
for shape, rate, colour in zip(shapes.T, rates, wl.report.canvas.COLOURS, strict=False):
    right.plot(x, shape * np.sign(shape[-1]), color=colour, label=f"rate {rate:.2g}")
right.set(xlabel="input x", ylabel="eigenfunction", ylim=(-1.8, 3.6))
right.legend()
print("rates", [f"{rate:.3g}" for rate in rates[:4]], "ratios", [f"{rates[0] / rate:.4g}" for rate in rates[:4]])
print(f"the risk is 1e-4 at t = {found.time_to(1e-4):.0f}, 1e-8 at t = {found.time_to(1e-8):.0f}")
