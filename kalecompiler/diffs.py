"""Two texts -> what differs, as a unified diff that `patch` and `git apply` take."""

from __future__ import annotations

import difflib
import re

# Lines end at a newline alone: a notebook may hold other characters that Python takes for line ends.
_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def unified(old: str, new: str, name: str) -> str:
    """What leads from `old` to `new`, texts of a file of that name; empty where they are the same."""
    lines = difflib.unified_diff(_LINE.findall(old), _LINE.findall(new), f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
