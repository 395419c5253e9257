"""The imports and functions cells: code that stands before every step, of which each step gets what it needs.

Every statement is an item. A step that needs a name gets the items that bind or change it and, in turn, what those
read; statements with effects outside their names (`np.random.seed(0)`, `plt.style.use(...)`) run in every step.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from kalecompiler import library, names, trees
from kalecompiler.facts import Binding, Definition, Known, Read, Status, Summary
from kalecompiler.flow import Flow
from kalecompiler.hiddentable import FILE_WRITES, STATE_CALLS
from kalecompiler.namespace import Whole, agreed
from kalecompiler.shapes import base, is_definitional
from kalecompiler.sharing import BUILTIN_NAMES
from kalecompiler.stateful import observes_subclasses

_TYPES = {"int": library.SCALAR, "float": library.SCALAR, "str": library.SCALAR, "bool": library.SCALAR}


@dataclass(frozen=True, slots=True)
class Item:
    """One statement of the imports and functions cells; `always`: it runs in every step. `piece` is its cell.

    `extends` are classes that know their subclasses, and of which it makes one.
    """

    statement: ast.stmt
    piece: int
    summary: Summary
    always: bool
    extends: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Preamble:
    """All items in order of execution, and the names that they leave bound; `repeated` are bound in several ways."""

    items: tuple[Item, ...]
    binds: Mapping[str, Binding]
    star: bool
    parameter_types: Mapping[str, str]
    repeated: frozenset[str] = frozenset()

    def known(self, name: str) -> Known | None:
        """What is known of a name that the preamble binds."""
        binding = self.binds.get(name)
        return None if binding is None or binding.status is Status.DELETED else binding.known

    def parameter_type(self, name: str) -> str | None:
        """The coarse type of a pipeline parameter."""
        kind = self.parameter_types.get(name)
        return _TYPES.get(kind, kind) if kind is not None else None

    def may_provide(self, name: str) -> bool:
        """Whether a name may come from a star import, or is Python's own."""
        return self.star or name in BUILTIN_NAMES

    def select(self, wanted: Iterable[str]) -> tuple[tuple[int, ...], frozenset[str]]:
        """The indices of the items that a step needs for these names, and every name read on the way."""
        chosen = {i for i, item in enumerate(self.items) if item.always}
        work = [n for i in chosen for n in self._reads(i)] + list(wanted)
        needed: set[str] = set()
        while work:
            name = work.pop()
            if name in needed:
                continue
            needed.add(name)
            for index, item in enumerate(self.items):
                known = name in item.summary.binds or name in item.summary.changes or name in item.extends
                if index not in chosen and known:
                    chosen.add(index)
                    work.extend(self._reads(index))
        return tuple(sorted(chosen)), frozenset(needed)

    def _reads(self, index: int) -> list[str]:
        summary = self.items[index].summary
        return [*summary.reads, *(d.name for d in summary.needs.values())]

    def unresolved(self, parameters: frozenset[str]) -> list[tuple[Item, Read]]:
        """Reads at the top level of the shared cells that nothing in them, no parameter and no builtin answers."""
        bound = frozenset(self.binds)
        return [
            (item, read)
            for item in self.items
            for read in item.summary.reads.values()
            if read.hard and read.name not in bound | parameters and not self.may_provide(read.name)
        ]


def build(pieces: Sequence[Sequence[ast.stmt]], parameter_types: Mapping[str, str], notebook: Whole) -> Preamble:
    """Analyse the shared cells, imports cells first; each piece is a cell's statements."""
    statements = [s for p in pieces for s in p]
    repeated = frozenset(name for name, found in binders(pieces).items() if len({text for _, text in found}) > 1)
    later = names.bound_names(statements)
    state: dict[str, Binding] = {}
    items: list[Item] = []
    observed: set[str] = set()
    for index, piece in enumerate(pieces):
        for statement in piece:
            flow = Flow(lambda name: _known(state, name, parameter_types), later, notebook)
            flow.piece = index
            flow.statement(statement)
            summary = flow.summary()
            state.update({name: _after(state.get(name), binding) for name, binding in summary.binds.items()})
            for name, taint in summary.tainted.items():
                if name in state:
                    state[name] = _tainted(state[name], taint)
            extends = frozenset[str]()
            if isinstance(statement, ast.ClassDef):
                extends = names.loaded(names.outer_parts(statement)) & observed
                if extends or notebook.lists_subclasses or observes_subclasses(statement):
                    observed.add(statement.name)
            items.append(Item(statement, index, summary, _runs_everywhere(statement, flow), extends))
    star = any(isinstance(n, ast.ImportFrom) and n.names[0].name == "*" for s in statements for n in trees.walk(s))
    return Preamble(tuple(items), state, star, parameter_types, repeated)


def binders(pieces: Sequence[Sequence[ast.stmt]]) -> dict[str, list[tuple[int, str]]]:
    """The statements that bind each name, as (piece, text of the tree)."""
    found: dict[str, list[tuple[int, str]]] = {}
    for index, piece in enumerate(pieces):
        for statement in piece:
            for name in names.bound_names([statement]):
                found.setdefault(name, []).append((index, ast.dump(statement)))
    return found


def above(pieces: Sequence[Sequence[ast.stmt]], cells: Sequence[int], first: int, last: int) -> list[list[ast.stmt]]:
    """The shared cells as a step finds them: without what only binds anew, below it, names that are bound above it.

    `cells` has the number of each piece's cell; `first` and `last` are those of the step's first and last cell.
    """
    ready = {name for name, found in binders(pieces).items() if any(cells[index] < first for index, _ in found)}

    def is_later(index: int, statement: ast.stmt) -> bool:
        bound = names.bound_names([statement])
        return cells[index] > last and bool(bound) and bound <= ready

    return [[s for s in piece if not is_later(index, s)] for index, piece in enumerate(pieces)]


def _known(state: Mapping[str, Binding], name: str, parameter_types: Mapping[str, str]) -> Known | None:
    if name in state:
        return state[name].known if state[name].status is not Status.DELETED else None
    kind = parameter_types.get(name)
    return Known(type=_TYPES.get(kind, kind)) if kind is not None else None


def _after(before: Binding | None, binding: Binding) -> Binding:
    """A name that a statement binds, perhaps anew only, with what may be left of it."""
    if before is None or binding.status is not Status.MAYBE:
        return binding
    return replace(before, known=agreed([before.known, binding.known]))


def _tainted(binding: Binding, taint: frozenset[Definition]) -> Binding:
    return replace(binding, known=replace(binding.known, taint=binding.known.taint | taint))


def _runs_everywhere(statement: ast.stmt, flow: Flow) -> bool:
    """Whether a statement does more than bind names and change what the shared cells bind."""
    if isinstance(statement, ast.ImportFrom) and (statement.names[0].name == "*" or statement.module == "__future__"):
        return True
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return any(_registers(decorator, flow) for decorator in statement.decorator_list)
    if is_definitional(statement):
        return False
    if isinstance(statement, ast.Expr):
        return not isinstance(statement.value, ast.Constant) and not _only_changes_names(statement.value, flow)
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        into = [n for t in targets for n in trees.walk(t) if isinstance(n, ast.Attribute | ast.Subscript)]
        if any(not isinstance(n.ctx, ast.Load) and flow.effects.roots(base(n)) == {} for n in into):
            return True  # into a module: `plt.rcParams[...] = `, `os.environ[...] = `
        return statement.value is not None and not _quiet(statement.value, flow)
    return True


def _registers(decorator: ast.expr, flow: Flow) -> bool:
    """Whether a decorator of a library may register what it decorates in that library."""
    path = flow.effects.path(decorator.func if isinstance(decorator, ast.Call) else decorator)
    return path is not None and library.may_register(path)


def _only_changes_names(value: ast.expr, flow: Flow) -> bool:
    """`registry.append(x)`: a change of a name that steps get when they need it."""
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    kind = flow.effects.type_of(value.func.value)
    return kind in library.MUTATORS and value.func.attr in library.MUTATORS[kind]


def _quiet(value: ast.expr, flow: Flow) -> bool:
    """Whether evaluating an expression is known to do nothing but give a value."""
    for node in trees.walk(value):
        if isinstance(node, ast.Call) and not _quiet_call(node, flow):
            return False
    return True


def _quiet_call(node: ast.Call, flow: Flow) -> bool:
    path = flow.effects.path(node.func)
    if path is not None:
        head, last = path.split(".")[0], path.split(".")[-1]
        known = head in library.PURE_MODULES or path in library.BUILTINS or path in library.RETURNS
        acts = "seed" in last or last in {"print", "input", "open"} or path in STATE_CALLS or path in FILE_WRITES
        return (known and not acts) or last[:1].isupper()
    if isinstance(node.func, ast.Attribute):
        return True  # a method of a value made here: its effects are that value's
    known_name = flow.known(node.func.id) if isinstance(node.func, ast.Name) else None
    return known_name is not None and known_name.definition is not None
