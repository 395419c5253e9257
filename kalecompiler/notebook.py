"""Phase 1, read: the path of a notebook file -> `Notebook`.

The file is read as JSON, and only what the compiler needs is checked: Jupyter is lenient too, and importing nbformat
costs more than all the rest. It is called for formats before 4 alone, to convert them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kalecompiler.diagnostics import (
    INVALID_JSON,
    INVALID_NOTEBOOK,
    OTHER_LANGUAGE,
    Diagnostic,
    NotebookError,
    Rule,
    UsageError,
)
from kalecompiler.model import Cell, CellKind, Location, Notebook
from kalecompiler.wording import cause

# An escape that may be half of a surrogate pair; whole pairs are ordinary characters.
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read(path: Path, data: bytes | None = None) -> tuple[Notebook, list[Diagnostic]]:
    """Read a notebook.

    Args:
        path: a .ipynb file; the notebook keeps it as it was given.
        data: the content of the file, where it was read already or stands in no file.

    Returns: the notebook, and findings that do not stand in the way of going on (none so far).

    Raises:
        UsageError: there is no such file, or it cannot be read, or it is not a .ipynb.
        NotebookError: it is no notebook, or not one in Python.
    """
    text = decode(path, read_bytes(path) if data is None else data)
    document = _version_4(path, _document(path, text))
    metadata = _table(document.get("metadata"))
    _require_python(path, metadata)
    cells = tuple(_cells(path, document))
    if _SURROGATE.search(text):
        _require_unicode(path, cells, metadata)
    return Notebook(path, cells, metadata, _python(metadata)), []


def read_bytes(path: Path) -> bytes:
    """The content of a .ipynb file. Raises UsageError where it cannot be read, or is not a .ipynb."""
    try:
        if path.is_dir():
            raise UsageError(f"{path} is a directory, not a notebook: name a .ipynb file in it")
        if path.exists() and path.suffix != ".ipynb":
            raise UsageError(f"{path} is not a notebook: its name does not end in .ipynb")
        return path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"{path} does not exist") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read: {cause(error)}") from None


def decode(path: Path, data: bytes) -> str:
    """The content of a notebook as text, without a byte order mark. Raises NotebookError for what is no text."""
    if not data.strip():
        raise _failure(INVALID_JSON, path, "the file is empty", "restore it from a checkpoint or from version control")
    try:
        return data.decode(json.detect_encoding(data)).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        message = f"the file is not text in {error.encoding.upper()}: byte {error.start} cannot be read"
        raise _failure(INVALID_JSON, path, message, "save it as UTF-8, as Jupyter does") from None


def _document(path: Path, text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise _broken(path, text, error) from None
    except RecursionError:
        raise _failure(INVALID_JSON, path, "the file's JSON is nested too deeply to be a notebook") from None
    except ValueError as error:
        raise _failure(INVALID_JSON, path, f"the file's JSON cannot be read: {error}") from None
    if not isinstance(document, dict):
        message = f"the file is no notebook: its JSON is {_kind(document)}, where a notebook is an object with cells"
        raise _failure(INVALID_NOTEBOOK, path, message)
    return document


def _broken(path: Path, text: str, error: json.JSONDecodeError) -> NotebookError:
    """The failure for a text that is not JSON: cut off, left in the middle of a merge, or something else altogether."""
    start = text.lstrip()[:1]
    if start == "<":
        hint = "this looks like a web page: download the notebook itself (on GitHub, the raw file)"
        return _failure(INVALID_JSON, path, "the file is HTML or XML, not a notebook", hint)
    if conflict := re.search(r"^<<<<<<< ", text, re.MULTILINE):
        hint = "resolve the conflict, or take one side with `git checkout --ours` or `--theirs`"
        line = text.count("\n", 0, conflict.start()) + 1
        return _failure(INVALID_JSON, path, "the file holds unresolved merge conflicts", hint, place=(line, 1))
    where, place = f"line {error.lineno}, column {error.colno}", (error.lineno, error.colno)
    if (start == "{" and not text[error.pos :].strip()) or error.msg.startswith("Unterminated string"):
        hint = "the file was not saved to its end: restore it from a checkpoint or from version control"
        return _failure(INVALID_JSON, path, f"the file's JSON is cut off at {where}", hint, place=place)
    hint = "a notebook is saved by Jupyter as JSON: restore it from a checkpoint or from version control"
    message = f"the file is not valid JSON at {where}: {_lower(error.msg)}"
    return _failure(INVALID_JSON, path, message, hint, place=place)


def _version_4(path: Path, document: dict[str, Any]) -> dict[str, Any]:
    """The document in format 4; older ones are converted by nbformat."""
    version = document.get("nbformat", 3 if "worksheets" in document else 4)
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= 4:
        message = f"the notebook's format {json.dumps(version)} is not known: it can be from 1 to 4"
        hint = "save it with a Jupyter that writes format 4"
        raise _failure(INVALID_NOTEBOOK, path, message, hint, key=("nbformat",))
    return document if version == 4 else _convert(path, document, version)


def _convert(path: Path, document: dict[str, Any], version: int) -> dict[str, Any]:
    import nbformat

    try:
        new = dict(nbformat.reads(json.dumps({**document, "nbformat": version}), as_version=4))
    except (AttributeError, LookupError, NameError, RecursionError, TypeError, ValueError, nbformat.ValidationError):
        message = f"the notebook's old format {version} cannot be converted: it is damaged"
        raise _failure(INVALID_NOTEBOOK, path, message, "open it in Jupyter and save it") from None
    # nbformat makes up ids, others each time
    return {**new, "cells": [{key: cell[key] for key in cell if key != "id"} for cell in new["cells"]]}


def _cells(path: Path, document: dict[str, Any]) -> Iterator[Cell]:
    cells = document.get("cells")
    if not isinstance(cells, list):
        message = "the file is no notebook: it has no `cells`" if cells is None else "`cells` is not a list"
        raise _failure(INVALID_NOTEBOOK, path, message, key=("cells",))
    for number, raw in enumerate(cells, start=1):
        try:
            yield _cell(number, raw)
        except ValueError as error:
            raise _failure(INVALID_NOTEBOOK, path, f"cell {number}: {error}", cell=number) from None


def _cell(number: int, raw: Any) -> Cell:
    """One cell; ValueError says what is wrong with it."""
    if not isinstance(raw, dict):
        raise ValueError(f"is {_kind(raw)}, not an object")
    kind = raw.get("cell_type")
    if kind not in ("code", "markdown", "raw"):
        raise ValueError(f"its `cell_type` is {json.dumps(kind)[:40]}, not code, markdown or raw")
    source = _source(raw.get("source", ""))
    if kind == "code" and "\0" in source:
        raise ValueError("its source holds a null character, which Python cannot read")
    identity, count = raw.get("id"), raw.get("execution_count")
    return Cell(
        number,
        CellKind(kind),
        source,
        identity if isinstance(identity, str) else None,
        _metadata(raw),
        count if isinstance(count, int) else None,
    )


def _source(source: Any) -> str:
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise ValueError("its `source` is neither a text nor a list of lines")
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _metadata(raw: dict[str, Any]) -> dict[str, Any]:
    metadata = raw.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        raise ValueError(f"its `metadata` is {_kind(metadata)}, not an object")
    return metadata or {}


def _require_unicode(path: Path, cells: tuple[Cell, ...], metadata: dict[str, Any]) -> None:
    """Half a surrogate pair can be written in JSON, and nowhere else: Python could not even print it."""
    for number, value in [(None, metadata), *((c.number, [c.source, c.id, c.metadata]) for c in cells)]:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            where = f"cell {number}" if number else "the notebook's metadata"
            message = f"{where} holds half of a surrogate pair, which is no character"
            raise _failure(INVALID_NOTEBOOK, path, message, "remove the character", number) from None


def _require_python(path: Path, metadata: dict[str, Any]) -> None:
    info, kernel = _table(metadata.get("language_info")), _table(metadata.get("kernelspec"))
    language = info.get("name") or kernel.get("language") or "python"
    name = kernel.get("display_name") or kernel.get("name") or language
    hint = "kalecompiler compiles notebooks in Python 3; choose a Python kernel if this is one"
    key = ("metadata", "kernelspec" if kernel else "language_info")
    if not isinstance(language, str) or language.lower() not in ("python", "ipython", "python3"):
        message = f"the notebook's kernel is `{name}`, of the language `{language}`"
        raise _failure(OTHER_LANGUAGE, path, message, hint, key=key)
    if kernel.get("name") == "python2" or str(info.get("version", "")).startswith("2."):
        message = f"the notebook's kernel is `{name}`, of the language Python 2"
        raise _failure(OTHER_LANGUAGE, path, message, hint, key=key)


def _python(metadata: dict[str, Any]) -> str | None:
    """The minor version of the Python that last ran the notebook, as `3.11`."""
    version = _table(metadata.get("language_info")).get("version")
    match = re.match(r"3\.\d{1,3}(?!\d)", version) if isinstance(version, str) else None
    return match[0] if match else None


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _kind(value: Any) -> str:
    """What a JSON value is, for a message."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "a truth value", type(None): "null"}
    return names.get(type(value), "a number")


def _lower(message: str) -> str:
    """A library's message in our style: first letter small, one line, no full stop."""
    line = message.strip().partition("\n")[0].rstrip(".")
    return line[:1].lower() + line[1:]


def _failure(
    rule: Rule,
    path: Path,
    message: str,
    hint: str | None = None,
    cell: int | None = None,
    key: tuple[str, ...] = (),
    place: tuple[int | None, int | None] = (None, None),
) -> NotebookError:
    """The only finding on a file that is no notebook; `place` is a line and column of the file."""
    where = Location(str(path), cell, key=key, file_line=place[0], file_column=place[1])
    return NotebookError([Diagnostic(rule, message, where, hint)])
