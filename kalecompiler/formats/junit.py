"""Findings as JUnit's XML, in the shape that the schema of Jenkins' xUnit plugin (junit-10.xsd) describes.

A notebook is a suite; each finding a case of its own, named by its rule, so that it keeps its name when lines move. An
error is a failure, a warning is skipped: seen, and no reason to stop.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from kalecompiler.diagnostics import Diagnostic, Severity
from kalecompiler.formats.context import Context
from kalecompiler.formats.wording import concise

# Characters that XML cannot hold, however they are written.
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(diagnostics: Sequence[Diagnostic], context: Context) -> str:
    """The document, with a suite for each notebook, those without findings too."""
    own: dict[str, list[Diagnostic]] = {path: [] for path in context.notebooks}
    for diagnostic in diagnostics:
        own.setdefault(diagnostic.location.path, []).append(diagnostic)
    suites = ET.Element("testsuites", {"name": "kalec check"} | _counts(diagnostics, list(own.values()), context))
    for path, found in own.items():
        suites.append(_suite(path, found, context))
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode") + "\n"


def _suite(path: str, found: Sequence[Diagnostic], context: Context) -> ET.Element:
    name = _text(context.path(path))
    suite = ET.Element("testsuite", {"name": name} | _counts(found, [found], context) | {"file": name})
    suite.set("skipped", str(sum(not _fails(d, context) for d in found)))
    if not found:
        ET.SubElement(suite, "testcase", name="check", classname=name)
    before: Counter[str] = Counter()
    for diagnostic in found:
        title = f"{diagnostic.rule.code} {diagnostic.rule.name}"
        before[title] += 1
        number = f" #{before[title]}" if before[title] > 1 else ""
        case = ET.SubElement(suite, "testcase", name=title + number, classname=name)
        kind = "failure" if _fails(diagnostic, context) else "skipped"
        result = ET.SubElement(case, kind, message=_text(diagnostic.message), type=diagnostic.severity.value)
        lines = [concise(diagnostic), *([f"help: {diagnostic.hint}"] if diagnostic.hint else [])]
        result.text = _text("\n".join(lines))
    return suite


def _counts(found: Sequence[Diagnostic], suites: Sequence[Sequence[Diagnostic]], context: Context) -> dict[str, str]:
    failures = sum(_fails(d, context) for d in found)
    return {"tests": str(sum(max(1, len(own)) for own in suites)), "failures": str(failures), "errors": "0"}


def _fails(diagnostic: Diagnostic, context: Context) -> bool:
    return context.strict or diagnostic.severity is Severity.ERROR


def _text(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)
