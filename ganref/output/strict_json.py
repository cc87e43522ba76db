"""JSON as its standard has it (RFC 8259): without NaN and Infinity, which Python's own module
writes and most other readers refuse."""

from __future__ import annotations

import json
import math
from typing import Any


def finite(value: Any) -> Any:
    """The same dictionaries, lists and numbers, with None for every number that is not finite."""
    if isinstance(value, dict):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def dumps(value: Any, indent: int | None = None) -> str:
    """The text. A number that is not finite is null: who writes it says beside it, in words, what
    has diverged."""
    return json.dumps(finite(value), indent=indent, allow_nan=False)


def loads(text: str | bytes) -> Any:
    """What a text that somebody may have changed means. Raises ValueError, also where it is nested
    deeper than Python reads."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
