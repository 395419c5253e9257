"""Reports of findings: the text that people read, and the JSON that programs do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from kalecompiler import report
from kalecompiler.diagnostics import Diagnostic, Rule, Severity
from kalecompiler.model import Cell, CellKind, Location, Notebook

ERROR = Rule("KC901", "an-error", Severity.ERROR)
WARNING = Rule("KC902", "a-warning", Severity.WARNING)


def finding(source: str, line: int, column: int | None = None, end: int | None = None, **changes: object) -> Diagnostic:
    """An error in cell 5 of a notebook."""
    cell = Cell(5, CellKind.CODE, source, "abc")
    location = Notebook(Path("churn.ipynb"), (cell,)).at(cell, line, column, end)
    values = {"rule": ERROR, "message": "`y` is not defined", "location": location, "hint": None} | changes
    return Diagnostic(**values)  # type: ignore[arg-type]


def lines(diagnostic: Diagnostic) -> list[str]:
    """The report of one finding, without the summary."""
    return report.render([diagnostic]).split("\n\n")[0].split("\n")


def test_a_finding_in_full() -> None:
    found = finding("x = 1\nprint(y)\n", 2, 7, 8, hint="did you mean `x`?")
    assert report.render([found]) == (
        "error[KC901]: `y` is not defined\n"
        " --> churn.ipynb:cell 5:2:7\n"
        "  |\n"
        "2 | print(y)\n"
        "  |       ^\n"
        "  = help: did you mean `x`?\n"
        "\n"
        "1 error\n"
    )


def test_the_gutter_is_as_wide_as_the_number() -> None:
    assert lines(finding("\n" * 99 + "print(y)", 100, 7, 8, hint="cure")) == [
        "error[KC901]: `y` is not defined",
        "   --> churn.ipynb:cell 5:100:7",
        "    |",
        "100 | print(y)",
        "    |       ^",
        "    = help: cure",
    ]


PLACES = {
    "a notebook": (Location("n.ipynb"), "n.ipynb"),
    "a cell": (Location("n.ipynb", 3), "n.ipynb:cell 3"),
    "a line": (Location("n.ipynb", 3, "id", 2), "n.ipynb:cell 3:2"),
    "a column": (Location("n.ipynb", 3, "id", 2, 7), "n.ipynb:cell 3:2:7"),
    "a tag": (Location("n.ipynb", 3, tag="prev:a"), "n.ipynb:cell 3 (tag `prev:a`)"),
}


@pytest.mark.parametrize(("location", "expected"), PLACES.values(), ids=PLACES)
def test_places(location: Location, expected: str) -> None:
    assert report.place(location) == expected
    assert report.render([Diagnostic(ERROR, "m", location)]).split("\n")[1].endswith(f"--> {expected}")


CARETS = {
    "one character": ("ab", 2, 3, "ab", " ^"),
    "a word": ("x = name", 5, 9, "x = name", "    ^^^^"),
    "no end: one character": ("x = name", 5, None, "x = name", "    ^"),
    "an end before the start": ("x = name", 5, 2, "x = name", "    ^"),
    "just after the line": ("x =", 4, 5, "x =", "   ^"),
    "an end past the line": ("x = name", 5, 99, "x = name", "    ^^^^"),
    "a tab before it": ("\tx = y", 6, 7, "    x = y", "        ^"),
    "a tab within it": ("a\tb", 1, 4, "a    b", "^^^^^^"),
    "wide characters before it": ("'日本' + y", 8, 9, "'日本' + y", " " * 9 + "^"),
    "wide characters within it": ("日本 = 1", 1, 3, "日本 = 1", "^^^^"),
    "a combining character before it": ("e\u0301 = y", 6, 7, "e\u0301 = y", "    ^"),
    "an emoji before it": ("'🎉' + y", 7, 8, "'🎉' + y", "       ^"),
    "control characters": ("a\x1b[31mb\x00", 7, 8, "a\ufffd[31mb\ufffd", "      ^"),
}


@pytest.mark.parametrize(("source", "column", "end", "text", "caret"), CARETS.values(), ids=CARETS)
def test_the_caret_stands_below_what_it_means(source: str, column: int, end: int | None, text: str, caret: str) -> None:
    assert lines(finding(source, 1, column, end))[3:] == [f"1 | {text}", f"  | {caret}"]


@pytest.mark.parametrize("column", [None, 99], ids=["none", "past the line"])
def test_without_a_column_there_is_no_caret(column: int | None) -> None:
    assert lines(finding("x = y", 1, column))[2:] == ["  |", "1 | x = y"]


def test_of_a_long_line_the_part_around_the_caret_is_shown() -> None:
    shown = lines(finding("a" * 5000 + "NAME" + "b" * 5000, 1, 5001, 5005))
    text, caret = shown[3][4:], shown[4][4:]
    assert len(text) <= 160
    assert text[caret.index("^") : caret.rindex("^") + 1] == "NAME"


def test_the_start_of_a_long_line_is_shown_from_its_start() -> None:
    shown = lines(finding("NAME" + "b" * 5000, 1, 1, 5))
    assert shown[3].startswith("1 | NAMEbbb")
    assert shown[4] == "  | ^^^^"


def test_a_line_that_is_not_there_is_not_shown() -> None:
    assert len(lines(finding("x = 1", 7))) == 2


def test_messages_and_hints_stay_on_one_line_without_control_characters() -> None:
    found = finding("x", 1, message="two\nlines \x1b[31m red \u202e back", hint="a\rb")
    text = report.render([found])
    assert "two lines \ufffd[31m red \ufffd back" in text
    assert "help: a\ufffdb" in text


def test_a_message_of_a_megabyte_is_cut() -> None:
    text = report.render([finding("x", 1, message="start" + "x" * 1_000_000 + "end")])
    assert len(text) < 1000
    assert "start" in text
    assert "end" in text


def test_findings_stand_in_the_order_of_the_notebook_and_are_summed_up() -> None:
    def at(cell: int | None, line: int | None = None, rule: Rule = ERROR, message: str = "m") -> Diagnostic:
        return Diagnostic(rule, message, Location("n.ipynb", cell, None, line))

    text = report.render([at(10, 2), at(2, 3, WARNING), at(2), at(None, rule=WARNING), at(2, 3), at(2, message="a")])
    assert re.findall(r"^(\w+)\[.*: (\w)\n --> (.*)$", text, re.MULTILINE) == [
        ("warning", "m", "n.ipynb"),
        ("error", "a", "n.ipynb:cell 2"),
        ("error", "m", "n.ipynb:cell 2"),
        ("error", "m", "n.ipynb:cell 2:3"),
        ("warning", "m", "n.ipynb:cell 2:3"),
        ("error", "m", "n.ipynb:cell 10:2"),
    ]
    assert text.endswith("\n\n4 errors, 2 warnings\n")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], "no findings"),
        ([ERROR], "1 error"),
        ([WARNING, WARNING], "2 warnings"),
        ([WARNING, ERROR, ERROR], "2 errors, 1 warning"),
    ],
    ids=["none", "one", "two", "both"],
)
def test_the_summary(rules: list[Rule], expected: str) -> None:
    assert report.summary(Diagnostic(rule, "m", Location("n.ipynb")) for rule in rules) == expected


def test_nothing_to_report_is_no_text_and_an_empty_list() -> None:
    assert report.render([]) == ""
    assert json.loads(report.render([], format="json")) == []


def test_colours_change_nothing_but_the_looks() -> None:
    found = finding("x = 1\nprint(y)\n", 2, 7, 8, hint="did you mean `x`?")
    colored = report.render([found], color=True)
    assert "\x1b[1;31merror[KC901]\x1b[0m" in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", colored) == report.render([found])


def test_a_warning_has_another_colour_than_an_error() -> None:
    assert "\x1b[1;33mwarning" in report.render([finding("x", 1, rule=WARNING)], color=True)


def test_json_has_all_of_a_finding() -> None:
    rows = json.loads(report.render([finding("x = 1\nprint(y)", 2, 7, 8, hint="größe")], format="json"))
    assert rows == [
        {
            "code": "KC901",
            "name": "an-error",
            "severity": "error",
            "message": "`y` is not defined",
            "hint": "größe",
            "path": "churn.ipynb",
            "cell": 5,
            "cell_id": "abc",
            "line": 2,
            "column": 7,
            "tag": None,
            "file_line": None,
            "file_column": None,
            "file_end_line": None,
            "file_end_column": None,
            "fingerprint": rows[0]["fingerprint"],
        }
    ]


def test_json_is_sorted_too_and_keeps_what_is_unknown_as_null() -> None:
    found = [Diagnostic(ERROR, "b", Location("n.ipynb", 2)), Diagnostic(ERROR, "a", Location("n.ipynb"))]
    rows = json.loads(report.render(found, format="json"))
    assert [(row["message"], row["cell"], row["line"], row["hint"]) for row in rows] == [
        ("a", None, None, None),
        ("b", 2, None, None),
    ]


def test_an_unknown_format_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        report.render([], format="xml")
