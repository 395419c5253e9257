"""What a finding is called however its lines move: the same name in GitLab, in SARIF and in a baseline."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from kalecompiler.diagnostics import Diagnostic

_NUMBER = re.compile(r"(?<![\w.])\d[\d,.]*(?![\w])")


def fingerprints(diagnostics: Sequence[Diagnostic], paths: Sequence[str]) -> list[str]:
    """One name for each finding, from its rule, the path given for it, its line's text and its message.

    Numbers in the message do not count, as they may be those of cells and lines. Findings that are alike are counted
    in their order.
    """
    before: Counter[str] = Counter()
    found = []
    for diagnostic, path in zip(diagnostics, paths, strict=True):
        text = _text(diagnostic, path)
        found.append(hashlib.sha256(f"{text}\0{before[text]}".encode("utf-8", "backslashreplace")).hexdigest()[:40])
        before[text] += 1
    return found


def _text(diagnostic: Diagnostic, path: str) -> str:
    at = diagnostic.location
    message = _NUMBER.sub("N", diagnostic.message)
    return "\0".join((path, diagnostic.rule.code, (at.source or "").strip(), at.tag or "", *at.key, message))
