"""The setting max-artifact-size: a value that is larger is refused as soon as that is clear."""

from __future__ import annotations

from . import failure


def check(size: int, limit: int) -> None:
    """Raise ValueProblem if a file of that size is too large."""
    if size > limit:
        allowed = f"the setting max-artifact-size allows {in_words(limit)}"
        cure = "hand on less, or raise the setting"
        raise failure.ValueProblem(f"it takes {in_words(size)} or more, and {allowed}\n  help: {cure}")


def in_words(size: int) -> str:
    """A number of bytes as people say it: `3.1 MB`."""
    number, units = float(size), ["bytes", "kB", "MB", "GB", "TB"]
    while number >= 1000 and len(units) > 1:
        number /= 1000
        del units[0]
    return f"{number:.3g} {units[0]}"
