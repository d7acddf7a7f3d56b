r"""How far is training from the best network, and does one know it while it runs?

The risk is convex in the measure, so at any moment $R(\rho) - \inf R \le \int\psi\,d\rho - \inf\psi$: a bound that
needs the present network alone. Black, the true excess over the least risk of all networks, 0.1905 (isotropic
Gaussians, mei2018, $\Delta = 0.3$, $d = 40$, solved by quantiles); blue, the bound, proven by an exhaustive search at
each of its points. At the start it is a tenth too large, at $t = 0.5$ twenty-five times, but from $t = 2$ on it is
within 1 % of the truth: one knows when to stop.

Alt: Two falling curves on a logarithmic axis, the bound above the true excess; from t = 2 on they are one.
"""

import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

problem = wl.problems.isotropic_gaussians(delta=0.3, dim=40).reduced()
start = problem.project(wl.laws.Normal(0.0, 0.8 / 40**0.5, dim=40))
traj = wl.evolve(problem, start, wl.Quantiles(), t1=6.0, save_at=np.linspace(0.0, 6.0, 13))
best = wl.minimise(problem)
gaps = [wl.analysis.optimality_gap(problem, traj[k], competitor=False) for k in range(len(traj))]

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
axes.semilogy(traj.times, [gap.gap for gap in gaps], "o-", color=wl.report.canvas.COLOURS[0], label="bound")
axes.semilogy(traj.times, traj.risk - best.risk, "k", label="risk less the least risk of all networks")
axes.set(xlabel="time t (mean-field time)", ylabel="excess risk")
axes.legend()
print("least risk", best.risk, "all certified", all(gap.certified for gap in gaps))
for t, gap, risk in zip(traj.times, gaps, traj.risk, strict=True):
    print(f"t = {t:g}: bound {gap.gap:.3g}, excess {risk - best.risk:.3g}")
