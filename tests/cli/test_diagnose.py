"""`widelimit diagnose`: weights and rows from files, sentences or JSON out, one sentence for bad input."""

import json

import pytest

from .conftest import call


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    import numpy as np

    folder = tmp_path_factory.mktemp("diagnose")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 2))
    arrays = {"weight": rng.normal(size=(4, 2)), "bias": np.zeros(4), "output": np.array([[1.0, -1.0, 0.5, 0.0]])}
    np.savez(folder / "model.npz", **arrays)
    np.savez(folder / "nan.npz", **arrays | {"output": np.full((1, 4), np.nan)})
    deep = {"0.weight": np.ones((4, 2)), "2.weight": np.ones((3, 4)), "4.weight": np.ones((1, 3))}
    np.savez(folder / "deep.npz", **deep)
    (folder / "objects.npz").write_bytes(b"no archive")
    labels = np.where(x[:, 0] > 0, "up", "down")
    rows = [f"{a},{b},{a * b},{c}" for (a, b), c in zip(x.tolist(), labels, strict=True)]
    (folder / "data.csv").write_text("\n".join(["a,b,y,kind", *rows]) + "\n")
    (folder / "numbers.csv").write_text("\n".join(["a,b,y", *(row.rsplit(",", 1)[0] for row in rows)]) + "\n")
    (folder / "words.csv").write_text("a,b,y\nu,v,1\nu,w,2\n")
    lonely = ["a,b,kind", *(f"{a},{b},{'up' if i else 'down'}" for i, (a, b) in enumerate(x.tolist()))]
    (folder / "lonely.csv").write_text("\n".join(lonely) + "\n")
    return folder


@pytest.mark.slow
def test_it_prints_sentences_or_json_and_writes_a_page(files, monkeypatch):
    monkeypatch.chdir(files)
    arguments = ("diagnose", "model.npz", "numbers.csv", "--target", "y", "--activation", "tanh")
    result = call(*arguments, "--out", "d.html", "--held-out", "numbers.csv")
    assert result.code == 0, result.err
    assert "1 of 4 neurons is dead" in result.out
    assert "on those that were held out" in result.out
    assert "report: d.html" in result.out
    assert "<html" in (files / "d.html").read_text()
    result = call(*arguments, "--json")
    assert result.code == 0, result.err
    record = json.loads(result.out)
    assert record["width"] == 4
    assert record["dead"] == [3]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("model.npz", "numbers.csv", "--target", "y"), "do not say their activation"),
        (("model.npz", "numbers.csv", "--target", "y", "--activation", "swish"), "'swish' is unknown"),
        (("model.npz", "numbers.csv", "--target", "z", "--activation", "tanh"), "'z'"),
        (
            ("model.npz", "words.csv", "--target", "y", "--activation", "tanh"),
            "shape (2, 3). (words.csv: 2 columns of categories became 3, one a category (a: u; b: v, w).)",
        ),
        (
            ("model.npz", "numbers.csv", "--target", "b", "--target", "y", "--activation", "tanh"),
            "the model has 2 inputs, the table has shape",
        ),
        (("deep.npz", "numbers.csv", "--target", "y", "--activation", "tanh"), "2 hidden layers"),
        (("nan.npz", "numbers.csv", "--target", "y", "--activation", "tanh"), "4 entries of the output are not finite"),
        (("objects.npz", "numbers.csv", "--target", "y", "--activation", "tanh"), "objects.npz cannot be read"),
        (("none.npz", "numbers.csv", "--target", "y", "--activation", "tanh"), "No such file"),
        (("model.npz", "none.csv", "--target", "y", "--activation", "tanh"), "none.csv"),
        (("model.pkl", "numbers.csv", "--target", "y", "--activation", "tanh"), "numpy.savez"),
        (("model.pt", "numbers.csv", "--target", "y", "--activation", "tanh"), "may hold a pickle"),
        (("model.npz", "numbers.csv", "--target", "y", "--activation", "tanh", "--loss", "l3"), "'l3'"),
        (
            ("model.npz", "lonely.csv", "--target", "kind", "--class", "up", "--class", "down", "--activation", "tanh"),
            "the class 'down' appears once",
        ),
    ],
)
def test_bad_input_is_one_sentence(files, monkeypatch, arguments, said):
    monkeypatch.chdir(files)
    result = call("diagnose", *arguments)
    assert result.code == 2
    assert said in result.err
    assert result.err.startswith("widelimit: ")
    assert len(result.err.strip().splitlines()) == 1
