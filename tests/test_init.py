"""`kalec init`: tags proposed for a notebook without any, and written without touching anything else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support import notebook, write_notebook

from kalecompiler import starter
from kalecompiler.cli import main
from kalecompiler.notebook import read

SECTIONS = """
# %% [markdown]
# A study of iris
# %%
import numpy as np
import warnings
warnings.filterwarnings("ignore")
# %%
seed = 3
share: float = 0.25
# %%
def scaled(x):
    return (x - x.mean()) / x.std()
# %% [markdown]
## 1. Load the data
# %%
data = np.random.default_rng(seed).normal(size=100)
# %%
limit = 5
# %% [markdown]
## 2. Scale & compare
### in detail
# %%
# only a remark
# %%
result = scaled(data)
"""

# what a cell holds, and the tag that it gets in a section named "Work"
CELLS = {
    "imports alone": ("import os\nfrom re import match", "imports"),
    "imports and a magic": ("%matplotlib inline\nimport os", "imports"),
    "an install": ("!pip install requests", "imports"),
    "imports and a library's set-up": ("import pandas as pd\npd.set_option('display.width', 99)", "imports"),
    "imports under a docstring": ('"""What we need."""\nimport os', "imports"),
    "a function": ("def f():\n    return 1", "functions"),
    "a class and its imports": ("from dataclasses import dataclass\n@dataclass\nclass A:\n    x: int", "functions"),
    "a function and its call": ("def f():\n    return 1\nf()", "step:work"),
    "literals": ("rate = -0.1\nnames = ['a']\ntext: str = 'x'", "pipeline-parameters"),
    "an empty list, to be filled": ("found = []", "step:work"),
    "a value that is computed": ("rate = 1 / 3", "step:work"),
    "two names at once": ("a = b = 1", "step:work"),
    "a cell magic": ("%%bash\nls", "step:work"),
    "code that is broken": ("def (", "step:work"),
}

# headings, and the name of the step below the last of them
NAMES = {
    "plain": ("# Train", "train"),
    "numbered": ("## 3.1 Train the model", "train_the_model"),
    "numbered as a step": ("## Step 2: Train", "train"),
    "a link and some HTML": ("# [Train](train.html) <a id='t'></a> it", "train_it"),
    "accents": ("# Über Größe", "uber_groe"),
    "no letters that a name may have": ("# 数据", "step_1"),
    "a reserved word": ("# Imports", "imports_2"),
    "a long one ends at a word": ("# " + "many words " * 9, "many_words_many_words_many_words_many"),
    "a digit first": ("# 2nd try", "step_2nd_try"),
    "a comment in a code block is no heading": ("# Real\n\n```\n# not this\n```", "real"),
    "no heading at all": ("just text", "main"),
}


def proposed(tmp_path: Path, text: str) -> list[str]:
    """The proposals for a notebook, as `number tag`."""
    path = write_notebook(tmp_path / "n.ipynb", text)
    return [f"{proposal.cell.number} {proposal.tag}" for proposal in starter.propose(read(path)[0])]


def test_sections_become_steps(tmp_path: Path) -> None:
    assert proposed(tmp_path, SECTIONS) == [
        "2 imports",
        "3 pipeline-parameters",
        "4 functions",
        "6 step:load_the_data",
        "7 step:load_the_data",
        "10 step:scale_compare",
    ]


@pytest.mark.parametrize(("source", "tag"), CELLS.values(), ids=CELLS.keys())
def test_role_of_a_cell(tmp_path: Path, source: str, tag: str) -> None:
    assert proposed(tmp_path, f"# %% [markdown]\n# Work\n# %%\n{source}") == [f"2 {tag}"]


@pytest.mark.parametrize(("heading", "name"), NAMES.values(), ids=NAMES.keys())
def test_name_of_a_step(tmp_path: Path, heading: str, name: str) -> None:
    assert proposed(tmp_path, f"# %% [markdown]\n{heading}\n# %%\nprint(1)") == [f"2 step:{name}"]


def test_equal_headings_are_different_steps_only_where_their_names_collide(tmp_path: Path) -> None:
    text = "# %% [markdown]\n# Plot\n# %%\nprint(1)\n# %% [markdown]\n# Plot!\n# %%\nprint(2)"
    assert proposed(tmp_path, text) == ["2 step:plot", "4 step:plot_2"]


def test_the_proposal_compiles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(tmp_path / "n.ipynb", SECTIONS)
    assert main(["init", str(path), "--write"]) == 0
    assert f"kalec check {path}" in capsys.readouterr().out
    assert main(["check", "--strict", str(path)]) == 0


def test_without_write_the_file_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(tmp_path / "n.ipynb", SECTIONS)
    before = path.read_bytes()
    assert main(["init", str(path)]) == 0
    assert path.read_bytes() == before
    assert capsys.readouterr().out.splitlines()[3:] == [
        "cell   6  step:load_the_data   data = np.random.default_rng(seed).normal(size=100)",
        "cell   7  step:load_the_data   limit = 5",
        "cell  10  step:scale_compare   result = scaled(data)",
        "nothing written yet: --write does it",
    ]


def dumped(indent: int | str | None, **options: object) -> str:
    document = notebook("# %%\nname = input_of('é')")
    return json.dumps(document, indent=indent, **options)  # type: ignore[arg-type]


FILES = {
    "as Jupyter writes it": (dumped(1, ensure_ascii=False) + "\n").encode(),
    "no newline at the end": dumped(1, ensure_ascii=False).encode(),
    "indented by two": (dumped(2, ensure_ascii=False) + "\n").encode(),
    "indented by tabs": (dumped("\t", ensure_ascii=False) + "\n").encode(),
    "escaped to ASCII": (dumped(1) + "\n").encode(),
    "in one line": dumped(None, ensure_ascii=False).encode(),
    "in one line without spaces": dumped(None, ensure_ascii=False, separators=(",", ":")).encode(),
    "Windows line ends": (dumped(1, ensure_ascii=False) + "\n").replace("\n", "\r\n").encode(),
    "a byte order mark": b"\xef\xbb\xbf" + (dumped(1, ensure_ascii=False) + "\n").encode(),
}


@pytest.mark.parametrize("data", FILES.values(), ids=FILES.keys())
def test_only_the_tags_change_in_the_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "n.ipynb"
    path.write_bytes(data)
    starter.write(path, starter.propose(read(path)[0]))
    written = json.loads(path.read_bytes().decode("utf-8-sig"))
    assert written["cells"][0]["metadata"].pop("tags") == ["step:main"]
    starter.write(path, [])
    path.write_bytes(path.read_bytes().replace(_tags_in(path.read_bytes()), b"{}"))
    assert path.read_bytes() == data


def _tags_in(data: bytes) -> bytes:
    """The metadata with the new tags, as it stands in a file."""
    start = data.index(b"{", data.index(b'"metadata"'))
    return data[start : data.index(b"}", start) + 1]


def test_a_tagged_notebook_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %%\nx = 1\n# %% step:a\ny = 1")
    assert main(["init", str(path), "--write"]) == 2
    assert "has tags already, the first on cell 2" in capsys.readouterr().err


def test_tags_of_other_tools_stay(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% hide-input\nprint(1)")
    starter.write(path, starter.propose(read(path)[0]))
    assert json.loads(path.read_text())["cells"][0]["metadata"]["tags"] == ["hide-input", "step:main"]


def test_a_notebook_without_code_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% [markdown]\n# Title")
    assert main(["init", str(path)]) == 2
    assert "has no code to make steps of" in capsys.readouterr().err


def test_an_old_format_is_not_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "n.ipynb"
    cell = {"cell_type": "code", "input": "x = 1", "language": "python", "outputs": [], "metadata": {}}
    old = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [cell], "metadata": {}}],
    }
    path.write_text(json.dumps(old))
    assert main(["init", str(path), "--write"]) == 2
    assert "is in an old format: open and save it in Jupyter first" in capsys.readouterr().err
