r"""What happens to neurons that are not allowed to grow?

The target $\tanh(3x)$ is one neuron $\tanh(w x)$ with $w = 3$, but weights must stay in a box $|w| \le B$. Left, the
paths of 30 neurons for $B = 2$ (dashed: the walls); right, the share of the neurons that sit on a wall, for three
boxes. Where the teacher is outside the box all neurons end on the wall and rest there, at a risk of 0.0115 ($B =
1.5$) or 0.0035 ($B = 2$) that cannot fall any more; where it is inside none does, and at $t = 400$ the risk is
0.00004 and still falls.

Alt: Left, paths of weights that rise to the wall at 2 and stay there; right, the share on a wall rises to one for the
boxes of 1.5 and 2, and stays at zero for 4.
"""

import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 40)
unit = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False)
start = wl.laws.Uniform(-1.0, 1.0).quantise(30)

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
for bound, colour in zip([1.5, 2.0, 4.0], wl.report.canvas.COLOURS, strict=False):
    data = wl.data.Samples(x, np.tanh(3.0 * x))
    problem = wl.Problem(unit, data, domain=wl.domains.Box(-bound, bound))
    run = wl.evolve(problem, start, wl.GradientFlow(), t1=400.0, save_at=np.linspace(0.0, 400.0, 401))
    right.plot(run.times, run.wall_mass, color=colour, label=f"B = {bound:g}")
    print(f"B = {bound:g}: {run.wall_mass[-1]:.3f} of the mass on a wall, risk {run.risk[-1]:.5f}")
    if bound == 2.0:
        left.plot(run.times, run.positions[:, :, 0], color=colour, lw=0.8)
for wall in (-2.0, 2.0):
    left.axhline(wall, color="k", ls="--")
left.set(xlim=(0, 150), xlabel="time t (mean-field time)", ylabel="weights w of 30 neurons, B = 2")
right.set(xlim=(0, 150), xlabel="time t (mean-field time)", ylabel="share of neurons on a wall", ylim=(-0.03, 1.03))
right.legend()
