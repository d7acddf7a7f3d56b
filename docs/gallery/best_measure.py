r"""What does the best network of any width look like?

Two classes of points, both centred, differ in their spread alone: $y = \pm 1$ with $x \sim N(0, (1 \pm \Delta)^2
I_{40})$ (mei2018). How small can the risk of any network become? The risk is convex in the measure of neurons, so
that its minimum over all measures is found and proven here, to 1e-12. On the right the lengths $|w|$ of its neurons,
areas are shares: up to $\Delta = 0.4$ all neurons have one length (mei2018, Lemma 1). From 0.45 on some ought to be
infinitely long, so that no network attains the minimum, and from 0.6 on some are zero.

Alt: Left, the least risk falls from 0.86 at Delta = 0.05 to 0.0002 at 0.95; right, the lengths of the best neurons:
one branch up to 0.4, then a second at infinity, and from 0.6 a third at zero.
"""

import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

deltas = np.linspace(0.05, 0.95, 19)
minima = [wl.minimise(wl.problems.isotropic_gaussians(delta=delta, dim=40).reduced()) for delta in deltas]
print("largest gap", max(best.gap for best in minima), "all certified", all(best.certified for best in minima))

blue, orange, *_ = wl.report.canvas.COLOURS
figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
left.semilogy(deltas, [best.risk for best in minima], "ko-", ms=4)
left.set(xlabel=r"difference of the classes $\Delta$", ylabel="least risk of all networks")
for delta, best in zip(deltas, minima, strict=True):
    length, share = np.asarray(best.measure.positions[:, 0]), np.asarray(best.measure.weights)
    finite = np.isfinite(length)
    right.scatter(np.full(finite.sum(), delta), length[finite], 60 * share[finite], color=blue)
    right.scatter(
        np.full((~finite).sum(), delta), np.full((~finite).sum(), 12.0), 60 * share[~finite], color=orange, marker="^"
    )
    print(f"{delta:.2f}  risk {best.risk:.6f}", np.round(length, 3), np.round(share, 3))
right.set(xlabel=r"difference of the classes $\Delta$", ylabel=r"lengths $|w|$ of the best neurons", ylim=(-0.5, 13))
right.set_yticks([0, 2, 4, 6, 8, 10, 12], ["0", "2", "4", "6", "8", "10", r"$\infty$"])
