"""Does the objective fall as fast as the flow dissipates it?"""

from typing import NamedTuple

import numpy as np

from widelimit.trajectory import Trajectory


class Dissipation(NamedTuple):
    """The energy balance of a run.

    - `times`: [T]; `fall`: [T], objective(0) - objective(t); `dissipated`: [T], INT_0^t INT P|grad psi|^2 d rho.
    - `defect`: max over t of |fall - dissipated|, relative to the largest fall; NaN where nothing fell.
    - `method`: how the integral was computed.
    """

    times: np.ndarray
    fall: np.ndarray
    dissipated: np.ndarray
    defect: float
    method: str

    def __repr__(self) -> str:
        return f"Dissipation(defect={self.defect:.3g}, method={self.method!r}, {len(self.times)} times)"


def dissipation(trajectory: Trajectory) -> Dissipation:
    r"""Check $\frac{d}{dt}\,\mathrm{objective} = -\xi \int \nabla\psi \cdot P\nabla\psi\,d\rho$ along a run.

    A flow integrates the right-hand side beside its particles, so the defect is that of the integration. For other
    dynamics (SGD) it is the trapezoidal sum of the observed `dissipation` over the save times: the defect then holds
    the noise of SGD and the spacing of the saves as well; at a temperature T > 0 it is not the objective that falls.

    Raises `ValueError` when the run observed neither.
    """
    seen = trajectory.observables
    if "risk" not in seen:
        raise ValueError("dissipation(trajectory): the run did not observe its risk (observables.Risk).")
    fall = trajectory.objective[0] - trajectory.objective
    if "dissipated" in seen:
        spent, method = seen["dissipated"], "integrated with the flow"
    elif "dissipation" in seen:
        # In tau = INT xi the flow is dR/d tau = -dissipation; SGD records it.
        rate, dt = seen["dissipation"], np.diff(seen.get("tau", trajectory.times))
        spent = np.concatenate([[0.0], np.cumsum(0.5 * dt * (rate[1:] + rate[:-1]))])
        method = "trapezoidal sum over the save times"
    else:
        raise ValueError(
            "dissipation(trajectory): the run observed no dissipation; add observables.Dissipation() to `observe`."
        )
    largest = float(np.max(np.abs(fall)))
    defect = float(np.max(np.abs(fall - spent))) / largest if largest > 0 else float("nan")
    return Dissipation(trajectory.times, fall, spent, defect, method)
