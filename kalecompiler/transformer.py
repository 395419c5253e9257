"""IPython's own reading of its syntax, kept line for line; the only module that imports IPython."""

from __future__ import annotations

import re
import tokenize
from functools import lru_cache
from typing import Any

_LIMIT = 1000  # special lines in one cell: a transformer that goes in circles must end


class NotIPython(Exception):
    """IPython cannot read the text either: the user's Python is broken."""


def dedented(text: str) -> str:
    """Text without the prompts (`>>>`, `In [1]:`) and the indentation that IPython strips; as many lines as before."""
    lines = text.split("\n")
    lead = next((i for i, line in enumerate(lines) if line.strip()), len(lines))
    rest = [line + "\n" for line in lines[lead:-1]] + lines[lead:][-1:]
    if not rest:
        return text
    indented = rest[0][0] in " \t"
    for transform in _manager().cleanup_transforms:
        # Newer versions of IPython strip blanks from lines of a cell that is not indented at all.
        if indented or getattr(transform, "__name__", "") != "leading_indent":
            rest = transform(rest)
    return "\n" * lead + "".join(rest)


def to_calls(text: str) -> str:
    """Text with IPython's syntax replaced by calls of `get_ipython()`; as many lines as before.

    Raises NotIPython where the text cannot be read.
    """
    lines = [line + "\n" for line in text.removesuffix("\n").split("\n")]
    for _ in range(_LIMIT):
        changed, after = _one(lines)
        if not changed:
            break
        lines = _aligned(lines, after)
    result = "".join(lines)
    return result if text.endswith("\n") else result.removesuffix("\n")


def is_cell_magic(text: str) -> bool:
    """Whether the first line that is not blank is a cell magic, and not the question about one (`%%time?`)."""
    first = text.lstrip("\n \t")
    return first.startswith("%%") and not re.match(r"%%\w+\?", first)


@lru_cache(maxsize=1)
def _manager() -> Any:
    """IPython's manager of transformers, which is not typed."""
    from IPython.core import inputtransformer2

    untyped: Any = inputtransformer2
    return untyped.TransformerManager()


def _one(lines: list[str]) -> tuple[bool, list[str]]:
    try:
        changed, after = _manager().do_one_token_transform(lines)
    except (SyntaxError, tokenize.TokenError, ValueError, IndexError) as error:
        raise NotIPython(str(error)) from error
    return bool(changed), list(after)


def _aligned(before: list[str], after: list[str]) -> list[str]:
    """`after` with blank lines where a command that was continued over several lines became one."""
    missing = "".join(before).count("\n") - "".join(after).count("\n")
    pairs = enumerate(zip(before, after, strict=False))
    changed = next((i for i, (old, new) in pairs if old != new), len(after) - 1)
    return [*after[: changed + 1], *["\n"] * missing, *after[changed + 1 :]]
