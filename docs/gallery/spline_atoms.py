r"""Where can training stop, and does it stay there?

Splines with free knots, $f_\rho = \int c\,(x - h)_+\,d\rho$, learn $x^2$ on $[0, 1]$ (yarotsky2018, section 3).
Training can rest only where the knots (dots) are in special places; here are all of those with 1, 2 and 3 knots, by
the error that is left: blue without mass at $h < 0$, orange with. None of them is stable: at each knot
$\partial_{hh}\psi = -c\,(y - f_\rho) < 0$, as the error is negative there, so a cloud of neurons at the knot widens,
at the rate printed, and the risk falls on. The fewer the knots the faster: at the rate 0.11 or 0.13 with one, 0.02 or
0.03 with three.

Alt: Three panels with the error of splines of one, two and three knots against x: scallops with a knot at each low
point, lower the more knots there are.
"""

import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

problem = wl.problems.free_knot_spline(target=lambda x: x**2)
x = np.linspace(0.0, 1.0, 200)

figure, panels = plt.subplots(1, 3, figsize=(7, 4), sharey=True, layout="constrained")
for count, axes in zip([1, 2, 3], panels, strict=True):
    families = wl.analysis.stationary_atoms(problem, count=count)
    for family, colour in zip(families, wl.report.canvas.COLOURS, strict=False):
        rest = family.measure()  # one atom a knot
        axes.plot(x, problem.predict(rest, x) - x**2, color=colour)
        axes.plot(family.knots, problem.predict(rest, family.knots) - family.knots**2, "o", color=colour)
        rates = np.round(family.growth_rates(), 4).ravel()
        print(f"knots {np.round(family.knots, 3)}, risk {family.risk:.3g}, stable: {family.stable}, growth {rates}")
    axes.axhline(0.0, color="k", lw=0.8)
    axes.set(title=f"{count} knot" + "s" * (count > 1), xlabel="input x")
panels[0].set_ylabel(r"error $f_\rho(x) - x^2$")
