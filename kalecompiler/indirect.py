"""Functions that run although nobody calls them by name: held by a value, wrapped by a decorator, made in a function.

What such a function does to variables of the notebook is possible, never certain.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from kalecompiler import library, names, trees
from kalecompiler.calls import bind_arguments, method
from kalecompiler.decorators import registers
from kalecompiler.facts import Definition, Grade
from kalecompiler.protocols import Protocols
from kalecompiler.stateful import changed_names

#: Builtins that call no function which they are given.
_QUIET = frozenset(
    "print len isinstance issubclass type id repr str int float bool abs hash callable hasattr range enumerate zip "
    "list tuple dict set sum round format super vars dir getattr setattr iter reversed frozenset bytes open".split()
)


class Indirect(Protocols):
    """Looks for the functions that a call may reach through values."""

    def changed(
        self, expr: ast.expr, grade: Grade, node: ast.AST, reason: str, taint: frozenset[Definition] = frozenset()
    ) -> None:
        raise NotImplementedError

    def hold(self, name: str, taint: frozenset[Definition]) -> None:
        raise NotImplementedError

    def reached(self, node: ast.Call, path: str | None) -> None:
        """A call may run the functions that its receiver and its arguments hold, and the methods of their classes."""
        if path in _QUIET:
            return
        held = [a.value if isinstance(a, ast.Starred) else a for a in node.args] + [k.value for k in node.keywords]
        if isinstance(node.func, ast.Attribute):
            held.append(node.func.value)
        elif not isinstance(node.func, ast.Name) or not self._is_definition(node.func.id):
            held.append(node.func)
        for part in held:
            for definition in sorted(self.taint(part), key=lambda d: (d.name, d.site.piece, d.site.line)):
                self._may_run(definition)

    def holds_state(self, function: ast.expr) -> bool:
        """Whether what is called may keep a state: not a function that is only held by the value."""
        if isinstance(function, ast.Name) and self.flow.known(function.id) is None:
            return False
        held = self.taint(function)
        return not held or any(isinstance(d.node, ast.ClassDef) or d.kind == "value" for d in held)

    def wrapped(self, function: names.Function) -> None:
        """A call of a decorated function runs what the decorators of the notebook have put around it."""
        for decorator in getattr(function, "decorator_list", ()):
            maker = self._maker(decorator)
            if maker is not None:
                self._run_inner(maker, frozenset())

    def idle(self, node: ast.AST) -> frozenset[int]:
        """The decorators of a definition that it is the same without, by their numbers."""
        decorators = getattr(node, "decorator_list", ())
        return frozenset(number for number, decorator in enumerate(decorators) if self._only_registers(decorator))

    def _only_registers(self, decorator: ast.expr) -> bool:
        maker = self._maker(decorator)
        if maker is not None:
            bound = isinstance(decorator, ast.Attribute)
            given = names.parameters(maker)[bound : bound + 1]
            return registers(maker, given[0] if given else "", made=isinstance(decorator, ast.Call))
        if not isinstance(decorator, ast.Attribute) or self.path(decorator) is not None:
            return False
        kind = self.type_of(decorator.value)
        return kind in (library.LIST, library.SET) and decorator.attr in library.MUTATORS[kind]

    def decorated(self, definition: Definition, decorator: ast.expr) -> None:
        """A decorator is called with what it decorates, and may keep it."""
        kept = dict(self.flow.run.changes)
        self._decorate(definition, decorator)
        changes = self.flow.run.changes
        if definition.name in changes and changes[definition.name] != kept.get(definition.name):
            del changes[definition.name]  # its own statement does so, wherever it runs

    def _decorate(self, definition: Definition, decorator: ast.expr) -> None:
        itself = ast.copy_location(ast.Name(definition.name, ast.Load()), decorator)
        call = ast.copy_location(ast.Call(decorator, [itself], []), decorator)
        maker = self._maker(decorator)
        if maker is not None and isinstance(decorator, ast.Call):
            self._run_inner(maker, frozenset({definition}))
            if isinstance(decorator.func, ast.Attribute):
                reason = f"`@{ast.unparse(decorator)}` may change it"
                self.changed(decorator.func.value, Grade.POSSIBLE, decorator, reason, frozenset({definition}))
        elif maker is not None:
            receiver = decorator.value if isinstance(decorator, ast.Attribute) else None
            self.follow(maker, bind_arguments(maker, call, receiver=receiver), sure=True)
        elif isinstance(decorator, ast.Attribute) and self.path(decorator) is None:
            taint = frozenset({definition})
            self.changed(
                decorator.value, Grade.POSSIBLE, decorator, f"`@{ast.unparse(decorator)}` may change it", taint
            )

    def _maker(self, decorator: ast.expr) -> names.Function | None:
        """The function or method of the notebook that a decorator is, or that makes it."""
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if isinstance(called, ast.Attribute):
            owner = self.class_of(called.value)
            return method(owner, called.attr) if owner is not None else None
        return self.function_of(called)

    def _is_definition(self, name: str) -> bool:
        known = self.flow.known(name)
        return known is not None and known.definition is not None

    def _may_run(self, definition: Definition) -> None:
        if id(definition) in self.flow.run.reached:
            return
        self.flow.run.reached.add(id(definition))
        if isinstance(definition.node, ast.ClassDef):
            for function in definition.node.body:
                if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                    self.follow(function, {}, sure=False)
        elif isinstance(definition.node, names.FUNCTIONS):
            self.follow(definition.node, {}, sure=False)

    def _run_inner(self, maker: names.Function, held: frozenset[Definition]) -> None:
        """What the functions inside a function do to variables of the notebook when they are called."""
        for name in sorted(set(_changed_within(maker))):
            known = self.flow.known(name)
            if known is None or (known.definition is None and known.path is None):
                self.flow.load(name, maker, hard=False)
                self.flow.change(name, Grade.POSSIBLE, maker, "a decorator changes it")
                self.hold(name, held)


def _changed_within(maker: names.Function) -> Iterator[str]:
    own = names.local_names(maker)
    for inner in _functions(names.body_of(maker)):
        local = own | names.local_names(inner)
        yield from (name for name in changed_names(inner) if name not in local)
        yield from names.declared(names.body_of(inner), ast.Global)


def _functions(nodes: Iterable[ast.AST]) -> Iterator[names.Function]:
    return (n for node in nodes for n in trees.walk(node) if isinstance(n, names.FUNCTIONS))
