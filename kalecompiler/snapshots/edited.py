"""What the cells that were executed in this session define otherwise than the run did: a restore leaves that alone.

Whoever checks a run out to change a function, and then runs all cells, means the function that he wrote.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from kalecompiler.snapshots.alreadyrun import session

Defined = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def definitions(content: Mapping[str, Any], cells: Collection[str]) -> frozenset[str]:
    """The names of functions and classes of the run's shared cells whose last definition here is another one.

    `cells` are the sources of all cells of the run's notebook: what these define is no change. Empty where this is no
    IPython session.
    """
    shell = session()
    if shell is None:
        return frozenset()
    known = {source.strip() for source in cells}
    executed = [(text.strip() in known, _defined(shell.transform_cell(text))) for text in shell.user_ns.get("In", ())]
    found = set()
    for piece in content.get("code", ()):
        if piece["kind"] == "functions":
            for name, text in _defined("\n".join(piece["source"])).items():
                if _is_another(name, text, executed[::-1]):
                    found.add(name)
    return frozenset(found & sys.modules["__main__"].__dict__.keys())


def _is_another(name: str, text: str, executed: Sequence[tuple[bool, Mapping[str, str]]]) -> bool:
    """Whether what was executed last under a name, first in `executed`, is another text, and not the notebook's own."""
    for is_known, defined in executed:
        if name in defined and (defined[name] == text or not is_known):
            return defined[name] != text
    return False


def _defined(source: str) -> dict[str, str]:
    """The functions and classes that a cell defines, each as a text that comments and blanks do not change."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError):
        return {}
    return {statement.name: ast.dump(statement) for statement in body if isinstance(statement, Defined)}
