"""An example of every registered thing, so that the generic tests take in what is new without being told."""

from collections.abc import Iterable
from typing import Any

from widelimit.numerics.registry import UNSAID, Entry, Registry, Value


def missing(registry: Registry, present: Iterable[Any], **place: Any) -> dict[str, Any]:
    """The registered things of whose class there is none among `present`, by name."""
    classes = {type(thing) for thing in present}
    made = {entry.name: example(registry, entry, **place) for entry in registry}
    return {name: thing for name, thing in made.items() if type(thing) not in classes}


def example(registry: Registry, entry: Entry, **place: Any) -> Any:
    """The thing with the first values that come to mind where it has no defaults."""
    needed = {name: value for name, value in entry.said.items() if value.default is UNSAID and not value.fact}
    told = {name: _told(value, 1.0 + k) for k, (name, value) in enumerate(needed.items())}
    return registry.make({registry.tag: entry.name, **told}, **place)


def _told(value: Value, number: float) -> Any:
    if value.many:
        # Two, in increasing order.
        pair = [_one(value, 1.0), _one(value, 2.0)]
        return pair if value.many == "list" else {}
    return _one(value, number)


def _one(value: Value, number: float) -> Any:
    if value.registry is not None:
        entry = next(iter(value.registry))
        return {value.registry.tag: entry.name, **{k: _told(v, number) for k, v in entry.said.items()}}
    if value.kind == "text":
        return value.names[0] if value.names else "output"
    if value.kind == "flag":
        return True
    most = min(limit for limit in (value.below, value.most, float("inf")) if limit is not None)
    least = max(limit for limit in (value.above, value.least, 0.0) if limit is not None)
    if value.kind == "whole":
        return int(min(max(number, least), most))
    return number if least < number < most else 0.5 * (least + most)
