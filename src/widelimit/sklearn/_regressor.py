"""The wide limit as a regressor."""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import MultiOutputMixin, RegressorMixin
from sklearn.utils.validation import validate_data

from ._network import WideNetwork


class WideRegressor(MultiOutputMixin, RegressorMixin, WideNetwork):
    r"""The wide limit of a two-layer network, trained by gradient flow to a time; or, with `width`, the network itself.

    $f_\rho(x) = \int c\,\sigma(w \cdot x + b)\,\rho(d\theta)$ follows the gradient flow of
    $\frac12 \int |f_\rho(x) - y|^2 d\mu + \alpha \int |\theta|^2 d\rho$ over the rows, from normal neurons.

    **Arguments**

    - `activation`: a name of `widelimit.activations.registry`, an `Activation` or a function of one number.
    - `t1`: the time of training > 0, in mean-field time.
    - `particles`: that stand for the limit's measure. The start is symmetric: f = 0.
    - `width`: None for the limit; else the number of neurons of a network that is trained by SGD.
    - `step`, `batch`: of that SGD: its step > 0 in mean-field time, and the rows a step, drawn with replacement by
      weight; all rows (gradient descent) for None. Unused without `width`.
    - `alpha`: the l2 penalty >= 0 on all parameters, biases among them.
    - `loss`: "auto", the squared one above; or "huber", linear where |f - y| > 1 (in the units inside).
    - `bias`: whether neurons have one.
    - `start_scale`: the standard deviation of c and b at the start; that of w is `start_scale` / sqrt(d).
    - `standardise`: columns of x, and of y, to mean 0 and variance 1 (weighted) inside. `problem_`, `measure_` and
      `trajectory_` are in these units.
    - `rtol`: the local error of the flow's adaptive integrator; 1e-6 by default, 1e-4 for neurons with kinks.
    - `early_stopping`: hold `validation_fraction` of the rows out, and take the saved time at which their risk is
      least; `problem_` is then of the other rows.
    - `random_state`: of the start, SGD's rows and those held out.

    **Attributes**

    - `trajectory_`: the run, a `Trajectory`; `problem_`: what was learned, a `Problem`; `measure_`: the measure that
      predicts, `t_` its time; `n_iter_`: steps taken; `validation_risk_` [T]: with early stopping, else
      None.
    - `n_features_in_`, `feature_names_in_`: as in scikit-learn.

    `fit` raises `ValueError` for bad input and `EvolutionError` for a run that does not reach its end.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "WideRegressor":
        """Train on X [n, d] and y [n] or [n, C]; `sample_weight` [n], not negative, counts as so many equal rows."""
        x, y = validate_data(self, X, y, multi_output=True, y_numeric=True, dtype=np.float64)
        loss = self._loss("squared", "huber")
        self._train(np.asarray(x), np.asarray(y, float), self._weights(sample_weight, len(x)), loss)
        return self

    def predict(self, X: Any) -> Float[np.ndarray, "n ..."]:
        """The prediction for X [n, d], in the shape and units of the y that was fitted."""
        f = self._output(X)
        return self._target_scaling.back(f)
