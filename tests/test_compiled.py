"""Compiled programs kept between processes."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import widelimit as wl
from widelimit import _compiled

_PROGRAM = """
import collections, jax, widelimit as wl
wl.keep_compiled()
seen = collections.Counter()
jax.monitoring.register_event_listener(lambda event, **_: seen.update([event.rpartition("/")[2]]))
print(float(jax.jit(lambda x: jax.numpy.sin(x) ** 2)(2.0)), seen["cache_hits"], seen["cache_misses"])
"""
_OURS = ("JAX_COMPILATION_CACHE_DIR", "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS")


@pytest.fixture
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[pathlib.Path]:
    """A home of its own; what is set in JAX and in the environment is as before at the end."""
    config = __import__("jax").config
    old = config.jax_compilation_cache_dir, config.jax_persistent_cache_min_compile_time_secs
    # What a function sets in the environment is undone for names that were set here first.
    for name in _OURS:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path
    config.update("jax_compilation_cache_dir", old[0])
    config.update("jax_persistent_cache_min_compile_time_secs", old[1])


def _said(home: pathlib.Path) -> tuple[str, str]:
    told = {name: value for name, value in os.environ.items() if name not in _OURS} | {_OURS[1]: "0"}
    done = subprocess.run([sys.executable, "-c", _PROGRAM], env=told, capture_output=True, text=True, check=True)
    return done.stdout.strip(), done.stderr


def test_another_process_compiles_nothing(home: pathlib.Path) -> None:
    first, second = _said(home), _said(home)
    value, hits, misses = first[0].split()
    assert (hits, int(misses) > 0) == ("0", True)
    assert second[0].split() == [value, misses, "0"]
    # As a kill leaves them: what cannot be read is compiled again, without a word.
    for file in home.rglob("*-cache"):
        file.write_bytes(file.read_bytes()[:20])
    third = _said(home)
    assert third[0].split()[:2] == [value, "0"]
    assert third[1] == ""


def test_where_they_are(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = wl.keep_compiled()
    assert place is not None
    assert place.is_dir()
    assert place.parent == home / "widelimit"
    assert wl.keep_compiled(home / "own") == home / "own"
    assert __import__("jax").config.jax_compilation_cache_dir == str(home / "own")
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "theirs")
    assert wl.keep_compiled() == pathlib.Path("theirs")


def test_a_folder_that_cannot_be_written_changes_nothing(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    assert wl.keep_compiled(home / "file") is None
    assert wl.keep_compiled(home / "file" / "in it") is None
    monkeypatch.setattr(_compiled.os, "access", lambda *_: False)
    assert wl.keep_compiled(home / "read") is None
    assert "JAX_COMPILATION_CACHE_DIR" not in os.environ


def test_the_oldest_go_when_there_is_too_much(home: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_compiled, "_MOST_BYTES", 100)

    def fill(count: int) -> Any:
        for i in range(count):
            (home / f"{i}").write_bytes(b"0" * 10)
            os.utime(home / f"{i}", (i, i))
        wl.keep_compiled(home)
        return sorted(int(file.name) for file in home.iterdir())

    assert fill(10) == list(range(10))
    assert fill(12) == list(range(7, 12))
