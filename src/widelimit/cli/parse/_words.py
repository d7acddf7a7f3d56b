"""Sentences for what is wrong with a value."""

from collections.abc import Sequence
from typing import Any

from widelimit import results


def unknown(given: Any, allowed: Sequence[str]) -> str:
    """`'tanhh' is not known; allowed are tanh, relu. Did you mean 'tanh'?`, for whatever was given."""
    if isinstance(given, str):
        return results.unknown(given, allowed)
    return f"expected one of {', '.join(allowed)}, got {shown(given)}"


def shown(value: Any) -> str:
    """A value as it was given, cut where it is long."""
    text = str(value).lower() if isinstance(value, bool) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


_EXPECTED = {
    "float": "a number",
    "int": "a whole number",
    "string": "text in quotes",
    "bool": "true or false",
    "model": "a table",
    "model_attributes": "a table",
    "dict": "a table",
    "tuple": "a list",
    "list": "a list",
}
_BOUNDS = {
    "greater_than": ("gt", "must be greater than"),
    "greater_than_equal": ("ge", "must be at least"),
    "less_than": ("lt", "must be less than"),
    "less_than_equal": ("le", "must be at most"),
}


def describe(error: Any) -> str:
    """One of pydantic's error records in a sentence."""
    kind, given, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in _BOUNDS:
        name, words = _BOUNDS[kind]
        return f"{words} {context[name]:g}, got {shown(given)}"
    if kind == "finite_number":
        return f"must be finite, got {shown(given)}"
    if kind == "literal_error":
        return unknown(
            given, [name.strip().strip("'") for name in context["expected"].replace(" or ", ", ").split(",")]
        )
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "too_short":
        return f"expected {context['min_length']} or more entries, got {context['actual_length']}"
    if kind == "too_long":
        return f"has too many entries, at most {context['max_length']} are allowed"
    if kind == "value_error":
        return str(context["error"])
    if kind == "misfit":
        return context["text"]
    expected = _EXPECTED.get(kind.removesuffix("_type"))
    return f"expected {expected}, got {shown(given)}" if expected else f"{error['msg']}, got {shown(given)}"
