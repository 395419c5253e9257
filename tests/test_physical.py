"""Where a place of a notebook stands in its file, whoever wrote that."""

from __future__ import annotations

import json
from typing import Any

import pytest
from filestyles import STYLES, file_lines, text_at
from hypothesis import given, settings
from hypothesis import strategies as st
from support import notebook

from kalecompiler import physical
from kalecompiler.diagnostics import RULES, Diagnostic
from kalecompiler.model import Location

TEXT = """
# %% [markdown] note
# A heading
# %% step:load prev:größe
x = "日本 🎉"; y = 1
if x:
	print(y)  # "quoted" \\ and a tab

# %% step:train step:twice
z = x
"""


def place(data: bytes, **where: Any) -> tuple[int, int]:
    """The line and column in the file of a location."""
    found = Diagnostic(RULES["KC201"], "m", Location("n.ipynb", **where))
    (placed,) = physical.place(data.decode("utf-8-sig"), [found], "n.ipynb")
    assert placed.location.file_line is not None
    assert placed.location.file_column is not None
    return placed.location.file_line, placed.location.file_column


@pytest.mark.parametrize("style", STYLES)
def test_every_character_of_every_cell_is_found(style: str) -> None:
    data = STYLES[style](notebook(TEXT))
    for number, cell in enumerate(json.loads(data.decode("utf-8-sig"))["cells"], 1):
        lines = "".join(cell["source"]).split("\n")
        for row, line in enumerate(lines, 1):
            for column in range(1, len(line) + 1):
                found = text_at(data, *place(data, cell=number, line=row, column=column))
                assert found.startswith(line[column - 1 :])
                assert found.rstrip("\n") in {line[column - 1 :], "\n".join([line[column - 1 :], *lines[row:]])}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("cell", "tag"), [(1, "note"), (2, "step:load"), (2, "prev:größe"), (3, "step:twice")])
def test_a_tag_is_found_in_the_metadata(style: str, cell: int, tag: str) -> None:
    data = STYLES[style](notebook(TEXT))
    assert text_at(data, *place(data, cell=cell, tag=tag)) == tag


@pytest.mark.parametrize("style", STYLES)
def test_metadata_is_found_by_its_keys_as_far_as_there_are_any(style: str) -> None:
    data = STYLES[style](notebook(TEXT, kalecompiler={"image": "python:3.9", "steps": {"load": {"cache": True}}}))
    keys = ("metadata", "kalecompiler", "steps", "load", "cache")
    assert text_at(data, *place(data, key=keys)[:1], place(data, key=keys)[1] + 1) == "cache"
    line, column = place(data, key=("metadata", "kalecompiler", "lost", "cache"))
    assert text_at(data, line, column + 1) == "kalecompiler"
    assert place(data, key=("lost",)) == (1, 1)
    assert place(data) == (1, 1)


def test_what_is_not_there_is_placed_as_near_as_can_be() -> None:
    data = STYLES["jupyter"](notebook("# %% step:a\nx = 1\n# %% step:b"))
    assert text_at(data, *place(data, cell=1, line=1, column=99)) == ""
    assert file_lines(data)[place(data, cell=1, line=99)[0] - 1].strip() == "{"
    assert file_lines(data)[place(data, cell=2)[0] - 1].strip() in {"{", '"source": []'}
    assert place(data, cell=9) == (1, 1)


def test_the_end_of_a_place_is_found_too() -> None:
    data = STYLES["jupyter"](notebook("# %% step:a\nvalue = names"))
    at = Location("n.ipynb", 1, None, 1, 9, 14)
    (placed,) = physical.place(data.decode(), [Diagnostic(RULES["KC201"], "m", at)], "n.ipynb")
    found = placed.location
    assert found.file_line == found.file_end_line
    assert found.file_line is not None
    line = file_lines(data)[found.file_line - 1]
    assert line[(found.file_column or 0) - 1 : (found.file_end_column or 0) - 1] == "names"


def test_findings_on_other_files_and_with_a_place_are_left_alone() -> None:
    other = Diagnostic(RULES["KC129"], "m", Location("pyproject.toml"))
    placed = Diagnostic(RULES["KC001"], "m", Location("n.ipynb", file_line=7, file_column=2))
    assert physical.place("{}", [other, placed], "n.ipynb") == [other, placed]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{", '{"cells": 1}', '{"cells": [1, {"source": 3}]}', "[" * 100_000]
)
def test_what_is_no_notebook_is_placed_on_its_first_line(text: str) -> None:
    assert place(text.encode()) == (1, 1)
    assert place(text.encode(), cell=2, line=1, column=1)[0] == 1


def test_the_cells_of_old_formats_are_found() -> None:
    cells = [{"cell_type": "code", "input": ["x = 1\n", "y = 2"]}, {"cell_type": "markdown", "source": "# Title"}]
    old = json.dumps({"nbformat": 3, "worksheets": [{"cells": cells[:1]}, {"cells": cells[1:]}]}, indent=1).encode()
    assert text_at(old, *place(old, cell=1, line=2, column=1)) == "y = 2"
    assert text_at(old, *place(old, cell=2, line=1, column=3)) == "Title"


def test_of_doubled_keys_the_last_counts_as_for_json() -> None:
    data = b'{"cells": [],\n "cells": [{"source": "a", "source":\n "b"}]}'
    assert place(data, cell=1, line=1, column=1) == (3, 3)


LINES = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=12), min_size=1, max_size=5)


@settings(max_examples=300, deadline=None)
@given(
    lines=LINES, style=st.sampled_from(sorted(set(STYLES) - {"nbformat"})), ends=st.sampled_from(["\n", "\r\n", "\r"])
)
def test_any_text_is_found_again(lines: list[str], style: str, ends: str) -> None:
    source = ends.join(line.replace("\r", "").replace("\n", "") for line in lines)
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "source": source.splitlines(keepends=True)}
    data = STYLES[style]({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    (written,) = json.loads(data.decode("utf-8-sig"))["cells"]
    text = "".join(written["source"]).replace("\r\n", "\n").replace("\r", "\n")
    for row, line in enumerate(text.split("\n"), 1):
        for column in range(1, len(line) + 1):
            found = text_at(data, *place(data, cell=1, line=row, column=column))
            assert found.startswith(line[column - 1 : column])
