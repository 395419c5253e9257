"""The notebook's own handlers: what cells tagged `handler` define.

`dump_NAME(value: TYPE, file)` and `load_NAME(file)` make the handler NAME for objects of TYPE.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from kalecompiler.diagnostics import INVALID_HANDLER, Diagnostic
from kalecompiler.model import Cell, Handler, Location, Notebook

# Pickle has its own way with these, and asks nobody.
_OWN_WAY = "bool int float str bytes bytearray tuple list dict set frozenset None".split()
EXAMPLE = "write `def dump_NAME(value: TYPE, file):` and `def load_NAME(file):`"


class _Wrong(Exception):
    """A handler has not the form: where, and what is wrong."""

    def __init__(self, node: ast.FunctionDef, message: str, hint: str = EXAMPLE) -> None:
        super().__init__(message)
        self.node, self.hint = node, hint


@dataclass(frozen=True, slots=True)
class OwnHandler:
    """A handler, and where its `dump_NAME` stands; `root` is the first name of its type."""

    handler: Handler
    origin: Location

    @property
    def root(self) -> str:
        return self.handler.type.partition(".")[0]

    @property
    def names(self) -> frozenset[str]:
        """What must be bound where it is used."""
        return frozenset({self.root, self.handler.dump, self.handler.load})


def read(
    notebook: Notebook, cells: Sequence[tuple[Cell, ast.Module]]
) -> tuple[tuple[OwnHandler, ...], list[Diagnostic]]:
    """The handlers of these cells, in order, and what is wrong with them."""
    found: dict[str, OwnHandler] = {}
    problems: list[Diagnostic] = []
    for cell, tree in cells:
        functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
        names = _names(functions)
        if not names and tree.body:
            message = f"cell {cell.number} is tagged `handler`, and defines no handler"
            problems.append(Diagnostic(INVALID_HANDLER, message, notebook.at(cell), EXAMPLE))
        for name in names:
            try:
                handler, node = _handler(name, functions)
                if name in found:
                    raise _Wrong(node, f"there are two handlers `{name}`", "give one of them another name")
            except _Wrong as wrong:
                problems.append(Diagnostic(INVALID_HANDLER, str(wrong), _at(notebook, cell, wrong.node), wrong.hint))
            else:
                found[name] = OwnHandler(handler, _at(notebook, cell, node))
    return tuple(found.values()), problems


def _names(functions: dict[str, ast.FunctionDef]) -> list[str]:
    """The names of handlers of which there is at least one function."""
    return list(dict.fromkeys(f[5:] for f in functions if f.startswith(("dump_", "load_")) and f[5:]))


def _handler(name: str, functions: dict[str, ast.FunctionDef]) -> tuple[Handler, ast.FunctionDef]:
    dump, load = functions.get(f"dump_{name}"), functions.get(f"load_{name}")
    if dump is None or load is None:
        there, missing = (load, f"dump_{name}") if load else (dump, f"load_{name}")
        assert there is not None
        raise _Wrong(there, f"`{there.name}` has no `{missing}` beside it")
    for node, count, what in ((dump, 2, "the value and a file"), (load, 1, "the file")):
        if not _takes(node, count):
            raise _Wrong(node, f"`{node.name}` must take {what}, and nothing else")
    return Handler(name, type=_type(dump), dump=dump.name, load=load.name), dump


def _takes(node: ast.FunctionDef, count: int) -> bool:
    """Whether a function can be called with so many positional arguments, and is meant for no others."""
    own = node.args
    required = [*own.posonlyargs, *own.args][: len(own.posonlyargs) + len(own.args) - len(own.defaults)]
    return len(required) == count and not any(default is None for default in own.kw_defaults)


def _type(dump: ast.FunctionDef) -> str:
    """The type that the first argument is annotated with, as a dotted name."""
    annotation = [*dump.args.posonlyargs, *dump.args.args][0].annotation
    if annotation is None:
        raise _Wrong(dump, f"`{dump.name}` does not say which type it saves", "annotate its first argument: " + EXAMPLE)
    text = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    if not isinstance(text, str) or not all(part.isidentifier() for part in text.split(".")):
        raise _Wrong(dump, f"`{dump.name}` saves `{ast.unparse(annotation)}`, which is not the name of one type")
    if text in _OWN_WAY:
        raise _Wrong(
            dump, f"`{dump.name}` saves `{text}`, which needs no handler", f"make a class of its own of `{text}`"
        )
    return text


def _at(notebook: Notebook, cell: Cell, node: ast.FunctionDef) -> Location:
    return notebook.at(cell, node.lineno, node.col_offset + 1)
