r"""How far will a network of this width be from the limit?

The bands, computed without training any network, are where the risk of nine networks in ten should lie: the central
limit theorem around the limit (rotskoff2018, Section 2), to second order. The thin lines are ten networks of each
width that were trained from the same law: 9 and 9 of 10 end inside. The band shrinks as $1/\sqrt N$, from 0.144 to
0.160 with 100 neurons to 0.148 to 0.155 with 400. At 100 the first and the second order differ by more than a tenth
of the band at some times, so `trusted` is False there; `predict` would then train networks, if it were let.

Alt: Two panels, for 100 and 400 neurons: a black falling curve with a coloured band around it, half as wide on the
right, and ten thin curves, most of them inside.
"""

import jax
import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 20)
problem = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(x, np.sin(2.0 * x)))
start = wl.laws.product(
    output=wl.laws.Normal(0.0, 1.0), weight=wl.laws.Normal(0.0, 2.0, dim=1), bias=wl.laws.Normal(0.0, 1.0)
)
times = np.linspace(0.0, 5.0, 11)
flow = wl.GradientFlow(wl.integrators.RungeKutta4(0.05))

figure, panels = plt.subplots(1, 2, figsize=(7, 4), sharey=True, layout="constrained")
for width, axes, colour in zip([100, 400], panels, wl.report.canvas.COLOURS, strict=False):
    how = {"particles": 64, "draws": 100, "networks": 0, "key": jax.random.key(0)}
    band = wl.predict(problem, start, width=width, t1=5.0, save_at=times, **how)
    axes.fill_between(band.times, band.lower, band.upper, color=colour, alpha=0.3, label="band of 90 %")
    axes.plot(band.times, band.limit, "k", lw=2, label="limit")
    masses = np.where(np.arange(400) < width, 1.0 / width, 0.0)  # both widths are one compiled program
    drawn = [start.sample(400, key=key) for key in jax.random.split(jax.random.key(width), 10)]
    starts = [wl.Particles(one.positions, masses, blocks=one.blocks) for one in drawn]
    nets = wl.evolve_many(problem, starts, flow, t1=5.0, save_at=times)
    for net in nets:
        axes.plot(net.times, net.risk, color=colour, lw=0.8)
    inside = sum(bool(band.lower[-1] <= net.risk[-1] <= band.upper[-1]) for net in nets)
    ends = f"{band.lower[-1]:.4f} to {band.upper[-1]:.4f}"
    print(f"{width} neurons: {ends}, {inside} of 10 end inside; trusted: {band.trusted.all()}")
    axes.set(title=f"{width} neurons", xlabel="time t (mean-field time)", ylabel="risk")
    axes.legend()
