"""Secrets taken out of what a step wrote about itself: its log, and what its cells displayed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

MASK = b"***"
# Shorter ones would take out pieces of ordinary words.
SHORTEST = 4


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


def _spellings(secret: str) -> Iterable[bytes]:
    """How a secret stands in a log, line by line, in JSON, and in a step's report."""
    for text in {secret, *secret.splitlines()}:
        if len(text) >= SHORTEST:
            yield text.encode()
            yield json.dumps(text)[1:-1].encode()
            yield json.dumps(text, ensure_ascii=False)[1:-1].encode()
            yield text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").encode()
