"""What the analysis of a step finds out, as frozen values: reads, bindings, changes, definitions."""

from __future__ import annotations

import ast
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from kalecompiler import names, trees


class Bond(enum.IntEnum):
    """How a value hangs together with the object of a name."""

    HELD = -1  # it was put into what the name stands for, which may change and leave it alone
    PERHAPS = 0  # a call that got it may have kept or returned it
    PART = 1  # it is a part, a view, or a container of it
    SAME = 2


#: Names whose objects a value may share, and how.
Roots = dict[str, Bond]


class Grade(enum.IntEnum):
    """How sure it is that an object changes in place."""

    POSSIBLE = 1
    DEFINITE = 2


class Status(enum.Enum):
    """Whether a name is bound at the end of a piece of code."""

    BOUND = "bound"
    MAYBE = "maybe"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Site:
    """A place in a step: the index of the piece of code, line and columns from 1 in it."""

    piece: int
    line: int
    column: int
    end: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """A statement that a later step gets as source: a function, class, import, named lambda, or a choice of them.

    `lazy` are the module-level names its bodies read when they run, `eager` those it reads where it stands. Of these,
    `outside` are not bound by its step at that point, `seen` are definitions there, and `holds` are the variables of
    whose objects it keeps a part. `idle` are the numbers of decorators that have done their work: it is registered.
    A function that has no statement of its own, and goes by value, is of the kind "value". `repeats` is a call in a
    default, or in a class body, that changes something each time the statement runs.
    """

    name: str
    kind: str
    statement: ast.stmt
    site: Site
    lazy: frozenset[str] = frozenset()
    eager: tuple[str, ...] = ()
    node: ast.AST | None = None
    outside: frozenset[str] = frozenset()
    repeats: str = ""
    seen: Mapping[str, Definition] = field(default_factory=dict)
    holds: frozenset[str] = frozenset()
    idle: frozenset[int] = frozenset()

    @property
    def key(self) -> tuple[str, str]:
        return self.name, str(id(self.statement))

    def calls_hard(self, name: str) -> bool:
        """Whether a name that the body reads must exist when it is called: read on every way through the body."""
        if not isinstance(self.node, names.FUNCTIONS):
            return False
        return name in _certain_loads(self.node)


@lru_cache(4096)
def _certain_loads(function: names.Function) -> frozenset[str]:
    """Names loaded by the simple statements of a function's own block, which run whenever it is called."""
    found: set[str] = set()
    for statement in names.body_of(function):
        if isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Return):
            found |= {n.id for n in trees.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        elif isinstance(statement, ast.For | ast.With | ast.If | ast.While):
            head = [statement.iter] if isinstance(statement, ast.For) else []
            head += [i.context_expr for i in statement.items] if isinstance(statement, ast.With) else []
            head += [statement.test] if isinstance(statement, ast.If | ast.While) else []
            found |= {n.id for h in head for n in trees.walk(h) if isinstance(n, ast.Name)}
        if isinstance(statement, ast.Return | ast.Raise | ast.If | ast.Try):
            break
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a value: its definition, coarse type, module path, the definitions its parts may need."""

    definition: Definition | None = None
    type: str | None = None
    path: str | None = None
    taint: frozenset[Definition] = frozenset()
    roots: Mapping[str, Bond] = field(default_factory=dict)
    node: ast.AST | None = None
    fixed: bool = False  # an estimator with a seed of its own
    reuses: bool = False  # one that may work in its argument

    def own(self) -> frozenset[Definition]:
        return frozenset({self.definition}) if self.definition else frozenset()

    def all_definitions(self) -> tuple[Definition, ...]:
        """Its own definition and those that loading it needs, in a stable order."""
        return tuple(sorted(self.own() | self.taint, key=lambda d: (d.name, d.site.piece, d.site.line)))


@dataclass(frozen=True, slots=True)
class Binding:
    """A name at the end of a piece of code."""

    status: Status
    site: Site
    known: Known = Known()

    def given_anew(self, name: str) -> bool:
        """Whether this gives the name to another object, or deletes it: not `x = x or []`, nor `x += y`, nor perhaps.

        `x = x + [1]` does: the new list only holds what the old one held.
        """
        if self.status is Status.MAYBE:
            return False
        return self.status is Status.DELETED or self.known.roots.get(name, Bond.HELD) is Bond.HELD


@dataclass(frozen=True, slots=True)
class Read:
    """A name read from above, in the function `owner` if any; a soft read (not `hard`) is content with nothing."""

    name: str
    site: Site
    hard: bool
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """An object from above changed in place, under the name that it has there."""

    name: str
    grade: Grade
    site: Site
    reason: str


@dataclass(frozen=True, slots=True)
class Summary:
    """All that a step does to names.

    `touched` is where it last changed an object for certain, its own ones too, and `stirred` where it did so perhaps;
    `made` are the definitions that it runs, those too that it replaces further down. Of the changed objects, those of
    `deep` are changed in an inner part, which a shallow copy shares; `held` is what objects were given to hold.
    `company` has the names that it reads or changes only because they stand with others in a `together:` tag.
    """

    reads: Mapping[str, Read]
    binds: Mapping[str, Binding]
    changes: Mapping[str, Change]
    needs: Mapping[tuple[str, str], Definition]
    tainted: Mapping[str, frozenset[Definition]] = field(default_factory=dict)
    touched: Mapping[str, Site] = field(default_factory=dict)
    stirred: Mapping[str, Site] = field(default_factory=dict)
    made: tuple[Definition, ...] = ()
    deep: frozenset[str] = frozenset()
    held: Mapping[str, Roots] = field(default_factory=dict)
    company: frozenset[str] = frozenset()


def strongest(several: Iterable[Roots]) -> Roots:
    """All roots of several values, each with its strongest bond."""
    found: Roots = {}
    for roots in several:
        for root, bond in roots.items():
            found[root] = max(bond, found.get(root, bond))
    return found


def within(roots: Roots) -> Roots:
    """The roots of a part of a value, which may be what that holds."""
    return {root: max(bond, Bond.PERHAPS) for root, bond in roots.items()}
