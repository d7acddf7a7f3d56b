"""Tables as they come: categories, missing cells, dates, numbers as others write them, Excel, packed files."""

import datetime
import gzip
import re
import sys

import numpy as np
import pytest

import widelimit as wl
from widelimit.problem.data import DataNotice, Scaling, load, read_table, split

ROWS = """when,kind,a,ok,y
2020-01-01,red,1,true,1
2020-01-03T12:00,blue,,false,2
2020-01-02,red,4,true,4
,green,7,true,3
2020-01-05,blue,2,false,7
2020-01-04,,3,true,5
"""


@pytest.fixture
def write(tmp_path):
    def write_file(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write_file


def refused(message, path, **options):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        read_table(path, **{"target": "y", **options})
    assert "\n" not in str(caught.value)
    assert str(path.name) in str(caught.value) or "unseen" in message


# Categories


def test_text_becomes_one_column_a_category_in_its_place(write):
    table = read_table(write("a,kind,b,y\n1,red,2,1\n2, blue,3,2\n3,red ,4,3\n"), target="y")
    assert table.feature_names == ("a", "kind=blue", "kind=red", "b")
    assert table.features.tolist() == [[1, 0, 1, 2], [2, 1, 0, 3], [3, 0, 1, 4]]
    assert table.notes == ("1 column of categories became 2, one a category (kind: blue, red)",)
    x, _ = load(write("kind,y\nu,1\nv,2\nu,4\n"), target="y")
    np.testing.assert_allclose(x.std(axis=0), 1.0)


def test_numbers_are_categories_where_it_is_said(write):
    path = write("zip,a,y\n04109,1,1\n4109,3,2\n10115,2,3\n4109.0,4,5\n")
    table = read_table(path, target="y", categories="zip")
    assert table.feature_names == ("zip=10115", "zip=4109", "a")
    assert table.features[:, :2].tolist() == [[0, 1], [0, 1], [1, 0], [0, 1]]
    assert read_table(path, target="y").feature_names == ("zip", "a")
    refused("categories: 'y' is none of the features, zip, a", path, categories=["y"])


def test_too_much_different_text_is_refused_unless_it_is_said(write):
    path = write("name,a,y\n" + "".join(f"n{k},{k},{k}\n" for k in range(20)))
    refused("column 'name' has 20 different texts in 20 rows (n0, n1, n10, ... (20 in all)), too many", path)
    assert len(read_table(path, target="y", categories=["name"]).feature_names) == 21


def test_unseen_categories_are_refused_or_zero(write):
    train = write("kind,a,y\nu,1,1\nv,2,2\nu,3,5\n")
    new = write("y,a,kind,more\n1,2,v,x\n2,1,w,x\n3,1,w,x\n", "new.csv")
    with pytest.raises(
        ValueError, match=r"line 3, column 'kind': the category 'w' is in no row .* u, v \(2 such rows\)"
    ):
        read_table(train, target="y").like(new)
    other = read_table(train, target="y", unseen="zero").like(new)
    # In the first table's order, whatever else there is.
    assert other.feature_names == ("kind=u", "kind=v", "a")
    assert other.features.tolist() == [[0, 1, 2], [0, 0, 1], [0, 0, 1]]
    numbers = write("kind,a,y\n7,1,1\n8,2,2\n", "numbers.csv")
    assert read_table(train, target="y", unseen="zero").like(numbers).features[:, :2].tolist() == [[0, 0], [0, 0]]


def test_inputs_of_a_table_without_targets(write):
    table = read_table(write(ROWS), target="y", missing="mean", unseen="zero")
    new = write("a,ok,when,kind\n2,true,2020-01-01,\n,false,2020-01-02,pink\n", "new.csv")
    x = table.inputs(new)
    assert x.tolist() == [[18262, 0, 0, 0, 1, 2, 1], [18263, 0, 0, 0, 0, pytest.approx(17 / 5), 0]]
    with pytest.raises(ValueError, match=r"new.csv: there is no column 'kind'"):
        table.inputs(write("a,ok,when\n2,true,2020-01-01\n", "new.csv"))
    dropping = read_table(write(ROWS), target="y", missing="drop")
    with pytest.raises(ValueError, match=r"new.csv, line 3, column 'a': the cell is empty"):
        dropping.inputs(write("a,ok,when,kind\n2,true,2020-01-01,red\n,true,2020-01-01,red\n", "new.csv"))
    assert dropping.like(write("a,ok,when,kind,y\n2,true,2020-01-01,red,1\n", "new.csv")).target.tolist() == [1]


def test_arrays_like_others(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.arange(6.0).reshape(3, 2), y=np.arange(3.0))
    np.savez(tmp_path / "b.npz", x=np.ones((2, 2)))
    table = read_table(tmp_path / "a.npz")
    assert table.inputs(tmp_path / "b.npz").tolist() == [[1, 1], [1, 1]]
    np.savez(tmp_path / "b.npz", x=np.ones((2, 3)), y=np.ones(2))
    with pytest.raises(
        ValueError, match=r"b.npz: has the features x\[:, 0\], x\[:, 1\], x\[:, 2\]; expected x\[:, 0\]"
    ):
        table.like(tmp_path / "b.npz")


# Missing cells


def test_missing_cells_are_refused_all_in_one_message(write):
    path = write(ROWS)
    refused(
        "data.csv: 3 cells in 3 columns cannot be used: line 5, column 'when': the cell is empty; line 7, column "
        "'kind': the cell is empty; line 3, column 'a': the cell is empty. For missing cells say missing='drop'",
        path,
    )
    many = write("a,b,y\n" + "".join(f"{k},x{k if k % 2 else 'NA'},{k}\n" for k in range(1, 10)) + "NA,1,2\n?,2,3\n")
    with pytest.raises(ValueError, match="11 cells in 2 columns cannot be used: line 11, column 'a': 'NA' is no value"):
        read_table(many, target="y")


def test_rows_with_missing_cells_are_dropped_and_counted(write):
    table = read_table(write(ROWS), target="y", missing="drop")
    assert table.target.tolist() == [1, 4, 7]
    assert table.feature_names == ("when", "kind=blue", "kind=red", "a", "ok")
    assert table.features[0].tolist() == [18262, 0, 1, 1, 1]
    assert table.notes[-1] == "3 rows with a missing cell were left out (when: 1, kind: 1, a: 1)"
    with pytest.raises(ValueError, match="every row has a missing cell; none is left"):
        read_table(write("a,b,y\n,1,1\n2,,2\n"), target="y", missing="drop")


@pytest.mark.parametrize(("missing", "value"), [("mean", 17 / 5), ("median", 3.0)])
def test_gaps_are_filled_and_counted(write, missing, value):
    table = read_table(write(ROWS), target="y", missing=missing)
    names = ("when", "kind=blue", "kind=green", "kind=red", "kind=(missing)", "a", "ok")
    assert table.feature_names == names
    assert table.features[1, 5] == pytest.approx(value)
    assert table.features[5, 1:5].tolist() == [0, 0, 0, 1]
    days = np.array([0.0, 2.5, 1.0, 4.0, 3.0]) + 18262
    assert table.features[3, 0] == pytest.approx(np.mean(days) if missing == "mean" else np.median(days))
    assert table.notes[2:] == (
        f"2 missing cells were filled with the {missing} of the column (when: 1, a: 1)",
        "1 missing cell was filled with a category of its own (kind: 1)",
    )


def test_rows_without_a_target_are_left_out_never_filled(write):
    path = write("a,y\n1,1\n2,\n,3\n4,NA\n5,2\n")
    table = read_table(path, target="y", missing="mean")
    assert table.features[:, 0].tolist() == [1, 3, 5]
    assert table.target.tolist() == [1, 3, 2]
    assert table.notes[0] == "2 rows with a missing cell were left out (y: 2)"
    classes = write("a,y\n1,u\n,v\n3,\n4,u\n5,w\n6,v\n")
    table = read_table(classes, target="y", classes=("u", "v"), missing="drop")
    assert (table.features[:, 0].tolist(), table.target.tolist()) == ([1, 4, 6], [-1, -1, 1])


def test_what_fills_is_of_the_rows_to_train_on_alone(write):
    """Mean, categories and scaling know nothing of the rows held out."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=40)
    cells = ["" if k % 5 == 0 else f"{value}" for k, value in enumerate(values)]
    kinds = ["rare" if k == 0 else "uv"[k % 2] for k in range(40)]
    path = write(
        "a,kind,y\n" + "".join(f"{a},{kind},{k}\n" for k, (a, kind) in enumerate(zip(cells, kinds, strict=True)))
    )
    table = read_table(path, target="y", missing="mean", unseen="zero")
    seed = next(s for s in range(99) if 0.0 in split(table, 0.3, s)[1].target)
    train, test = split(table, 0.3, seed)
    rows = [int(y) for y in train.target]
    mean = np.mean([values[k] for k in rows if k % 5])
    assert mean != pytest.approx(np.mean([values[k] for k in range(40) if k % 5]), rel=1e-3)
    for part in (train, test):
        assert part.feature_names == ("a", "kind=u", "kind=v")
        for y, row in zip(part.target, part.features, strict=True):
            expected = values[int(y)] if int(y) % 5 else mean
            assert row[0] == pytest.approx(expected)
    np.testing.assert_array_equal(test.features[test.target == 0.0][0, 1:], 0.0)
    gone = sum(int(y) % 5 == 0 for y in test.target)
    assert (
        f"{gone} missing cells of the rows held out were filled with the mean of the column (a: {gone})" in test.notes
    )
    assert Scaling.fit(train.features).mean[0] == pytest.approx(train.features[:, 0].mean())
    with pytest.raises(ValueError, match="the category 'rare' is in no row to train on, which have u, v"):
        split(read_table(path, target="y", missing="mean"), 0.3, seed)


def test_load_tells_what_it_left_out_and_filled(write):
    with pytest.warns(DataNotice, match="1 missing cell was filled with the median of the column"):
        x, _ = load(write("a,b,y\n1,5,1\n,6,2\n4,8,3\n"), target="y", missing="median", scale="none")
    assert x[1, 0] == 2.5


# Dates


def test_dates_are_days_since_1970(write):
    cells = ["1970-01-01", "1970-01-02 06:00", "1970-01-01T01:00:00+01:00", "1969-12-31T12:00:00.000Z"]
    table = read_table(write("t,y\n" + "".join(f"{c},{k}\n" for k, c in enumerate(cells))), target="y")
    np.testing.assert_allclose(table.features[:, 0], [0.0, 1.25, 0.0, -0.5], atol=1e-12)
    assert table.notes == ("1 column of dates became days since 1970-01-01 (t)",)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            ["31.12.2020", "1.1.2021"],
            "'31.12.2020' is not a number; line 3, column 't': '1.1.2021' is not a number. Dates",
        ),
        (
            ["2020-02-30", "2020-02-01", "2020-02-03"],
            "line 2, column 't': '2020-02-30' is not a date. There is no such",
        ),
        (["2020-02-01", "2020-02-03", "5"], "line 4, column 't': '5' is not a date. Dates are written 2020-01-31."),
    ],
)
def test_what_is_no_date(write, cells, message):
    refused(message, write("t,y\n" + "".join(f"{c},{k}\n" for k, c in enumerate(cells))))


# Numbers as they are written elsewhere


def test_marks_in_numbers_are_said_not_guessed(write):
    path = write('p;q;y\n"1.234,5";3;1\n12,25;4;2\n-3;5;3\n')
    refused("line 1: commas must separate the columns; the header is 'p;q;y'. Or say separator=';'.", path)
    refused("say thousands='.', decimal=','. If the comma stands before decimals, say decimal=','", path, separator=";")
    table = read_table(path, target="y", separator=";", decimal=",", thousands=".")
    assert table.features.tolist() == [[1234.5, 3], [12.25, 4], [-3, 5]]
    grouped = write('p,y\n"1,234",1\n"12,345,678.5",2\n900,4\n')
    refused("say thousands=',' (or decimal=',').", grouped)
    assert read_table(grouped, target="y", thousands=",").features[:, 0].tolist() == [1234, 12345678.5, 900]
    # Groups are of three digits.
    refused("line 3, column 'p': '12.34' is not a number", write("p,y\n1.234,1\n12.34,2\n"), decimal=",", thousands=".")
    with pytest.raises(ValueError, match="thousands: ',' is the mark before the decimals already"):
        read_table(path, target="y", decimal=",", thousands=",")
    with pytest.raises(ValueError, match="decimal: ';' is not known; allowed are"):
        read_table(path, target="y", decimal=";")


def test_a_mistake_in_a_column_of_numbers_is_no_category(write):
    refused(
        "line 3, column 'a': 'five' is not a number. Turn it into a number, or leave the column out with features=... "
        "If these are categories, say categories=['a'].",
        write("a,b,y\n1,2,3\nfive,3,4\n2,5,6\n"),
    )


# Files


def test_tabs_and_packed_files(write):
    text = ROWS.replace(",", "\t")
    same = read_table(write(ROWS), target="y", missing="drop")
    for name, content in (
        ("d.tsv", text),
        ("d.tsv.gz", gzip.compress(text.encode())),
        ("d.csv.gz", gzip.compress(ROWS.encode())),
    ):
        table = read_table(write(content, name), target="y", missing="drop")
        np.testing.assert_array_equal(table.features, same.features)
    refused("e.csv.gz: not readable as gzip", write("a,y\n1,2\n", "e.csv.gz"))
    refused("d.parquet: separator: is for .csv and .tsv", write(b"", "d.parquet"), separator=";")
    refused("data.csv: sheet: is for .xlsx", write(ROWS), sheet="one")


def excel(path, **sheets):
    import openpyxl

    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def test_excel(tmp_path):
    day = datetime.datetime(2020, 1, 2)
    rows = [[None] * 4, ["a", "t", "kind", "y"], [1, day, "u", 2.5], [None, day, "v", 3], [], [4, day, "u", True]]
    path = excel(tmp_path / "d.xlsx", one=rows)
    table = read_table(path, target="y", missing="mean")
    assert table.feature_names == ("a", "t", "kind=u", "kind=v")
    assert table.features.tolist() == [[1, 18263, 1, 0], [2.5, 18263, 0, 1], [4, 18263, 1, 0]]
    assert table.target.tolist() == [2.5, 3, 1]
    assert len(table.sha256) == 64
    refused("d.xlsx, row 4, column 'a': the cell is empty", path)
    two = excel(tmp_path / "two.xlsx", one=rows, two=[["a", "y"], [1, 2], [3, 4]])
    refused("two.xlsx: sheet=... must say which sheet to read; it has one, two.", two)
    assert read_table(two, target="y", sheet="two").features.tolist() == [[1], [3]]
    refused("two.xlsx: sheet: 'tow' is not known; allowed are one, two. Did you mean 'two'?", two, sheet="tow")
    refused("row 1: columns 1 and 2 are both named 'a'", excel(tmp_path / "e.xlsx", one=[["a", "a", "y"], [1, 2, 3]]))
    refused("f.xlsx, row 2: cells beyond the 2 columns", excel(tmp_path / "f.xlsx", one=[["a", "y"], [1, 2, 3]]))
    refused("g.xlsx: the sheet is empty", excel(tmp_path / "g.xlsx", one=[]))
    refused("h.xlsx: a header but no rows", excel(tmp_path / "h.xlsx", one=[["a", "y"]]))
    (tmp_path / "i.xlsx").write_text("a,y\n1,2\n")
    refused("i.xlsx: not readable as an Excel file", tmp_path / "i.xlsx")


def test_excel_without_its_reader(tmp_path, monkeypatch):
    path = excel(tmp_path / "d.xlsx", one=[["a", "y"], [1, 2], [2, 3]])
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    refused("d.xlsx: Excel files need openpyxl: pip install 'widelimit[excel]', or save it as CSV.", path)


def test_parquet_has_types_of_its_own(tmp_path):
    import pandas

    frame = pandas.DataFrame(
        {
            "t": pandas.to_datetime(["2020-01-01", None, "2020-01-03"]),
            "kind": pandas.Categorical(["u", "v", None]),
            "n": pandas.array([1, None, 3], dtype="Int64"),
            "y": [1.0, 2.0, 4.0],
        }
    )
    frame.to_parquet(tmp_path / "d.parquet")
    table = read_table(tmp_path / "d.parquet", target="y", missing="mean")
    assert table.feature_names == ("t", "kind=u", "kind=v", "kind=(missing)", "n")
    np.testing.assert_allclose(table.features[:, 0], [18262, 18263, 18264])
    np.testing.assert_allclose(table.features[:, 4], [1, 2, 3])


# What is refused


def test_tables_from_which_nothing_can_be_learned(write):
    refused("there is no column 'y'; it has a, yy. Did you mean 'yy'?", write("a,yy\n1,2\n2,3\n"))
    refused("name the classes with classes=(..., ...); the column has down, up.", write("a,y\n1,up\n2,down\n3,up\n"))
    refused("every feature column is the same in all 2 rows (a)", write("a,y\nu,1\nu,2\n"))
    refused("column 'a' has no value in any row", write("a,b,y\n,1,1\n,2,2\n"), missing="mean")
    with pytest.raises(ValueError, match=r"missing: 'men' is not known; .* Did you mean 'mean'"):
        read_table(write("a,y\n1,2\n"), target="y", missing="men")
    with pytest.raises(ValueError, match="unseen: 'zeros' is not known; allowed are refuse, zero"):
        read_table(write("a,y\n1,2\n2,3\n"), target="y", unseen="zeros")
    lonely = read_table(write("a,y\n1,u\n2,v\n3,u\n"), target="y", classes=("u", "v"))
    with pytest.raises(ValueError, match="the class 'v' appears once"):
        lonely.check_classes()
    with pytest.raises(ValueError, match="is no table that was read from a file"):
        wl.data.Table(lonely.features, lonely.target, ("a",), ("y",), "mine").like("other.csv")
