"""Versions: which steps bound or changed a name, and whose version of it a step gets.

Sets of steps are bit masks of their positions in a topological order; `Versions` is filled step by step in that order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from kalecompiler import names
from kalecompiler.draws import VARIABLES
from kalecompiler.facts import Definition, Grade, Known, Read, Site, Status, Summary
from kalecompiler.preamble import Preamble


@dataclass(frozen=True, slots=True)
class Piece:
    """A cell's statements as a step runs them; `soft` are names that shell lines may read, by line."""

    statements: tuple[ast.stmt, ...]
    soft: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """What is connected: a step's name, its `prev:` names (None without any), its pieces, `changes:` and `together:`
    tags, and the shared cells as it finds them, where these differ from the whole of them."""

    name: str
    previous: tuple[str, ...] | None
    pieces: tuple[Piece, ...]
    changes: tuple[str, ...] = ()
    together: tuple[tuple[str, ...], ...] = ()
    preamble: Preamble | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a name: `kind` selects the rule, `unit` and `site` the place."""

    kind: str
    name: str
    unit: str
    site: Site
    others: tuple[str, ...] = ()
    owner: str = ""


@dataclass
class Place:
    """A unit at its position, while it is being connected.

    `early` has what carried statements read, and whether they only change it on their way, and keep nothing of it.
    `carried` has definitions of other steps with their homes, by what sorts them; the ids of statements that it needs
    from the imports and functions cells are `shared`, its own that others could take for another's `own`. The carried
    ones that come without their defaults are `bare`; `bound_first` has names to be bound before one runs, with the
    variable that holds the value; `kept` are assignments to such variables, as (piece, line, text).
    """

    unit: Unit
    number: int
    above: int = 0
    summary: Summary = Summary({}, {}, {}, {})
    providers: dict[str, int] = field(default_factory=dict)
    early: dict[tuple[str, int], bool] = field(default_factory=dict)
    carried: dict[str, tuple[Definition, int]] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    guards: set[str] = field(default_factory=set)
    shared: set[int] = field(default_factory=set)
    own: set[int] = field(default_factory=set)
    bare: set[int] = field(default_factory=set)
    kept: set[tuple[int, int, str]] = field(default_factory=set)
    bound_first: dict[str, dict[str, str]] = field(default_factory=dict)
    followed: set[tuple[int, int]] = field(default_factory=set)


class Versions:
    """The writers of every name so far."""

    def __init__(self, places: Sequence[Place], preamble: Preamble, parameters: frozenset[str]) -> None:
        self.places = places
        self.preamble = preamble
        self.parameters = parameters
        self.gathering = sum(1 << position for position, place in enumerate(places) if place.unit.together)
        self.anew: dict[str, int] = {}
        self.assigned: dict[str, int] = {}
        self.bound: dict[str, int] = {}
        self.tainted: dict[str, int] = {}
        self.perhaps: dict[str, int] = {}
        self.homes: dict[int, int] = {}
        self.problems: list[Problem] = []

    def shared(self, place: Place) -> Preamble:
        """The imports and functions cells as a step finds them."""
        return place.unit.preamble or self.preamble

    def known(self, name: str, place: Place, visible: int) -> Known | None:
        """What stands above a step under a name: the last step that bound it, else the shared cells."""
        for last in bits(self.bound.get(name, 0) & visible):
            if not self.is_shared_definition(last, name):
                tainted = self.taint_of_changes(name, visible & ~((1 << last) - 1))
                return _with_taint(self.places[last].summary.binds[name].known, tainted)
        known = self.shared(place).known(name)
        if known is None and name in self.parameters:
            known = Known(type=self.preamble.parameter_type(name))
        return known if known is None else _with_taint(known, self.taint_of_changes(name, visible))

    def taint_of_changes(self, name: str, among: int) -> frozenset[Definition]:
        found: frozenset[Definition] = frozenset()
        for position in bits(self.tainted.get(name, 0) & among):
            found |= self.places[position].summary.tainted.get(name, frozenset())
        return found

    def record(self, position: int) -> None:
        """Enter what a step binds and changes into the tables of writers."""
        place = self.places[position]
        bit = 1 << position
        for name, binding in place.summary.binds.items():
            self.assigned[name] = self.assigned.get(name, 0) | bit
            self.bound[name] = self.bound.get(name, 0) | bit
            if self.gathering and binding.given_anew(name):
                self.anew[name] = self.anew.get(name, 0) | bit
            if binding.known.definition is not None:
                self.homes.setdefault(id(binding.known.definition.statement), position)
        top = {id(s) for s in statements(place.unit)}
        for definition in place.summary.made:
            if id(definition.statement) in top:
                self.homes.setdefault(id(definition.statement), position)
        for name in place.summary.tainted:
            self.tainted[name] = self.tainted.get(name, 0) | bit
        for name, change in place.summary.changes.items():
            known = self.holder(place, name)
            if known is not None and (known.definition is not None or known.path is not None):
                continue
            if change.grade is Grade.DEFINITE:
                self.assigned[name] = self.assigned.get(name, 0) | bit
            elif name not in place.summary.binds:
                self.perhaps[name] = self.perhaps.get(name, 0) | bit

    def title(self, definition: Definition) -> str:
        """A definition's name, numbered where its step makes several of it."""
        home = self.homes[id(definition.statement)]
        made = [id(d.statement) for d in self.places[home].summary.made if d.name == definition.name]
        number = made.index(id(definition.statement)) if id(definition.statement) in made else 0
        return definition.name + (f"_{number + 1}" if number else "")

    def holder(self, place: Place, name: str) -> Known | None:
        binding = place.summary.binds.get(name)
        return binding.known if binding is not None else self.known(name, place, place.above)

    def provider(self, position: int, name: str, read: Read | None = None) -> int | None:
        """The position of the step whose version of a name a step gets, or None."""
        place = self.places[position]
        writers = self.assigned.get(name, 0) & place.above
        if place.unit.previous is None:
            visible = self.assigned.get(name, 0) & ((1 << position) - 1)
            last = visible.bit_length() - 1
            writers = visible if visible and self.is_definition(last, name) else writers
        if not writers:
            start = None
        else:
            start = writers.bit_length() - 1
            rest = writers & ~(self.places[start].above | (1 << start))
            if rest and read is not None and place.unit.previous is not None:
                self._conflict(position, read, start, rest)
        above = self.perhaps.get(name, 0) & place.above
        if start is not None:
            above = sum(1 << q for q in bits(above) if self.places[q].above >> start & 1)
        return self._last_sure(start, above)

    def _last_sure(self, start: int | None, possible: int) -> int | None:
        """The last version that every step which may have changed the variable stands on."""
        pool = possible | (1 << start if start is not None else 0)
        while pool:
            top = pool.bit_length() - 1
            if not pool & ~(self.places[top].above | (1 << top)):
                return top
            highest = [q for q in bits(pool) if not any(self.places[r].above >> q & 1 for r in bits(pool))]
            common = pool
            for q in highest:
                common &= self.places[q].above
            pool = common
        return start

    def is_definition(self, position: int, name: str) -> bool:
        binding = self.places[position].summary.binds.get(name)
        return binding is not None and binding.known.definition is not None and binding.status is not Status.DELETED

    def is_shared_definition(self, position: int, name: str) -> bool:
        """Whether a step only repeats what the imports and functions cells define under a name."""
        if name in self.preamble.repeated:
            return False
        text = self._definition_text(position, name)
        known = self.preamble.known(name)
        return text is not None and known is not None and text == _text(known)

    def is_definition_everywhere(self, name: str) -> bool:
        """Whether every step that binds a name binds it to a function, class or module."""
        return all(self.is_definition(q, name) for q in bits(self.assigned.get(name, 0)))

    def _conflict(self, position: int, read: Read, chosen: int, rest: int) -> None:
        """Two ancestors bind or change a name, neither above the other; equal definitions do not conflict."""
        text = self._definition_text(chosen, read.name)
        others = [q for q in bits(rest) if text is None or self._definition_text(q, read.name) != text]
        if read.name in VARIABLES:
            return
        if others:
            involved = tuple(sorted(self.places[q].unit.name for q in [chosen, *others]))
            self.problem("conflict", position, read, involved)

    def _definition_text(self, position: int, name: str) -> str | None:
        binding = self.places[position].summary.binds.get(name)
        return None if binding is None or binding.status is not Status.BOUND else _text(binding.known)

    def warn_of_siblings(self, position: int, read: Read, provider: int) -> None:
        """In the notebook a step in between has already rebound what this step reads from further above."""
        place = self.places[position]
        after = self.places[provider].number if provider >= 0 else -1
        text = self._definition_text(provider, read.name) if provider >= 0 else None
        drawn = self.perhaps.get(read.name, 0) if read.name in VARIABLES else 0
        for q in bits((self.assigned.get(read.name, 0) | drawn) & ~place.above):
            other = self.places[q]
            if read.name in VARIABLES and after < other.number < place.number:
                self.problem("random", position, read, (other.unit.name,))
            elif after < other.number < place.number and (text is None or self._definition_text(q, read.name) != text):
                self.problem("sibling", position, read, (other.unit.name,))

    def warn_of_star(self, position: int, read: Read) -> None:
        """What a step reads may come from a star import, and in the notebook it is a variable of a step before it."""
        place = self.places[position]
        for q in bits(self.bound.get(read.name, 0) & ~place.above):
            if self.places[q].number < place.number and self.is_variable(q, read.name):
                self.problem("sibling", position, read, (self.places[q].unit.name,))
                return

    def missing(self, position: int, read: Read) -> None:
        place = self.places[position]
        makers = [
            q
            for q, p in enumerate(self.places)
            if q != position and (read.name in p.summary.binds or read.name in names.bound_names(statements(p.unit)))
        ]
        before = [self.places[q].unit.name for q in makers if self.places[q].number < place.number]
        after = [p.unit.name for p in self.places if p.number > place.number and read.name in bound(p.unit)]
        if before:
            self.problem("unordered", position, read, (before[-1],))
        elif after:
            self.problem("too-early", position, read, (after[0],))
        elif read.name in bound(place.unit):
            self.problem("unbound", position, read)
        else:
            self.problem("undefined", position, read)

    def problem(self, kind: str, position: int, read: Read, others: tuple[str, ...] = ()) -> None:
        unit = self.places[position].unit.name
        self.problems.append(Problem(kind, read.name, unit, read.site, others, read.owner))

    def is_variable(self, position: int, name: str) -> bool:
        binding = self.places[position].summary.binds.get(name)
        return binding is None or (binding.known.definition is None and binding.status is not Status.DELETED)


def statements(unit: Unit) -> Iterator[ast.stmt]:
    return (s for p in unit.pieces for s in p.statements)


def bound(unit: Unit) -> frozenset[str]:
    return names.bound_names(statements(unit))


def _with_taint(known: Known, taint: frozenset[Definition]) -> Known:
    if taint <= known.taint:
        return known
    return replace(known, taint=known.taint | taint)


def _text(known: Known) -> str | None:
    """A definition as text: equal texts define the same."""
    if known.definition is None:
        return None
    return known.path or ast.dump(known.definition.statement)


def before(first: Site, second: Site) -> bool:
    return (first.piece, first.line) <= (second.piece, second.line)


def bits(mask: int) -> Iterator[int]:
    """The positions in a mask, from the last to the first."""
    while mask:
        top = mask.bit_length() - 1
        yield top
        mask &= ~(1 << top)
