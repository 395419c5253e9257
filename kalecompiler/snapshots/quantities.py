"""Sizes, times and values as people read them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any

_UNITS = ("B", "kB", "MB", "GB", "TB")
LONGEST = 60
DIGITS, _ALL_DIGITS = 6, 17


def size(count: float) -> str:
    """`0 B`, `1.5 kB`, `134 MB`."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 or count >= 99.5 else f"{count:.2g} {_UNITS[unit]}"


def seconds(number: float | None) -> str:
    """`0.31 s`, `12 s`, `3 min 20 s`, `2 h 5 min`; nothing where it is not known."""
    if number is None:
        return ""
    if number < 10:
        return f"{number:.2f} s"
    if number < 120:
        return f"{number:.0f} s"
    minutes, rest = divmod(round(number), 60)
    return f"{minutes} min {rest} s" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def moment(when: float | None) -> str:
    """A time (seconds since 1970) in UTC, to the second; nothing where it is not known."""
    return f"{datetime.fromtimestamp(when, timezone.utc):%Y-%m-%d %H:%M:%S}" if when else ""


def iso(when: float | None) -> str | None:
    """A time (seconds since 1970) as programs read it."""
    return datetime.fromtimestamp(when, timezone.utc).isoformat(timespec="seconds") if when else None


def value(given: Any, longest: int = LONGEST, digits: int = DIGITS) -> str:
    """A value of JSON on one line, cut; nothing where there is none."""
    if given is None:
        return ""
    if isinstance(given, bool) or not isinstance(given, float):
        text = json.dumps(given, ensure_ascii=False, default=str)
    else:
        text = f"{given:.{digits}g}"
    return text if len(text) <= longest else text[: longest - 3] + "..."


def values(given: Sequence[Any]) -> list[str]:
    """Values beside each other: numbers with enough digits to tell those apart that differ."""
    numbers = {repr(item): item for item in given if isinstance(item, float)}
    for digits in range(DIGITS, _ALL_DIGITS):
        if len({f"{item:.{digits}g}" for item in numbers.values()}) == len(numbers):
            return [value(item, digits=digits) for item in given]
    return [value(item, digits=_ALL_DIGITS) for item in given]


def exact(given: Any) -> str:
    """A value of JSON for programs: whole, and numbers with all their digits."""
    text = value(given, 1 << 62)
    return repr(given) if isinstance(given, float) and float(text) != given else text


def shape(lengths: Any) -> str:
    """`1000 x 4`; nothing where there is none."""
    return " x ".join(map(str, lengths)) if lengths else ""


def short(digest: str | None) -> str:
    """The beginning of a digest, enough to tell it from another."""
    return (digest or "").rpartition(":")[2][:12]
