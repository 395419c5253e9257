"""What each cell magic becomes: the body stays code of the cell, or is text that the step hands to a program."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from kalecompiler.diagnostics import UNSUPPORTED_MAGIC
from kalecompiler.expansion import names_in
from kalecompiler.findings import Outcome, refused
from kalecompiler.magics import (
    CELL_MAGICS,
    DISPLAYS,
    Does,
    code_of,
    options_of,
    timed,
    unknown_cell_magic,
    unsupported,
)

_FEED = re.compile(r"^[ \t]*\f[ \t\f]*")
_OUT = re.compile(r"(?:^|\s)--out[= ]\s*(\S+)")


@dataclass(frozen=True, slots=True)
class CellMagic:
    """A cell magic: where `body_runs`, `outcome.code` stands on its line and the body below it, indented or not;
    else `outcome.code` is the whole cell."""

    outcome: Outcome
    body_runs: bool = False
    indented: bool = False


def cell_magic(name: str, argument: str, body: str, literal: str) -> CellMagic:
    """What `%%name argument` over `body` becomes; `literal` is the body as a Python literal."""
    if name in DISPLAYS:
        return CellMagic(Outcome(f"display({{{DISPLAYS[name]!r}: {literal}}}, raw=True)"))
    does = CELL_MAGICS.get(name)
    if does is None:
        return CellMagic(unknown_cell_magic(name))
    if does is Does.REFUSE:
        return CellMagic(unsupported("%%", name))
    if does is Does.OUTPUT:
        return CellMagic(Outcome(f"get_ipython().getoutput({literal})", soft=names_in(body)))
    if does is Does.STEP:
        return CellMagic(_written(argument, body, literal) if "file" in name else _script(name, argument, literal))
    return _capture(argument) if name == "capture" else _measured(name, does, argument, body)


def block_literal(body: str | None) -> str:
    """The body of a cell magic as a literal that spans the cell's lines, so that it stays readable and countable."""
    if body is None:
        return "''"
    text = "".join(_escaped(char) for char in body).replace("'''", "''\\'")
    return f"'''\\\n{text}'''" if body.endswith("\n") else f"'''\\\n{text}\\n'''"


def indented(source: str) -> str:
    """Source one level further in; the inner lines of strings stay as they are, and so does what is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return source
    kept = {line for node in ast.walk(tree) if isinstance(node, ast.Constant | ast.JoinedStr) for line in _inner(node)}
    lines = source.split("\n")
    # A form feed makes Python count a line's indentation anew.
    deeper = (
        line if i in kept or not line.strip() else f"    {_FEED.sub('', line)}" for i, line in enumerate(lines, 1)
    )
    return "\n".join(deeper)


def _inner(node: ast.expr) -> range:
    return range(node.lineno + 1, (node.end_lineno or node.lineno) + 1)


def _escaped(char: str) -> str:
    if char == "\\":
        return "\\\\"
    return char if char.isprintable() or char in "\n\t" else char.encode("unicode_escape").decode("ascii")


def _measured(name: str, does: Does, argument: str, body: str) -> CellMagic:
    """`%%time`, `%%timeit` and the like: the body is ordinary code of the cell."""
    first = code_of(name, argument)
    if does is Does.MEASURE:
        outcome = timed(f"%%{name}", does, f"{first}\n{body}")
        return CellMagic(outcome if outcome.problems else Outcome(first), body_runs=True)
    if first:
        return CellMagic(refused(UNSUPPORTED_MAGIC, f"`%%{name}` takes no code on its own line", "put it below"))
    return CellMagic(Outcome(""), body_runs=True)


def _capture(argument: str) -> CellMagic:
    """`%%capture out` needs the step, as `out` gets the text; without a name, what is printed goes to the log."""
    words = argument.split()
    names = [word for word in words if not word.startswith("-")]
    if not names:
        return CellMagic(Outcome(""), body_runs=True)
    if len(names) > 1 or not names[0].isidentifier():
        return CellMagic(refused(UNSUPPORTED_MAGIC, "`%%capture` takes one name", "write `%%capture output`"))
    flags = " ".join(word for word in words if word.startswith("-"))
    return CellMagic(Outcome(f"with get_ipython().capture({flags!r}) as {names[0]}:"), body_runs=True, indented=True)


def _written(argument: str, body: str, literal: str) -> Outcome:
    """`%%writefile PATH`, with `-a` to append."""
    words = options_of(argument) or []
    paths = [word for word in words if word not in ("-a", "--append")]
    if len(paths) != 1:
        return refused(UNSUPPORTED_MAGIC, "`%%writefile` takes one path", "write `%%writefile path`")
    code = f"get_ipython().run_cell_magic('writefile', {argument!r}, {literal})"
    fixed = len(words) == 1 and not names_in(paths[0]) and "~" not in paths[0]
    text = body if body.endswith("\n") or not body else f"{body}\n"
    return Outcome(code, soft=names_in(argument), writes=((paths[0], text),) if fixed else ())


def _script(name: str, argument: str, literal: str) -> Outcome:
    """`%%bash` and its kind: the body is the program's standard input; `--out NAME` binds what it prints."""
    words = options_of(argument)
    if words is None:
        return refused(UNSUPPORTED_MAGIC, f"`%%{name}` has unbalanced quotes on its line", "close them")
    refused_options = [w for w in words if w.split("=")[0] in ("--bg", "--err", "--proc", "--no-raise")]
    if refused_options:
        cure = "run it in the foreground, with `2>&1` to join its errors to `--out`"
        return refused(UNSUPPORTED_MAGIC, f"`%%{name} {refused_options[0]}` does not work in a step", cure)
    out = _OUT.search(argument)
    if out is None:
        call = f"get_ipython().run_cell_magic({name!r}, {argument!r}, {literal})"
        return Outcome(call, soft=names_in(argument))
    if not out[1].isidentifier():
        return refused(UNSUPPORTED_MAGIC, f"`{out[1]}` after `--out` is no name", "write `--out name`")
    rest = argument.replace(out[0], " ").strip()
    program = rest if name == "script" else f"{name} {rest}".strip()
    return Outcome(f"{out[1]} = get_ipython().script_output({program!r}, {literal})", soft=names_in(program))
