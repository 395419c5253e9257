"""Reading notebooks: what is accepted as it is, and what is refused, with which message and which exit status."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import notebook as as_json
from support import write_notebook

from kalecompiler import notebook
from kalecompiler.diagnostics import KalecError, NotebookError, UsageError
from kalecompiler.model import CellKind

CELL = {"cell_type": "code", "metadata": {"tags": ["step:load"]}, "source": ["x = 1\n", "y = 2"]}
MINIMAL = {"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def document(**changes: Any) -> dict[str, Any]:
    """The smallest notebook, with keys of it replaced."""
    return MINIMAL | changes


def cell(**changes: Any) -> dict[str, Any]:
    """The smallest notebook, with keys of its one cell replaced; None removes a key."""
    changed = {key: value for key, value in (CELL | changes).items() if value is not None}
    return document(cells=[changed])


def write(folder: Path, content: object) -> Path:
    path = folder / "n.ipynb"
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    path.write_bytes(data)
    return path


def sources(path: Path) -> list[str]:
    return [c.source for c in notebook.read(path)[0].cells]


# ---------------------------------------------------------------------------------------------------------------------
# accepted
# ---------------------------------------------------------------------------------------------------------------------

READABLE: dict[str, tuple[object, list[str]]] = {
    "source as a list of lines": (document(), ["x = 1\ny = 2"]),
    "source as one text": (cell(source="x = 1"), ["x = 1"]),
    "source missing": (cell(source=None), [""]),
    "an empty source": (cell(source=[]), [""]),
    "CRLF in a source": (cell(source=["x = 1\r\n", "y = 2\r\n"]), ["x = 1\ny = 2\n"]),
    "a lone CR in a source": (cell(source="x = 1\ry = 2"), ["x = 1\ny = 2"]),
    "CRLF in the file": (json.dumps(document(), indent=1).replace("\n", "\r\n").encode(), ["x = 1\ny = 2"]),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(document()).encode(), ["x = 1\ny = 2"]),
    "UTF-16": (json.dumps(document()).encode("utf-16"), ["x = 1\ny = 2"]),
    "unicode": (cell(source="größe = '日本 🎉'"), ["größe = '日本 🎉'"]),
    "unicode in escapes": (json.dumps(cell(source="größe = '🎉'")).encode(), ["größe = '🎉'"]),
    "a null character in a text cell": (cell(cell_type="markdown", source="a\0b"), ["a\0b"]),
    "NaN and Infinity in the metadata": (b'{"cells": [], "metadata": {"x": NaN, "y": -Infinity}}', []),
    "the same key twice: the last one counts": (b'{"cells": 5, "cells": [], "nbformat": 4}', []),
    "no metadata": ({"cells": [CELL], "nbformat": 4, "nbformat_minor": 2}, ["x = 1\ny = 2"]),
    "metadata that is null": (document(metadata=None), ["x = 1\ny = 2"]),
    "metadata of a cell that is null": (cell(metadata=None), ["x = 1\ny = 2"]),
    "no nbformat": ({"cells": [CELL]}, ["x = 1\ny = 2"]),
    "no cells in the list": (document(cells=[]), []),
    "keys that are unknown": (document(future=1, cells=[CELL | {"new": True}]), ["x = 1\ny = 2"]),
    "outputs that make no sense": (cell(outputs="nonsense", execution_count="x"), ["x = 1\ny = 2"]),
    "minified": (json.dumps(document(), separators=(",", ":")).encode(), ["x = 1\ny = 2"]),
    "half a surrogate pair in an output": (
        json.dumps(cell(outputs=[{"text": "\ud83d"}])).encode(),
        ["x = 1\ny = 2"],
    ),
}


@pytest.mark.parametrize(("content", "expected"), READABLE.values(), ids=READABLE)
def test_what_can_be_read(tmp_path: Path, content: object, expected: list[str]) -> None:
    assert sources(write(tmp_path, content)) == expected


def test_cells_are_numbered_over_all_kinds_and_keep_their_metadata(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "n.ipynb", "# %% [markdown]\ntitle\n# %% step:a\nx = 1\n# %% [raw]\nraw")
    book, findings = notebook.read(path)
    assert [(c.number, c.kind, c.id) for c in book.cells] == [
        (1, CellKind.MARKDOWN, "cell-1"),
        (2, CellKind.CODE, "cell-2"),
        (3, CellKind.RAW, "cell-3"),
    ]
    assert book.cells[1].metadata == {"tags": ["step:a"]}
    assert (book.path, book.name, findings) == (path, "n.ipynb", [])


@pytest.mark.parametrize("identity", [None, 7, ["a"]], ids=["missing", "a number", "a list"])
def test_a_cell_without_a_proper_id_has_none(tmp_path: Path, identity: object) -> None:
    assert notebook.read(write(tmp_path, cell(id=identity)))[0].cells[0].id is None


PYTHONS = {
    "3.11.4": "3.11",
    "3.9": "3.9",
    "3.13.0rc1": "3.13",
    "3": None,
    "": None,
    "three": None,
    "3.1234": None,
}


@pytest.mark.parametrize(("version", "expected"), PYTHONS.items(), ids=PYTHONS)
def test_the_minor_version_of_python(tmp_path: Path, version: str, expected: str | None) -> None:
    metadata = {"language_info": {"name": "python", "version": version}}
    assert notebook.read(write(tmp_path, document(metadata=metadata)))[0].python == expected


@pytest.mark.parametrize("info", [None, 3, "python", {"name": "ipython"}, {"version": 3.11}], ids=str)
def test_odd_language_information_is_taken_for_python(tmp_path: Path, info: object) -> None:
    assert sources(write(tmp_path, document(metadata={"language_info": info, "kernelspec": []})))


OLD = {
    "worksheets": [
        {
            "cells": [
                {"cell_type": "heading", "level": 2, "source": ["Load"], "metadata": {}},
                {"cell_type": "code", "language": "python", "input": ["x = 1"], "outputs": [], "metadata": {}},
            ]
        }
    ],
    "metadata": {"name": "old"},
    "nbformat": 3,
    "nbformat_minor": 0,
}


@pytest.mark.parametrize("old", [OLD, {k: v for k, v in OLD.items() if k != "nbformat"}], ids=["named", "not named"])
def test_format_3_is_converted(tmp_path: Path, old: object) -> None:
    book, _ = notebook.read(write(tmp_path, old))
    assert [c.source for c in book.cells] == ["## Load", "x = 1"]
    assert [c.id for c in book.cells] == [None, None], "nbformat's ids are others each time"


def test_thirty_megabytes_of_outputs_are_read_quickly(tmp_path: Path) -> None:
    image = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 300_000}, "metadata": {}}
    path = write(tmp_path, document(cells=[CELL | {"outputs": [image]}] * 10))
    assert path.stat().st_size > 30_000_000
    begin = time.perf_counter()
    assert len(sources(path)) == 10
    assert time.perf_counter() - begin < 5


def test_nbformat_is_not_imported_for_format_4(tmp_path: Path) -> None:
    path = write(tmp_path, document())
    program = (
        "import pathlib, sys; from kalecompiler import notebook; "
        f"notebook.read(pathlib.Path({str(path)!r})); sys.exit('nbformat' in sys.modules)"
    )
    root = Path(notebook.__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", program], cwd=root, check=False).returncode == 0


# ---------------------------------------------------------------------------------------------------------------------
# refused: the notebook is wrong (exit status 1)
# ---------------------------------------------------------------------------------------------------------------------

WHOLE = json.dumps(as_json("# %% step:a\nx = 1"), indent=1)
R_KERNEL = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}}
JULIA = {"language_info": {"name": "julia"}, "kernelspec": {"display_name": "Julia 1.9"}}

UNREADABLE: dict[str, tuple[object, str, str]] = {
    "empty": (b"", "KC001", "the file is empty"),
    "nothing but blanks": (b" \n\t ", "KC001", "the file is empty"),
    "cut off within a text": (WHOLE[: WHOLE.index("x = 1") + 3].encode(), "KC001", "is cut off at line 12, column 5"),
    "cut off between keys": (WHOLE[: WHOLE.index('"source"')].encode(), "KC001", "is cut off at line"),
    "cut off at the very end": (WHOLE.rstrip("}").encode(), "KC001", "is cut off at line"),
    "a comma too many": (b'{"cells": [],\n}', "KC001", "is not valid JSON at line 2, column 1"),
    "HTML": (b"\n<!DOCTYPE html><html></html>", "KC001", "is HTML or XML"),
    "a merge conflict": (b'{\n<<<<<<< HEAD\n"a": 1\n=======\n', "KC001", "unresolved merge conflicts"),
    "plain text": (b"x = 1\n", "KC001", "not valid JSON at line 1, column 1"),
    "not text at all": (b'{"cells": "\xff\xfe"}', "KC001", "is not text in UTF-8: byte 11"),
    "nested without end": (b"[" * 100_000, "KC001", "nested too deeply"),
    "a number without end": (b'{"cells": [], "x": ' + b"9" * 5000 + b"}", "KC001", "cannot be read"),
    "a list": ([], "KC002", "its JSON is a list"),
    "a number": (5, "KC002", "its JSON is a number"),
    "null": (None, "KC002", "its JSON is null"),
    "no cells": ({"metadata": {}, "nbformat": 4}, "KC002", "it has no `cells`"),
    "cells that are no list": (document(cells={}), "KC002", "`cells` is not a list"),
    "a cell that is no object": (document(cells=[CELL, "x"]), "KC002", "cell 2: is a text"),
    "a cell without type": (cell(cell_type=None), "KC002", "cell 1: its `cell_type` is null"),
    "a cell of an unknown type": (cell(cell_type="sql"), "KC002", 'its `cell_type` is "sql"'),
    "a source that is a number": (cell(source=5), "KC002", "its `source` is neither"),
    "a source with numbers in its list": (cell(source=["x", 5]), "KC002", "its `source` is neither"),
    "metadata of a cell that is a list": (cell(metadata=[]), "KC002", "its `metadata` is a list"),
    "a null character in code": (cell(source="x = '\0'"), "KC002", "holds a null character"),
    "half a surrogate pair in code": (json.dumps(cell(source="'\ud83d'")).encode(), "KC002", "cell 1 holds half"),
    "half a surrogate pair in a tag": (
        json.dumps(cell(metadata={"tags": ["step:\udc00"]})).encode(),
        "KC002",
        "cell 1 holds half",
    ),
    "half a surrogate pair in the metadata": (
        json.dumps(document(metadata={"kubeflow_notebook": {"pipeline_name": "\udc00"}})).encode(),
        "KC002",
        "the notebook's metadata holds half",
    ),
    "a format of the future": (document(nbformat=5), "KC002", "format 5 is not known"),
    "a format that is a text": (document(nbformat="4"), "KC002", 'format "4" is not known'),
    "a format that is true": (document(nbformat=True), "KC002", "format true is not known"),
    "format 3 without worksheets": (document(nbformat=3), "KC002", "old format 3 cannot be converted"),
    "format 3 that is damaged": (OLD | {"worksheets": [{"cells": [5]}]}, "KC002", "old format 3 cannot be converted"),
    "an R kernel": (document(metadata=R_KERNEL), "KC003", "kernel is `R`, of the language `R`"),
    "a Julia kernel": (document(metadata=JULIA), "KC003", "kernel is `Julia 1.9`, of the language `julia`"),
    "Python 2 by its kernel": (document(metadata={"kernelspec": {"name": "python2"}}), "KC003", "Python 2"),
    "Python 2 by its version": (
        document(metadata={"language_info": {"name": "python", "version": "2.7.18"}}),
        "KC003",
        "Python 2",
    ),
    "a language that is a number": (document(metadata={"language_info": {"name": 5}}), "KC003", "language `5`"),
}


@pytest.mark.parametrize(("content", "code", "message"), UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_refused(tmp_path: Path, content: object, code: str, message: str) -> None:
    with pytest.raises(NotebookError) as caught:
        notebook.read(write(tmp_path, content))
    (finding,) = caught.value.diagnostics
    assert (finding.rule.code, caught.value.status) == (code, 1)
    assert message in finding.message
    assert finding.location.path == str(tmp_path / "n.ipynb")


def test_a_damaged_cell_is_named_in_the_location(tmp_path: Path) -> None:
    with pytest.raises(NotebookError) as caught:
        notebook.read(write(tmp_path, document(cells=[CELL, CELL | {"source": 5}])))
    assert caught.value.diagnostics[0].location.cell == 2


# ---------------------------------------------------------------------------------------------------------------------
# refused: the call is wrong (exit status 2)
# ---------------------------------------------------------------------------------------------------------------------


def test_a_file_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"n\.ipynb does not exist$"):
        notebook.read(tmp_path / "n.ipynb")


def test_a_directory(tmp_path: Path) -> None:
    folder = tmp_path / "n.ipynb"
    folder.mkdir()
    with pytest.raises(UsageError, match="is a directory, not a notebook"):
        notebook.read(folder)


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("x = 1")
    with pytest.raises(UsageError, match=r"its name does not end in \.ipynb"):
        notebook.read(path)


@pytest.mark.parametrize(
    "name", ["a\0b.ipynb", "x" * 300 + ".ipynb", "n.ipynb/inner.ipynb"], ids=["null", "long", "in"]
)
def test_a_path_that_cannot_be(tmp_path: Path, name: str) -> None:
    write(tmp_path, document())
    with pytest.raises(UsageError):
        notebook.read(tmp_path / name)


def test_no_permission(ordinary_folder: Path) -> None:
    path = write(ordinary_folder, document())
    path.chmod(0)
    with pytest.raises(UsageError, match="cannot be read: permission denied"):
        notebook.read(path)


def test_no_permission_as_the_system_reports_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(UsageError, match="cannot be read: permission denied"):
        notebook.read(write(tmp_path, document()))


# ---------------------------------------------------------------------------------------------------------------------
# whatever the bytes
# ---------------------------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["cells", "cell_type", "source", "metadata", "tags", "nbformat", "worksheets", "language_info", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def reads_or_refuses(path: Path) -> None:
    with contextlib.suppress(KalecError):
        notebook.read(path)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_give_a_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    reads_or_refuses(write(tmp_path_factory.getbasetemp(), data))


@settings(max_examples=300, deadline=None)
@given(JSON)
def test_arbitrary_json_never_gives_a_traceback(tmp_path_factory: pytest.TempPathFactory, content: object) -> None:
    reads_or_refuses(write(tmp_path_factory.getbasetemp(), json.dumps(content).encode()))


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=0, max_value=len(WHOLE) - 1))
def test_a_notebook_cut_off_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = write(tmp_path_factory.getbasetemp(), WHOLE[:length].encode())
    with pytest.raises(NotebookError) as caught:
        notebook.read(path)
    assert caught.value.diagnostics[0].rule.code == "KC001"


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(["worksheets", "metadata", "cells", "orig_nbformat"]), JSON), st.integers(1, 3))
def test_arbitrary_old_notebooks_never_give_a_traceback(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], version: int
) -> None:
    reads_or_refuses(write(tmp_path_factory.getbasetemp(), json.dumps(content | {"nbformat": version}).encode()))
