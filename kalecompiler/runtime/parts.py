"""The parts of the runtime that a step carries only if it needs them."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def find(name: str) -> Any:
    """The module of that name, None in a step that does not carry it."""
    try:
        return importlib.import_module("." + name, __package__)
    except ImportError:
        return None
