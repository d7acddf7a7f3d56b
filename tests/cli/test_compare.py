"""`widelimit compare`: the runs of folders on one page."""

import json
import re
import shutil

from .conftest import call, refused


def test_the_parts_of_a_run(finished, tmp_path):
    """The limit alone, and the two seeds of a width together."""
    result = call("compare", finished.path, "--out", tmp_path / "page.html", "--png")
    assert result.code == 0, result.err
    text = re.sub("<[^>]+>", "", (tmp_path / "page.html").read_text())
    assert "Comparison of limit and width 4" in text
    assert "The mean risk of 2 runs of width 4" in text
    first, *pictures = result.out.split()
    assert first == str(tmp_path / "page.html")
    assert str(tmp_path / "page-risk.png") in pictures
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in pictures)


def test_two_folders_have_their_names(finished, run_copy, tmp_path):
    other = run_copy.rename(tmp_path / "other")
    result = call("compare", finished.path, other, "--out", tmp_path / "page.html")
    assert result.code == 0, result.err
    text = re.sub("<[^>]+>", "", (tmp_path / "page.html").read_text())
    assert "Comparison of run limit, run width 4, other limit and other width 4" in text


def test_what_cannot_be_compared(finished, run_copy, tmp_path):
    out = ("--out", tmp_path / "page.html")
    assert "there is no such folder" in refused("compare", tmp_path / "no", *out)
    assert "is not the folder of a run" in refused("compare", tmp_path, *out)
    assert "a folder is there twice" in refused("compare", finished.path, finished.path, *out)
    status = json.loads((run_copy / "status.json").read_text())
    (run_copy / "status.json").write_text(json.dumps(status | {"state": "stopped"}))
    assert "is stopped; only finished runs are compared" in refused("compare", run_copy, *out)
    (run_copy / "status.json").write_text(json.dumps(status))
    shutil.rmtree(run_copy / "network-4-0.zarr")
    assert "network-4-0.zarr" in refused("compare", run_copy, *out)
    assert not (tmp_path / "page.html").exists()
