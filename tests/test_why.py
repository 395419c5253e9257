"""`kalec why VAR NB` tells for each reader which version it gets, from which step and cell, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from support import write_notebook

from kalecompiler.cli import kalec

NOTEBOOK = """
# %% imports
import json
# %% functions
def size():
    return len(rows)
limit = 3
# %% pipeline-parameters
rate = 0.5
# %% step:load
rows = [1, 2]
maybe = rows
# %% step:grow prev:load
rows.append(3)
rate = rate * 2
if rate > 5:
    kept = 1
# %% step:look prev:load
unknown.touch(rows) if False else None
# %% step:report prev:grow prev:look
print(size(), rate, limit, json.dumps(rows))
"""


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    return write_notebook(tmp_path / "story.ipynb", NOTEBOOK)


def why(variable: str, notebook: Path) -> str:
    result = CliRunner().invoke(kalec, ["why", variable, str(notebook)], standalone_mode=False)
    return result.output if result.exception is None else str(result.exception)


def test_the_last_step_that_changed_a_variable_is_named_with_its_cell(notebook: Path) -> None:
    assert why("rows", notebook).splitlines() == [
        "`rows` is given its value",
        "  by step `load`, which binds it, cell 4 line 1",
        "  by step `grow`, which changes it in place, cell 5 line 1",
        "  by step `look`, which may change it in place, cell 6 line 1",
        "",
        "step `grow` reads it, cell 5 line 1",
        "  gets the version of step `load`, which binds it (cell 4 line 1): "
        "the last step above it that binds or changes the variable",
        "",
        "step `look` reads it, cell 6 line 1",
        "  gets the version of step `load`, which binds it (cell 4 line 1): "
        "the last step above it that binds or changes the variable",
        "",
        "step `report` reads it, in `size`, cell 7 line 1",
        "  gets the version of step `grow`, which changes it in place (cell 5 line 1): "
        "the last step above it that binds or changes the variable",
        "  step `look` may change it, and is checked at run time to leave it as it was",
    ]


@pytest.mark.parametrize(
    ("variable", "line"),
    [
        pytest.param(
            "rate", "  gets the version of step `grow`, which binds it (cell 5 line 2)", id="a rebound parameter"
        ),
        pytest.param("limit", "  gets the version of the imports and functions cells", id="a shared constant"),
        pytest.param("json", "  gets the version of the imports and functions cells", id="an import"),
        pytest.param("kept", "  by step `grow`, which may bind it, cell 5 line 4", id="bound under a condition"),
    ],
)
def test_other_origins_are_told_apart(variable: str, line: str, notebook: Path) -> None:
    assert any(shown.startswith(line) for shown in why(variable, notebook).splitlines())


def test_an_unknown_name_gets_a_suggestion(notebook: Path) -> None:
    assert why("rowz", notebook) == "no step reads, binds or changes `rowz`; did you mean `rows`?"
