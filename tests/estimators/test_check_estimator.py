"""scikit-learn's own checks, all of them."""

import pytest
from sklearn.utils.estimator_checks import check_estimator

import widelimit as wl


@pytest.mark.slow
# Checks that are off in this environment (array API) are skipped with a warning.
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("kind", [wl.sklearn.WideRegressor, wl.sklearn.WideClassifier])
def test_scikit_learn_finds_nothing(kind):
    checks = check_estimator(kind(t1=2.0, particles=64))
    assert len(checks) > 40
    skipped = {check["check_name"] for check in checks if check["status"] != "passed"}
    assert skipped <= {"check_array_api_input"}
