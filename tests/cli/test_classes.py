"""Accuracy and area under the ROC curve in the numbers, on the terminal and on the page of a run."""

import json

import numpy as np
import pytest

from .conftest import TOML, call, numbers_of


@pytest.mark.slow
def test_a_run_says_how_well_classes_are_told_apart(tmp_path):
    from widelimit.runs.call._build import build
    from widelimit.runs.parse._problem_file import check
    from widelimit.trajectory import load

    kinds = ["low", "high", "high", "low", "high"]
    rows = [f"{k % 5},{(k * k) % 7},{kinds[(3 * k + k // 4) % 5]}" for k in range(24)]
    (tmp_path / "tiny.csv").write_text("\n".join(["a,b,y", *rows]) + "\n")
    toml = TOML.replace('target = "y"', 'target = "y"\nclasses = ["low", "high"]')
    (tmp_path / "problem.toml").write_text(toml)
    run = tmp_path / "run"
    result = call("run", tmp_path / "problem.toml", "--out", run)
    assert result.code == 0, result.err
    limit, network = numbers_of(run)["classes"]
    assert limit["name"] == "limit"
    assert network["name"] == "width 4, SGD, step 0.05, batch 4"
    built = build(check(json.loads((run / "problem.json").read_text()), "problem.json"), "problem.json")
    x, y = np.asarray(built.problem.data.x), np.asarray(built.problem.data.y)
    other = built.held_out_data

    def accuracy(part, x, y):
        f = np.asarray(built.problem.predict(load(run / f"{part}.zarr").final, x))
        return np.mean(np.sign(f) == np.asarray(y))

    np.testing.assert_allclose(limit["accuracy"]["mean"], accuracy("limit-8", x, y), rtol=1e-12)
    assert limit["accuracy"]["error"] is None
    known = accuracy("limit-8", other.x, other.y)
    np.testing.assert_allclose(limit["held_out_accuracy"]["mean"], known, rtol=1e-12)
    np.testing.assert_allclose(limit["held_out_accuracy"]["error"], np.sqrt(known * (1.0 - known) / 6.0), rtol=1e-12)
    seeds = [accuracy(f"network-4-{seed}", x, y) for seed in range(2)]
    np.testing.assert_allclose(network["accuracy"]["mean"], np.mean(seeds), rtol=1e-12)
    np.testing.assert_allclose(network["accuracy"]["error"], abs(seeds[0] - seeds[1]) / 2.0, atol=1e-12)
    assert 0.0 <= network["held_out_auc"]["mean"] <= 1.0
    for text in (result.out, (run / "report.html").read_text(), call("show", run).out):
        assert "area under ROC" in text
        assert "held-out accuracy" in text


def test_a_run_of_numbers_says_nothing_of_classes(finished):
    assert numbers_of(finished.path)["classes"] == []
    assert "area under ROC" not in finished.out
