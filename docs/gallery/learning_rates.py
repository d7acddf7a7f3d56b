r"""What if the layers learn at different rates?

A learning rate for each layer is a mobility: $\dot\theta = -P\,\nabla\psi$ with a diagonal $P$. From one start, and
with the rate 1 for the output weights, the inner weights move 0, 1 or 10 times as fast. Frozen, the network is a
kernel method and cannot make the narrow dip in this time; moving, it adapts its features, and the risk at $t = 100$
is 40 and about 2000 times lower.

Alt: Left, three falling curves of the risk, the lower the faster the inner weights; right, a narrow dip of samples:
the network with frozen inner weights makes a wide shallow one, the others fit.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 40)
y = np.tanh(5.0 * (x - 0.5)) - np.tanh(5.0 * (x + 0.5))
unit = wl.units.Neuron(wl.activations.tanh)
start = wl.laws.Normal(0.0, 1.0, dim=3).sample(300, key=jax.random.key(0))

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
for rate, colour in zip([0.0, 1.0, 10.0], wl.report.canvas.COLOURS, strict=False):
    mobility = wl.mobilities.Diagonal(output=1.0, weight=rate, bias=rate)
    problem = wl.Problem(unit, wl.data.Samples(x, y), mobility=mobility)
    run = wl.evolve(problem, start, wl.GradientFlow(), t1=100.0)
    left.loglog(run.times[1:], run.risk[1:], color=colour, label=f"inner rate {rate:g}")
    right.plot(x, problem.predict(run.final, x), color=colour)
    print(f"inner rate {rate:g}: risk {run.risk[-1]:.5f} at t = 100")
right.plot(x, y, "k.", label="samples")
left.set(xlabel="time t (mean-field time)", ylabel="risk")
right.set(xlabel="input x", ylabel="prediction f(x), t = 100")
left.legend()
right.legend()
