"""Registries: what they make of what is said, and that a half-registered thing is refused where it is defined."""

import pytest

from widelimit.numerics.registry import (
    UNSAID,
    Registry,
    by_name,
    flag,
    given,
    left_to,
    named,
    number,
    positive,
    several,
    text,
    whole,
)


def pair(size, loud=True, *, rate=1.0):
    return ("pair", size, loud, rate)


def shaped(shape, scale):
    return ("shaped", shape, scale)


@pytest.fixture
def rates():
    registry = Registry("rate", plain="constant")
    registry.add("constant", lambda value: ("constant", value), value=number(least=0.0))
    registry.add("never", lambda: ("never",))
    return registry


def test_defaults_are_those_of_the_maker(rates):
    registry = Registry("thing")
    registry.add("pair", pair, size=whole(), loud=flag, rate=named(rates))
    values = registry["pair"].values
    assert (values["size"].default, values["loud"].default, values["rate"].default) == (UNSAID, True, 1.0)
    assert registry.make({"kind": "pair", "size": 3}) == ("pair", 3, True, ("constant", 1.0))
    with pytest.raises(ValueError, match="thing 'pair': 'size' is missing"):
        registry.make("pair")


def test_an_object_as_default_is_left_to_the_maker(rates):
    marker = object()
    registry = Registry("thing")
    registry.add("a", lambda rate=marker: rate, rate=named(rates))
    assert registry.make("a") is marker
    assert registry.make({"kind": "a", "rate": None}) is marker


def test_named_things_are_made(rates):
    registry = Registry("thing")
    registry.add("pair", pair, size=whole(), rate=named(rates))
    for said, expected in ((2.5, ("constant", 2.5)), ("never", ("never",)), ({"kind": "never"}, ("never",))):
        assert registry.make({"kind": "pair", "size": 1, "rate": said})[-1] == expected


def test_facts_of_the_place_and_words():
    registry = Registry("law", tag="law")
    narrow = {"1/d": lambda place: 1.0 / place["inputs"]}
    registry.add("shaped", shaped, shape=given("shape"), scale=number(words=narrow, default=2.0))
    assert list(registry["shaped"].said) == ["scale"]
    assert registry.make("shaped", shape=(3,)) == ("shaped", (3,), 2.0)
    said = {"law": "shaped", "scale": "1/d"}
    assert registry.make(said, shape=(), inputs=4) == ("shaped", (), 0.25)
    registry.add("both", lambda parts: parts, parts=several(named(registry)))
    both = registry.make({"law": "both", "parts": [said, "shaped"]}, shape=(), inputs=4)
    assert both == [("shaped", (), 0.25), ("shaped", (), 2.0)]


def test_a_value_left_to_a_fact():
    registry = Registry("penalty")
    registry.add("on", lambda block: block, block=left_to("linear block", text))
    assert registry.make("on", **{"linear block": "c"}) == "c"
    assert registry.make({"kind": "on", "block": "h"}, **{"linear block": "c"}) == "h"
    with pytest.raises(ValueError, match="needs 'block', since there is no linear block"):
        registry.make("on", **{"linear block": None})


def test_tables_and_values_for_the_place_alone():
    registry = Registry("metric", plain="diagonal")
    registry.add("diagonal", lambda blocks: blocks, blocks=by_name(positive))
    registry.add("free", lambda: "free", cells=whole(argument=False))
    assert registry.make({"w": 2.0}) == {"w": 2.0}
    assert registry.make({"kind": "free", "cells": 3}) == "free"


def test_what_is_half_registered_is_refused():
    registry = Registry("thing")
    registry.add("pair", pair, size=whole())
    with pytest.raises(ValueError, match="registry of thing: 'pair' is registered already"):
        registry.add("pair", pair, size=whole())
    with pytest.raises(ValueError, match="takes no 'sise'"):
        registry.add("other", pair, sise=whole())
    with pytest.raises(ValueError, match="needs 'size'; say what it may be"):
        registry.add("other", pair)
    with pytest.raises(ValueError, match="takes no 'kind'"):
        registry.add("other", lambda kind: kind, kind=text)
    with pytest.raises(ValueError, match="cannot be a name"):
        registry.add("two words", pair, size=whole())
    assert registry.names == ("pair",)


def test_an_unknown_name_has_the_nearest_beside_it():
    registry = Registry("thing")
    registry.add("pair", pair, size=whole())
    with pytest.raises(ValueError, match=r"thing: 'pear' is not known; allowed are pair. Did you mean 'pair'"):
        registry.make("pear")
