"""The JSON schema of problem files, which editors complete and check from while a file is written."""

import json
import re
from typing import Any

from pydantic import BaseModel

from ._problem_file import problem_model

DRAFT = "https://json-schema.org/draft/2020-12/schema"
# What pydantic calls a bound of a number that is also looked at by a function.
_BOUNDS = {"gt": "exclusiveMinimum", "ge": "minimum", "lt": "exclusiveMaximum", "le": "maximum"}
# OpenAPI's.
_DROPPED = ("discriminator",)


def json_schema() -> dict[str, Any]:
    """The schema of files for `widelimit run`, with everything that is registered now.

    What a schema cannot say (the blocks of a unit, a column of the data, a step beyond t1) is checked by a run alone.
    """
    schema = plain_schema(problem_model())
    schema["properties"]["networks"]["description"] = "Networks that are trained beside the limit: [[networks]]."
    # A network is a mean of units, or one of [network].
    choice = [{"required": ["unit"]}, {"required": ["network"]}]
    return {"$schema": DRAFT, "title": "A problem file of widelimit"} | schema | {"oneOf": choice}


def swept_schema(section: type[BaseModel]) -> dict[str, Any]:
    """The schema of files for `widelimit sweep`: with its `section`, and no key needed that a sweep may set."""
    whole = json_schema()
    # A sweep may set the kind of network.
    del whole["oneOf"]
    schema = _loosened(whole)
    own = plain_schema(section)
    schema["$defs"] |= own.pop("$defs", {})
    schema["properties"]["sweep"] = own
    return schema | {"title": "A problem file of widelimit with a [sweep]", "required": ["data", "sweep"]}


def plain_schema(model: type[BaseModel]) -> dict[str, Any]:
    """pydantic's schema of a section in standard words, without what TOML has not."""
    text = json.dumps(model.model_json_schema())
    # Things of two registries may share a name: power__1 and power__2.
    return _cleaned(json.loads(re.sub(r"widelimit__runs__parse___(schema|sections)__", "", text)))


def _cleaned(node: Any) -> Any:
    if isinstance(node, list):
        return [_cleaned(one) for one in node]
    if not isinstance(node, dict):
        return node
    found = {_BOUNDS.get(key, key): _cleaned(value) for key, value in node.items() if key not in _DROPPED}
    # A property may be called title as well; then it is no text.
    if isinstance(found.get("title"), str):
        del found["title"]
    if "default" in found and found["default"] is None:
        del found["default"]
    # TOML has no null.
    if "anyOf" in found and {"type": "null"} in found["anyOf"]:
        rest = [one for one in found.pop("anyOf") if one != {"type": "null"}]
        found |= rest[0] if len(rest) == 1 else {"anyOf": rest}
    return found


def _loosened(node: Any) -> Any:
    if isinstance(node, list):
        return [_loosened(one) for one in node]
    if not isinstance(node, dict):
        return node
    # Without their tags several things may be meant.
    kept = {key: value for key, value in node.items() if not (key == "required" and isinstance(value, list))}
    return {"anyOf" if key == "oneOf" else key: _loosened(value) for key, value in kept.items()}
