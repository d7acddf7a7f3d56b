"""Files of a run: strict JSON."""

import json
import math
import pathlib
from typing import Any

from .._errors import BadInput

ANEW = "Start it anew with `widelimit run FILE --overwrite`."


def read_json(path: pathlib.Path) -> dict[str, Any]:
    """A JSON file of a run. Raises `BadInput` where it is missing or damaged."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"{path}: is missing; the folder is damaged. {ANEW}") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise BadInput(f"{path}: is damaged (not readable as a JSON object). {ANEW}")
    return value


def to_json(value: Any) -> str:
    """Strict JSON: a number that is not finite becomes null."""
    return json.dumps(_strict(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
