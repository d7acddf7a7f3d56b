"""Measures that go to disk while the run goes on, and are read from there a save point at a time."""

import pathlib
from typing import Any

import jax
import numpy as np
import pytest

import widelimit as wl
from widelimit.trajectory import Progress, Rows, digest

_RNG = np.random.default_rng(0)
_X = _RNG.normal(size=(9, 2))
_PROBLEM = wl.Problem(wl.units.Neuron(wl.activations.tanh), wl.data.Samples(_X, np.sin(_X[:, 0])))
_START = wl.Particles(_RNG.normal(size=(6, 4)))
_SGD = wl.SGD(0.01, batch=2)


def go(**options: Any) -> wl.Trajectory:
    given: dict[str, Any] = {"t1": 1.0, "save_at": [0.25, 0.5, 0.75], "key": jax.random.key(0)} | options
    return wl.evolve(_PROBLEM, _START, given.pop("dynamics", _SGD), **given)


@pytest.fixture(scope="module")
def plain() -> wl.Trajectory:
    return go()


def _same(found: wl.Trajectory, plain: wl.Trajectory) -> None:
    np.testing.assert_array_equal(np.asarray(found.positions), plain.positions)
    np.testing.assert_array_equal(found.weights, plain.weights)
    np.testing.assert_array_equal(found.times, plain.times)
    np.testing.assert_array_equal(found.risk, plain.risk)
    assert digest(found) == digest(plain)


def test_it_is_the_run_in_memory(plain: wl.Trajectory, tmp_path: pathlib.Path) -> None:
    found = go(store=tmp_path / "run.zarr")
    assert isinstance(found.positions, Rows)
    _same(found, plain)
    for lazy in (True, False, None):
        _same(wl.load(tmp_path / "run.zarr", lazy=lazy), plain)
    _same(wl.load(found.save(tmp_path / "copy.zarr")), plain)
    _same(wl.Trajectory.from_xarray(found.to_xarray()), plain)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["copy.zarr", "run.zarr"]
    # Another run takes its place.
    _same(go(store=tmp_path / "run.zarr"), plain)


def test_rows_are_read_one_at_a_time(plain: wl.Trajectory, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    plain.save(tmp_path / "run.zarr")
    read: list[int] = []
    row = Rows._row
    monkeypatch.setattr(Rows, "_row", lambda self, i: read.append(i) or row(self, i))
    run = wl.load(tmp_path / "run.zarr", lazy=True)
    assert run.positions.shape == (5, 6, 4)
    assert (run.size, run.dim, run.positions.ndim, run.positions.nbytes) == (6, 4, 3, 5 * 6 * 4 * 8)
    assert read == []
    np.testing.assert_array_equal(np.asarray(run.final.positions), plain.positions[-1])
    # One row of the positions, one of the weights.
    assert read == [4, 4]
    for index in (2, -1, slice(1, 3), (slice(None), slice(None), [0, 2]), (1, 2, 3), slice(3, 3), [4, 0], (..., 1)):
        np.testing.assert_array_equal(run.positions[index], np.asarray(plain.positions)[index])
    np.testing.assert_array_equal(run.positions - 1.0, plain.positions - 1.0)
    np.testing.assert_array_equal(np.exp(run.positions), np.exp(plain.positions))
    assert run.positions.mean() == plain.positions.mean()
    with pytest.raises(IndexError):
        run.positions[5]


def test_a_damaged_row_is_an_error_when_it_is_read(plain: wl.Trajectory, tmp_path: pathlib.Path) -> None:
    path = plain.save(tmp_path / "run.zarr")
    pieces = sorted(file for file in (path / "positions" / "c" / "3").rglob("*") if file.is_file())
    pieces[0].unlink()
    run = wl.load(path, lazy=True)
    np.testing.assert_array_equal(run.positions[2], plain.positions[2])
    with pytest.raises(ValueError, match=r"run\.zarr is damaged: positions, save point 3"):
        run.positions[3]
    with pytest.raises(ValueError, match="damaged"):
        wl.load(path, lazy=False)


def test_a_run_that_was_broken_off_goes_on(plain: wl.Trajectory, tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    options = {"store": tmp_path / "run.zarr", "checkpoint": wl.Checkpoint(tmp_path / "checkpoint", every=0.0)}
    update, calls = Progress.update, []

    def interrupted(self: Any, t: float, steps: int) -> None:
        update(self, t, steps)
        calls.append(t)
        if t >= 0.5:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go(**options)
    monkeypatch.undo()
    assert not (tmp_path / "run.zarr").exists()
    rows = list((tmp_path / "checkpoint").glob("row-*.npz"))
    assert 2 <= len(rows) < 5
    _same(go(**options), plain)
    # And once more, when it is done: it is read back.
    monkeypatch.setattr(Progress, "update", lambda *_: pytest.fail("it runs again"))
    _same(go(**options), plain)


def test_rows_that_are_gone(tmp_path: pathlib.Path) -> None:
    options = {"checkpoint": tmp_path / "checkpoint"}
    go(store=tmp_path / "run.zarr", **options)
    (tmp_path / "run.zarr").rename(tmp_path / "elsewhere.zarr")
    with pytest.raises(ValueError, match="the rows that the checkpoint goes on from are not at"):
        go(store=tmp_path / "run.zarr", **options)


def test_an_interrupted_run_without_a_checkpoint_leaves_nothing(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "update", interrupted)
    with pytest.raises(KeyboardInterrupt):
        go(store=tmp_path / "run.zarr")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_ends_early_has_fewer_rows(tmp_path: pathlib.Path) -> None:
    found = go(store=tmp_path / "run.zarr", max_steps=60, throw=False)
    assert found.outcome is wl.Outcome.MAX_STEPS
    assert found.positions.shape == (3, 6, 4)
    _same(wl.load(tmp_path / "run.zarr", lazy=False), found)


def test_masses_on_a_grid(tmp_path: pathlib.Path) -> None:
    problem = wl.problems.isotropic_gaussians(delta=0.8, dim=40).reduced()
    start = wl.laws.Uniform(0.1, 0.5, dim=1)
    plain = wl.evolve(problem, start, wl.TransportPDE(cells=8), t1=0.1, save_at=[0.05])
    found = wl.evolve(problem, start, wl.TransportPDE(cells=8), t1=0.1, save_at=[0.05], store=tmp_path / "run.zarr")
    assert isinstance(found.weights, Rows)
    for run in (found, wl.load(tmp_path / "run.zarr", lazy=True), wl.load(tmp_path / "run.zarr")):
        _same(run, plain)
        np.testing.assert_array_equal(run.final.masses, plain.final.masses)


def test_where_no_store_can_be(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match=r"evolve\(store=...\): .*file exists and is not a trajectory"):
        go(store=tmp_path / "file")
    with pytest.raises(ValueError, match=r"evolve\(store=...\): cannot write"):
        go(store=tmp_path / "file" / "run.zarr")
    arrays = {"positions": "positions"}
    with (
        wl.trajectory.Stream(tmp_path / "run.zarr", arrays, keeps=False),
        pytest.raises(ValueError, match=r"another run writes .*run\.zarr"),
    ):
        go(store=tmp_path / "run.zarr")
    # As of Quantiles, which compiles for long.
    monkeypatch.setattr(wl.SGD, "growth", property(lambda _: object()))
    with pytest.raises(ValueError, match="the particles of SGD grow in number"):
        go(store=tmp_path / "run.zarr")
