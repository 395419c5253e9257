"""Findings as SARIF 2.1.0, which GitHub's code scanning, Azure DevOps and editors read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from kalecompiler.catalogue import page
from kalecompiler.diagnostics import Diagnostic, Rule
from kalecompiler.fingerprints import fingerprints
from kalecompiler.formats.context import Context, line_of
from kalecompiler.formats.wording import in_notebook, place
from kalecompiler.version import VERSION

_ROOT = "SRCROOT"


def render(diagnostics: Sequence[Diagnostic], context: Context) -> str:
    """The log: one run, its rules with their pages, its results with their places in the file and in the notebook."""
    rules = {d.rule.code: d.rule for d in sorted(diagnostics, key=lambda d: d.rule.code)}
    paths = [context.path(d.location.path) for d in diagnostics]
    marks = fingerprints(diagnostics, paths)
    numbers = {code: number for number, code in enumerate(rules)}
    run = {
        "tool": {
            "driver": {"name": "kalecompiler", "version": VERSION, "rules": [_rule(rule) for rule in rules.values()]}
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(d, numbers[d.rule.code], path, mark)
            for d, path, mark in zip(diagnostics, paths, marks, strict=True)
        ],
    }
    log = {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    title, _, body = page(rule.code).partition("\n")
    first = body.strip().partition("\n\n")[0].replace("\n", " ")
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": first},
        "help": {"text": body.strip(), "markdown": f"{title}\n{body.rstrip()}"},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _result(diagnostic: Diagnostic, rule: int, path: str, fingerprint: str) -> dict[str, Any]:
    at = diagnostic.location
    text = diagnostic.message + (f"; {diagnostic.hint}" if diagnostic.hint else "")
    location: dict[str, Any] = {
        "physicalLocation": {"artifactLocation": _artifact(path), "region": _region(diagnostic)},
    }
    if in_notebook(at):
        location["logicalLocations"] = [{"name": in_notebook(at), "fullyQualifiedName": place(at), "kind": "object"}]
    return {
        "ruleId": diagnostic.rule.code,
        "ruleIndex": rule,
        "level": diagnostic.severity.value,
        "message": {"text": text},
        "locations": [location],
        # the second is what GitHub would else compute from the line's number and text
        "partialFingerprints": {"kalec/v1": fingerprint, "primaryLocationLineHash": f"{fingerprint}:1"},
    }


def _artifact(path: str) -> dict[str, str]:
    uri = quote(path)
    return {"uri": f"file://{uri}"} if path.startswith("/") else {"uri": uri, "uriBaseId": _ROOT}


def _region(diagnostic: Diagnostic) -> dict[str, int]:
    at = diagnostic.location
    region = {"startLine": line_of(at), "startColumn": at.file_column or 1}
    if at.file_end_line is not None and at.file_end_column is not None:
        region |= {"endLine": at.file_end_line, "endColumn": at.file_end_column}
    return region
