"""The examples on the pages of the rules, laid out as files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import bad
from support import write_notebook

from kalecompiler import catalogue

_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A fenced example of a page: `kind` notebook, json, toml, python (a module beside the notebook) or text."""

    kind: str
    name: str
    text: str


def examples(code: str, section: str) -> list[Example]:
    """The examples in a section of a rule's page."""
    sections = re.split(r"^## ", catalogue.page(code), flags=re.MULTILINE)
    body = next(text for text in sections if text.startswith(f"{section}\n"))
    return [Example(kind, name, text) for kind, name, text in _FENCE.findall(body)]


def lay_out(code: str, section: str) -> Path | None:
    """Write the example of that section into the current folder: its notebook's path, None where it is no notebook."""
    path = Path("example.ipynb")
    for example in examples(code, section):
        if example.kind == "notebook":
            write_notebook(path, example.text)
        elif example.kind == "json":
            path.write_text(example.text.removesuffix("\n"), encoding="utf-8")
        elif example.kind == "toml":
            Path("pyproject.toml").write_text(example.text, encoding="utf-8")
        elif example.kind == "python":
            Path(example.name).parent.mkdir(parents=True, exist_ok=True)
            Path(example.name).write_text(example.text, encoding="utf-8")
    if path.exists():
        return path
    return bad.MAKERS[code](Path()) if section == "Wrong" else None
