"""scikit-learn's MLPRegressor and MLPClassifier."""

from typing import Any

import numpy as np

from widelimit.problem import losses

from ._network import Decay, Steps, TrainedNetwork

# Their names for the library's.
_ACTIVATIONS: dict[Any, str] = {"logistic": "sigmoid"}
_BATCH = 200


def knows(model: Any) -> bool:
    """Whether it is one of scikit-learn's networks, by what it has."""
    return all(hasattr(model, name) for name in ("hidden_layer_sizes", "get_params", "predict", "alpha"))


def read(model: Any, y: Any) -> TrainedNetwork:
    """The network. Raises `ValueError` for one that is not fitted, has other layers, or another loss."""
    source = type(model).__name__
    if not hasattr(model, "coefs_"):
        raise ValueError(f"diagnose(model=...): the {source} is not fitted; call fit(x, y) first.")
    if len(model.coefs_) != 2:
        raise ValueError(
            f"diagnose(model=...): the {source} has {len(model.coefs_) - 1} hidden layers; one hidden layer is "
            "supported (two-layer networks)."
        )
    (weight, output), (bias, offset) = model.coefs_, model.intercepts_
    classes = getattr(model, "classes_", None)
    single = output.shape[1] == 1
    given: dict[str, Any] = {"loss": losses.squared(), "reference": model.predict}
    if classes is not None:
        given = _classifier(model, classes, source)
    elif getattr(model, "loss", "squared_error") != "squared_error":
        raise ValueError(f"diagnose(model=...): the loss {model.loss!r} is not supported; squared_error is.")
    rows = len(np.asarray(y))
    strength, steps = _decay(model, rows)
    return TrainedNetwork(
        weight=weight.T,
        bias=bias,
        output=output[:, 0] if single else output,
        offset=np.asarray(offset[0]) if single else offset,
        activation=_ACTIVATIONS.get(model.activation, str(model.activation)),
        decay=Decay(output=strength, weight=strength),
        source=f"scikit-learn's {source}",
        steps=_steps(model, rows, steps) if _plain(model) else None,
        **given,
    )


def _plain(model: Any) -> bool:
    """Whether it was trained in steps of one size along the gradient, on rows that are known."""
    plain = model.solver == "sgd" and model.learning_rate == "constant" and model.momentum == 0.0
    return plain and not model.early_stopping


def _steps(model: Any, rows: int, count: int) -> Steps:
    """Its steps and its start: Glorot's uniform law, for weights and biases alike."""
    batch = min(_BATCH, rows) if model.batch_size == "auto" else min(int(model.batch_size), rows)
    inputs, width, outputs = len(model.coefs_[0]), *model.coefs_[1].shape
    factor = 2.0 if model.activation == "logistic" else 6.0
    inner, outer = ((factor / fans) ** 0.5 for fans in (inputs + width, width + outputs))
    return Steps(float(model.learning_rate_init), None if batch == rows else batch, count, inner, outer)


def _decay(model: Any, rows: int) -> tuple[float, int]:
    """Half of alpha over the size of a batch, on average over the steps of an epoch; and the number of steps.

    scikit-learn divides alpha by the number of rows of the batch at hand, so that the short last one decays more.
    """
    if model.early_stopping:
        rows = int(rows * (1.0 - model.validation_fraction))
    batch = rows if model.solver == "lbfgs" else min(_BATCH, rows) if model.batch_size == "auto" else model.batch_size
    batch = min(int(batch), rows)
    sizes = [batch] * (rows // batch) + ([rows % batch] if rows % batch else [])
    return 0.5 * float(model.alpha) * float(np.mean([1.0 / size for size in sizes])), len(sizes) * int(model.n_iter_)


def _classifier(model: Any, classes: Any, source: str) -> dict[str, Any]:
    if isinstance(classes, list) or (model.out_activation_ == "logistic" and model.n_outputs_ > 1):
        raise ValueError(f"diagnose(model=...): a {source} of several labels a row is not supported.")
    if model.out_activation_ == "softmax":
        return {
            "loss": losses.softmax(),
            "reference": model.predict_proba,
            "link": _softmax,
            "targets": lambda y: np.eye(len(classes))[_indices(y, classes)],
            "classes": tuple(classes.tolist()),
        }
    return {
        "loss": losses.logistic(),
        "reference": lambda x: model.predict_proba(x)[:, 1],
        "link": lambda f: 1.0 / (1.0 + np.exp(-f)),
        "targets": lambda y: 2.0 * _indices(y, classes) - 1.0,
        "classes": tuple(classes.tolist()),
    }


def _softmax(f: np.ndarray) -> np.ndarray:
    weights = np.exp(f - f.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


def _indices(y: Any, classes: np.ndarray) -> np.ndarray:
    values = np.asarray(y)
    found = np.searchsorted(classes, values) if values.dtype.kind == classes.dtype.kind or _numbers(values) else None
    if values.ndim != 1 or found is None or not np.all(classes[np.minimum(found, len(classes) - 1)] == values):
        raise ValueError(f"diagnose(y=...): expected one of the model's classes a row, {classes.tolist()[:10]}.")
    return found


def _numbers(values: np.ndarray) -> bool:
    return values.dtype.kind in "biuf"
