r"""What can a wide residual network learn, a turn or a mirror image?

Each of four levels has its own cloud of neurons, $X^{l+1} = X^l + \int_{\mathrm{depth}=l}\sigma(\theta X^l)\,d\rho$
(teacherstudent2020, section 3.2), and one gradient flow moves all of them. Points of the plane are to be turned by 90
degrees, or mirrored. The turn is learned at once, up to a risk of 0.016: a level with tanh moves a coordinate by at
most 1/4, too little for the outer points (right). A mirror image has to fold the plane: the runs wait on a plateau,
near the risk 0.1, and leave it at times that depend on the start more than on the width. Three starts of each.

Alt: Left, risk over time: the curves of the turn fall together to 0.016; those of the mirror image wait near 0.1 and
part; right, paths of points that turn like a wheel, with outputs near the labels.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt

import widelimit as wl

x = 0.4 * jax.random.normal(jax.random.key(1), (32, 2))
turned = jnp.stack([-x[:, 1], x[:, 0]], axis=1)
labels = {"turn": turned, "mirror": x[:, ::-1]}
law, flow = wl.laws.Normal(0.0, 0.5, dim=4), wl.GradientFlow(wl.integrators.RungeKutta4(1.0))

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
for (name, y), colour in zip(labels.items(), wl.report.canvas.COLOURS, strict=False):
    problem = wl.problems.wide_resnet(wl.data.Samples(x, y), depth=4, activation=wl.activations.tanh)
    for width, dash in ((2, ":"), (16, "-")):
        starts = [problem.start(law, width=width, key=jax.random.key(seed)) for seed in range(3)]
        runs = wl.evolve_many(problem, starts, flow, t1=600.0)
        for seed, run in enumerate(runs):
            label = None if seed else f"{name}, {width} a level"
            left.semilogy(run.times, run.risk, dash, color=colour, label=label)
        print(f"{name}, {width} neurons a level: risk {[round(float(run.risk[-1]), 4) for run in runs]}")
    if name == "turn":
        net, points = run.final, [x]

for level in range(4):  # X <- X + mean of tanh(theta X) / 4, by hand
    theta = net["theta"][16 * level : 16 * (level + 1)].reshape(-1, 2, 2)
    points.append(points[-1] + jnp.tanh(jnp.einsum("nij,qj->qni", theta, points[-1])).mean(axis=1) / 4)
right.plot(*jnp.stack(points).transpose(2, 0, 1), color="0.6", lw=0.8, zorder=0)
right.plot(*points[-1].T, "o", color=wl.report.canvas.COLOURS[0], ms=4, label="outputs, turn")
right.plot(*turned.T, "kx", ms=5, label="labels")
left.set(xlabel="time t (mean-field time)", ylabel="risk")
right.set(xlabel="first coordinate", ylabel="second coordinate", aspect="equal", ylim=(-1.1, 1.9))
left.legend()
right.legend()
