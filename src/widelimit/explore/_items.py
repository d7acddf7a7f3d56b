"""What stands in a panel: curves, dots, bands; each writes itself as SVG, at a moment or moving.

A picture has T moments. What moves has an axis over them; a `Frame` says which one is shown, or that all are, one after
the other. A role is the colour, the same in every page: "limit" and "network" above all.
"""

import abc
import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

Role = Literal["limit", "network", "other", "target", "faint"]
Row = Any
"""Numbers, as an array of the shape said."""

SECONDS = 4.0
"""How long a picture moves."""


@dataclasses.dataclass(frozen=True)
class Frame:
    """Moment `index` of `count`; or `playing`: from the first to this one."""

    index: int
    count: int
    playing: bool = False

    def animate(self, attribute: str, values: list[str]) -> str:
        """The element that takes an attribute through its values, one a moment."""
        shown = ";".join(values[: self.index + 1])
        return f'<animate attributeName="{attribute}" dur="{SECONDS:g}s" fill="freeze" values="{shown}"/>'


@dataclasses.dataclass(frozen=True)
class Place:
    """From numbers to pixels in a panel; `name`: of its own in the picture, for what is referred to."""

    x: Callable[[Row], np.ndarray]
    y: Callable[[Row], np.ndarray]
    left: float
    top: float
    width: float
    height: float
    name: str


class Item(abc.ABC):
    """One thing in a panel. `label`: in the legend; None leaves it out."""

    role: Role
    label: str | None

    @abc.abstractmethod
    def svg(self, place: Place, frame: Frame, number: int) -> str:
        """The elements; `number` is of its own in the panel."""

    @abc.abstractmethod
    def sign(self, x: float, y: float) -> str:
        """What stands before its label, 22 wide, from x on, around y."""


@dataclasses.dataclass(frozen=True)
class _Line(Item):
    """A line through x, y."""

    x: Row
    y: Row
    role: Role
    label: str | None = None
    dashed: bool = False

    @property
    def look(self) -> str:
        """Its classes in the style."""
        return f"line {self.role}{' dashed' if self.dashed else ''}"

    def sign(self, x: float, y: float) -> str:
        return f'<path class="{self.look}" d="M{x} {y}h22"/>'


@dataclasses.dataclass(frozen=True)
class Curve(_Line):
    """A curve through x [n], y [n] that stays as it is."""

    def svg(self, place: Place, frame: Frame, number: int) -> str:
        return f'<path class="{self.look}" d="{_path(place.x(self.x), place.y(self.y))}"/>'


@dataclasses.dataclass(frozen=True)
class Growing(_Line):
    """A curve over the moments, x [n], y [n], n <= T: up to the moment that is shown, and faint beyond it."""

    def svg(self, place: Place, frame: Frame, number: int) -> str:
        x, y = place.x(self.x), place.y(self.y)
        # A run of the network that is not at its end yet has fewer moments.
        now = min(frame.index, len(x) - 1)
        path, look = _path(x, y), self.look
        name = f"{place.name}-{number}"
        reach = [f"{max(float(at) - place.left, 0.0):.1f}" for at in x]
        moves = frame.animate("width", reach) if frame.playing else ""
        dot = f'<circle class="dot {self.role}" r="4" cx="{x[now]:.1f}" cy="{y[now]:.1f}">'
        if frame.playing:
            dot += frame.animate("cx", [f"{a:.1f}" for a in x]) + frame.animate("cy", [f"{b:.1f}" for b in y])
        return (
            f'<path class="{look} behind" d="{path}"/>'
            f'<clipPath id="{name}"><rect x="{place.left:.1f}" y="{place.top - 5:.1f}" '
            f'height="{place.height + 10:.1f}" width="{reach[now]}">{moves}</rect></clipPath>'
            f'<g clip-path="url(#{name})"><path class="{look}" d="{path}"/></g>{dot}</circle>'
        )


@dataclasses.dataclass(frozen=True)
class Moving(_Line):
    """A curve that changes in time: x [n] or [T, n], y [T, n]."""

    def svg(self, place: Place, frame: Frame, number: int) -> str:
        y = place.y(self.y)
        x = np.broadcast_to(place.x(self.x), y.shape)
        now = min(frame.index, len(y) - 1)
        paths = [_path(a, b) for a, b in zip(x, y, strict=True)] if frame.playing else []
        moves = frame.animate("d", paths) if frame.playing else ""
        return f'<path class="{self.look}" d="{_path(x[now], y[now])}">{moves}</path>'


@dataclasses.dataclass(frozen=True)
class Dots(Item):
    """Neurons, x [T, n], y [T, n]; `open`: as rings."""

    x: Row
    y: Row
    role: Role
    label: str | None = None
    radius: float = 3.5
    open: bool = False

    def svg(self, place: Place, frame: Frame, number: int) -> str:
        x, y = place.x(self.x), place.y(self.y)
        now = min(frame.index, len(x) - 1)
        look = f'class="{"ring" if self.open else "dot"} {self.role}" r="{self.radius:g}"'
        if not frame.playing:
            return "".join(f'<circle {look} cx="{a:.1f}" cy="{b:.1f}"/>' for a, b in zip(x[now], y[now], strict=True))
        ways = zip(x.T.tolist(), y.T.tolist(), strict=True)
        return "".join(
            f'<circle {look} cx="{a[0]:.1f}" cy="{b[0]:.1f}">{frame.animate("cx", [f"{p:.1f}" for p in a])}'
            f"{frame.animate('cy', [f'{p:.1f}' for p in b])}</circle>"
            for a, b in ways
        )

    def sign(self, x: float, y: float) -> str:
        look = "ring" if self.open else "dot"
        return f'<circle class="{look} {self.role}" r="{min(self.radius, 4.0):g}" cx="{x + 11}" cy="{y}"/>'


@dataclasses.dataclass(frozen=True)
class Crosses(Item):
    """Points that stay, x [n], y [n]."""

    x: Row
    y: Row
    role: Role
    label: str | None = None

    def svg(self, place: Place, frame: Frame, number: int) -> str:
        return "".join(_cross(self.role, a, b) for a, b in zip(place.x(self.x), place.y(self.y), strict=True))

    def sign(self, x: float, y: float) -> str:
        return _cross(self.role, x + 11.0, y)


@dataclasses.dataclass(frozen=True)
class Band(Item):
    """The area between low [n] and high [n] over x [n]; or [T, n], where it changes in time."""

    x: Row
    low: Row
    high: Row
    role: Role
    label: str | None = None

    def svg(self, place: Place, frame: Frame, number: int) -> str:
        low, high = (np.atleast_2d(place.y(side)) for side in (self.low, self.high))
        x = place.x(self.x)
        around = np.append(x, x[::-1])
        paths = [_path(around, np.append(a, b[::-1])) + "Z" for a, b in zip(high, low, strict=True)]
        moves = frame.animate("d", paths) if frame.playing and len(paths) > 1 else ""
        return f'<path class="area {self.role}" d="{paths[min(frame.index, len(paths) - 1)]}">{moves}</path>'

    def sign(self, x: float, y: float) -> str:
        return f'<rect class="area {self.role}" x="{x}" y="{y - 5}" width="22" height="10"/>'


@dataclasses.dataclass(frozen=True)
class Arrows(Item):
    """Directions, [n, 2] or [T, n, 2], at points [n, 2]: from a dot along a short line."""

    points: Row
    steps: Row
    role: Role
    label: str | None = None

    def svg(self, place: Place, frame: Frame, number: int) -> str:
        ends = self.points + (self.steps if self.steps.ndim == 3 else self.steps[None])
        x, y = place.x(self.points[:, 0]), place.y(self.points[:, 1])
        paths = [self._lines(x, y, place.x(end[:, 0]), place.y(end[:, 1])) for end in ends]
        now = min(frame.index, len(paths) - 1)
        moves = frame.animate("d", paths) if frame.playing and len(paths) > 1 else ""
        dots = "".join(f"M{a:.1f} {b:.1f}h.01" for a, b in zip(x, y, strict=True))
        return (
            f'<path class="line {self.role}" d="{paths[now]}">{moves}</path>'
            f'<path class="line {self.role} tail" d="{dots}"/>'
        )

    def _lines(self, x: Row, y: Row, to_x: Row, to_y: Row) -> str:
        return "".join(f"M{a:.1f} {b:.1f}L{c:.1f} {d:.1f}" for a, b, c, d in zip(x, y, to_x, to_y, strict=True))

    def sign(self, x: float, y: float) -> str:
        return f'<path class="line {self.role}" d="M{x} {y}h22"/><path class="line {self.role} tail" d="M{x} {y}h.01"/>'


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))


def _cross(role: Role, x: float, y: float) -> str:
    return f'<path class="line {role}" d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>'
