"""Secrets taken out of what a step wrote about itself: its log, and what its cells displayed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

MASK = b"***"
# Shorter ones would take out pieces of ordinary words.
SHORTEST = 4
_QUOTES = (("&quot;", "&#x27;"), ("&quot;", "&#39;"), ("&#34;", "&#39;"))
"""What stands for `"` and `'`: in the standard library, in nbconvert and pandas, in Jinja2."""


def mask(files: Iterable[Path], secrets: Iterable[str]) -> None:
    """Replace each secret in the files by `***`; a file that is not there is left alone. Raises OSError."""
    texts = sorted({text for secret in secrets for text in _spellings(secret)}, key=len, reverse=True)
    for path in files:
        if texts and path.is_file():
            data = path.read_bytes()
            masked = data
            for text in texts:
                masked = masked.replace(text, MASK)
            if masked != data:
                path.write_bytes(masked)


def _spellings(secret: str) -> Iterator[bytes]:
    """How a secret stands in a log, line by line: as it is, as Python writes it, in HTML, and all of that in JSON."""
    for text in {secret, *secret.splitlines()}:
        if len(text) >= SHORTEST:
            for shown in (text, *_in_python(text)):
                for escaped in _in_html(shown):
                    for written in (escaped, json.dumps(escaped)[1:-1], json.dumps(escaped, ensure_ascii=False)[1:-1]):
                        yield written.encode("utf-8", "surrogateescape")


def _in_python(text: str) -> Iterator[str]:
    """A text as `repr` has it, alone and as a part of one with another kind of quotes."""
    for write in (repr, ascii):
        yield write(text)[1:-1]
        yield write('"' + text)[2:-1]


def _in_html(text: str) -> Iterator[str]:
    """A text as pages have it: they differ in what they escape."""
    yield text
    plain = text.replace("&", "&amp;").replace("<", "&lt;")
    for tags in (plain, plain.replace(">", "&gt;")):
        yield tags
        yield tags.replace('"', "&quot;")
        yield from (tags.replace('"', quote).replace("'", single) for quote, single in _QUOTES)
