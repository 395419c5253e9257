"""Connect: which version of each variable a step gets, and from which step (DESIGN, section 5).

Steps are taken in a topological order of the `prev:` edges, notebook order where those leave a choice. Each is run in
the abstract (`flow`) against what stands above it. A variable comes from the last ancestor that bound or changed it;
a step without `prev:` gets edges from those producers. Sets of steps are bit masks of positions in that order.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kalecompiler import names
from kalecompiler.facts import Definition, Grade, Known, Read, Site, Status, Summary
from kalecompiler.flow import Flow
from kalecompiler.preamble import Preamble


@dataclass(frozen=True, slots=True)
class Piece:
    """A cell's statements as a step runs them; `soft` are names that shell lines may read, by line."""

    statements: tuple[ast.stmt, ...]
    soft: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """What is connected: a step's name, its `prev:` names (None without any), its pieces, `changes:` tags."""

    name: str
    previous: tuple[str, ...] | None
    pieces: tuple[Piece, ...]
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A variable that a step gets from another; `early`: a carried definition reads it where it stands."""

    variable: str
    producer: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """A definition whose source a step gets from another step."""

    definition: Definition
    home: str


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong with a name: `kind` selects the rule, `unit` and `site` the place."""

    kind: str
    name: str
    unit: str
    site: Site
    others: tuple[str, ...] = ()
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Connected:
    """A step with its place in the graph: all that the plan needs to know of its data."""

    name: str
    after: tuple[str, ...]
    inputs: tuple[Link, ...]
    outputs: tuple[str, ...]
    absent: frozenset[str]
    parameters: frozenset[str]
    carried: tuple[Carried, ...]
    preamble: tuple[int, ...]
    guards: tuple[str, ...]
    summary: Summary


@dataclass(frozen=True, slots=True)
class Dataflow:
    """All steps in notebook order, and what is wrong."""

    steps: tuple[Connected, ...]
    problems: tuple[Problem, ...]


def cycle(edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The steps of a cycle of `prev:` edges (step -> its predecessors), or nothing."""
    import networkx

    graph = networkx.DiGraph((before, step) for step, befores in edges.items() for before in befores)
    try:
        return tuple(before for before, _ in networkx.find_cycle(graph))
    except networkx.NetworkXNoCycle:
        return ()


def _order(units: Sequence[Unit]) -> list[int]:
    """Indices of the units in a topological order of their `prev:` edges, the first in the notebook first."""
    if not any(u.previous for u in units):
        return list(range(len(units)))
    import networkx

    number = {u.name: i for i, u in enumerate(units)}
    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(units)))
    graph.add_edges_from((number[p], number[u.name]) for u in units for p in u.previous or () if p in number)
    return list(networkx.lexicographical_topological_sort(graph))


def connect(units: Sequence[Unit], preamble: Preamble, parameters: frozenset[str]) -> Dataflow:
    """Connect the steps; the `prev:` edges must be free of cycles and of unknown names."""
    extra: frozenset[tuple[int, int]] = frozenset()
    while True:
        connector = _Connector(units, preamble, parameters, extra)
        result = connector.connect()
        if connector.extra == extra:
            return result
        extra = connector.extra  # a step must be ordered after one that only the end showed it to need


@dataclass
class _Place:
    """A unit at its position, while it is being connected."""

    unit: Unit
    number: int
    above: int = 0
    summary: Summary = Summary({}, {}, {}, {})
    providers: dict[str, int] = field(default_factory=dict)
    early: dict[tuple[str, int], None] = field(default_factory=dict)
    carried: dict[str, Carried] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    outputs: set[str] = field(default_factory=set)
    guards: set[str] = field(default_factory=set)


class _Connector:
    """One pass over the steps. Positions index `places`; notebook numbers tell what came first in the notebook."""

    def __init__(
        self,
        units: Sequence[Unit],
        preamble: Preamble,
        parameters: frozenset[str],
        extra: frozenset[tuple[int, int]],
    ) -> None:
        self.preamble = preamble
        self.parameters = parameters
        self.extra = extra
        self.places = [_Place(units[i], i) for i in _order(units)]
        self.position = {p.unit.name: k for k, p in enumerate(self.places)}
        self.assigned: dict[str, int] = {}
        self.perhaps: dict[str, int] = {}
        self.homes: dict[int, int] = {}
        self.problems: list[Problem] = []
        self.methods = _method_names(units) | preamble.methods

    def connect(self) -> Dataflow:
        for position in range(len(self.places)):
            self._analyse(position)
            self._record(position)
        for position in range(len(self.places)):
            self._supply(position)
        self._satisfy_demands()
        self._check_state()
        ordered = sorted(self.places, key=lambda p: p.number)
        return Dataflow(tuple(self._connected(p) for p in ordered), tuple(self.problems))

    # -- first: what each step does, in order ------------------------------------------------------------------------

    def _analyse(self, position: int) -> None:
        place = self.places[position]
        unit = place.unit
        declared = [self.position[p] for p in unit.previous or ()]
        declared += [before for before, step in self.extra if step == position]
        for before in declared:
            place.above |= self.places[before].above | (1 << before)
        visible = place.above if unit.previous is not None else (1 << position) - 1
        place.summary = run_pieces(unit, lambda name: self._known(name, visible, place), self.methods)
        if unit.previous is None:
            for read in place.summary.reads.values():
                writers = self.assigned.get(read.name, 0) & visible
                if writers:
                    last = writers.bit_length() - 1
                    binding = self.places[last].summary.binds.get(read.name)
                    if binding is None or binding.known.definition is None:
                        place.above |= self.places[last].above | (1 << last)
        for read in place.summary.reads.values():
            self._resolve(position, read)

    def _known(self, name: str, visible: int, place: _Place) -> Known | None:
        """What stands above a step under a name: the last step that bound it, else the shared cells."""
        writers = self.assigned.get(name, 0) & visible
        while writers:
            last = writers.bit_length() - 1
            binding = self.places[last].summary.binds.get(name)
            if binding is not None and not self._is_shared_definition(last, name):
                tainted = self._taint_of_changes(name, visible & ~((1 << last) - 1))
                return _with_taint(binding.known, tainted)
            writers &= ~(1 << last)
        known = self.preamble.known(name)
        if known is None and name in self.parameters:
            known = Known(type=self.preamble.parameter_type(name))
        return known if known is None else _with_taint(known, self._taint_of_changes(name, visible))

    def _taint_of_changes(self, name: str, among: int) -> frozenset[Definition]:
        found: frozenset[Definition] = frozenset()
        for position in _bits((self.assigned.get(name, 0) | self.perhaps.get(name, 0)) & among):
            found |= self.places[position].summary.tainted.get(name, frozenset())
        return found

    def _record(self, position: int) -> None:
        """Enter what a step binds and changes into the tables of writers."""
        place = self.places[position]
        bit = 1 << position
        for name, binding in place.summary.binds.items():
            self.assigned[name] = self.assigned.get(name, 0) | bit
            if binding.known.definition is not None:
                self.homes.setdefault(id(binding.known.definition.statement), position)
        for name, change in place.summary.changes.items():
            known = self._state_holder(place, name)
            if known is not None and (known.definition is not None or known.path is not None):
                continue
            if change.grade is Grade.DEFINITE:
                self.assigned[name] = self.assigned.get(name, 0) | bit
            elif name not in place.summary.binds:
                self.perhaps[name] = self.perhaps.get(name, 0) | bit

    def _state_holder(self, place: _Place, name: str) -> Known | None:
        binding = place.summary.binds.get(name)
        return binding.known if binding is not None else self._known(name, place.above, place)

    # -- which step provides a name ----------------------------------------------------------------------------------

    def _resolve(self, position: int, read: Read) -> None:
        place = self.places[position]
        provider = self._provider(position, read.name, read)
        if provider is not None and self._is_shared_definition(provider, read.name):
            provider = None
        if provider is not None:
            place.providers[read.name] = provider
            self._warn_of_siblings(position, read, provider)
        elif read.name in self.preamble.binds:
            place.wanted.add(read.name)
            self._warn_of_siblings(position, read, -1)
        elif read.name in self.parameters:
            place.parameters.add(read.name)
            self._warn_of_siblings(position, read, -1)
        elif read.hard and not self.preamble.may_provide(read.name):
            self._missing(position, read)

    def _provider(self, position: int, name: str, read: Read | None = None) -> int | None:
        """The position of the step whose version of a name a step gets, or None."""
        place = self.places[position]
        writers = self.assigned.get(name, 0) & place.above
        if place.unit.previous is None:
            visible = self.assigned.get(name, 0) & ((1 << position) - 1)
            last = visible.bit_length() - 1
            writers = visible if visible and self._is_definition(last, name) else writers
        if not writers:
            start = None
        else:
            start = writers.bit_length() - 1
            rest = writers & ~(self.places[start].above | (1 << start))
            if rest and read is not None and place.unit.previous is not None:
                self._conflict(position, read, start, rest)
        above = self.perhaps.get(name, 0) & place.above
        if start is not None:
            above = sum(1 << q for q in _bits(above) if self.places[q].above >> start & 1)
        return self._last_sure(start, above)

    def _last_sure(self, start: int | None, possible: int) -> int | None:
        """The last version that every step which may have changed the variable stands on."""
        pool = possible | (1 << start if start is not None else 0)
        while pool:
            top = pool.bit_length() - 1
            if not pool & ~(self.places[top].above | (1 << top)):
                return top
            highest = [q for q in _bits(pool) if not any(self.places[r].above >> q & 1 for r in _bits(pool))]
            common = pool
            for q in highest:
                common &= self.places[q].above
            pool = common
        return start

    def _is_definition(self, position: int, name: str) -> bool:
        binding = self.places[position].summary.binds.get(name)
        return binding is not None and binding.known.definition is not None and binding.status is not Status.DELETED

    def _is_shared_definition(self, position: int, name: str) -> bool:
        """Whether a step only repeats what the imports and functions cells define under a name."""
        text = self._definition_text(position, name)
        known = self.preamble.known(name)
        return text is not None and known is not None and text == _text(known)

    def _conflict(self, position: int, read: Read, chosen: int, rest: int) -> None:
        """Two ancestors bind or change a name, neither above the other; equal definitions do not conflict."""
        text = self._definition_text(chosen, read.name)
        others = [q for q in _bits(rest) if text is None or self._definition_text(q, read.name) != text]
        if others:
            involved = tuple(sorted(self.places[q].unit.name for q in [chosen, *others]))
            self._problem("conflict", position, read, involved)

    def _definition_text(self, position: int, name: str) -> str | None:
        binding = self.places[position].summary.binds.get(name)
        return None if binding is None or binding.status is not Status.BOUND else _text(binding.known)

    def _warn_of_siblings(self, position: int, read: Read, provider: int) -> None:
        """In the notebook a step in between has already rebound what this step reads from further above."""
        place = self.places[position]
        after = self.places[provider].number if provider >= 0 else -1
        text = self._definition_text(provider, read.name) if provider >= 0 else None
        for q in _bits(self.assigned.get(read.name, 0) & ~place.above):
            other = self.places[q]
            if after < other.number < place.number and (text is None or self._definition_text(q, read.name) != text):
                self._problem("sibling", position, read, (other.unit.name,))

    def _missing(self, position: int, read: Read) -> None:
        place = self.places[position]
        makers = [
            q
            for q, p in enumerate(self.places)
            if q != position and (read.name in p.summary.binds or read.name in names.bound_names(_all(p.unit)))
        ]
        before = [self.places[q].unit.name for q in makers if self.places[q].number < place.number]
        after = [p.unit.name for p in self.places if p.number > place.number and read.name in _bound(p.unit)]
        if before:
            self._problem("unordered", position, read, (before[-1],))
        elif after:
            self._problem("too-early", position, read, (after[0],))
        elif read.name in _bound(place.unit):
            self._problem("unbound", position, read)
        else:
            self._problem("undefined", position, read)

    def _problem(self, kind: str, position: int, read: Read, others: tuple[str, ...] = ()) -> None:
        unit = self.places[position].unit.name
        self.problems.append(Problem(kind, read.name, unit, read.site, others, read.owner))

    # -- then: what each step gets -----------------------------------------------------------------------------------

    def _supply(self, position: int) -> None:
        place = self.places[position]
        for name, provider in sorted(place.providers.items()):
            binding = self.places[provider].summary.binds.get(name)
            definition = binding.known.definition if binding is not None else None
            if binding is not None and binding.status is Status.DELETED:
                read = place.summary.reads[name]
                if read.hard and not self.preamble.may_provide(name):
                    self._problem("deleted", position, read, (self.places[provider].unit.name,))
            elif definition is not None:
                self._carry(position, definition)
            else:
                self.places[provider].outputs.add(name)
            self._guard(position, name, provider)
        for name in sorted(place.summary.reads):
            if name not in place.providers:
                self._guard(position, name, -1)
        for definition in place.summary.needs.values():
            self._carry(position, definition)

    def _guard(self, position: int, name: str, provider: int) -> None:
        """Steps before this one in the notebook that may change what it reads, and whose version it does not get."""
        place = self.places[position]
        since = self.places[provider].number if provider >= 0 else -1
        for q in _bits(self.perhaps.get(name, 0)):
            other = self.places[q]
            stands_on = q == provider or (provider >= 0 and self.places[provider].above >> q & 1)
            if since < other.number < place.number and not stands_on:
                other.guards.add(name)

    def _carry(self, position: int, definition: Definition) -> None:
        """Give a step a definition's source, and what that reads where it stands."""
        place = self.places[position]
        home = self.homes.get(id(definition.statement))
        if home == position:
            return
        if home is None:
            place.wanted.add(definition.name)
            return
        key = f"{home:06d} {definition.site.piece:04d} {definition.site.line:06d} {definition.name}"
        if key in place.carried:
            return
        place.carried[key] = Carried(definition, self.places[home].unit.name)
        for name in definition.eager:
            self._carry_eager(position, home, definition, name)

    def _carry_eager(self, position: int, home: int, definition: Definition, name: str) -> None:
        """A name that a carried statement reads as it runs: in the version that its home step had then."""
        place, source = self.places[position], self.places[home]
        binding = source.summary.binds.get(name)
        own = binding is not None and name not in definition.outside
        if binding is not None and own and _before(binding.site, definition.site):
            if binding.known.definition is not None:
                self._carry(position, binding.known.definition)
                self._carry_lazy(position, home, binding.known.definition)
            else:
                source.outputs.add(name)
                place.early[name, home] = None
            return
        if own and name != definition.name:
            read = Read(name, definition.site, True, definition.name)
            self._problem("moved", home, read, (place.unit.name,))
        provider = source.providers.get(name)
        if provider is not None:
            inner = self.places[provider].summary.binds.get(name)
            if inner is not None and inner.known.definition is not None:
                self._carry(position, inner.known.definition)
            else:
                self.places[provider].outputs.add(name)
                place.early[name, provider] = None
        elif name in self.preamble.binds:
            place.wanted.add(name)
        elif name in self.parameters:
            place.parameters.add(name)

    def _carry_lazy(self, position: int, home: int, definition: Definition) -> None:
        """A decorator is called as its statement runs again, and then needs what its body reads."""
        for name in sorted(definition.lazy):
            if name != definition.name:
                self._carry_eager(position, home, definition, name)

    def _satisfy_demands(self) -> None:
        """A step that may leave a variable alone hands on the version from above, and so must have it."""
        work = [(q, name) for q, p in enumerate(self.places) for name in sorted(p.outputs)]
        while work:
            q, name = work.pop()
            place = self.places[q]
            binding = place.summary.binds.get(name)
            if binding is None or binding.status is not Status.MAYBE or name in place.providers:
                continue
            if place.unit.previous is None:
                older = self.assigned.get(name, 0) & ((1 << q) - 1)
                if older and not place.above >> (older.bit_length() - 1) & 1:
                    self.extra |= {(older.bit_length() - 1, q)}
                    continue
            provider = self._provider(q, name)
            if provider is not None:
                place.providers[name] = provider
                inner = self.places[provider].summary.binds.get(name)
                if inner is not None and inner.known.definition is not None:
                    self._carry(q, inner.known.definition)
                else:
                    self.places[provider].outputs.add(name)
                    work.append((provider, name))
            elif name in self.preamble.binds:
                place.wanted.add(name)
            elif name in self.parameters:
                place.parameters.add(name)

    def _check_state(self) -> None:
        """State kept in a function or class would be lost where its source runs again."""
        for position, place in enumerate(self.places):
            for name, change in place.summary.changes.items():
                if change.grade is not Grade.DEFINITE:
                    continue
                known = self._state_holder(place, name)
                definition = known.definition if known is not None else None
                if definition is None or definition.kind == "import":
                    continue
                users = [p.unit.name for p in self.places if p is not place and self._uses(p, definition)]
                if users:
                    read = Read(name, change.site, True)
                    self._problem("state", position, read, tuple(users))

    def _uses(self, place: _Place, definition: Definition) -> bool:
        carried = any(c.definition.statement is definition.statement for c in place.carried.values())
        return carried or definition.key in place.summary.needs

    def _connected(self, place: _Place) -> Connected:
        unit, summary = place.unit, place.summary
        links = {(name, p): False for name, p in place.providers.items() if self._is_variable(p, name)}
        links |= dict.fromkeys(place.early, True)
        producers = {self.places[p].unit.name for _, p in links}
        absent = {n for n in place.outputs if n in summary.binds and summary.binds[n].status is Status.MAYBE}
        chosen, needed = self.preamble.select(place.wanted)
        preamble_parameters = {n for n in needed if n in self.parameters}
        return Connected(
            name=unit.name,
            after=tuple(sorted(producers if unit.previous is None else set(unit.previous))),
            inputs=tuple(Link(n, self.places[p].unit.name, e) for (n, p), e in sorted(links.items())),
            outputs=tuple(sorted(place.outputs)),
            absent=frozenset(absent),
            parameters=frozenset(place.parameters | preamble_parameters),
            carried=tuple(place.carried[k] for k in sorted(place.carried)),
            preamble=chosen,
            guards=tuple(sorted(place.guards - place.outputs)),
            summary=summary,
        )

    def _is_variable(self, position: int, name: str) -> bool:
        binding = self.places[position].summary.binds.get(name)
        return binding is None or (binding.known.definition is None and binding.status is not Status.DELETED)


def run_pieces(unit: Unit, lookup: object, methods: frozenset[str]) -> Summary:
    """Interpret a step's pieces in order against what `lookup` tells of the names above."""
    flow = Flow(lookup, _bound(unit), methods)  # type: ignore[arg-type]
    for index, piece in enumerate(unit.pieces):
        flow.piece = index
        soft = list(piece.soft)
        for statement in piece.statements:
            flow.alive = True
            while soft and soft[0][0] <= (statement.end_lineno or 0):
                line, name = soft.pop(0)
                flow.load(name, ast.Pass(lineno=line, col_offset=0), hard=False)
            flow.statement(statement)
    for name in unit.changes:
        marker = ast.Pass(lineno=1, col_offset=0)
        flow.load(name, marker, hard=False)
        flow.change(name, Grade.DEFINITE, marker, "a tag `changes:` says so")
    return flow.summary()


def _all(unit: Unit) -> Iterator[ast.stmt]:
    return (s for p in unit.pieces for s in p.statements)


def _bound(unit: Unit) -> frozenset[str]:
    return names.bound_names(_all(unit))


def _method_names(units: Iterable[Unit]) -> frozenset[str]:
    return names.method_names(s for u in units for s in _all(u))


def _with_taint(known: Known, taint: frozenset[Definition]) -> Known:
    if taint <= known.taint:
        return known
    return Known(known.definition, known.type, known.path, known.taint | taint, known.roots, known.node)


def _text(known: Known) -> str | None:
    """A definition as text: equal texts define the same."""
    if known.definition is None:
        return None
    return known.path or ast.dump(known.definition.statement)


def _before(first: Site, second: Site) -> bool:
    return (first.piece, first.line) <= (second.piece, second.line)


def _bits(mask: int) -> Iterator[int]:
    """The positions in a mask, from the last to the first."""
    while mask:
        top = mask.bit_length() - 1
        yield top
        mask &= ~(1 << top)
