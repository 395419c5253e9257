"""The notebook that a checkout writes: the run's own, with its outputs, its parameters and its tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
import pytest
import travelling
from support import notebook, write_notebook
from test_travel import execute, said

from kalecompiler import cli
from kalecompiler.snapshots.notebookout import with_values

TEXT = """
# %% [markdown]
# A title
# %% imports
import random
# %% pipeline-parameters
n = 3  # how many
names = ["a"]
# %% step:load
print("loading", n)
data = list(range(n))
aside = {"kept": "by nobody"}
data
# %% skip
raise ValueError
# %% step:other
other = 1
# %% step:use prev:load
total = sum(data)
print(total)
# %% functions
def late(x):
    return x + 1
# %% step:end prev:use prev:other
print(late(total) + other)
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    travelling.own_key(monkeypatch, tmp_path / "key")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)


def checked_out(*words: str) -> Any:
    assert cli.main(["checkout", "latest", "--notebook", "out.ipynb", "--force", *words]) == 0
    book = nbformat.read("out.ipynb", 4)
    nbformat.validate(book)
    return book


def tags(cell: Any) -> list[str]:
    return list(cell.metadata.get("tags", ()))


def test_cells_that_had_run_are_marked_and_have_their_outputs() -> None:
    write_notebook(Path("n.ipynb"), TEXT)
    assert cli.main(["run", "n.ipynb"]) == 0
    book = checked_out("--step", "use")
    assert [cell.id for cell in book.cells[:5]] == ["kalec-banner", "cell-1", "cell-2", "cell-3", "kalec-restore"]
    code = {cell.id: cell for cell in book.cells if cell.cell_type == "code"}
    ran = [name for name, cell in code.items() if cell.execution_count is not None]
    assert ran == ["cell-2", "cell-3", "cell-4", "cell-6"]
    assert [code[name].execution_count for name in ran] == [1, 2, 3, 4]
    assert code["cell-4"].outputs[0].text == "loading 3\n"
    assert code["cell-4"].outputs[1].data == {"text/plain": "[0, 1, 2]"}
    skipped = [name for name, cell in code.items() if "skip-execution" in tags(cell)]
    assert skipped == ["cell-2", "cell-3", "cell-4", "cell-5", "cell-6"]
    assert tags(code["kalec-restore"]) == ["skip"]
    assert [tags(code[name])[0] for name in ("cell-4", "cell-7")] == ["step:load", "step:use"]
    assert book.metadata.kalec_checkout.step == "use"
    book, error = execute(Path("out.ipynb"))
    assert error == ""
    assert "aside" in said(book).partition("not restored:")[2]
    assert "made in `n.ipynb load[1]`" in said(book)
    assert "other  int   from other" in said(book)  # no step above, but it stands above, and had run


def test_after_the_last_step_the_state_is_whole() -> None:
    write_notebook(Path("n.ipynb"), TEXT.replace("step:load", "step:load snapshot:all"))
    assert cli.main(["run", "n.ipynb", "-p", "n=4", "-p", "names=['b', 'c']"]) == 0
    book = checked_out("--step", "end", "--after")
    assert "n = 4  # how many\nnames = ['b', 'c']" in [cell.source for cell in book.cells]
    book.cells.append(nbformat.v4.new_code_cell("print(n, names, data, aside, other, total, late(1))"))
    nbformat.write(book, "out.ipynb")
    done, error = execute(Path("out.ipynb"))
    assert error == ""
    assert "not restored" not in said(done)
    assert said(done).splitlines()[-1] == "4 ['b', 'c'] [0, 1, 2, 3] {'kept': 'by nobody'} 1 6 2"


def test_the_scope_of_inputs_is_what_the_process_was_given() -> None:
    write_notebook(Path("n.ipynb"), TEXT)
    assert cli.main(["run", "n.ipynb"]) == 0
    book = checked_out("--step", "end", "--scope", "inputs")
    book.cells.append(
        nbformat.v4.new_code_cell("print(sorted(n for n in ('data', 'total', 'other', 'late') if n in globals()))")
    )
    nbformat.write(book, "out.ipynb")
    done, error = execute(Path("out.ipynb"))
    assert error == ""
    assert said(done).splitlines()[-2:] == ["5", "['late', 'other', 'total']"]


def test_a_notebook_without_ids_stays_one() -> None:
    document = notebook(TEXT)
    document["nbformat_minor"] = 4
    for cell in document["cells"]:
        del cell["id"]
    Path("n.ipynb").write_text(json.dumps(document))
    assert cli.main(["run", "n.ipynb"]) == 0
    book = checked_out("--step", "use")
    assert (book.nbformat_minor, [cell for cell in book.cells if "id" in cell]) == (4, [])


PARAMETERS = [
    ("another value", "x = 1", {"x": 2}, "x = 2"),
    ("the same value", "x = 1.50", {"x": 1.5}, "x = 1.50"),
    ("a float that is whole", "x = 1.5", {"x": 3.0}, "x = 3.0"),
    ("an int for a float", "x = 1.0", {"x": 1}, "x = 1"),
    ("a comment", "x = 1  # one\ny = 2", {"x": 5}, "x = 5  # one\ny = 2"),
    ("several lines", "x = [\n    1,\n]\ny = 2", {"x": [2], "y": 3}, "x = [2]\ny = 3"),
    ("a type", "x: int = 1", {"x": 2}, "x: int = 2"),
    ("no value", "x: int", {"x": 2}, "x: int"),
    ("two in a line", "x = 1; y = 2", {"x": 3, "y": 4}, "x = 3; y = 4"),
    ("letters of two bytes", "x = 'ä'; y = 'ö'", {"x": "ß", "y": "ö"}, "x = 'ß'; y = 'ö'"),
    ("what is no parameter", "x = y = 1", {"x": 2}, "x = y = 1"),
    ("ipython's syntax", "!ls\nx = 1", {"x": 2}, "!ls\nx = 1"),
]


@pytest.mark.parametrize(("source", "values", "expected"), [r[1:] for r in PARAMETERS], ids=[r[0] for r in PARAMETERS])
def test_parameters_get_the_runs_values(source: str, values: dict[str, Any], expected: str) -> None:
    assert with_values(source, values) == expected


EDITED = """
# %% pipeline-parameters
n = 3
# %% functions
def scaled(x):
    return x * 2
class Kept:
    def __init__(self, x):
        self.x = x
    def told(self):
        return scaled(self.x)
# %% step:load
data = Kept(n)
# %% step:use
print("it is", data.told(), isinstance(data, Kept))
"""


def test_a_function_that_was_edited_stays_as_it_is() -> None:
    """JupyterLab's "run all" executes the cell of functions before the one that restores."""
    write_notebook(Path("n.ipynb"), EDITED)
    assert cli.main(["run", "n.ipynb"]) == 0
    assert cli.main(["checkout", "latest", "--step", "use", "--notebook", "out.ipynb"]) == 0
    path = Path("out.ipynb")
    path.write_text(path.read_text().replace('"skip-execution"', '"something-else"'))
    done, error = execute(path)
    assert (error, said(done).splitlines()[-1]) == ("", "it is 6 True")
    assert "as defined here" not in said(done) and "parameters are the run's" not in said(done)
    path.write_text(path.read_text().replace("x * 2", "x * 5").replace("scaled(self.x)", "scaled(self.x) + 1"))
    done, error = execute(path)
    assert (error, said(done).splitlines()[-1]) == ("", "it is 16 True")
    assert "kalec: left as defined here, which is not as in the run: `Kept`, `scaled`" in said(done)
    path.write_text(path.read_text().replace("n = 3", "n = 4"))
    done, error = execute(path)
    assert "kalec: the parameters are the run's, and not what they were here: `n = 3 (4 here)`" in said(done)
    (again,) = [cell for cell in done.cells if cell.get("id") == "kalec-restore"]
    once_more = [nbformat.v4.new_code_cell(cell.source) for cell in (again, done.cells[-1])]
    done.cells += [nbformat.v4.new_code_cell("data = None"), *once_more]
    nbformat.write(done, "out.ipynb")
    done, error = execute(path)
    assert (error, said(done).splitlines()[-1]) == ("", "it is 16 True")
