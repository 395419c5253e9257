"""Patterns for paths, as .gitignore has them: `*` stays within a folder, `**` does not, a folder means all in it."""

from __future__ import annotations

import functools
import re
from pathlib import PurePosixPath

_MAGIC = frozenset("*?[")
_PARTS = re.compile(r"\*\*/|\*\*|\*|\?|\[[!^]?\]?[^]]*\]|.", re.DOTALL)


def has_magic(pattern: str) -> bool:
    """Whether it is a pattern, and not the name of a file."""
    return not _MAGIC.isdisjoint(pattern)


def matches(path: str, pattern: str) -> bool:
    """Whether a path (relative, with slashes) or a folder above it matches."""
    at = PurePosixPath(path)
    return any(matches_itself(str(folder), pattern) for folder in (at, *at.parents))


def matches_itself(path: str, pattern: str) -> bool:
    """Whether a path matches; a pattern without a slash is a name in any folder."""
    bare = pattern.removeprefix("./").strip("/")
    whole = _compiled(bare)
    return whole.fullmatch(path if "/" in bare else PurePosixPath(path).name) is not None


@functools.lru_cache(maxsize=1000)
def _compiled(pattern: str) -> re.Pattern[str]:
    text = "".join(_translated(part) for part in _PARTS.findall(pattern))
    try:
        return re.compile(text, re.DOTALL)
    except re.error:  # a set of characters such as [z-a]
        return re.compile(re.escape(pattern))


def _translated(part: str) -> str:
    known = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part in known:
        return known[part]
    if part[0] == "[" and part not in ("[", "[]", "[!]", "[^]"):
        inner = re.sub(r"[\\\[\]&~|]", r"\\\g<0>", part[1:-1])
        return f"[^/{inner[1:]}]" if inner[0] in "!^" else f"[{inner}]"
    return re.escape(part)
