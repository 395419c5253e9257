"""Proposes tags for a notebook that has none, and writes them: what `kalec init` does.

Headings divide a notebook into sections, and every section with code becomes a step. Cells that only import, only
define functions and classes, or only assign literals above the first step, get their own tags. There is no `prev:`:
the edges come from the data. The proposal is a start for its author to change, not an answer.
"""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kalecompiler import taglanguage, tagtext
from kalecompiler.diagnostics import UsageError
from kalecompiler.files import write_atomic
from kalecompiler.model import Cell, CellKind, Notebook, Role
from kalecompiler.tagtext import TagEdit
from kalecompiler.wording import cause

LONGEST_NAME = 40
ONLY_STEP = "main"

_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.+?)[ \t#]*$", re.MULTILINE)
_NUMBERING = re.compile(r"^(?:(?:step|part|section)\s+)?[\dIVX]+(?:[.:)\-]\d*)+\s*", re.IGNORECASE)
# Calls that set a library up stand with its imports.
_SETUP = {"filterwarnings", "simplefilter", "basicConfig", "set_option", "set_theme", "set_style", "use"}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A tag for a cell."""

    cell: Cell
    tag: str


def propose(notebook: Notebook) -> tuple[Proposal, ...]:
    """A tag for each code cell that has code. Raises UsageError for a notebook that has our tags already."""
    if tagged := [cell.number for cell in notebook.cells if _is_tagged(cell)]:
        raise UsageError(
            f"{notebook.path} has tags already, the first on cell {tagged[0]}: kalec check {notebook.path}"
        )
    return tuple(_proposals(notebook.cells))


def _proposals(cells: Iterable[Cell]) -> Iterator[Proposal]:
    cells = tuple(cells)
    deepest = _deepest_section(cells)
    section, names, steps = "", dict[str, str](), 0
    for cell in cells:
        if cell.kind is CellKind.MARKDOWN:
            section = next((text for level, text in reversed(_headings(cell)) if level <= deepest), section)
        if cell.kind is not CellKind.CODE or not _has_code(cell.source):
            continue
        role = _role(cell.source, first=not steps)
        if role is Role.STEP:
            steps += 1
            yield Proposal(cell, f"step:{_name(section, names)}")
        else:
            yield Proposal(cell, role.value)


def describe(proposals: Iterable[Proposal]) -> str:
    """One line a cell: its number, its tag, how its code begins."""
    proposals = tuple(proposals)
    width = max((len(proposal.tag) for proposal in proposals), default=0)
    return "\n".join(f"cell {p.cell.number:3}  {p.tag:<{width}}  {_first_line(p.cell.source)}" for p in proposals)


def write(path: Path, proposals: Iterable[Proposal]) -> None:
    """Write the tags into the notebook's file; nothing else of it changes.

    Raises UsageError for a notebook in a format before 4, or one that cannot be written.
    """
    edits = [TagEdit(proposal.cell.number, None, proposal.tag) for proposal in proposals]
    data = tagtext.edit(path, path.read_bytes(), edits)
    try:
        write_atomic(path, data)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {cause(error)}") from None


def _is_tagged(cell: Cell) -> bool:
    tags = cell.metadata.get("tags")
    return isinstance(tags, list) and any(isinstance(tag, str) and taglanguage.parse(tag).ours for tag in tags)


def _headings(cell: Cell) -> list[tuple[int, str]]:
    """The headings of a Markdown cell, code blocks left out: (level, text)."""
    prose = re.sub(r"^(```|~~~).*?^\1", "", cell.source, flags=re.MULTILINE | re.DOTALL)
    return [(len(marks), text) for marks, text in _HEADING.findall(prose)]


def _deepest_section(cells: Iterable[Cell]) -> int:
    """The level of headings that divides the notebook: the first that occurs more than once, else the deepest."""
    levels = [level for cell in cells if cell.kind is CellKind.MARKDOWN for level, _ in _headings(cell)]
    repeated = [level for level in levels if levels.count(level) > 1]
    return min(repeated) if repeated else max(levels, default=0)


def _name(section: str, names: dict[str, str]) -> str:
    """The step of a section; `names` has those given so far, by section."""
    if section not in names:
        base = _identifier(section) or (f"step_{len(names) + 1}" if section else ONLY_STEP)
        name, number = base, 2
        while name in names.values() or name in taglanguage.RESERVED:
            name, number = f"{base}_{number}", number + 1
        names[section] = name
    return names[section]


def _identifier(heading: str) -> str:
    """A heading as a step's name: small letters, digits, underscores; its numbering and links are left out."""
    text = re.sub(r"<[^>]*>|!?\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    text = unicodedata.normalize("NFKD", _NUMBERING.sub("", text)).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", text.replace("'", ""))
    while words and (len("_".join(words)) > LONGEST_NAME) and len(words) > 1:
        words.pop()
    name = "_".join(words)[:LONGEST_NAME]
    return name if name[:1].isalpha() else f"step_{name}" if name else ""


def _role(source: str, *, first: bool) -> Role:
    """What a cell is; parameters stand above the first step."""
    statements = _statements(source)
    if statements is None:
        return Role.STEP
    if all(_only_imports(statement) or _is_setup(statement) for statement in statements):
        return Role.IMPORTS
    definitions = ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef
    if all(isinstance(statement, definitions) or _only_imports(statement) for statement in statements):
        return Role.FUNCTIONS
    if first and all(_is_parameter(statement) for statement in statements):
        return Role.PARAMETERS
    return Role.STEP


def _statements(source: str) -> list[ast.stmt] | None:
    """The statements of a cell, magics and `!pip` lines taken for imports, docstrings left out; None if not Python."""
    plain = re.sub(r"^(?:%(?!%)|!\s*pip ).*", "import _magic", source, flags=re.MULTILINE)
    try:
        body = ast.parse(plain).body
    except (SyntaxError, ValueError, RecursionError):
        return None
    return [s for s in body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]


def _only_imports(statement: ast.stmt) -> bool:
    return isinstance(statement, (ast.Import, ast.ImportFrom))


def _is_setup(statement: ast.stmt) -> bool:
    """Whether a statement is a call like `warnings.filterwarnings("ignore")`."""
    if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)):
        return False
    called = statement.value.func
    return isinstance(called, ast.Attribute) and called.attr in _SETUP


def _is_parameter(statement: ast.stmt) -> bool:
    """Whether a statement gives one name a literal that is no empty container: those are for filling."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target, value = statement.targets[0], statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        target, value = statement.target, statement.value
    else:
        return False
    try:
        literal = ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    known = isinstance(literal, (int, float, str)) or (isinstance(literal, (list, dict)) and bool(literal))
    return isinstance(target, ast.Name) and known


def _has_code(source: str) -> bool:
    return any(line.strip() and not line.lstrip().startswith("#") for line in source.splitlines())


def _first_line(source: str) -> str:
    lines = [line for line in source.splitlines() if line.strip()]
    return lines[0] if len(lines[0]) <= 60 else lines[0][:57] + "..."
