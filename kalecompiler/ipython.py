"""IPython's syntax in a cell, translated to plain Python line for line: a table decides what each magic becomes.

IPython's own transformer reads the syntax (imported only for a cell that is not plain Python); what it makes of it,
calls of `get_ipython()`, is then rewritten so that the names which a magic reads and binds can be seen in the code.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from kalecompiler import magics
from kalecompiler.cellmagics import CellMagic, block_literal, cell_magic, indented
from kalecompiler.diagnostics import UNSUPPORTED_MAGIC
from kalecompiler.findings import Outcome, Problem, refused
from kalecompiler.syntax import parse, problems_of, syntax_problem

_PROMPT = re.compile(r"\s*In \[\d+\]: ")  # `In [1]: x = 1` is Python too, an annotated assignment


@dataclass(frozen=True, slots=True)
class Translation:
    """A cell as plain Python, with as many lines as the cell and every statement on its line.

    `requirements` are (requirement, line) of `pip install` lines; `-r FILE` and `-c FILE` stand as written there.
    `soft` are (line, name) that a shell line or magic reads if there is such a variable. `writes` are (path, text) of
    `%%writefile` cells whose path is written out. `tree` is that of `source`, where it is Python.
    """

    source: str
    requirements: tuple[tuple[str, int], ...] = ()
    soft: tuple[tuple[int, str], ...] = ()
    problems: tuple[Problem, ...] = ()
    writes: tuple[tuple[str, str], ...] = ()
    tree: ast.Module | None = field(default=None, compare=False, repr=False)


def translate(source: str) -> Translation:
    """Translate a cell. Never raises: what cannot be translated is a problem, and a syntax error is KC301."""
    tree = parse(source)
    if not isinstance(tree, ast.Module) or _PROMPT.match(source):
        error = tree if isinstance(tree, Exception) else SyntaxError("a prompt")
        return _translate_special(source.replace("\r\n", "\n").replace("\r", "\n"), error)
    if "get_ipython" not in source:
        return _checked(Translation(source), tree)
    return _checked(_rewritten(source, tree, source))


def _checked(translation: Translation, tree: ast.Module | None = None) -> Translation:
    """The translation with what is wrong in the code as it will run."""
    parsed = tree or parse(translation.source)
    if isinstance(parsed, ast.Module):
        found = tuple(problems_of(translation.source, parsed))
    else:
        found = (syntax_problem(translation.source, parsed),)
    known = parsed if isinstance(parsed, ast.Module) else None
    return replace(translation, problems=translation.problems + found, tree=known)


def automagic(name: str) -> str | None:
    """A hint for a name that nothing binds but that IPython takes as a magic on a cell's only line (`ls`, `pwd`)."""
    return f"write `%{name}` if you mean IPython's magic" if magics.is_magic_name(name) else None


def _translate_special(source: str, error: Exception) -> Translation:
    """Translate a cell that is not plain Python; `error` says why it is not."""
    from kalecompiler.transformer import NotIPython, dedented, is_cell_magic, to_calls

    text = dedented(source)
    if is_cell_magic(text):
        return _cell_magic(text)
    try:
        calls = to_calls(_with_percent(text))
    except NotIPython:
        return Translation(source, problems=(syntax_problem(source, error),))
    tree = parse(calls)
    if isinstance(tree, ast.Module):
        return _checked(_rewritten(calls, tree, text))
    return Translation(calls, problems=(syntax_problem(source, tree if calls != source else error),))


def _with_percent(text: str) -> str:
    """Text whose only line starts with a magic's name gets the `%` that IPython would add."""
    line = text.strip()
    word, space, rest = line.partition(" ")
    is_magic = "\n" not in line and magics.is_magic_name(word) and bool(space) and not rest.startswith(("=", ","))
    return text.replace(word, f"%{word}", 1) if is_magic else text


def _cell_magic(text: str) -> Translation:
    """Translate a cell whose first line that is not blank starts with `%%`."""
    lead = len(text) - len(text.lstrip("\n \t"))
    blank, line = text[:lead], text[:lead].count("\n") + 1
    first, newline, body = text[lead:].partition("\n")
    name, _, argument = first[2:].rstrip().partition(" ")
    magic = cell_magic(name, argument, body, block_literal(body if newline else None))
    if magic.body_runs:
        return _over_body(magic, blank, line, newline + body)
    code = magic.outcome.code or "pass"
    padding = "\n" * (text.count("\n") - (blank + code).count("\n"))
    return _placed(Translation(blank + code + padding), magic.outcome, line)


def _over_body(magic: CellMagic, blank: str, line: int, body: str) -> Translation:
    """A cell magic whose body (with the line break before it) stays code, under what stands for the magic's line."""
    inner = translate(body)
    code = indented(inner.source) if magic.indented else inner.source
    head = magic.outcome.code or ""
    if magic.indented and not (isinstance(tree := parse(inner.source), ast.Module) and tree.body):
        head += " pass"
    return _placed(replace(_shifted(inner, line - 1), source=blank + head + code, tree=None), magic.outcome, line)


def _rewritten(source: str, tree: ast.Module, original: str) -> Translation:
    """Plain Python in which each call of `get_ipython()` is what the table says; `original` is what the user wrote."""
    result = Translation(source)
    edits: list[tuple[ast.Call, str]] = []
    lines, written = source.split("\n"), original.split("\n")
    for call, used in _calls(tree):
        outcome = _outcome(call, used)
        line = call.lineno
        shown = written[line - 1] if line <= len(written) else ""
        result = _placed(result, outcome, line, len(shown) - len(shown.lstrip()) + 1)
        code = outcome.code
        if code is not None and outcome.inner:
            inner = translate(code)
            result, code = _joined(result, _shifted(inner, line - 1)), inner.source
        if code == "pass" and used:
            code = "None"
        elif code == "pass" and shown != lines[line - 1] and "://" not in shown:
            code = f"pass  # {shown.strip()}"
        if code is not None:
            edits.append((call, code))
    return replace(result, source=_edited(lines, edits))


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, bool]]:
    """The calls of methods of `get_ipython()`, with whether their value is used."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_shell(node.func.value):
            yield node, id(node) not in statements


def _is_shell(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or node.args or node.keywords:
        return False
    return isinstance(node.func, ast.Name) and node.func.id == "get_ipython"


def _outcome(call: ast.Call, used: bool) -> Outcome:
    """What the table says about one call; calls whose arguments are not written out are left to the step."""
    assert isinstance(call.func, ast.Attribute)
    values = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if call.keywords or len(values) != len(call.args):
        return Outcome()
    match call.func.attr, values:
        case "system", [command]:
            return magics.shell(command, used)
        case "getoutput", [command]:
            return magics.shell(command, used)
        case "run_line_magic", [name, argument]:
            return magics.line_magic(name, argument, used)
        case "magic", [line]:
            name, _, argument = line.strip().removeprefix("%").partition(" ")
            return magics.line_magic(name, argument, used)
        case "run_cell_magic", [name, argument, body]:
            return _called_cell_magic(name, argument, body)
        case "set_next_input", _:
            return Outcome("pass")
        case _:
            return Outcome()


def _called_cell_magic(name: str, argument: str, body: str) -> Outcome:
    """A cell magic called with its body as a string, as `jupyter nbconvert --to script` writes it."""
    magic = cell_magic(name, argument, body, repr(body))
    if magic.body_runs:
        hint = f"write a cell that starts with `%%{name}`"
        return refused(UNSUPPORTED_MAGIC, f"`%%{name}` with code in a string hides the code's names", hint)
    return magic.outcome


def _edited(lines: list[str], edits: list[tuple[ast.Call, str]]) -> str:
    """The lines with each node replaced; a node over several lines leaves as many line breaks behind it."""
    lines = list(lines)
    for node, code in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        before = lines[first].encode()[: node.col_offset].decode()
        after = lines[last].encode()[node.end_col_offset :].decode()
        if code.startswith("pass  #") and (before.strip() or after.strip()):
            code = "pass"
        if first == last:
            lines[first] = before + code + after
        elif not after.strip():
            lines[first : last + 1] = [before + code, *[""] * (last - first)]
    return "\n".join(lines)


def _placed(translation: Translation, outcome: Outcome, line: int, column: int = 1) -> Translation:
    """The translation with what an outcome found, put on a line."""
    return replace(
        translation,
        requirements=(*translation.requirements, *((r, line) for r in outcome.requirements)),
        soft=(*translation.soft, *((line, name) for name in outcome.soft)),
        problems=(*translation.problems, *(replace(p, line=line, column=column) for p in outcome.problems)),
        writes=(*translation.writes, *outcome.writes),
    )


def _joined(translation: Translation, inner: Translation) -> Translation:
    """The translation with what was found in a piece of it."""
    return replace(
        translation,
        requirements=translation.requirements + inner.requirements,
        soft=translation.soft + inner.soft,
        problems=translation.problems + inner.problems,
        writes=translation.writes + inner.writes,
    )


def _shifted(translation: Translation, lines: int) -> Translation:
    """The translation of text that stands `lines` lines further down."""
    return replace(
        translation,
        requirements=tuple((r, line + lines) for r, line in translation.requirements),
        soft=tuple((line + lines, name) for line, name in translation.soft),
        problems=tuple(replace(p, line=(p.line or 1) + lines) for p in translation.problems),
    )
