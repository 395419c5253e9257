"""Texts that can be written: half of a surrogate pair, as names of odd files have it, is no character in UTF-8."""

from __future__ import annotations

import json
import re
from typing import Any

# As `json.dumps` writes one; a whole pair matches too, and comes to no harm.
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def plain(text: str) -> str:
    """The text with `?` for each half of a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def loads(text: str) -> Any:
    """What a text of JSON says, with all its texts made plain. Raises ValueError."""
    found = json.loads(text)
    return _plain(found) if _HALF.search(text) else found


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, dict):
        return {plain(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
