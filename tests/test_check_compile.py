"""What `check` finds no error in compiles, and what compiles has none: one promise, in both directions."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rulepages import lay_out

from kalecompiler import catalogue, commands, packages
from kalecompiler.diagnostics import RULES, NotebookError, UsageError, has_errors
from kalecompiler.tagged import is_tagged

ROOT = Path(__file__).parent.parent


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    packages._environment.cache_clear()
    yield tmp_path
    packages._environment.cache_clear()


def agree(path: Path) -> bool:
    """Assert that both say the same of a notebook, and return what they say."""
    report = commands.check([path], {})
    assert not report.count("failed"), report.files
    try:
        commands.compile_(path, {})
        compiles = True
    except (NotebookError, UsageError):
        compiles = False
    fine = not has_errors(report.diagnostics) and not report.unreadable and not report.hidden_errors
    assert fine is compiles, [d.message for d in report.diagnostics]
    return fine


@pytest.mark.parametrize("path", sorted((ROOT / "notebooks").glob("*.ipynb")), ids=lambda path: path.stem)
def test_examples(path: Path) -> None:
    assert agree(path)


def test_notebooks_of_others(shared: Path) -> None:
    found = [agree(path) for path in sorted((shared / "notebooks").rglob("*.ipynb"))]
    assert True in found
    assert False in found


@pytest.mark.parametrize("code", [code for code in RULES if (catalogue.FOLDER / f"{code}.md").exists()])
@pytest.mark.parametrize("section", ["Wrong", "Right"])
def test_pages_of_the_rules(here: Path, code: str, section: str) -> None:
    path = lay_out(code, section)
    if path is None:
        pytest.skip("the right example is no notebook")
    assert agree(path) or section == "Wrong"


TAGS = st.lists(
    st.sampled_from(
        "step:a step:b step:c prev:a prev:b prev:a:b prev: step: block:a block:imports imports functions skip Step:a "
        "pipeline-parameters pipeline-metrics noqa limit:cpu:1 limit:cpu cache:enabled changes:x image:x step:imports "
        "hide-input".split()
    ),
    max_size=3,
)
LINES = st.lists(
    st.sampled_from(
        [
            "x = 1",
            "y = x + 1",
            "print(x)",
            "x.append(y)",
            "def f(a):\n    return a + x",
            "z = f(y)",
            "import math",
            "from math import *",
            "del x",
            "for i in range(3):\n    x = i",
            "%lost",
            "!ls",
            "x = (",
            "global q",
            "input()",
            "x: int = 3",
            "'größe 🎉'",
            "class K:\n    n = 0",
            "K.n += 1",
            "exec('x')",
            "import lost_module",
        ]
    ),
    max_size=4,
)
CELLS = st.lists(st.tuples(TAGS, LINES, st.sampled_from(["code", "code", "code", "markdown"])), min_size=1, max_size=6)


def document(cells: list[tuple[list[str], list[str], str]]) -> dict[str, Any]:
    made = [
        {"cell_type": kind, "metadata": {"tags": tags}, "source": "\n".join(lines)}
        | ({"outputs": [], "execution_count": None} if kind == "code" else {})
        for tags, lines, kind in cells
    ]
    return {"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 4}


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(cells=CELLS)
def test_made_up_notebooks(cells: list[tuple[list[str], list[str], str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "n.ipynb"
        path.write_text(json.dumps(document(cells)), encoding="utf-8")
        if is_tagged(path.read_bytes()):
            agree(Path(os.path.abspath(path)))
