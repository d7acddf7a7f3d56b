"""The tables of docs/problem-file.md are those of the registries; every registry's default is one it allows."""

import pathlib
import runpy
import types
from typing import Any

import pytest

DOCS = pathlib.Path(__file__).parents[2] / "docs"
tables: Any = types.SimpleNamespace(**runpy.run_path(str(DOCS / "tables.py")))


def test_the_page_is_current():
    assert tables.page() == tables.PAGE.read_text(encoding="utf-8"), "run `python docs/tables.py`"
    assert all(f"<!-- table: {concept} -->" in tables.page() for concept in tables.REGISTRIES)


@pytest.mark.parametrize("concept", tables.REGISTRIES)
def test_every_thing_says_what_it_is(concept):
    for entry in tables.REGISTRIES[concept]:
        assert tables.meaning(entry) or not entry.said, entry.name


@pytest.mark.parametrize("concept", tables.REGISTRIES)
def test_every_default_is_one_that_may_be_said(concept):
    from pydantic import TypeAdapter

    from widelimit.numerics.registry import UNSAID
    from widelimit.runs.parse._schema import Schema

    schema = Schema()
    for entry in tables.REGISTRIES[concept]:
        for value in entry.said.values():
            kind = schema.field(value)
            if value.default is not UNSAID and value.default is not None:
                TypeAdapter(kind[0]).validate_python(value.default)
