"""Reading data: what comes out of files and of scikit-learn, and what every kind of bad file says."""

import contextlib
import csv
import hashlib
import io
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from widelimit.problem.data import load
from widelimit.problem.data.tables._columns import as_number
from widelimit.problem.data.tables._scaling import DataNotice, Scaling
from widelimit.problem.data.tables._table import read_table, split

GOOD = "a,b,kind,y\n1,2,red,10\n3,5,blue,20\n4,-1e3,red,15\n"
EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture
def write(tmp_path):
    """Write text or bytes to a file of the test's own folder; gives its path."""

    def write_file(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def npz(**named):
    stream = io.BytesIO()
    np.savez(stream, **named)
    return stream.getvalue()


def parquet(**named):
    import pandas

    stream = io.BytesIO()
    pandas.DataFrame(named).to_parquet(stream)
    return stream.getvalue()


# What is read


def test_classes_are_compared_as_they_are_written(write):
    """2^53 and 2^53 + 1 are one float, and two identifiers."""
    big = 2**53
    text = write(f"a,y\n1,{big}\n2,{big + 1}\n3,{big + 1}\n")
    numbers = write(npz(x=np.arange(3.0), y=np.array([big, big + 1, big + 1])), "d.npz")
    for source in (text, numbers):
        table = read_table(source, target="y", classes=(big, big + 1))
        assert (table.target.tolist(), table.classes) == ([-1.0, 1.0, 1.0], (str(big), str(big + 1)))
        with pytest.raises(ValueError, match=f"no row has class '{big + 2}'"):
            read_table(source, target="y", classes=(big, big + 2))
    mixed = write("a,y\n1,3\n2,3.0\n3, 0.50\n4,+3\n")
    assert read_table(mixed, target="y", classes=(0.5, "3.00")).target.tolist() == [1.0, 1.0, -1.0, 1.0]


@pytest.mark.parametrize("kind", [set, frozenset])
def test_classes_have_an_order(write, kind):
    with pytest.raises(ValueError, match=r"two or more classes such as .*, in order, got"):
        read_table(write("a,y\n1,u\n2,v\n"), target="y", classes=kind({"u", "v"}))


def test_true_and_false_are_the_same_in_every_file(write):
    sources = [
        write("a,b,y\n1,True,false\n2,FALSE,true\n3,true,True\n"),
        write(parquet(a=[1, 2, 3], b=[True, False, True], y=[False, True, True]), "d.parquet"),
    ]
    for source in sources:
        assert read_table(source, target="y").features.tolist() == [[1, 1], [2, 0], [3, 1]]
        assert read_table(source, target="y").target.tolist() == [0, 1, 1]
        table = read_table(source, target="y", classes=(False, "true"))
        assert (table.target.tolist(), table.classes) == ([-1, 1, 1], ("False", "True"))


def test_names_with_commas(write):
    path = write('"dose, mg","time, h",a\n1,2,3\n2,5,1\n4,1,1\n')
    x, y = load(path, target="dose, mg", scale_target="unit-variance")
    assert (x.shape, y.shape) == ((3, 2), (3,))
    both = ("time, h", "dose, mg")
    assert read_table(path, target=both).target_names == both
    assert load(path, target=both, scale_target="unit-variance")[1].shape == (3, 2)


def test_columns_may_be_numbered_but_data_are_no_names(write):
    assert read_table(write("0,1,2\n5,6,7\n8,9,1\n"), target="2").target.tolist() == [7, 1]
    for content in ("1.5,2,0\n2.5,3,1\n", "-1,2,0\n3,4,1\n", "3,3,0\n4,5,1\n"):
        with pytest.raises(ValueError, match=r"line 1.*first line must name the columns; here it holds only numbers"):
            read_table(write(content), target="0")


def test_paths_and_bytes_that_are_none(write, tmp_path, monkeypatch):
    write("a,y\n1,2\n3,4\n", "home.csv")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert read_table("~/home.csv", target="y").target.tolist() == [2, 4]
    for source, words in (("a\0b.csv", "must be a path on this machine"), ("https://x.org/a.csv", "not a URL")):
        with pytest.raises(ValueError, match=words):
            read_table(source, target="y")
    for content, name, words in (
        ("a,y\n1,2\n", "d.npz", "not readable as npz .it is no archive of named arrays, as numpy.savez writes"),
        ("a,y\n1,2\n".encode("utf-16"), "e.csv", "line 1: not UTF-8 text .UTF-16.; save it as UTF-8"),
        (npz(x=np.array([[None]]), y=np.ones(1)), "f.npz", "array 'x': not readable .*; nothing is unpickled"),
        ("a,b,y\n1,2,3\n1,2,4\n", "g.csv", "every feature column is the same in all 2 rows .a, b.; there is nothing"),
    ):
        with pytest.raises(ValueError, match=words) as caught:
            read_table(write(content, name), target="y")
        assert "allow_pickle" not in str(caught.value)
    assert read_table(write(b"\xef\xbb\xbfa,y\n1,2\n3,4\n", "h.csv"), target="y").feature_names == ("a",)


def test_digits_as_in_scikit_learn():
    import sklearn.datasets

    pixels, digit = sklearn.datasets.load_digits(return_X_y=True)
    keep = np.isin(digit, (3, 8))
    with pytest.warns(DataNotice, match="sklearn:digits: .* of 64 columns are constant") as notices:
        x, y = load("sklearn:digits", classes=(3, 8))
    assert x.shape == (357, 64)
    assert x.dtype == y.dtype == np.float64
    np.testing.assert_array_equal(y, np.where(digit[keep] == 8, 1.0, -1.0))
    pixels = pixels[keep]
    for k in range(64):
        if len(set(pixels[:, k])) == 1:
            np.testing.assert_array_equal(x[:, k], 0.0)
        else:
            # 1e-13: the mean and the standard deviation of 357 numbers below 16, each to rounding.
            np.testing.assert_allclose(x[:, k] * np.std(pixels[:, k]) + np.mean(pixels[:, k]), pixels[:, k], atol=1e-13)
            assert np.std(x[:, k]) == pytest.approx(1.0, abs=1e-13)
    constant = sum(len(set(column)) == 1 for column in pixels.T)
    assert f" {constant} of 64" in str(notices[0].message)


def test_one_column_a_class_for_more_than_two():
    x, y = load("sklearn:iris", classes=("virginica", "setosa", "versicolor"))
    assert x.shape == (150, 4)
    np.testing.assert_array_equal(y[[0, 50, 100]], [[-1, 1, -1], [-1, -1, 1], [1, -1, -1]])
    np.testing.assert_array_equal(y, load("sklearn:iris", classes=[2, 0, 1])[1])


@pytest.mark.parametrize(
    ("name", "x_shape", "y_shape"),
    [
        ("digits", (1797, 64), (1797,)),
        ("iris", (150, 4), (150,)),
        ("wine", (178, 13), (178,)),
        ("breast_cancer", (569, 30), (569,)),
        ("diabetes", (442, 10), (442,)),
        ("linnerud", (20, 3), (20, 3)),
    ],
)
def test_every_data_set_inside_scikit_learn(name, x_shape, y_shape):
    x, y = load(f"sklearn:{name}", scale="none")
    assert (x.shape, y.shape) == (x_shape, y_shape)


def test_the_example_is_the_diabetes_data():
    table = read_table(EXAMPLES / "diabetes.csv", target="progression")
    same = read_table("sklearn:diabetes")
    # Numbers of at most four decimals. In the file of scikit-learn 1.6 eleven of them are written one bit away, as
    # 4.803999999999999 for 4.804; the example has the decimals themselves.
    np.testing.assert_array_max_ulp(table.features, same.features, maxulp=1)
    np.testing.assert_array_equal(table.features, np.round(same.features, 4))
    np.testing.assert_array_equal(table.target, same.target)
    assert table.feature_names == same.feature_names
    assert table.sha256 == hashlib.sha256((EXAMPLES / "diabetes.csv").read_bytes()).hexdigest()
    assert same.sha256 is None


def test_csv_columns_by_name(write):
    path = write(GOOD)
    table = read_table(path, target="y", features=["b", "a"])
    np.testing.assert_array_equal(table.features, [[2, 1], [5, 3], [-1e3, 4]])
    np.testing.assert_array_equal(table.target, [10, 20, 15])
    assert (table.feature_names, table.target_name, table.source) == (("b", "a"), "y", str(path))
    assert len(table) == 3
    many = read_table(path, target=["y", "a"], features="b")
    np.testing.assert_array_equal(many.target, [[10, 1], [20, 3], [15, 4]])
    assert many.target_name == "y, a"


def test_csv_with_classes_of_text(write):
    table = read_table(write(GOOD), target="kind", classes=("red", "blue"))
    np.testing.assert_array_equal(table.target, [-1, 1, -1])
    assert table.classes == ("red", "blue")
    assert table.feature_names == ("a", "b", "y")


@pytest.mark.parametrize("classes", [(3, 8), (3.0, 8.0), ("3", "8")])
def test_numbers_are_classes_however_written(write, classes):
    table = read_table(write("x,y\n1,3\n2,8.0\n3,5\n4, 3.0\n"), target="y", classes=classes)
    np.testing.assert_array_equal(table.features[:, 0], [1, 2, 4])
    np.testing.assert_array_equal(table.target, [-1, 1, -1])


def test_quotes_blank_lines_byte_order_mark_and_line_ends(write):
    text = '\ufeff"a, b", "y"\r\n"1", 2\r\n\r\n 3 ,4\r\n'
    table = read_table(write(text), target="y")
    assert table.feature_names == ("a, b",)
    np.testing.assert_array_equal(table.features, [[1], [3]])


def test_parquet(write):
    content = parquet(a=[1, 2, 3], b=[True, False, True], kind=["u", "v", "u"], y=np.array([1, 2, 4], np.float32))
    table = read_table(write(content, "t.parquet"), target="y", features=["a", "b"])
    np.testing.assert_array_equal(table.features, [[1, 1], [2, 0], [3, 1]])
    assert table.features.dtype == table.target.dtype == np.float64
    labelled = read_table(write(content, "t.parquet"), target="kind", classes=["v", "u"], features="a")
    np.testing.assert_array_equal(labelled.target, [1, -1, 1])


def test_npz_by_default_and_by_name(write):
    x, y, z = np.arange(6.0).reshape(3, 2), np.array([1, 2, 1]), np.eye(3)
    path = write(npz(x=x, y=y, z=z, t=np.array(["u", "v", "w"])), "d.npz")
    table = read_table(path)
    np.testing.assert_array_equal(table.features, x)
    np.testing.assert_array_equal(table.target, y)
    assert table.feature_names == ("x[:, 0]", "x[:, 1]")
    other = read_table(path, features=("y", "x"), target="z")
    np.testing.assert_array_equal(other.features, np.column_stack([y, x]))
    np.testing.assert_array_equal(other.target, z)
    text = read_table(path, target="t", classes=("w", "u"))
    np.testing.assert_array_equal(text.features, x[[0, 2]])
    np.testing.assert_array_equal(text.target, [1, -1])


def test_scaling_of_the_target(write):
    _, y = load("sklearn:diabetes", scale_target="unit-variance")
    assert abs(y.mean()) < 1e-14
    assert y.std() == pytest.approx(1.0)
    assert np.ptp(load("sklearn:diabetes")[1]) == 321.0
    _, pair = load("sklearn:linnerud", target=["Waist", "Pulse"], scale_target="unit-variance")
    np.testing.assert_allclose(pair.std(axis=0), 1.0)
    with pytest.raises(ValueError, match=re.escape("scale_target: classes are -1 and +1 already")):
        load("sklearn:digits", classes=(3, 8), scale_target="unit-variance")


# What is refused

BAD_CSV = {
    "ragged, short": ("a,b,y\n1,2,3\n4,5\n", "data.csv, line 3: 2 cells; the header names 3 columns"),
    "ragged, long": ("a,b,y\n1,2,3\n\n4,5,6,7\n", "data.csv, line 4: 4 cells; the header names 3"),
    "text": ("a,b,y\n1,2,3\n4,five,6\n", "data.csv, line 3, column 'b': 'five' is not a number"),
    "thousands": ("a,b,y\n1,1_000,3\n4,5,6\n", "data.csv, line 2, column 'b': '1_000' is not a number"),
    "empty cell": ("a,b,y\n1,2,3\n4, ,6\n", "data.csv, line 3, column 'b': the cell is empty"),
    "after a cell of two lines": ('a,b,y\n"\n1",2,3\n4,x,6\n', "data.csv, line 4, column 'b': 'x' is not"),
    "nan": ("a,b,y\n1,2,3\n4,5,6\nNaN,5,6\n", "data.csv, line 4, column 'a': NaN is not a finite number"),
    "inf": ("a,b,y\n1,2,3\n4,-inf,6\n", "data.csv, line 3, column 'b': -inf is not a finite number"),
    "too large": ("a,b,y\n1,2,3\n4,1e999,6\n", "data.csv, line 3, column 'b': 1e999 is not a finite number"),
    "target text": ("a,y\n1,2\n2,up\n", "data.csv, line 3, column 'y': 'up' is not a number"),
    "target constant": ("a,y\n1,2.5\n2,2.5\n", "data.csv: the target column 'y' is 2.5 in all 2 rows"),
    "target missing": ("a,yy\n1,2\n", "data.csv: there is no column 'y'; it has a, yy. Did you mean 'yy'?"),
    "target alone": ("y\n1\n2\n", "data.csv: no feature column beside the target y"),
    "no header": ("1,2\n3,4\n", "no column 'y'; it has 1, 2. The first line must name the columns"),
    "empty": ("", "data.csv: the file is empty"),
    "blank": ("\n\n", "data.csv: the file is empty"),
    "header only": ("a,b,y\n", "data.csv: a header but no rows"),
    "same name": ("a,b, a,y\n1,2,3,4\n", "data.csv, line 1: columns 1 and 3 are both named 'a'"),
    "no name": ("a,,y\n1,2,3\n", "data.csv, line 1: column 2 of 3 has no name"),
    "semicolons": ("a;y\n1;2\n", "data.csv, line 1: commas must separate the columns"),
    "open quote": ('a,y\n1,2\n"3,4\n5,6\n', "data.csv, line 3: not readable as CSV"),
    "long cell": ("a,y\n1,2\n" + 200_000 * "3" + ",4\n", "data.csv, line 3: not readable as CSV"),
    "not utf-8": (b"a,y\n1,2\n\xff,4\n", "data.csv, line 3: not UTF-8 text"),
}


@pytest.mark.parametrize("case", BAD_CSV)
def test_bad_csv(write, case):
    content, message = BAD_CSV[case]
    path = write(content)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_table(path, target="y")
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


BAD_CALL = {
    "no target": ({}, "target=... must say which column to learn; it has a, b, kind, y"),
    "missing feature": (
        {"target": "y", "features": ["a", "kin"]},
        "no column 'kin'; it has a, b, kind, y. Did",
    ),
    "no features": ({"target": "y", "features": []}, "no feature column"),
    "feature is target": ({"target": "y", "features": ["a", "y"]}, "column 'y' is asked for twice"),
    "feature twice": ({"target": "y", "features": ["a", "a"]}, "column 'a' is asked for twice"),
    "text target": (
        {"target": "kind"},
        "column 'kind': 'red' is not a number. Turn it into a number, or name",
    ),
    "one class": ({"target": "kind", "classes": ("red",)}, "two or more different ones, got ('red',)"),
    "class twice": ({"target": "y", "classes": (10, "10.0")}, "two or more different ones, got (10, '10.0')"),
    "other class": (
        {"target": "kind", "classes": ("red", "blu")},
        "no row has class 'blu' in column 'kind'; it has blue, red. Did you mean 'blue'?",
    ),
    "classes as text": (
        {"target": "kind", "classes": "red"},
        "expected two or more classes such as ('a', 'b')",
    ),
    "two targets": (
        {"target": ("a", "y"), "classes": (1, 3)},
        "classes are those of one target column, got a, y",
    ),
}


@pytest.mark.parametrize("case", BAD_CALL)
def test_bad_call(write, case):
    options, message = BAD_CALL[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        read_table(write(GOOD), **{"features": "b", **options})


def test_a_row_without_a_class(write):
    with pytest.raises(ValueError, match=re.escape("data.csv, line 3, column 'y': the cell is empty; a row needs")):
        read_table(write("a,y\n1,u\n2,\n3,v\n"), target="y", classes=("u", "v"))


BAD_FILE = {
    "no parquet": ("t.parquet", lambda: b"PAR1 and then nothing", "t.parquet: not readable as parquet"),
    "no rows": ("t.parquet", lambda: parquet(a=[], y=[]), "t.parquet: no data (0 rows of 2 columns)"),
    "missing": (
        "t.parquet",
        lambda: parquet(a=[1.0, None], y=[1, 2]),
        "t.parquet, row 2, column 'a': nan is not a finite",
    ),
    "missing text": (
        "t.parquet",
        lambda: parquet(a=["1", None], y=[1, 2]),
        "t.parquet, row 2, column 'a': the cell is empty",
    ),
    "dates": (
        "t.parquet",
        lambda: parquet(a=[1.0, np.inf], y=np.array(["2020", "2021"], "M8[ns]")),
        "t.parquet: 3 cells in 2 columns cannot be used: row 2, column 'a': inf is not a finite",
    ),
    "lists": (
        "t.parquet",
        lambda: parquet(a=[[1.0], [2.0]], y=[1, 2]),
        "t.parquet: 2 cells in one column cannot be used: row 1, column 'a': array([1.]) is not a number; row 2,",
    ),
    "no npz": ("d.npz", lambda: b"nothing of the kind", "d.npz: not readable as npz"),
    "half an npz": ("d.npz", lambda: npz(x=np.eye(9), y=np.arange(9))[:300], "d.npz: not readable as npz"),
    "no array": (
        "d.npz",
        lambda: npz(x=np.eye(2), z=[1, 2]),
        "d.npz: the array: 'y' is not known; allowed are x, z",
    ),
    "rows differ": (
        "d.npz",
        lambda: npz(x=np.eye(2), y=[1, 2, 3]),
        "the same number of rows, at least 1; got x[:, 0]: 2, y: 3",
    ),
    "images": (
        "d.npz",
        lambda: npz(x=np.ones((2, 3, 3)), y=[1, 2]),
        "d.npz, array 'x': expected [n] or [n, k]",
    ),
    "nan": (
        "d.npz",
        lambda: npz(x=[[0, 1], [2, np.nan]], y=[1, 2]),
        "d.npz, index 1, column 'x[:, 1]': nan is not a finite",
    ),
    "objects": (
        "d.npz",
        lambda: npz(x=np.array([[None]]), y=[1]),
        "d.npz, array 'x': not readable as numbers or text",
    ),
    "complex": ("d.npz", lambda: npz(x=[1j, 2], y=[1, 2]), "d.npz: 2 cells in one column cannot be used: index 0"),
    "constant": (
        "d.npz",
        lambda: npz(x=np.eye(2), y=[3, 3]),
        "d.npz: the target column 'y' is 3 in all 2 rows",
    ),
    "kind": (
        "d.xls",
        lambda: b"",
        "expected 'sklearn:NAME' or a file that ends in .csv, .tsv, .csv.gz, .tsv.gz, .xlsx,",
    ),
}


@pytest.mark.parametrize("case", BAD_FILE)
def test_bad_file(write, case):
    name, content, message = BAD_FILE[case]
    with pytest.raises(ValueError, match=re.escape(message)):
        read_table(write(content(), name), target=None if name == "d.npz" else "y")


def test_sources_that_are_not_there(write, tmp_path):
    path = write(GOOD)
    with pytest.raises(ValueError, match=re.escape(f"there is no such file. Did you mean {str(path)!r}?")):
        read_table(tmp_path / "dat.csv", target="y")
    with pytest.raises(ValueError, match="there is no such file"):
        read_table(tmp_path / "no" / "folder.csv", target="y")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ValueError, match=r"folder.csv: cannot be read"):
        read_table(tmp_path / "folder.csv", target="y")
    with pytest.raises(ValueError, match=r"'digit' is not known; .* Did you mean 'digits'"):
        load("sklearn:digit")
    with pytest.raises(ValueError, match=r"scale: 'unit-varianc' is not known; .* Did you mean 'unit-variance'"):
        load("sklearn:iris", scale="unit-varianc")


# Division and scaling


def test_split_is_a_partition_that_depends_on_the_seed_alone():
    table = read_table("sklearn:diabetes")
    train, test = split(table, 0.2, 7)
    assert (len(train), len(test)) == (354, 88)
    rows = np.concatenate([train.features, test.features])
    np.testing.assert_array_equal(np.unique(rows, axis=0), np.unique(table.features, axis=0))
    again, other = split(table, 0.2, 7)[1], split(table, 0.2, 8)[1]
    np.testing.assert_array_equal(test.features, again.features)
    assert not np.array_equal(test.features, other.features)
    pairs = {(tuple(row), y) for row, y in zip(table.features, table.target, strict=True)}
    assert all((tuple(row), y) in pairs for row, y in zip(test.features, test.target, strict=True))


@pytest.mark.parametrize(
    ("held_out", "seed", "message"),
    [
        (0.0, 0, "held_out: the fraction of rows held out must lie in (0, 1), got 0.0"),
        (1.0, 0, "must lie in (0, 1), got 1.0"),
        (float("nan"), 0, "must lie in (0, 1), got nan"),
        (0.1, 0, "held_out: 0.1 of the 3 rows"),
        (0.9, 0, "held_out: 0.9 of the 3 rows"),
        (0.5, -1, "seed: must lie in [0, 2^32), got -1"),
        (0.7, 0, "left to train on all have the same target"),
    ],
)
def test_split_refuses(write, held_out, seed, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        split(read_table(write(GOOD), target="y", features="a"), held_out, seed)


def test_scaling_fits_one_part_and_scales_another():
    train, test = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[5.0, 6.0]])
    scaling = Scaling.fit(train, names=("u", "v"))
    np.testing.assert_array_equal(scaling(train), [[-1, 0], [1, 0]])
    np.testing.assert_array_equal(scaling(test), [[3, 0]])
    assert scaling.notice == "1 of 2 columns are constant and become 0: v."
    np.testing.assert_array_equal(Scaling.fit(train[:, 0])(np.array([2.0])), [0])


def test_other_scalings():
    x = np.array([[3.0, 4.0], [0.0, 0.0], [3e-200, -4e-200]])
    np.testing.assert_allclose(Scaling.fit(x, "unit-norm")(x), [[0.6, 0.8], [0, 0], [0.6, -0.8]])
    np.testing.assert_array_equal(Scaling.fit(x, "none")(x), x)
    assert Scaling.fit(x, "unit-norm").notice is None
    with pytest.raises(ValueError, match="acts on rows"):
        Scaling.fit(x, "unit-norm")(x[:, 0])
    with pytest.raises(ValueError, match="scaling: 'unit' is not known"):
        Scaling.fit(x, "unit")


@pytest.mark.parametrize("v", [(1.7e308, -1.7e308, -1.7e308), (5e-324, 0.0, 0.0)])
def test_numbers_that_overflow(v):
    with pytest.raises(ValueError, match="scaling: the numbers in column 'v' are too large or small"):
        Scaling.fit(np.column_stack([[1.0, 2.0, 3.0], v]), names=("u", "v"))


def test_constant_to_the_last_bit_is_constant():
    # Their computed mean is not 0.1: a standard deviation of 1e-17 would turn into columns of size 1.
    x = np.full((7, 1), 0.1)
    assert x.mean() != 0.1
    scaling = Scaling.fit(x)
    np.testing.assert_array_equal(scaling(x), 0.0)
    assert scaling.constant == ("0",)


# Properties

finite = st.floats(allow_nan=False, allow_infinity=False)
tables = st.tuples(st.integers(2, 6), st.integers(2, 4)).flatmap(lambda shape: arrays(float, shape, elements=finite))
names = (
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8).map(str.strip).filter(bool)
)


def as_csv(header, rows):
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([header, *rows])
    return stream.getvalue().encode()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("load")


@settings(max_examples=80)
@given(values=tables, data=st.data())
def test_what_is_written_is_read(scratch, values, data):
    assume(len(set(values[:, -1])) > 1 and np.any(values[:, :-1] != values[0, :-1]))
    header = data.draw(st.lists(names, min_size=values.shape[1], max_size=values.shape[1], unique=True))
    # Otherwise a row of data.
    assume(any(as_number(name) is None for name in header))
    path = scratch / "round.csv"
    path.write_bytes(as_csv(header, [[repr(float(cell)) for cell in row] for row in values]))
    table = read_table(path, target=header[-1])
    np.testing.assert_array_equal(table.features, values[:, :-1])
    np.testing.assert_array_equal(table.target, values[:, -1])
    assert table.feature_names == tuple(header[:-1])


@settings(max_examples=80)
@given(
    values=tables,
    bad=st.sampled_from(["", "  ", "x", "1.2.3", "nan", "-INF", "1e999", "0x1f", "--1", "1 2"]),
    data=st.data(),
)
def test_a_bad_cell_is_named(scratch, values, bad, data):
    n, d = values.shape
    row, column = data.draw(st.integers(0, n - 1)), data.draw(st.integers(0, d - 1))
    cells = [[repr(float(cell)) for cell in line] for line in values]
    cells[row][column] = bad
    path = scratch / "bad.csv"
    path.write_bytes(as_csv([f"c{k}" for k in range(d)], cells))
    with pytest.raises(ValueError, match=re.escape(f"{path}, line {row + 2}, column 'c{column}': ")):
        read_table(path, target=f"c{d - 1}")


def table_or_message(path):
    try:
        return read_table(path, target="y"), ""
    except ValueError as error:
        return None, str(error)


@settings(max_examples=150)
@given(content=st.one_of(st.binary(max_size=60), st.text('a,"\n\r1.y -', max_size=40).map(str.encode)))
def test_any_bytes_are_a_table_or_a_value_error(scratch, content):
    path = scratch / "any.csv"
    path.write_bytes(content)
    table, message = table_or_message(path)
    if table is None:
        assert message.startswith(str(path))
    else:
        assert np.isfinite(table.features).all()


@settings(max_examples=60)
@given(position=st.integers(0, 10_000), byte=st.integers(0, 255), name=st.sampled_from(["x.npz", "x.parquet"]))
def test_a_changed_byte_is_a_table_or_a_value_error(scratch, position, byte, name):
    x, y = np.arange(8.0), np.arange(8.0) ** 2
    content = bytearray(npz(x=x, y=y) if name == "x.npz" else parquet(x=x, y=y))
    content[position % len(content)] = byte
    (scratch / name).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        table, message = table_or_message(scratch / name)
    assert table is not None or message.startswith(str(scratch / name))


@settings(max_examples=100)
@given(values=tables)
def test_standardised_columns_have_mean_0_and_variance_1_or_are_0(values):
    sizes = np.abs(values).max(axis=0)
    if (sizes > 1e300).any() or ((sizes > 0) & (sizes < 1e-300)).any():
        with contextlib.suppress(ValueError):  # too large or small
            Scaling.fit(values)
        return
    scaling = Scaling.fit(values)
    x = scaling(values)
    for k, (column, z) in enumerate(zip(values.T, x.T, strict=True)):
        if str(k) in scaling.constant:
            np.testing.assert_array_equal(z, 0.0)
        elif np.ptp(column / np.abs(column).max()) > 1e-3:
            # Away from cancellation, which costs digits: at most 3 of 16 are lost here.
            assert abs(z.mean()) < 1e-10
            assert z.std() == pytest.approx(1.0, abs=1e-10)
