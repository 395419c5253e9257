"""`kalec tag` and `kalec untag`: tags edited where they stand, and not a byte more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import notebook, write_notebook

from kalecompiler.cli import main
from kalecompiler.diagnostics import UsageError
from kalecompiler.tagtext import TagEdit, edit

TEXT = """
# %% imports
import os
# %% step:load image:python:3.11
rows = [1, 2]
# %%
print(rows)
# %% [markdown]
# Words
"""

# the command behind `kalec tag n.ipynb` or `untag`, and the tags of the first three cells then
EDITS: dict[str, tuple[str, list[list[str]]]] = {
    "a tag for a cell without any": (
        "tag 3 step:show",
        [["imports"], ["step:load", "image:python:3.11"], ["step:show"]],
    ),
    "two tags": (
        "tag 3 step:show prev:load",
        [["imports"], ["step:load", "image:python:3.11"], ["step:show", "prev:load"]],
    ),
    "a cell by its id": ("tag cell-3 skip", [["imports"], ["step:load", "image:python:3.11"], ["skip"]]),
    "a cell is in one step": ("tag 2 step:read", [["imports"], ["step:read", "image:python:3.11"], []]),
    "a role takes the place of a step": ("tag 2 functions", [["imports"], ["functions", "image:python:3.11"], []]),
    "a setting has one value": ("tag 2 image:busybox", [["imports"], ["step:load", "image:busybox"], []]),
    "limits of two resources": (
        "tag 2 limit:cpu:1 limit:memory:1Gi",
        [["imports"], ["step:load", "image:python:3.11", "limit:cpu:1", "limit:memory:1Gi"], []],
    ),
    "several changes add up": (
        "tag 2 changes:a changes:b",
        [["imports"], ["step:load", "image:python:3.11", "changes:a", "changes:b"], []],
    ),
    "a tag that is there": ("tag 2 step:load", [["imports"], ["step:load", "image:python:3.11"], []]),
    "another tool's tag": ("tag 3 hide-input", [["imports"], ["step:load", "image:python:3.11"], ["hide-input"]]),
    "one tag gone": ("untag 2 image:python:3.11", [["imports"], ["step:load"], []]),
    "all tags gone": ("untag 2", [["imports"], [], []]),
    "nothing to take": ("untag 3", [["imports"], ["step:load", "image:python:3.11"], []]),
}

# the command, and what is said of it
REFUSED = {
    "a misspelt tag": ("tag 3 Step:a", "is misspelt; write `step:a`"),
    "a malformed tag": ("tag 3 limit:cpu", "the tag `limit:cpu` is malformed; write it as in `limit:memory:4Gi`"),
    "a wrong value": ("tag 3 limit:cpu:much", "`much` is no quantity"),
    "what looks like a tag of ours": ("tag 3 stpe:a", "did you mean `step:a`?"),
    "a reserved name": ("tag 3 step:imports", "no step can be named `imports`"),
    "two places at once": ("tag 3 step:a imports", "a cell cannot have both `step:a` and `imports`"),
    "a text cell": ("tag 4 step:a", "cell 4 of n.ipynb is a markdown cell: tag the code cell below it instead"),
    "no such number": ("tag 9 step:a", "n.ipynb has no cell `9`: of its 4 cells, 1, 2, 3 have code"),
    "nearly an id": ("tag cel-3 step:a", "did you mean `cell-3`?"),
    "a tag it has not": ("untag 2 step:lod", "has no tag `step:lod`: did you mean `step:load`?"),
    "a blank tag": ("tag 3 hide ''", "is empty"),
}


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_notebook(Path("n.ipynb"), TEXT)


def call(line: str) -> int:
    command, *rest = line.split()
    return main([command, "n.ipynb", *("" if word == "''" else word for word in rest)])


def tags(document: Any) -> list[list[str]]:
    return [cell["metadata"].get("tags", []) for cell in document["cells"][:3]]


@pytest.mark.parametrize(("line", "expected"), EDITS.values(), ids=EDITS)
def test_tags_of_a_cell(path: Path, line: str, expected: list[list[str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(line) == 0
    assert tags(json.loads(path.read_text())) == expected
    cell = 2 if line.split()[1] == "2" else 3
    assert capsys.readouterr().out == f"cell {cell}: {', '.join(expected[cell - 1]) or 'no tags'}\n"
    before = path.read_bytes()
    assert call(line) == 0 or line.startswith("untag")
    assert path.read_bytes() == before


@pytest.mark.parametrize(("line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(path: Path, line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = path.read_bytes()
    assert call(line) == 2
    assert message in capsys.readouterr().err
    assert path.read_bytes() == before


def test_a_tag_that_has_no_effect_yet_is_written(path: Path) -> None:
    assert call("tag 3 retry:3") == 0
    assert tags(json.loads(path.read_text()))[2] == ["retry:3"]


DUMPS: dict[str, dict[str, Any]] = {
    "as Jupyter writes it": {"indent": 1, "ensure_ascii": False, "sort_keys": True},
    "indented by two": {"indent": 2, "ensure_ascii": False},
    "tabs": {"indent": "\t", "ensure_ascii": False},
    "escaped": {"indent": 1},
    "in one line": {},
    "in one line without spaces": {"separators": (",", ":"), "ensure_ascii": False},
}
ENDS = {"\\n": ("\n", b""), "CRLF": ("\r\n", b""), "a byte order mark": ("\n", b"\xef\xbb\xbf")}


def written(name: str, end: str, document: Any) -> bytes:
    newline, mark = ENDS[end]
    return mark + (json.dumps(document, **DUMPS[name]) + "\n").replace("\n", newline).encode()


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("name", DUMPS)
@pytest.mark.parametrize(
    "own", [["a", "step:b"], ["step:b"], [], None], ids=["two tags", "one", "an empty list", "none"]
)
def test_a_file_is_what_its_writer_would_have_written(name: str, end: str, own: list[str] | None) -> None:
    """Adding, replacing and removing give the bytes that a dump of the changed notebook has."""
    document = notebook("# %% x\nname = 'é'\n# %%\ny = 1\n# %%\nz = 1")
    document["cells"][1]["metadata"] = {} if own is None else {"collapsed": True, "tags": own}
    data = written(name, end, document)
    add = edit(Path("n.ipynb"), data, [TagEdit(2, None, "prev:x")])
    changed = json.loads(data.decode("utf-8-sig"))
    changed["cells"][1]["metadata"]["tags"] = [*(own or []), "prev:x"]
    assert add == written(name, end, changed)
    replaced = edit(Path("n.ipynb"), add, [TagEdit(2, "prev:x", "prev:é")])
    assert replaced == add.replace(b"prev:x", b"prev:\\u00e9" if b"\\u" in data else "prev:é".encode())
    if own is not None:
        changed["cells"][1]["metadata"]["tags"] = own
        assert edit(Path("n.ipynb"), add, [TagEdit(2, "prev:x", None)]) == written(name, end, changed)


def test_tags_are_put_where_sorted_names_have_them() -> None:
    cell = {"cell_type": "code", "execution_count": None, "metadata": {"a": 1, "z": 2}, "outputs": [], "source": ""}
    document = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    data = json.dumps(document, indent=1).encode()
    assert list(json.loads(edit(Path("n"), data, [TagEdit(1, None, "t")]))["cells"][0]["metadata"]) == [
        "a",
        "tags",
        "z",
    ]


def test_a_cell_without_metadata_gets_some() -> None:
    data = b'{"cells": [{"cell_type": "code", "source": "", "outputs": []}], "nbformat": 4, "metadata": {}}'
    expected = b'{"cells": [{"cell_type": "code", "source": "", "outputs": [], "metadata": {"tags": ["a"]}}], '
    assert edit(Path("n"), data, [TagEdit(1, None, "a")]) == expected + b'"nbformat": 4, "metadata": {}}'


def test_a_cell_in_a_line_of_its_own_stays_in_it() -> None:
    data = b'{\n "cells": [\n  {"cell_type": "code", "metadata": {}, "source": ""}\n ],\n "nbformat": 4\n}'
    assert edit(Path("n"), data, [TagEdit(1, None, "a")]) == data.replace(b"{}", b'{"tags": ["a"]}')


def test_a_doubled_tag_is_one_after_its_replacement() -> None:
    data = json.dumps(notebook('# %% ["a", "b", "a", "c"]\nx = 1')).encode()
    assert json.loads(edit(Path("n"), data, [TagEdit(1, "a", "c")]))["cells"][0]["metadata"]["tags"] == ["b", "c"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"worksheets": [], "nbformat": 3}', "is in an old format"),
        (b'{"cells": [{"metadata": {"tags": "step:a"}}], "nbformat": 4}', "the tags of cell 1 are not a list"),
    ],
    ids=["an old format", "tags that are one text"],
)
def test_files_that_are_left_alone(data: bytes, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        edit(Path("n.ipynb"), data, [TagEdit(1, None, "a")])


def test_utf_16_stays_utf_16() -> None:
    data = json.dumps(notebook("# %%\nx = 1"), indent=1).encode("utf-16")
    assert b"t\0a\0g\0s\0" in edit(Path("n"), data, [TagEdit(1, None, "step:a")])
    big = b"\xfe\xff" + json.dumps(notebook("# %%\nx = 1")).encode("utf-16-be")
    with pytest.raises(UsageError, match="would not stay as it is"):
        edit(Path("n"), big, [TagEdit(1, None, "step:a")])


def test_a_file_that_may_not_be_written_is_said(ordinary_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(ordinary_folder / "n.ipynb", TEXT)
    path.chmod(0o444)
    assert main(["tag", str(path), "3", "skip"]) == 2
    assert "cannot be written" in capsys.readouterr().err
