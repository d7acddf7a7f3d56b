r"""What does a schedule of the step size buy?

Three ways to spend the same 200 steps of SGD on targets with a part that nothing can fit: a constant step of 0.2, one
that falls as $\xi(t) = 2/\sqrt t$, and a constant one that is cut to a tenth in the middle. A constant step stops
0.011 above the flow's risk (black), since it goes on jumping from sample to sample; one that falls comes down sooner
and ends 0.005 above, the cut one 0.003. A tenth of the step would leave a tenth of 0.011 in the end, but what the
noise did to slow modes heals slowly. Means of 20 runs; printed, of the last five points of each.

Alt: Three curves of the risk that fall at once: the constant one stays rough above the black curve of the flow, the
one that falls comes nearer, and the one that is cut comes nearest after t = 20.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 20)
y = np.tanh(x) + 0.5 * np.where(np.arange(20) % 2, 1.0, -1.0)  # what no smooth function fits
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh, bias=False), wl.data.Samples(x, y))
start = wl.laws.product(output=wl.laws.Normal(0.0, 1.0), weight=wl.laws.Normal(0.0, 1.5, dim=1)).quantise(128)
times = np.linspace(0.0, 40.0, 81)
flow = wl.evolve(problem, start, wl.GradientFlow(), t1=40.0, save_at=times)

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
plans = {
    "constant": wl.schedules.constant(1.0),
    "falls as 1/sqrt(t)": wl.schedules.power(0.5, scale=2.0),
    "cut to a tenth at t = 20": wl.schedules.piecewise([20.0], [1.0, 0.1]),
}
for (name, plan), colour in zip(plans.items(), wl.report.canvas.COLOURS, strict=False):
    keys = jax.random.split(jax.random.key(0), 20)
    nets = wl.evolve_many(problem, [start] * 20, wl.SGD(0.2, schedule=plan), t1=40.0, keys=keys, save_at=times)
    mean = np.mean([net.risk for net in nets], axis=0)
    axes.plot(times, mean, color=colour, label=name)
    print(f"{name}: mean risk {mean[-5:].mean():.4f} at the end, inner clock {plan.integral(40.0):.1f}")
axes.plot(times, flow.risk, "k", label="gradient flow")
axes.set(xlabel="time t (steps times 0.2)", ylabel="mean risk of 20 runs", ylim=(0.12, 0.16))
print(f"gradient flow: {flow.risk[-1]:.4f}")
axes.legend()
