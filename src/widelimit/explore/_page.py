"""A page of the explorer: sliders, a computation and a drawing, as data."""

import dataclasses
import importlib
import math
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from widelimit.results import one_of

from ._sheet import Panel

Values = Mapping[str, float]
"""Each slider's value by its name."""
Arrays = dict[str, Any]
"""What a page computes: named arrays and numbers, one of them `t` [T], the moments."""


@dataclasses.dataclass(frozen=True)
class Slider:
    """One number of a page.

    - `name`: for `compute`; `label`: on the screen, with its symbol and unit; `text`: what it means, a sentence.
    - `values`: what it can be, in order; `start`: what it is at first, one of them.

    Raises `ValueError` for fewer than two values, values that do not increase, and a start that is none of them.
    """

    name: str
    label: str
    values: tuple[float, ...]
    start: float
    text: str

    def __post_init__(self) -> None:
        if len(self.values) < 2 or np.any(np.diff(self.values) <= 0.0):
            raise ValueError(f"Slider({self.name!r}): needs two values or more that increase, got {self.values}.")
        if self.start not in self.values:
            raise ValueError(f"Slider({self.name!r}): {self.start:g} is none of its values.")


@dataclasses.dataclass(frozen=True)
class Page:
    """One phenomenon.

    - `name`: "mei2018/fig1"; `title`; `question`: what the page answers; `text`: what to look for, in Markdown with
      formulas; `limit`, `network`: what is called so here.
    - `compute(values, level)`: arrays. Level 0 comes at once, in a tenth of a second; those above, up to `levels` - 1,
      one after the other when the sliders rest, and each is finer. Compiled once: another value compiles nothing.
    - `draw(arrays)`: panels; `caption(arrays)`, `alt(arrays)`: what is to be read and seen, with its numbers.
    - `moves`: whether there are moments to play.
    """

    name: str
    title: str
    question: str
    text: str
    sliders: tuple[Slider, ...]
    compute: Callable[[Values, int], Arrays]
    draw: Callable[[Arrays], Sequence[Panel]]
    caption: Callable[[Arrays], str]
    alt: Callable[[Arrays], str]
    levels: int = 2
    moves: bool = True

    @property
    def start(self) -> dict[str, float]:
        """The sliders' first values."""
        return {slider.name: slider.start for slider in self.sliders}


def even(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` values at equal distances."""
    return tuple(float(f"{value:.6g}") for value in np.linspace(low, high, count))


def round_numbers(low: float, high: float) -> tuple[float, ...]:
    """1, 2 and 5 times the powers of ten, from `low` to `high`."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    every = [float(f"{m}e{k}") for k in powers for m in (1, 2, 5)]
    return tuple(value for value in every if low <= value <= high * (1.0 + 1e-9))


def every_page() -> tuple[Page, ...]:
    """All pages there are, of the files in the folder `pages`, in the order of their names."""
    home = importlib.import_module("widelimit.explore.pages")
    files = sorted(found.name for found in pkgutil.iter_modules(home.__path__))
    modules = [importlib.import_module(f"{home.__name__}.{name}") for name in files]
    return tuple(value for module in modules for value in vars(module).values() if isinstance(value, Page))


def page_named(name: str) -> Page:
    """A page by its name; a paper's name gives its first one. Raises `ValueError` with the names there are."""
    found = {page.name: page for page in every_page()}
    first = {page.name.partition("/")[0]: page for page in reversed(every_page())}
    every = {**first, **found}
    return every[one_of(name, list(every), "explore: page")]
