r"""Is my trained network too small, or not trained enough?

`wl.diagnose` reads a network that scikit-learn trained, here 100 tanh neurons for 100 epochs on the diabetes table.
Left, how much its objective, 0.233, would fall by training on (200 steps of L-BFGS), from another start, and with
twice as many neurons, with intervals of 95 %: it was not trained enough, and wider is no help. That is on these rows;
for others ask with `held_out=`. Right, a network of 31 neurons that predicts the same to 1 % of the predictions'
standard deviation.

Alt: Left, three bars: training longer 0.21, the other two about zero; right, the predictions of 31 neurons against
those of 100 lie on the diagonal.
"""

import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import scale

import widelimit as wl

x, y = load_diabetes(return_X_y=True)
x, y = scale(x), scale(y)
mlp = MLPRegressor(hidden_layer_sizes=(100,), activation="tanh", alpha=1e-2, max_iter=100, random_state=0)
with warnings.catch_warnings(action="ignore"):  # scikit-learn, too, finds that it has not converged
    mlp.fit(x, y)
found = wl.diagnose(mlp, x, y)
for help in found.helps:
    print(f"{help.way}: {help.gain:.3f} +- {help.error:.3f}, {help.verdict}")
print(f"{found.smaller.width} neurons predict the same to {found.smaller.difference:.3f} standard deviations")

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), width_ratios=[3, 2], layout="constrained")
colour = wl.report.canvas.COLOURS[0]
names, gains, errors = zip(*[(help.way, help.gain, help.error) for help in found.helps], strict=True)
left.barh(names, gains, xerr=errors, color=colour, capsize=4)
left.set(xlabel="fall of the objective (now 0.23)", ylabel="what to do")
right.plot(mlp.predict(x), found.problem.predict(found.smaller.measure, x), ".", color=colour)
right.axline((0.0, 0.0), slope=1.0, color="k", lw=0.8)
right.set(xlabel="prediction of 100 neurons", ylabel=f"prediction of {found.smaller.width} neurons")
