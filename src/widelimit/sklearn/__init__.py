"""The wide limit and the network of finite width as scikit-learn estimators."""

from ._classifier import WideClassifier as WideClassifier
from ._regressor import WideRegressor as WideRegressor
