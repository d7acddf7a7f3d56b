"""The wide limit as a classifier."""

from typing import Any

import numpy as np
from jaxtyping import Float
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from ._network import WideNetwork


class WideClassifier(ClassifierMixin, WideNetwork):
    r"""The wide limit of a two-layer network as a classifier; arguments and attributes are those of `WideRegressor`.

    `loss`: "auto" is "logistic" for two classes and "softmax" for more.

    - "logistic": log(1 + exp(-y f)) with y = +-1. Two classes share one output, the second of `classes_` is +1; of more
      each has an output of its own, one against the rest, and the losses add up.
    - "softmax": an output for each class, minus the logarithm of exp(f_c) / sum exp(f) for the row's class c.

    Inputs are standardised, labels are not. `classes_`: [C], the labels in order.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "WideClassifier":
        """Train on X [n, d] and labels y [n] of two or more classes; `sample_weight` as in `WideRegressor.fit`."""
        x, y = validate_data(self, X, y, dtype=np.float64)
        check_classification_targets(y)
        weights = self._weights(sample_weight, len(x))
        self.classes_, label = np.unique(y, return_inverse=True)
        there = np.unique(label if weights is None else label[weights > 0])
        if len(there) < 2:
            raise ValueError(
                "WideClassifier.fit(y=...): needs rows of two classes or more, but all that have weight are of one "
                f"class, {self.classes_[there[0]]}."
            )
        loss = self._loss(*(("logistic", "softmax") if len(self.classes_) == 2 else ("softmax", "logistic")))
        targets = np.eye(len(self.classes_))[label]
        if not loss.one_hot:
            signs = 2.0 * targets - 1.0
            targets = signs[:, 1] if len(self.classes_) == 2 else signs
        self._train(np.asarray(x), targets, weights, loss, label)
        return self

    def decision_function(self, X: Any) -> Float[np.ndarray, "n ..."]:
        """f: [n, C]; for two classes [n], positive for the second (of softmax the difference of the two outputs)."""
        f = self._output(X)
        return f[:, 1] - f[:, 0] if f.ndim == 2 and f.shape[1] == 2 else f

    def predict_proba(self, X: Any) -> Float[np.ndarray, "n C"]:
        """Probabilities [n, C]: exp(f_c) / sum exp(f) of softmax; else 1 / (1 + exp(-f)) of each class against the
        rest, scaled to sum to 1.
        """
        f = self._output(X)
        f = np.stack([-f, f], axis=1) if f.ndim == 1 else f
        # Relative to the likeliest, so that not all of them round to zero.
        logarithms = f if self.problem_.loss.one_hot else -np.logaddexp(0.0, -f)
        p = np.exp(logarithms - logarithms.max(axis=1, keepdims=True))
        return p / p.sum(axis=1, keepdims=True)

    def predict(self, X: Any) -> np.ndarray:
        """The class of the largest output for X [n, d]."""
        check_is_fitted(self)
        f = self.decision_function(X)
        return self.classes_[(f > 0).astype(int) if f.ndim == 1 else np.argmax(f, axis=1)]
