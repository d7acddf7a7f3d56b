r"""Where do the neurons go?

A cloud of 400 neurons $c\,\tanh(w x)$ starts near zero. Does it stay one cloud while it learns? The target is made by
two neurons, $2\tanh(4x) - 3\tanh(x/2)$; the grey lines are their weights (twice, as $(-c, -w)$ is the same neuron as
$(c, w)$). The cloud splits into four groups around the teacher's weights. Their output weights stay spread, for only
the sums count: over 400 neurons they are 2.01 for the steep ones and -3.00 for the flat ones. The steep neurons
differ in $w$, too, from 2.8 to 4.5, and the network fits all the same, to a risk of 1e-7.

Alt: Left, the risk falls from 0.25 to 1e-7; right, a grey cloud of neurons around zero and four blue groups: two
short rows at w = 1/2 and -1/2, two slanted ones across the lines at 4 and -4.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 40)
y = 2.0 * np.tanh(4.0 * x) - 3.0 * np.tanh(x / 2.0)
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.Samples(x, y))
start = wl.laws.product(output=wl.laws.Normal(0.0, 0.3), weight=wl.laws.Normal(0.0, 0.3, dim=1))
traj = wl.evolve(problem, start.sample(400, key=jax.random.key(0)), wl.GradientFlow(), t1=3000.0)

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
traj.plot(left)
left.set_xscale("symlog", linthresh=10.0)
wl.report.neurons(traj, right)
for weight in (-4.0, -0.5, 0.5, 4.0):
    right.axhline(weight, color="0.6", lw=1, zorder=0)
right.set(xlabel="output weight c", ylabel="weight w")

c, w = np.asarray(traj.final["output"]), np.asarray(traj.final["weight"])[:, 0]
for name, steep in (("steep", np.abs(w) > 2), ("flat", np.abs(w) <= 2)):
    total = np.sum((c * np.sign(w))[steep]) / 400
    sizes = np.abs(w[steep])
    print(f"{name}: {steep.sum()} neurons, |w| {sizes.min():.2f} to {sizes.max():.2f}, sum {total:.3f}")
