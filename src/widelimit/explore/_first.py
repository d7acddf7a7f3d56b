"""The first picture of a page, which is there before JAX is; and the programs behind its sliders, compiled once."""

import functools
import pathlib
import threading
from typing import Any

import numpy as np

from ._page import Arrays, Page, Values

_FOLDER = pathlib.Path(__file__).with_name("pages") / "first"
# Before the name of a slider: what it stood at.
_SLIDER = "slider "

_lock = threading.Lock()
_ready: set[tuple[Page, int]] = set()


def stored(page: Page) -> Arrays | None:
    """What the page computes at its first values and its finest level, from the package.

    None where nothing is stored, or for other values of the sliders: then it is to be computed.
    """
    path = _path(page)
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as file:
        found = {name: _number_or_array(file[name]) for name in file.files}
    values = {name.removeprefix(_SLIDER): found.pop(name) for name in list(found) if name.startswith(_SLIDER)}
    return found if values == page.start else None


def store(page: Page) -> None:
    """Compute that and write it into the package."""
    _FOLDER.mkdir(exist_ok=True)
    arrays = {name: _short(value) for name, value in page.compute(page.start, page.levels - 1).items()}
    sliders = {f"{_SLIDER}{name}": np.asarray(value) for name, value in page.start.items()}
    np.savez_compressed(_path(page), allow_pickle=False, **arrays, **sliders)


def computed(page: Page, values: Values, level: int) -> Arrays:
    """`page.compute`, after what it compiles has been compiled once, whoever else asks for it at the same time."""
    with _lock:
        lock = _lock_of(page, level)
    with lock:
        first = _start(page, level)
        _ready.add((page, level))
    return first if values == page.start else page.compute(values, level)


def is_ready(page: Page) -> bool:
    """Whether another value of its sliders compiles nothing at any level."""
    return _ready.issuperset((page, level) for level in range(page.levels))


def get_ready(page: Page) -> None:
    """Compile what the page needs at every level."""
    for level in range(page.levels):
        computed(page, page.start, level)


@functools.cache
def _lock_of(page: Page, level: int) -> threading.Lock:
    return threading.Lock()


@functools.cache
def _start(page: Page, level: int) -> Arrays:
    return page.compute(page.start, level)


def _path(page: Page) -> pathlib.Path:
    return _FOLDER / f"{page.name.replace('/', '-')}.npz"


def _number_or_array(value: np.ndarray) -> Any:
    return value if value.ndim else value.item()


def _short(value: Any) -> np.ndarray:
    """Numbers of a curve in half the bytes: a picture shows four digits."""
    array = np.asarray(value)
    return array.astype(np.float32) if array.ndim and array.dtype == np.float64 else array
