r"""Where do the knots of a ReLU network stop?

Each neuron $c\,(a x + b)_+$ has a knot at $-b/a$. When a knot meets a sample (grey lines) its velocity jumps, and
where it leads back to the sample from both sides the knot sticks (williams2019); an ordinary solver would shiver
there, `Filippov` follows the neurons along. None of 200 knots is on a sample at the start and 90 are at $t = 40$, so
the network is made of a few straight lines. The risk waits long, 0.24 at $t = 20$. Then the error at $x = -0.18$
changes its sign, that sample lets its knots go, and they make the last corner: 0.0004 at $t = 40$.

Alt: Left, paths of knots against time that run into horizontal lines at the samples and stay on them, but for some
that leave again at t = 20; right, six points with a polygon through them.
"""

import math

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x, y = np.linspace(-0.9, 0.9, 6), np.array([1.0, -1.0, 0.5, 0.2, -0.7, 0.9])
problem = wl.problems.canonical_relu(x, y, delta=1.0)
law = wl.laws.product(r=wl.laws.Normal(0.0, 2.0), angle=wl.laws.Uniform(0.0, 2.0 * math.pi))
start = problem.start(law, width=200, key=jax.random.key(0))
traj = wl.evolve(problem, start, wl.GradientFlow(wl.integrators.Filippov(0.01)), t1=40.0)
angle = np.asarray(traj.positions)[:, :, 1]
knots = -np.tan(angle)  # where cos(angle) x + sin(angle) = 0
knots[np.abs(knots) > 2.0] = np.nan  # gone

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
for place in x:
    left.axhline(place, color="0.75", lw=3, zorder=0)
left.plot(traj.times, knots[:, ::4], color=wl.report.canvas.COLOURS[0], lw=0.7)
left.set(xlabel="time t (mean-field time)", ylabel="knots of 50 neurons (input x)", ylim=(-1.3, 1.3))
fine = np.linspace(-1.2, 1.2, 400)
right.plot(x, y, "ko", label="samples")
right.plot(fine, problem.predict(traj.final, fine), color=wl.report.canvas.COLOURS[1], label="network")
right.set(xlabel="input x", ylabel="prediction f(x)")
right.legend()
half = traj.risk[np.argmin(np.abs(traj.times - 20.0))]
print(f"risk {half:.4f} at t = 20, {traj.risk[-1]:.4f} at t = 40; {traj.dead[-1]} of 200 dead")
print(f"on a sample: {traj.sticking[0]} of 200 at the start, {traj.sticking[-1]} at the end")
print(wl.analysis.attractors(problem, traj.final))
