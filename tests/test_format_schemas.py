"""SARIF and JUnit as their schemas have them, for every rule.

The schemas here are the parts of SARIF 2.1.0 (OASIS, section 3) and of junit-10.xsd (Jenkins' xUnit plugin) that our
reports use, written down anew: nothing else may stand in a report.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest
from rulepages import lay_out

from kalecompiler import commands, packages, report
from kalecompiler.diagnostics import RULES
from kalecompiler.formats.context import Context


def closed(required: str = "", **properties: Any) -> dict[str, Any]:
    """An object with these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": properties,
    }


TEXT = {"type": "string"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
FROM_ONE = {"type": "integer", "minimum": 1}
FROM_ZERO = {"type": "integer", "minimum": 0}


def many(item: Any, **more: Any) -> dict[str, Any]:
    return {"type": "array", "items": item, **more}


RULE = closed(
    "id",
    id=TEXT,
    name=TEXT,
    shortDescription=closed("text", text=TEXT),
    help=closed("text", text=TEXT, markdown=TEXT),
    defaultConfiguration=closed(level=LEVEL),
)
REGION = closed("startLine", startLine=FROM_ONE, startColumn=FROM_ONE, endLine=FROM_ONE, endColumn=FROM_ONE)
ARTIFACT = closed(uri={"type": "string", "format": "uri-reference", "pattern": r"^[!-~]*$"}, uriBaseId=TEXT)
LOCATION = closed(
    physicalLocation=closed("artifactLocation", artifactLocation=ARTIFACT, region=REGION),
    logicalLocations=many(closed(name=TEXT, fullyQualifiedName=TEXT, kind=TEXT), uniqueItems=True),
)
RESULT = closed(
    "message",
    ruleId=TEXT,
    ruleIndex=FROM_ZERO,
    level=LEVEL,
    message=closed("text", text=TEXT),
    locations=many(LOCATION),
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
)
DRIVER = closed("name", name=TEXT, version=TEXT, rules=many(RULE, uniqueItems=True))
RUN = closed(
    "tool",
    tool=closed("driver", driver=DRIVER),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results=many(RESULT),
)
SARIF = closed("version runs", version={"enum": ["2.1.0"]}, runs=many(RUN, minItems=0)) | {
    "$schema": "http://json-schema.org/draft-07/schema#"
}
SARIF["properties"]["$schema"] = {"type": "string", "format": "uri"}

# element -> (attributes that it must have, that it may have, elements in it)
JUNIT: dict[str, tuple[str, str, str]] = {
    "testsuites": ("", "name time tests failures errors", "testsuite"),
    "testsuite": (
        "name tests failures errors",
        "group time skipped timestamp hostname id package file log url version",
        "testsuite properties testcase system-out system-err",
    ),
    "testcase": ("name", "time classname group", "skipped error failure system-out system-err"),
    "failure": ("", "type message", ""),
    "skipped": ("", "type message", ""),
}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    packages._environment.cache_clear()
    yield
    packages._environment.cache_clear()


def rendered(code: str, name: str) -> str:
    path = lay_out(code, "Wrong")
    assert path is not None
    found = commands.check([path], {}).diagnostics
    assert found
    return report.render(found, name, context=Context(Path.cwd(), (str(path), "größe & co.ipynb")))


@pytest.mark.parametrize("code", RULES)
def test_sarif_is_as_its_schema_has_it(code: str) -> None:
    log = json.loads(rendered(code, "sarif"))
    jsonschema.Draft7Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(log)
    (run,) = log["runs"]
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_the_schema_can_fail() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x", "nme": 1}}}]}, SARIF)


@pytest.mark.parametrize("code", RULES)
def test_junit_is_as_its_schema_has_it(code: str) -> None:
    suites = ElementTree.fromstring(rendered(code, "junit"))
    assert suites.tag == "testsuites"
    for element in suites.iter():
        must, may, inside = (set(words.split()) for words in JUNIT[element.tag])
        assert must <= set(element.attrib) <= must | may
        assert {child.tag for child in element} <= inside
    for suite in suites:
        cases = list(suite)
        assert int(suite.attrib["tests"]) == len(cases) >= 1
        assert int(suite.attrib["failures"]) == sum(case.find("failure") is not None for case in cases)
        names = [case.attrib["name"] for case in cases]
        assert len(set(names)) == len(names)
