"""The names of a step as its code runs in the abstract: what is bound, what is read from above, what is changed."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from kalecompiler import names
from kalecompiler.facts import Binding, Bond, Change, Definition, Grade, Known, Read, Roots, Site, Status, Summary

Lookup = Callable[[str], Known | None]
State = dict[str, Binding]


@dataclass(frozen=True, slots=True)
class Whole:
    """What matters of the whole notebook to each step: the names of its classes' methods, about which a name alone
    says nothing, the variables of random states that it seeds, what the settings say leaves its arguments alone,
    whether annotations are not evaluated, and whether classes are found by what they derive from."""

    methods: frozenset[str] = frozenset()
    seeded: frozenset[str] = frozenset()
    pure: frozenset[str] = frozenset()
    postponed: bool = False  # `from __future__ import annotations`
    lists_subclasses: bool = False  # `__subclasses__` is asked for


@dataclass
class Scope:
    """The names local to a function or comprehension, with what each may share state with."""

    bindings: State
    transparent: bool = False  # a class body: nested functions do not see it


@dataclass
class Run:
    """What one interpretation gathers, whatever the branch."""

    reads: dict[str, Read] = field(default_factory=dict)
    changes: dict[str, Change] = field(default_factory=dict)
    needs: dict[tuple[str, str], Definition] = field(default_factory=dict)
    touched: dict[str, Site] = field(default_factory=dict)
    stirred: dict[str, Site] = field(default_factory=dict)
    made: dict[int, Definition] = field(default_factory=dict)
    reached: set[int] = field(default_factory=set)
    deep: set[str] = field(default_factory=set)


@dataclass
class Bodies:
    """What functions do when they are called now: `asked` are the names that this depends on.

    `before` has the same as far as it is known of functions that call themselves, and `again` those that did so.
    """

    done: dict[int, Summary] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    before: dict[int, Summary] = field(default_factory=dict)
    again: set[int] = field(default_factory=set)


class Namespace:
    """The state of one interpretation.

    `lookup` tells what stands above the step under a name; `later` has the names that the step binds anywhere, which
    deferred code (lambdas, callbacks) may still find bound when it runs.
    """

    def __init__(self, lookup: Lookup, later: frozenset[str] = frozenset(), notebook: Whole = Whole()) -> None:
        self.lookup = lookup
        self.later = later
        self.methods = notebook.methods
        self.seeded = notebook.seeded
        self.notebook = notebook
        self.run = Run()
        self.state: State = {}
        self.scopes: list[Scope] = []
        self.alive = True
        self.forgiving = 0
        self.piece = 0
        self.owner = ""
        self.active: set[int] = set()
        self.bodies = Bodies()
        self.tainted: dict[str, frozenset[Definition]] = {}
        self.held: dict[str, Roots] = {}  # what objects from above were given to hold
        self.by_value: dict[int, Definition] = {}
        self.used: set[tuple[int, bool]] = set()  # definitions whose needs are noted, since a name was bound last

    def statements(self, body: Iterable[ast.stmt]) -> None:
        """Run statements in order: the subclass knows how."""
        raise NotImplementedError

    def body_summary(self, function: names.Function) -> Summary:
        """What a function's body does when it is called now: changes of its parameters stand under `<name>`."""
        raise NotImplementedError

    def branch(self, start: State, body: Callable[[], None]) -> State | None:
        """Run a branch from a state; its state at the end, or None where it never gets there."""
        self._go_on_from(dict(start))
        self.alive = True
        body()
        return self.state if self.alive else None

    def join(self, states: Iterable[State | None]) -> None:
        """Go on from wherever the living branches ended."""
        living = [s for s in states if s is not None]
        self.alive = bool(living)
        if living:
            self._go_on_from(joined(living))

    def _go_on_from(self, state: State) -> None:
        """Take up another state: what depends on names that stand for something else there is worked out anew."""
        if any(self.state.get(name) is not state.get(name) for name in self.bodies.asked):
            self.bodies.done.clear()
        self.state = state
        self.used.clear()

    def site(self, node: ast.AST) -> Site:
        return Site(
            self.piece,
            getattr(node, "lineno", 1),
            getattr(node, "col_offset", 0) + 1,
            getattr(node, "end_col_offset", None),
        )

    def local(self, name: str) -> Binding | None:
        """The binding of a name that is local to an enclosing function, comprehension or class body."""
        for index, scope in enumerate(reversed(self.scopes)):
            if name in scope.bindings and (index == 0 or not scope.transparent):
                return scope.bindings[name]
        return None

    def known(self, name: str) -> Known | None:
        """What is known of a name now: a local binding, one of this step, or what stands above."""
        here = self.local(name) or self.state.get(name)
        if here is None:
            return self.lookup(name)
        above = self.lookup(name) if here.status is Status.MAYBE else None
        if above is not None:
            return agreed([here.known, above])
        return here.known if here.status is not Status.DELETED else None

    def load(self, name: str, node: ast.AST, *, hard: bool = True, called: bool = False) -> None:
        """Read a name. `hard` reads fail without a value; a name bound perhaps is read softly from above."""
        if self.local(name) is not None:
            return
        here = self.state.get(name)
        if here is None or here.status is Status.MAYBE:
            self.note_read(name, node, hard and here is None and not self.forgiving)
        known = self.known(name)
        if known is not None:
            for definition in known.all_definitions():
                self.use(definition, node, hard=hard and called and definition is known.definition)

    def note_read(self, name: str, node: ast.AST, hard: bool) -> None:
        old = self.run.reads.get(name)
        if old is None:
            self.run.reads[name] = Read(name, self.site(node), hard, self.owner)
        elif hard and not old.hard:
            self.run.reads[name] = replace(old, hard=True, site=self.site(node), owner=self.owner)

    def use(self, definition: Definition, node: ast.AST, *, hard: bool) -> None:
        """A definition is referred to: its source must be here, and what its body reads must be there in time.

        Code that is only handed on may run later, so that names bound further down are not missed (`later`).
        """
        self.run.needs.setdefault(definition.key, definition)
        if id(definition) in self.active or (id(definition), hard) in self.used:
            return
        self.used.add((id(definition), hard))
        self.active.add(id(definition))
        for name, inner in definition.seen.items():
            if isinstance(inner.node, ast.ClassDef) or name in names.woven(definition.node):
                self.use(inner, node, hard=False)  # what it puts around this one, or in it, runs with this one
        owner, self.owner = self.owner, self.owner or definition.name
        for name in sorted(definition.lazy):
            self.load(name, node, hard=definition.calls_hard(name) and (hard or name not in self.later), called=hard)
        self.owner = owner
        self.active.discard(id(definition))

    def bind(self, name: str, binding: Binding) -> None:
        """Bind a name in the innermost scope that has it as a local, else in the step."""
        for index, scope in enumerate(reversed(self.scopes)):
            if name in scope.bindings and (index == 0 or not scope.transparent):
                scope.bindings[name] = binding
                return
        self.state[name] = binding
        self.used.clear()
        if name in self.bodies.asked:
            self.bodies.done.clear()

    def keep_in(self, name: str, roots: Roots) -> None:
        """The object behind a name holds others from now on."""
        for bindings in [scope.bindings for scope in reversed(self.scopes)] + [self.state]:
            if name in bindings:
                here = bindings[name]
                bindings[name] = replace(here, known=replace(here.known, roots={**roots, **here.known.roots}))
                return
        self.held[name] = {**roots, **self.held.get(name, {})}

    def bind_definition(self, definition: Definition) -> None:
        """Bind a name to a definition at the top level of the step."""
        self.run.made.setdefault(id(definition.statement), definition)
        self.bind(definition.name, Binding(Status.BOUND, definition.site, Known(definition=definition)))

    def definitions_among(self, wanted: Iterable[str]) -> dict[str, Definition]:
        """Those of the names that surely stand for a definition now."""
        sure = (n for n in wanted if n not in self.state or self.state[n].status is Status.BOUND)
        known = ((n, self.known(n)) for n in sure)
        return {n: k.definition for n, k in known if k is not None and k.definition is not None}

    def change(self, root: str, grade: Grade, node: ast.AST, reason: str) -> None:
        """Note that the object behind a root name changes in place."""
        if self.local(root) is not None and not root.startswith("<"):
            return
        self.run.stirred[root] = self.site(node)
        if grade is Grade.DEFINITE:
            self.run.touched[root] = self.site(node)
        here = self.state.get(root)
        known = here.known if here is not None and here.status is Status.BOUND else None
        still_above = known is not None and known.roots.get(root, Bond.PERHAPS) > Bond.PERHAPS  # `x = x or []`
        fresh = known is not None and known.definition is None and not still_above
        if not fresh:
            old = self.run.changes.get(root)
            if old is None or old.grade < grade:
                self.run.changes[root] = Change(root, grade, self.site(node), reason)

    def change_definition(self, name: str, node: ast.AST, reason: str) -> None:
        """Note that state kept in a function or class of the notebook changes."""
        known = self.known(name)
        if known is not None and known.definition is not None and known.definition.kind != "import":
            self.run.changes[name] = Change(name, Grade.DEFINITE, self.site(node), reason)

    def not_bound(self, wanted: Iterable[str]) -> frozenset[str]:
        """Those of the names that the step has not bound so far, nor perhaps."""
        return frozenset(n for n in wanted if n not in self.state or self.state[n].status is Status.DELETED)

    def summary(self) -> Summary:
        """What the code did, as a value."""
        run = self.run
        return Summary(
            dict(run.reads),
            {name: self._left(name, binding) for name, binding in self.state.items()},
            dict(run.changes),
            dict(run.needs),
            dict(self.tainted),
            dict(run.touched),
            dict(run.stirred),
            tuple(run.made.values()),
            frozenset(run.deep),
            dict(self.held),
        )

    def _left(self, name: str, binding: Binding) -> Binding:
        """A name at the end: one that is perhaps bound anew may be what stands above."""
        return replace(binding, known=self.known(name) or Known()) if binding.status is Status.MAYBE else binding


def joined(states: Sequence[State]) -> State:
    """Names bound in all branches are bound; bound in some, perhaps; what is known of them is what all agree on."""
    result: State = {}
    for name in dict.fromkeys(n for s in states for n in s):
        here = [s.get(name) for s in states]
        found = [b for b in here if b is not None]
        alike = len(found) == len(here) and len({b.status for b in found}) == 1
        status = found[0].status if alike else Status.MAYBE
        result[name] = Binding(status, found[0].site, agreed([b.known for b in found]))
    return result


def agreed(known: Sequence[Known]) -> Known:
    """What holds of a value that is one of several: what all agree on, and whatever any may share or need."""
    first = known[0]
    roots: Roots = {}
    for k in known:
        for root, bond in k.roots.items():
            roots[root] = max(bond, roots.get(root, bond))
    return Known(
        definition=first.definition if all(k.definition is first.definition for k in known) else None,
        type=first.type if all(k.type == first.type for k in known) else None,
        path=first.path if all(k.path == first.path for k in known) else None,
        taint=frozenset().union(*(k.taint | k.own() for k in known)) if len(known) > 1 else first.taint,
        roots=roots,
        node=first.node if all(k.node is first.node for k in known) else None,
        fixed=all(k.fixed for k in known),
        reuses=any(k.reuses for k in known),
    )
