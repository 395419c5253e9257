"""Pipeline parameters: from the assignments of a cell to typed parameters with exact defaults, or to findings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support import write_notebook

from kalecompiler.compile import compile_package
from kalecompiler.plan import Planned, plan

#: source -> (type, default, optional) of the parameter `x`
TYPED: dict[str, tuple[str, Any, bool]] = {
    "x = 3": ("int", 3, False),
    "x = -3": ("int", -3, False),
    "x = 1.5": ("float", 1.5, False),
    "x = 1.0": ("float", 1.0, False),
    "x = -0.0": ("float", -0.0, False),
    "x = 1e-3": ("float", 0.001, False),
    "x = 'text'": ("str", "text", False),
    "x = ''": ("str", "", False),
    "x = 'one ' 'text'": ("str", "one text", False),
    "x = True": ("bool", True, False),
    "x = False": ("bool", False, False),
    "x = not True": ("bool", False, False),
    "x = []": ("list", [], False),
    "x = [1, 'two', [3.0]]": ("list", [1, "two", [3.0]], False),
    "x = {}": ("dict", {}, False),
    "x = {'a': {'b': [1]}}": ("dict", {"a": {"b": [1]}}, False),
    "x = None": ("str", None, True),
    "x = 60 * 60": ("int", 3600, False),
    "x = 2 ** 10 + 1": ("int", 1025, False),
    "x = 1 / 4": ("float", 0.25, False),
    "x = 'a' + 'b'": ("str", "ab", False),
    "x = [0] * 3": ("list", [0, 0, 0], False),
    "x = 1_000": ("int", 1000, False),
    "x = 2 ** 53": ("int", 2**53, False),
    "x: int = 5": ("int", 5, False),
    "x: float = 5": ("float", 5, False),
    "x: 'int' = 5": ("int", 5, False),
    "x: list[int] = [1]": ("list", [1], False),
    "x: dict[str, int] = {'a': 1}": ("dict", {"a": 1}, False),
    "x: Optional[int] = None": ("int", None, True),
    "x: int | None = None": ("int", None, True),
    "x: Optional[float] = 0.5": ("float", 0.5, True),
    "x: Path = 'a'": ("str", "a", False),
    "# a comment\nx = 1  # another": ("int", 1, False),
    "'''A docstring.'''\nx = 1": ("int", 1, False),
    "x = 1\nx = 2": ("int", 2, False),
    "y = 1\nx = 2": ("int", 2, False),
}

REFUSED = {
    "x = f()": "KC402",
    "x = y": "KC402",
    "x = f'{1}'": "KC402",
    "x = [v for v in (1, 2)]": "KC402",
    "x = 10 ** 10 ** 10": "KC402",
    "print(1)": "KC401",
    "import os": "KC401",
    "x[0] = 1": "KC401",
    "x += 1": "KC401",
    "if True:\n    x = 1": "KC401",
    "x = (1, 2)": "KC403",
    "x = {1, 2}": "KC402",
    "x = b'bytes'": "KC403",
    "x = 1j": "KC403",
    "x = 1e999": "KC403",
    "x = 2 ** 53 + 1": "KC403",
    "x = [2 ** 60]": "KC403",
    "x = {1: 'a'}": "KC403",
    "x = [1, None]": "KC403",
    "x: int = 'a'": "KC403",
    "x: str = 1": "KC403",
}


def planned(folder: Path, cell: str) -> Planned:
    text = f"# %% pipeline-parameters\n{cell}\n# %% step:a\nx = 1\n"
    return plan(write_notebook(folder / "nb.ipynb", text), {})


@pytest.mark.parametrize("source", TYPED)
def test_typed(source: str, tmp_path: Path) -> None:
    found = planned(tmp_path, source)
    assert found.pipeline is not None, found.diagnostics
    parameter = next(p for p in found.pipeline.parameters if p.name == "x")
    kind, default, optional = TYPED[source]
    assert (parameter.type, repr(parameter.default), parameter.optional) == (kind, repr(default), optional)


@pytest.mark.parametrize("source", REFUSED)
def test_refused(source: str, tmp_path: Path) -> None:
    found = planned(tmp_path, source)
    assert found.pipeline is None
    assert REFUSED[source] in {d.rule.code for d in found.diagnostics}
    assert all(d.location.cell == 1 for d in found.diagnostics)


HARD = ["'\"`$(ls)", "line\nline\ttab\\", "{{$}} {{workflow.name}}", "größe 😀 \u2028", "yes", "null", " ", "python3"]


@pytest.mark.parametrize("default", [*HARD, *[[text] for text in HARD], {"k": HARD}], ids=repr)
def test_a_default_stands_in_the_package_exactly(default: Any, tmp_path: Path) -> None:
    text = f"# %% pipeline-parameters\nx = {default!r}\n# %% step:a\nprint(x)\n"
    pipeline = plan(write_notebook(tmp_path / "nb.ipynb", text), {}).pipeline
    assert pipeline is not None
    given = compile_package(pipeline).spec["root"]["inputDefinitions"]["parameters"]["x"]["defaultValue"]
    assert json.loads(json.dumps(given)) == default


def test_a_step_gets_only_the_parameters_that_it_uses(tmp_path: Path) -> None:
    text = (
        "# %% pipeline-parameters\nx = 1\ny = 2\n# %% functions\ndef f(): return y\n# %% step:a\nx\n# %% step:b\nf()\n"
    )
    pipeline = plan(write_notebook(tmp_path / "nb.ipynb", text), {}).pipeline
    assert pipeline is not None
    assert [s.parameters for s in pipeline.steps] == [("x",), ("y",)]


def test_a_parameter_bound_again_for_all_steps_is_refused(tmp_path: Path) -> None:
    text = "# %% pipeline-parameters\nx = 1\n# %% functions\nx = 2\n# %% step:a\nprint(x)\n"
    found = plan(write_notebook(tmp_path / "nb.ipynb", text), {})
    assert "KC404" in {d.rule.code for d in found.diagnostics}
