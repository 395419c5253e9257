"""Findings as GitLab's code quality report, which a merge request shows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from kalecompiler.diagnostics import Diagnostic, Severity
from kalecompiler.fingerprints import fingerprints
from kalecompiler.formats.context import Context, line_of
from kalecompiler.formats.wording import in_notebook

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "minor"}


def render(diagnostics: Sequence[Diagnostic], context: Context) -> str:
    """The report, a list of findings; a fingerprint stays when lines move."""
    paths = [context.path(d.location.path) for d in diagnostics]
    marks = fingerprints(diagnostics, paths)
    rows = [_row(d, path, mark) for d, path, mark in zip(diagnostics, paths, marks, strict=True)]
    return json.dumps(rows, indent=2, ensure_ascii=False) + "\n"


def _row(diagnostic: Diagnostic, path: str, fingerprint: str) -> dict[str, object]:
    at = diagnostic.location
    inside = in_notebook(at)
    lines = {"begin": line_of(at), "end": at.file_end_line or line_of(at)}
    return {
        "description": f"{diagnostic.rule.code}: {diagnostic.message}" + (f" ({inside})" if inside else ""),
        "check_name": f"{diagnostic.rule.code} {diagnostic.rule.name}",
        "fingerprint": fingerprint,
        "severity": _SEVERITIES[diagnostic.severity],
        "location": {"path": path, "lines": lines},
    }
