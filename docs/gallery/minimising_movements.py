r"""Is training really steepest descent in the space of measures?

One step of JKO minimises $R(\rho) + W_2(\rho, \rho_t)^2/2\tau$ over all measures $\rho$: the cheapest way, in
transport, to lower the risk (mei2018 (10)). As $\tau \to 0$ its steps become the transport equation. Left, the risk
along the steps for four $\tau$ and that of the flow (black, by `Quantiles`): no step, however long, makes it rise.
Right, the error at $t = 4$: it halves with $\tau$ (the ratios are 2.02 to 2.03), so the method is of first order.

Alt: Left, four polygons of the risk that approach a black curve from above as the step shrinks; right, the error
against the step, four dots on a line of slope one.
"""

import matplotlib.pyplot as plt
import numpy as np

import widelimit as wl

x = np.linspace(-2.0, 2.0, 40)
unit = wl.units.Neuron(wl.activations.tanh, bias=False, output_weight=False)  # tanh(w x): one parameter
problem = wl.Problem(unit, wl.data.Samples(x, 0.7 * np.sin(1.5 * x)))
start = wl.laws.Normal(0.3, 0.5)
exact = wl.evolve(problem, start, wl.Quantiles(), t1=4.0)

figure, (left, right) = plt.subplots(1, 2, figsize=(7, 4), layout="constrained")
left.plot(exact.times, exact.risk, "k", label="flow")
taus, errors = [2.0, 1.0, 0.5, 0.25], []
for tau, colour in zip(taus, wl.report.canvas.COLOURS, strict=False):
    jko = wl.evolve(problem, start, wl.JKO(tau, particles=400), t1=4.0, save_at=np.arange(0.0, 4.1, tau))
    errors.append(abs(jko.risk[-1] - exact.risk[-1]))
    left.plot(jko.times, jko.risk, "o-", color=colour, ms=3, lw=0.8, label=rf"$\tau$ = {tau:g}")
    right.loglog(tau, errors[-1], "o", color=colour)
right.plot(taus, errors[-1] / taus[-1] * np.array(taus), "k--", label="order 1")
right.set_xticks(taus, taus)
right.minorticks_off()
right.set_yticks([1e-4, 2e-4, 4e-4, 8e-4], ["1e-4", "2e-4", "4e-4", "8e-4"])
left.set(xlabel="time t (mean-field time)", ylabel="risk")
right.set(xlabel=r"step $\tau$ (mean-field time)", ylabel="error of the risk at t = 4")
left.legend()
right.legend()
print("errors", [f"{error:.2e}" for error in errors], "ratios", np.round(np.array(errors[:-1]) / errors[1:], 2))
