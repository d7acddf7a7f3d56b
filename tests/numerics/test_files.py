"""Files written whole or not at all; arrays as bytes and back."""

import os

import numpy as np
import pytest

from widelimit.numerics import arrays_from_bytes, arrays_to_bytes, write_whole


def test_arrays_survive():
    data = {"file": np.arange(3), "words": np.array(["a", "bb"]), "nothing": np.array(np.nan), "x.y": np.eye(2)}
    found = arrays_from_bytes(arrays_to_bytes(data))
    assert list(found) == list(data)
    for name in data:
        assert found[name].dtype == data[name].dtype
        np.testing.assert_array_equal(found[name], data[name])
    assert arrays_to_bytes(found) == arrays_to_bytes(data)


def test_what_is_no_archive():
    whole = arrays_to_bytes({"a": np.arange(100.0)})
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    single = arrays_to_bytes({"a": np.zeros(3)})[40:]
    for content in (b"", whole[:middle], flipped, single, b"\xff" * 60):
        with pytest.raises(ValueError, match="no readable archive"):
            arrays_from_bytes(content)
    with pytest.raises(ValueError, match="Object arrays"):
        arrays_to_bytes({"a": np.array([None])})


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    write_whole(path, b"old")
    write_whole(path, b"older")
    assert path.read_bytes() == b"older"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]
    assert path.read_bytes() == b"older"
