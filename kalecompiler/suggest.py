"""Did you mean: the nearest of the words that would have been right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate most like `word`, or None where none is alike."""
    found = difflib.get_close_matches(word, sorted(candidates), n=1, cutoff=0.6)
    return found[0] if found else None


def did_you_mean(word: str, candidates: Iterable[str], pattern: str = "{}") -> str | None:
    """A hint that names the nearest candidate, put into `pattern`; None where none is alike."""
    found = closest(word, candidates)
    return f"did you mean `{pattern.format(found)}`?" if found else None
