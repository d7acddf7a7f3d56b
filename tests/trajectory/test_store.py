"""Trajectories to xarray and to disk, and back without a difference; damaged stores."""

import ast
import contextlib
import dataclasses
import json
import pathlib
import shutil
import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import widelimit as wl
from widelimit.measure import Block


def _trajectory(seed: int = 0, times: int = 3, n: int = 4, dtype: Any = np.float64, **options: Any) -> wl.Trajectory:
    rng = np.random.default_rng(seed)
    fields: dict[str, Any] = {
        "times": np.sort(rng.random(times)),
        "positions": rng.normal(size=(times, n, 4)).astype(dtype),
        "weights": rng.random((times, n)).astype(dtype),
        "blocks": (Block("output", ()), Block("weight", (2,)), Block("bias", ())),
        "observables": {
            "risk": rng.random(times),
            "mean": rng.normal(size=(times, 4)).astype(dtype),
            "count": rng.integers(0, 9, (times, 2, 3)),
        },
        "outcome": wl.Outcome.DIVERGED,
        "message": 'a µ and a "quote"',
        "steps": 12,
        "wall": 0.1 + 0.2,
        "provenance": {
            "versions": {"python": "3"},
            "key": [0, 2**32 - 1],
            "problem": "R\nS",
            "none": None,
            "x": 0.1,
        },
    }
    return wl.Trajectory(**(fields | options))


def _same(a: wl.Trajectory, b: wl.Trajectory) -> None:
    for name in ("times", "positions", "weights"):
        assert getattr(a, name).dtype == getattr(b, name).dtype
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert set(a.observables) == set(b.observables)
    for name, value in a.observables.items():
        assert value.dtype == b.observables[name].dtype
        np.testing.assert_array_equal(value, b.observables[name])
    for name in ("blocks", "outcome", "message", "steps", "wall", "provenance"):
        assert getattr(a, name) == getattr(b, name)


@settings(max_examples=8)
@given(
    st.integers(0, 5),
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from([np.float32, np.float64]),
    st.text(max_size=8),
)
def test_round_trips(tmp_path_factory: Any, seed: int, times: int, n: int, dtype: Any, message: str) -> None:
    trajectory = _trajectory(seed, times, n, dtype, message=message)
    _same(trajectory, wl.Trajectory.from_xarray(trajectory.to_xarray()))
    path = trajectory.save(tmp_path_factory.mktemp("store") / "net.zarr")
    _same(trajectory, wl.load(path))


@pytest.mark.parametrize("name", ["a b", "Dämpfung", "risk.test", "a/b", "..", ""])
def test_any_name_of_an_observable(tmp_path: pathlib.Path, name: str) -> None:
    try:
        wl.observables.Function(name, lambda p, m: m.mass)
    except ValueError:
        return
    trajectory = _trajectory(observables={name: np.arange(3.0), "risk": np.ones(3)})
    _same(trajectory, wl.load(trajectory.save(tmp_path / "net.zarr")))


def test_special_values_and_empty_parts(tmp_path: pathlib.Path) -> None:
    odd = {
        "all zero": np.zeros(3),
        "odd": np.array([np.nan, -0.0, np.inf]),
        "flag": np.array([True, False, True]),
    }
    trajectory = _trajectory(observables=odd)
    again = wl.load(trajectory.save(tmp_path / "net.zarr"))
    _same(trajectory, again)
    assert np.signbit(again.observables["odd"][1])
    bare = _trajectory(observables={}, provenance={})
    _same(bare, wl.load(bare.save(tmp_path / "bare.zarr")))


def test_the_order_of_the_observables_is_kept(tmp_path: pathlib.Path) -> None:
    names = ["risk", "penalty", "mean", "aa", "zz", "b"]
    trajectory = _trajectory(observables={name: np.zeros(3) for name in names})
    assert list(wl.Trajectory.from_xarray(trajectory.to_xarray()).observables) == names
    assert list(wl.load(trajectory.save(tmp_path / "net.zarr")).observables) == names


def test_labels() -> None:
    data = _trajectory().to_xarray()
    assert list(data["parameter"].values) == ["output", "weight[0]", "weight[1]", "bias"]
    assert data["positions"].dims == ("time", "particle", "parameter")
    assert json.loads(data.attrs["provenance"])["none"] is None


def test_reading_a_trajectory() -> None:
    trajectory = _trajectory()
    np.testing.assert_array_equal(trajectory.risk, trajectory.observables["risk"])
    np.testing.assert_array_equal(trajectory.final["weight"], trajectory.positions[-1, :, 1:3])
    np.testing.assert_array_equal(trajectory.at(trajectory.times[1] + 1e-9).positions, trajectory.positions[1])
    assert len(trajectory) == 3
    with pytest.raises(ValueError, match="at"):
        trajectory.at(2.0)
    with pytest.raises(AttributeError, match="risk, mean, count"):
        _ = trajectory.energy
    with pytest.raises(dataclasses.FrozenInstanceError):
        trajectory.steps = 3  # pyright: ignore


def test_an_older_trajectory_is_replaced(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "deep" / "net.zarr"
    _trajectory(0).save(path)
    _trajectory(1, times=2).save(path)
    _same(_trajectory(1, times=2), wl.load(path))
    assert [p.name for p in path.parent.iterdir()] == ["net.zarr"]


def test_what_is_no_trajectory_is_not_replaced(tmp_path: pathlib.Path) -> None:
    import xarray

    folder, file, foreign = tmp_path / "folder", tmp_path / "file", tmp_path / "foreign.zarr"
    folder.mkdir()
    (folder / "precious").write_text("x")
    file.write_text("x")
    xarray.Dataset({"precious": ("x", [1.0])}).to_zarr(foreign, consolidated=False)
    for path in (folder, file, foreign):
        with pytest.raises(ValueError, match=r"save\(path"):
            _trajectory().save(path)
    assert (folder / "precious").exists()
    assert file.read_text() == "x"
    assert (foreign / "precious").exists()


def test_a_place_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "net.zarr", pathlib.Path("/proc/nothing/net.zarr")):
        with pytest.raises(ValueError, match=r"save\(path=\.\.\.\): cannot write"):
            _trajectory().save(path)


def test_a_failure_leaves_the_old_trajectory(tmp_path: pathlib.Path, monkeypatch: Any) -> None:
    import xarray

    path = _trajectory(0).save(tmp_path / "net.zarr")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(xarray.Dataset, "to_zarr", full)
    with pytest.raises(ValueError, match="No space left"):
        _trajectory(1).save(path)
    _same(_trajectory(0), wl.load(path))
    assert [p.name for p in tmp_path.iterdir()] == ["net.zarr"]


def test_nothing_there(tmp_path: pathlib.Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    for name in ("missing", "empty", "file"):
        with pytest.raises(ValueError, match=rf"load\(path=\.\.\.\).*{name}"):
            wl.load(tmp_path / name)


def _damaged(kind: str, file: pathlib.Path) -> None:
    content = file.read_bytes()
    if kind == "missing":
        file.unlink()
    elif kind == "short":
        file.write_bytes(content[: len(content) // 2])
    else:
        file.write_bytes(content[:-4] + bytes(b ^ 0xFF for b in content[-4:]))


@pytest.mark.parametrize("kind", ["missing", "short", "flipped"])
def test_a_damaged_store_is_refused(tmp_path: pathlib.Path, kind: str) -> None:
    # Every file in turn: a chunk that is gone must not come back as zeros.
    trajectory = _trajectory()
    path = trajectory.save(tmp_path / "net.zarr")
    wrong = []
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        copy = tmp_path / "copy.zarr"
        shutil.copytree(path, copy)
        _damaged(kind, copy / file.relative_to(path))
        try:
            again = wl.load(copy)
        except ValueError as error:
            assert "copy.zarr" in str(error)  # noqa: PT017
        else:
            try:
                _same(trajectory, again)
            except AssertionError:
                wrong.append(str(file.relative_to(path)))
        shutil.rmtree(copy)
    assert wrong == [], f"read without a word: {wrong}"


def test_other_data_is_no_trajectory() -> None:
    import xarray

    with pytest.raises(ValueError, match="not a widelimit trajectory"):
        wl.Trajectory.from_xarray(xarray.Dataset({"positions": ("x", [1.0])}))


def test_no_pickle_in_the_source() -> None:
    root = pathlib.Path(wl.__file__).parent
    for file in (*root.glob("trajectory/*.py"), *root.glob("_evolve/*.py"), *root.glob("numerics/*.py")):
        names = {n.id for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Name)}
        assert not names & {"pickle", "dill", "cloudpickle", "joblib"}
        assert "allow_pickle=True" not in file.read_text()


def test_densities_on_a_grid_come_back(tmp_path: pathlib.Path) -> None:
    grid = wl.measure.grids.product(wl.measure.grids.half_line(3), wl.measure.grids.uniform(0.0, 1.0, 2))
    masses = np.random.default_rng(0).random((2, 6))
    run = _trajectory(
        times=2,
        n=6,
        positions=np.asarray(grid.points),
        weights=masses,
        blocks=(Block("radius", ()), Block("bias", ())),
        grid=grid,
    )
    data = run.to_xarray()
    # The centres once an axis, a mass for each time and cell.
    assert set(data) - {f"observable.{name}" for name in run.observables} == {
        *("masses", "edges.radius", "edges.bias", "centres.radius", "centres.bias")
    }
    back = wl.load(run.save(tmp_path / "run"))
    _same(run, back)
    assert (back.size, back.dim) == (6, 2)
    final = back.final
    assert isinstance(final, wl.measure.GridDensity)
    np.testing.assert_array_equal(final.masses, masses[1].reshape(3, 2))
    for a, b in zip((*grid.edges, *grid.centres), (*final.grid.edges, *final.grid.centres), strict=True):
        np.testing.assert_array_equal(a, b)


def test_particles_that_came_later(tmp_path: pathlib.Path) -> None:
    weights = np.array([[0.5, 0.5, 0.0], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    run = _trajectory(times=3, n=3, weights=weights, counts=np.array([2, 3, 2]))
    back = wl.load(run.save(tmp_path / "run"))
    np.testing.assert_array_equal(back.counts, run.counts)
    # A particle without mass is one all the same.
    assert [len(back[i]) for i in range(3)] == [2, 3, 2]
    np.testing.assert_array_equal(back[0].positions, run.positions[0, :2])


@pytest.mark.parametrize("gridded", [False, True])
def test_columns_are_found_by_their_labels(gridded: bool) -> None:
    grid = wl.measure.grids.product(wl.measure.grids.uniform(0.0, 1.0, 2), wl.measure.grids.uniform(0.0, 3.0, 3))
    on_grid: dict[str, Any] = {
        "positions": np.asarray(grid.points),
        "weights": np.arange(18.0).reshape(3, 6),
        "grid": grid,
    }
    run = _trajectory(**(on_grid | {"blocks": (Block("b", ()), Block("a", ()))} if gridded else {}))
    data = run.to_xarray()
    for other in (data.sortby("parameter"), data.transpose(), data.isel(parameter=slice(None, None, -1))):
        _same(run, wl.Trajectory.from_xarray(other))
    with pytest.raises(ValueError, match=r"its parameters are not"):
        wl.Trajectory.from_xarray(data.isel(parameter=[0, 0]) if gridded else data.isel(parameter=[0, 1, 2]))


def test_others_read_a_store_without_a_word(tmp_path: pathlib.Path) -> None:
    """xarray as it comes, and Zarr alone; a warning is an error here."""
    import xarray
    import zarr

    run = _trajectory()
    path = run.save(tmp_path / "run.zarr")
    with xarray.open_zarr(path) as data:
        assert list(data["parameter"].values) == ["output", "weight[0]", "weight[1]", "bias"]
        _same(wl.Trajectory.from_xarray(data), run)
    stored: Any = zarr.open_group(path, mode="r")
    np.testing.assert_array_equal(stored["positions"][:], run.positions)
    assert list(stored["parameter"][:]) == ["output", "weight[0]", "weight[1]", "bias"]
    assert json.loads((path / "parameter" / "zarr.json").read_text())["data_type"] == "string"


def test_a_store_is_read_while_it_is_replaced(tmp_path: pathlib.Path) -> None:
    runs = [_trajectory(seed) for seed in range(2)]
    path, risks, ended = tmp_path / "run.zarr", {run.risk.tobytes() for run in runs}, threading.Event()
    runs[0].save(path)

    def write() -> None:
        for k in range(6):
            runs[k % 2].save(path)
        ended.set()

    thread = threading.Thread(target=write)
    thread.start()
    while not ended.is_set():
        # Between the two the folder may have been taken away, which is said; it is never a mixture.
        with contextlib.suppress(ValueError):
            assert wl.load(path).risk.tobytes() in risks
    thread.join()
    _same(wl.load(path), runs[1])


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match=r"not a widelimit trajectory \(missing: format 2, not 4\)"):
        wl.Trajectory.from_xarray(_trajectory().to_xarray().assign_attrs(format=2))
