r"""How long should a network train on a small table, and how wide should it be?

The diabetes table of scikit-learn (442 patients, 10 columns), a third held out. Black, the score of the wide limit on
the held-out rows against the time for which it was trained (`WideRegressor`); in colours that of networks of 10 and
100 neurons, three seeds each. All are best between $t = 3$ and $t = 10$, with $R^2$ between 0.39 and 0.44 there, and
then fit the training rows at the cost of the others (0.66 against 0.40 at $t = 30$ for the limit). Networks of 100
neurons do what the limit does, but for the start; ten neurons scatter, to both sides: 147 rows cannot say that one is
better.

Alt: The score against the training time: it rises until t = 3 to 10 and falls a little after; the curves of 100
neurons lie on the limit's, those of 10 scatter around it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import widelimit as wl

x, y = load_diabetes(return_X_y=True)
train_x, test_x, train_y, test_y = train_test_split(x, y, test_size=1 / 3, random_state=0)
times = [0.3, 1.0, 3.0, 10.0, 30.0]

figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
for width, colour in [(10, wl.report.canvas.COLOURS[0]), (100, wl.report.canvas.COLOURS[1]), (None, "k")]:
    for seed in range(1 if width is None else 3):
        fits = [wl.sklearn.WideRegressor(t1=t, width=width, random_state=seed).fit(train_x, train_y) for t in times]
        scores = [fit.score(test_x, test_y) for fit in fits]
        name = "limit" if width is None else f"{width} neurons"
        axes.semilogx(times, scores, "o-", color=colour, label=None if seed else name)
        print(name, np.round(scores, 3), "on the training rows", round(fits[-1].score(train_x, train_y), 3))
axes.set(xlabel="training time t (mean-field time)", ylabel=r"$R^2$ on the held-out third")
axes.legend()
