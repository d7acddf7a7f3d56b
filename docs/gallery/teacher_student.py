r"""Does a student find its teacher's neurons?

The teacher has two neurons $(\theta\cdot x)_+$, at $(1, 0)$ with the mass 0.8 and at $(-1, 0)$ with 0.2
(teacherstudent2020). Left, a student that starts near them, 80 and 20 neurons: each cluster comes in at its own rate,
0.4 and 0.1 (dashed: the theory; the ratio is that of the masses). Right, one that starts anywhere: half of its 100
neurons end further than 0.5 from both, and yet its risk is below 0.001. A ReLU network fixes the mean of $\theta$,
here 0.601 against 0.6, and not where its neurons are.

Alt: Left, two distances that fall on straight lines on a logarithmic axis, with the dashed ones of the theory on
them; right, a grey cloud of neurons, the green one that it becomes, flatter and wider, and two crosses.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

atoms, masses = np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([0.8, 0.2])
unit = wl.units.Neuron(wl.activations.relu, bias=False, output_weight=False)
problem = wl.problems.teacher_student(unit, wl.Particles(atoms, masses), wl.laws.Normal(0.0, 1.0, dim=2))
rates = wl.analysis.teacher_rates(problem)
cloud = np.asarray(jax.random.normal(jax.random.key(0), (100, 2)))
flow = wl.GradientFlow()
near = wl.Particles(np.repeat(1.1 * atoms + 0.05, [80, 20], axis=0) + 0.01 * cloud)
run = wl.evolve(problem, near, flow, t1=30.0)
far = wl.evolve(problem, wl.Particles(cloud), flow, t1=30.0)

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
clusters = (slice(0, 80), slice(80, 100))
for atom, mass, rows, rate, colour in zip(atoms, masses, clusters, [0.4, 0.1], wl.report.canvas.COLOURS, strict=False):
    away = np.linalg.norm(run.positions[:, rows].mean(axis=1) - atom, axis=1)
    left.semilogy(run.times, away, color=colour, label=f"mass {mass}")
    left.semilogy(run.times, away[0] * np.exp(-rate * run.times), "--", color=colour, label=f"rate {rate}")
left.set(xlabel="time t (mean-field time)", ylabel="distance of a cluster from its neuron")
left.legend()
right.plot(*cloud.T, "o", color="0.7", ms=3, label="start")
right.plot(*far.final.positions.T, "o", color=wl.report.canvas.COLOURS[2], ms=3, label="end")
right.plot(*atoms.T, "kx", ms=10, mew=3, label="teacher")
right.set(xlabel=r"$\theta_1$", ylabel=r"$\theta_2$")
right.legend()
print("rates of the theory", np.round(rates.rates, 3), f"risk at the ends {run.risk[-1]:.1e}, {far.risk[-1]:.1e}")
ends = np.asarray(far.final.positions)
away = np.linalg.norm(ends[:, None] - atoms, axis=2).min(axis=1)
far_off, mean = np.sum(away > 0.5), np.round(ends.mean(0), 3)
print(f"from the cloud {far_off} of 100 end further than 0.5 from both; mean {mean}, teacher's {masses @ atoms}")
