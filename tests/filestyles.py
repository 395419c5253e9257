"""One notebook as different programs write it, and a reader of it that knows nothing of JSON's structure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

Document = dict[str, Any]


def jupyter(document: Document) -> bytes:
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def nbformat(document: Document) -> bytes:
    """As nbformat writes it: keys sorted, sources split into lines."""
    import nbformat as library

    cells = [{"outputs": [], "execution_count": None} | c if c["cell_type"] == "code" else c for c in document["cells"]]
    node = library.from_dict(document | {"cells": cells})
    return (library.writes(node, version=library.NO_CONVERT) + "\n").encode()


def tabs(document: Document) -> bytes:
    return (json.dumps(document, indent="\t", ensure_ascii=False) + "\n").encode()


def minified(document: Document) -> bytes:
    """All in one line, and each source one string."""
    return json.dumps(_with_sources(document, "".join), separators=(",", ":"), ensure_ascii=False).encode()


def crlf(document: Document) -> bytes:
    return jupyter(document).replace(b"\n", b"\r\n")


def escaped(document: Document) -> bytes:
    """With characters of other alphabets, all written as escapes, and a byte order mark."""
    text = json.dumps(_with_sources(document, _foreign), indent=2, ensure_ascii=True)
    return b"\xef\xbb\xbf" + text.encode()


def foreign(document: Document) -> bytes:
    """With characters of other alphabets, as they are, in sources that are one string."""
    changed = _with_sources(document, lambda lines: "".join(_foreign(lines)))
    return json.dumps(changed, indent=4, ensure_ascii=False).encode()


STYLES: dict[str, Callable[[Document], bytes]] = {
    "jupyter": jupyter,
    "nbformat": nbformat,
    "tabs": tabs,
    "minified": minified,
    "crlf": crlf,
    "non-ascii, escaped": escaped,
    "non-ascii, raw": foreign,
}


def _with_sources(document: Document, change: Callable[[list[str]], Any]) -> Document:
    cells = [
        cell | {"source": change(cell["source"])} if isinstance(cell.get("source"), list) else cell
        for cell in document.get("cells", ())
    ]
    return document | ({"cells": cells} if cells else {})


def _foreign(lines: list[str]) -> list[str]:
    """A comment before the code, unless that must come first."""
    return lines if not lines or lines[0].startswith("%%") else ["# größe \U0001f389 日本 \\ \"'\t|\n", *lines]


def file_lines(data: bytes) -> list[str]:
    """The lines of a file as an editor counts them."""
    return re.split("\r\n|\n|\r", data.decode("utf-8-sig"))


def text_at(data: bytes, line: int, column: int) -> str:
    """What stands at a place of the file, up to the end of its JSON string, without escapes."""
    rest = file_lines(data)[line - 1][column - 1 :]
    inside = re.match(r'(?:[^"\\]|\\.)*', rest)
    assert inside is not None
    return str(json.loads(f'"{inside[0]}"', strict=False))
