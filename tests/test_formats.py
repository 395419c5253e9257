"""Every rule in every format: the file, opened at the reported line, has there what the finding is about.

The notebooks are the wrong examples of the rules' pages, each as seven programs would write it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from filestyles import STYLES, file_lines, text_at
from rulepages import lay_out

from kalecompiler import commands, packages, report
from kalecompiler.diagnostics import RULES, Diagnostic, Rule, Severity
from kalecompiler.formats import github
from kalecompiler.formats.context import Context
from kalecompiler.model import Location

Places = list[tuple[str, int, int | None]]
# These are no JSON, so that no program can have written them.
BROKEN = ("KC001",)
ONE_STYLE = ("KC501", "KC502", "KC503")  # large


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    packages._environment.cache_clear()
    yield
    packages._environment.cache_clear()


def full(text: str) -> Places:
    places = re.findall(r"^(?:error|warning)\[(KC\d+)\].*\n *--> .*, line (\d+) of the file$", text, re.MULTILINE)
    return [(code, int(line), None) for code, line in places]


def concise(text: str) -> Places:
    rows = [re.match(r".*?\.(?:ipynb|toml):(\d+):(\d+): \w+\[(KC\d+)\] ", line) for line in text.splitlines()]
    return [(row[3], int(row[1]), int(row[2])) for row in rows if row]


def json_(text: str) -> Places:
    return [(row["code"], row["file_line"] or 1, row["file_column"] or 1) for row in json.loads(text)]


def github_(text: str) -> Places:
    found: Places = []
    for line in text.splitlines():
        if line.startswith("::"):
            given = dict(pair.split("=", 1) for pair in line.split("::")[1].partition(" ")[2].split(","))
            found.append((given["title"][:5], int(given["line"]), int(given.get("col", 1))))
        else:
            found += concise(line)
    return found


def gitlab(text: str) -> Places:
    return [(row["check_name"][:5], row["location"]["lines"]["begin"], None) for row in json.loads(text)]


def sarif(text: str) -> Places:
    regions = [
        (result["ruleId"], result["locations"][0]["physicalLocation"]["region"])
        for result in json.loads(text)["runs"][0]["results"]
    ]
    return [(code, region["startLine"], region["startColumn"]) for code, region in regions]


def junit(text: str) -> Places:
    cases = ElementTree.fromstring(text).iter("testcase")
    return [place for case in cases for result in case for place in concise(result.text or "")]


READERS: dict[str, Callable[[str], Places]] = {
    "full": full,
    "text": full,
    "concise": concise,
    "json": json_,
    "github": github_,
    "gitlab": gitlab,
    "sarif": sarif,
    "junit": junit,
}


def test_every_format_is_read() -> None:
    assert set(READERS) == set(report.FORMATS)


def offending(finding: Diagnostic) -> str:
    """What must stand where a finding points to."""
    at = finding.location
    if at.tag is not None:
        return at.tag
    if at.line is not None and at.source is not None:
        end = at.end_column - 1 if at.end_column and at.end_column > (at.column or 1) else None
        return at.source[(at.column or 1) - 1 : end].partition("***")[0]  # a secret is masked
    return ""


def is_there(data: bytes, finding: Diagnostic, line: int, column: int | None) -> bool:
    """Whether the file has, at that line and column, what the finding is about."""
    at, text = finding.location, offending(finding)
    raw = file_lines(data)[line - 1]
    if text:
        spellings = (json.dumps(text, ensure_ascii=ascii_)[1:-1] for ascii_ in (True, False))
        found = any(spelling in raw for spelling in spellings)
        return found and (column is None or text_at(data, line, column).startswith(text))
    if at.key and not any(f'"{key}"'.encode() in data for key in at.key):
        return line == 1
    if at.key:
        words = [key for key in at.key if f'"{key}"' in raw]
        return bool(words) and (column is None or raw[column - 1 :].startswith(f'"{words[-1]}"') or len(words) > 1)
    # the whole cell, or the whole file
    return bool(raw.strip()) if at.cell else True


def written(code: str, style: str) -> tuple[Path, bytes]:
    """The wrong example of a rule in a style, in the current folder."""
    path = lay_out(code, "Wrong")
    assert path is not None
    if code not in BROKEN:
        path.write_bytes(STYLES[style](json.loads(path.read_text(encoding="utf-8"))))
    return path, path.read_bytes()


CASES = [
    (code, style)
    for code in RULES
    for style in STYLES
    if style == "jupyter" or (code not in BROKEN and code not in ONE_STYLE)
]


@pytest.mark.parametrize(("code", "style"), CASES)
def test_the_file_has_the_offending_text_where_each_format_says(code: str, style: str) -> None:
    if style == "nbformat" and code in ("KC002", "KC101"):
        pytest.skip("nbformat writes no notebook that is none")
    path, data = written(code, style)
    checked = commands.check([path], {})
    assert not checked.count("failed"), checked.files
    found = checked.diagnostics
    assert code in {finding.rule.code for finding in found}
    for name, read in READERS.items():
        places = read(report.render(found, name))
        assert len(places) == len(found), name
        left = list(found)
        for rule, line, column in places:
            own = [f for f in left if f.rule.code == rule and is_there(data, f, line, column)]
            own = own or [f for f in left if f.rule.code == rule and not f.location.path.endswith(".ipynb")]
            assert own, f"{name}: {rule} is not on line {line}: {file_lines(data)[line - 1]}"
            left.remove(own[0])
    for finding in found:  # what has a cell, a tag or a key is not put on the first line for want of a better place
        at = finding.location
        if style == "jupyter" and code != "KC002" and at.path == str(path) and (at.cell or at.tag or at.key):
            assert (at.file_line or 1) > 1, finding
            assert file_lines(data)[(at.file_line or 1) - 1].strip()


def some(count: int, severity: Severity, path: str = "a/n.ipynb") -> list[Diagnostic]:
    rule = Rule("KC201" if severity is Severity.ERROR else "KC216", "name", severity)
    return [
        Diagnostic(rule, f"message {n}", Location(path, 2, None, n + 1, 1, None, f"x{n} = 1", file_line=10 + n))
        for n in range(count)
    ]


def test_github_gets_errors_first_and_the_rest_goes_into_the_log_and_the_summary() -> None:
    found = [*some(12, Severity.WARNING), *some(13, Severity.ERROR)]
    lines = report.render(found, "github").splitlines()
    assert [line.partition(" ")[0] for line in lines[:20]] == ["::error"] * 10 + ["::warning"] * 10
    assert [line for line in lines[20:] if line.startswith("::")] == []
    assert len(lines) == len(found)
    text = github.summary(sorted(found, key=lambda d: d.location.line or 0), Context())
    assert text.startswith("### kalec check: 5 more of 25 findings\n")
    assert text.count("| a/n.ipynb:") == 5
    assert github.summary(found[:10], Context()) == ""


def test_github_commands_escape_what_would_end_them() -> None:
    at = Location("a, b:c%.ipynb", 1, None, 1, 1, None, "x")
    (line, *_) = report.render([Diagnostic(RULES["KC201"], "50% of\nit::x", at, "do, this")], "github").splitlines()
    assert "file=a%2C b%3Ac%25.ipynb" in line
    assert line.endswith("::50%25 of%0Ait::x (cell 1:1:1)%0Ahelp: do, this")


def moved(finding: Diagnostic, by: int) -> Diagnostic:
    from dataclasses import replace

    at = finding.location
    new = replace(at, cell=(at.cell or 0) + by, line=(at.line or 0) + by, file_line=(at.file_line or 0) + 7 * by)
    return replace(finding, location=new, message=finding.message.replace("message 1", "message 1"))


@pytest.mark.parametrize("name", ["gitlab", "sarif", "json"])
def test_fingerprints_stay_when_lines_move_and_differ_between_findings(name: str) -> None:
    def marks(found: list[Diagnostic]) -> list[Any]:
        rows = json.loads(report.render(found, name))
        if name == "sarif":
            return [row["partialFingerprints"] for row in rows["runs"][0]["results"]]
        return [row["fingerprint"] for row in rows]

    found = [*some(3, Severity.ERROR), *some(3, Severity.ERROR, "b.ipynb"), *some(2, Severity.WARNING)]
    before = marks(found)
    assert before == marks([moved(finding, 3) for finding in found])
    assert len({json.dumps(mark) for mark in before}) == len(found)


def test_findings_that_are_alike_have_fingerprints_of_their_own() -> None:
    twice = some(1, Severity.ERROR) * 2
    rows = json.loads(report.render([twice[0], moved(twice[1], 2)], "gitlab"))
    assert len({row["fingerprint"] for row in rows}) == 2


def test_numbers_of_cells_in_a_message_do_not_count() -> None:
    def mark(message: str) -> str:
        found = [Diagnostic(RULES["KC107"], message, Location("n.ipynb", 3))]
        return str(json.loads(report.render(found, "gitlab"))[0]["fingerprint"])

    assert mark("cell 3 is in 2 steps: `a1`") == mark("cell 14 is in 2 steps: `a1`")
    assert mark("cell 3 is in 2 steps: `a1`") != mark("cell 3 is in 2 steps: `a2`")


def test_paths_are_those_of_the_repository() -> None:
    found = some(1, Severity.ERROR, str(Path("deep/n.ipynb").absolute()))
    context = Context(root=Path().absolute())
    assert "file=deep/n.ipynb," in report.render(found, "github", context=context)
    assert json.loads(report.render(found, "gitlab", context=context))[0]["location"]["path"] == "deep/n.ipynb"
    log = json.loads(report.render(found, "sarif", context=context))
    location = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert location == {"uri": "deep/n.ipynb", "uriBaseId": "SRCROOT"}


@pytest.mark.parametrize("name", ["json", "gitlab", "sarif", "junit"])
def test_formats_for_programs_are_whole_without_findings(name: str) -> None:
    text = report.render([], name, context=Context(notebooks=("a.ipynb",)))
    parsed = ElementTree.fromstring(text) if name == "junit" else json.loads(text)
    assert parsed is not None
    assert READERS[name](text) == []


def test_junit_fails_for_errors_and_skips_warnings_unless_strict() -> None:
    found = [*some(1, Severity.ERROR), *some(2, Severity.WARNING)]
    context = Context(notebooks=("good.ipynb", "a/n.ipynb"))
    suites = ElementTree.fromstring(report.render(found, "junit", context=context))
    assert [suite.attrib["name"] for suite in suites] == ["good.ipynb", "a/n.ipynb"]
    assert suites.attrib == {"name": "kalec check", "tests": "4", "failures": "1", "errors": "0"}
    assert [(case.attrib["name"], case[0].tag) for case in suites[1]] == [
        ("KC201 name", "failure"),
        ("KC216 name", "skipped"),
        ("KC216 name #2", "skipped"),
    ]
    strict = ElementTree.fromstring(report.render(found, "junit", context=Context(strict=True)))
    assert strict.attrib["failures"] == "3"


def test_junit_leaves_out_what_xml_cannot_hold() -> None:
    found = Diagnostic(RULES["KC201"], "a\x00b\x1b<&\ufffe", Location("n<&>.ipynb", 1))
    (failure,) = ElementTree.fromstring(report.render([found], "junit")).iter("failure")
    assert failure.attrib["message"] == "a\ufffdb\ufffd<&\ufffd"


def test_statistics_count_rules_the_most_frequent_first() -> None:
    found = [*some(1, Severity.ERROR), *some(2, Severity.WARNING)]
    assert report.statistics(found) == "2  KC216  warning  file-channel\n1  KC201  error    undefined-name\n"
    assert [row["count"] for row in json.loads(report.statistics(found, "json"))] == [2, 1]
    assert report.statistics([]) == ""
