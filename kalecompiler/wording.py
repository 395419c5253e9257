"""Numbers and names as messages write them."""

from __future__ import annotations

from collections.abc import Iterable


def counted(number: int, noun: str) -> str:
    """`1 step`, `2 steps`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def listed(names: Iterable[str], separator: str = ", ") -> str:
    """Names in backticks, in the order given."""
    return separator.join(f"`{name}`" for name in names)


def listed_once(names: Iterable[str]) -> str:
    """Names in backticks, sorted, each once."""
    return listed(sorted(set(names)))


def cause(error: Exception) -> str:
    """Why something could not be read or written, as a message ends with it: `permission denied`."""
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).lower()
