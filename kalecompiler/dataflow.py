"""Connect: which version of each variable a step gets, and from which step.

Steps are taken in a topological order of the `prev:` edges, notebook order where those leave a choice. Each is run in
the abstract (`flow`) against what stands above it. A variable comes from the last ancestor that bound or changed it;
a step without `prev:` gets edges from those producers. Sets of steps are bit masks of positions in that order.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from kalecompiler import names
from kalecompiler.aliases import lost_bonds
from kalecompiler.calls import method
from kalecompiler.draws import VARIABLES
from kalecompiler.facts import Definition, Grade, Read, Site, Status, Summary
from kalecompiler.flow import Flow
from kalecompiler.internal import defaults_can_travel, defaults_variable, is_internal
from kalecompiler.namespace import Lookup, Whole
from kalecompiler.preamble import Preamble
from kalecompiler.stateful import is_cached, keeps_in_decorator, kept_state, may_keep_state
from kalecompiler.versions import Place, Problem, Unit, Versions, before, bits, bound, statements


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
    apart: tuple[str, ...]
    summary: Summary


@dataclass(frozen=True, slots=True)
class Dataflow:
    """All steps in notebook order, and what is wrong."""

    steps: tuple[Connected, ...]
    problems: tuple[Problem, ...]


def _order(units: Sequence[Unit]) -> list[int]:
    """Indices of the units in a topological order of their `prev:` edges, the first in the notebook first."""
    number = {u.name: i for i, u in enumerate(units)}
    if all(number.get(p, i) <= i for i, u in enumerate(units) for p in u.previous or ()):
        return list(range(len(units)))  # notebook order is one already: networkx takes long to import
    import networkx

    graph = networkx.DiGraph()
    graph.add_nodes_from(range(len(units)))
    graph.add_edges_from((number[p], number[u.name]) for u in units for p in u.previous or () if p in number)
    return list(networkx.lexicographical_topological_sort(graph))


def connect(units: Sequence[Unit], preamble: Preamble, parameters: frozenset[str], notebook: Whole) -> Dataflow:
    """Connect the steps; the `prev:` edges must be free of cycles and of unknown names."""
    extra: frozenset[tuple[int, int]] = frozenset()
    while True:
        connector = _Connector(units, preamble, parameters, notebook, extra)
        result = connector.connect()
        if connector.extra == extra:
            return result
        extra = connector.extra  # a step must be ordered after one that only the end showed it to need


class _Connector:
    """One pass over the steps. Positions index `places`; notebook numbers tell what came first in the notebook."""

    def __init__(
        self,
        units: Sequence[Unit],
        preamble: Preamble,
        parameters: frozenset[str],
        notebook: Whole,
        extra: frozenset[tuple[int, int]],
    ) -> None:
        self.preamble = preamble
        self.parameters = parameters
        self.notebook = notebook
        self.extra = extra
        self.places = [Place(units[i], i) for i in _order(units)]
        self.position = {p.unit.name: k for k, p in enumerate(self.places)}
        self.versions = Versions(self.places, preamble, parameters)
        self.stale: list[tuple[int, int, str]] = []  # who may change, who reads the version above that, what

    def connect(self) -> Dataflow:
        for position in range(len(self.places)):
            self._analyse(position)
            self.versions.record(position)
        for position in range(len(self.places)):
            self._supply(position)
        self._satisfy_demands()
        self._warn_of_stale_reads()
        self._check_state()
        self.versions.problems += lost_bonds(self.places)
        ordered = sorted(self.places, key=lambda p: p.number)
        return Dataflow(tuple(self._connected(p) for p in ordered), tuple(self.versions.problems))

    # -- first: what each step does, in order ------------------------------------------------------------------------

    def _analyse(self, position: int) -> None:
        place = self.places[position]
        unit = place.unit
        declared = [self.position[p] for p in unit.previous or ()]
        declared += [earlier for earlier, step in self.extra if step == position]
        for earlier in declared:
            place.above |= self.places[earlier].above | (1 << earlier)
        visible = place.above if unit.previous is not None else (1 << position) - 1
        lookup = cache(lambda name: self.versions.known(name, visible))
        place.summary = run_pieces(unit, lookup, self.notebook)
        if unit.previous is None:
            for read in place.summary.reads.values():
                writers = self.versions.assigned.get(read.name, 0) & visible
                if writers:
                    last = writers.bit_length() - 1
                    binding = self.places[last].summary.binds.get(read.name)
                    if binding is None or binding.known.definition is None:
                        place.above |= self.places[last].above | (1 << last)
        for read in place.summary.reads.values():
            self._resolve(position, read)

    # -- which step provides a name ----------------------------------------------------------------------------------

    def _resolve(self, position: int, read: Read) -> None:
        place = self.places[position]
        provider = self.versions.provider(position, read.name, read)
        if provider is not None and self.versions.is_shared_definition(provider, read.name):
            provider = None
        if provider is not None:
            place.providers[read.name] = provider
            self.versions.warn_of_siblings(position, read, provider)
        elif read.name in self.preamble.binds:
            place.wanted.add(read.name)
            self.versions.warn_of_siblings(position, read, -1)
        elif read.name in self.parameters:
            place.parameters.add(read.name)
            self.versions.warn_of_siblings(position, read, -1)
        elif read.hard and not self.preamble.may_provide(read.name):
            self.versions.missing(position, read)

    # -- then: what each step gets -----------------------------------------------------------------------------------

    def _supply(self, position: int) -> None:
        place = self.places[position]
        for name, provider in sorted(place.providers.items()):
            binding = self.places[provider].summary.binds.get(name)
            definition = binding.known.definition if binding is not None else None
            if binding is not None and binding.status is Status.DELETED:
                read = place.summary.reads[name]
                if read.hard and not self.preamble.may_provide(name):
                    self.versions.problem("deleted", position, read, (self.places[provider].unit.name,))
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
        if name in VARIABLES:
            return
        stood_on = self.places[provider].above | (1 << provider) if provider >= 0 else 0
        for q in bits(self.versions.perhaps.get(name, 0) & ~stood_on):
            if since < self.places[q].number < place.number:
                self.places[q].guards.add(name)
                self.stale.append((q, position, name))

    def _warn_of_stale_reads(self) -> None:
        """A step that hands on what it may have changed cannot be checked to have left it alone for its siblings."""
        for q, position, name in self.stale:
            read = self.places[position].summary.reads.get(name)
            if name in self.places[q].outputs and read is not None:
                self.versions.problem("sibling", position, read, (self.places[q].unit.name,))

    def _carry(self, position: int, definition: Definition) -> None:
        """Give a step a definition's source, and what that reads where it stands."""
        place = self.places[position]
        home = self.versions.homes.get(id(definition.statement))
        if home == position:
            return
        if home is None:
            place.wanted.add(definition.name)
            return
        if self._clashes(position, definition):
            return
        if definition.repeats:
            read = Read(definition.name, definition.site, True, definition.repeats)
            self.versions.problem("repeats", home, read, (place.unit.name,))
        key = f"{home:06d} {definition.site.piece:04d} {definition.site.line:06d} {definition.name}"
        if key in place.carried:
            return
        place.carried[key] = (definition, home)
        for name in definition.eager:
            self._carry_eager(position, home, definition, name)

    def _clashes(self, position: int, definition: Definition) -> bool:
        """Whether a step needs two functions or classes of one name: pickle could not tell them apart."""
        place = self.places[position]
        text = ast.dump(definition.statement)
        for other, _ in place.carried.values():
            if other.name == definition.name and other.kind != "import" and ast.dump(other.statement) != text:
                read = Read(definition.name, definition.site, True)
                origin = self.versions.homes[id(definition.statement)]
                self.versions.problem("ambiguous", origin, read, (place.unit.name,))
                return True
        return False

    def _carry_eager(self, position: int, home: int, definition: Definition, name: str) -> None:
        """A name that a carried statement reads as it runs: in the version that its home step had then."""
        place, source = self.places[position], self.places[home]
        binding = source.summary.binds.get(name)
        own = binding is not None and name not in definition.outside
        if binding is not None and own and before(binding.site, definition.site):
            if binding.known.definition is not None:
                self._carry(position, binding.known.definition)
                self._carry_lazy(position, home, binding.known.definition)
            else:
                source.outputs.add(name)
                place.early[name, home] = None
            return
        if binding is not None and own and name != definition.name:
            if defaults_can_travel(definition) and binding.status is Status.BOUND and not binding.known.definition:
                self._hand_on_defaults(position, home, definition)
                source.outputs.add(name)
                place.early[name, home] = None
                return
            read = Read(name, definition.site, True, definition.name)
            self.versions.problem("moved", home, read, (place.unit.name,))
        provider = source.providers.get(name)
        if provider is not None:
            inner = self.places[provider].summary.binds.get(name)
            if inner is not None and inner.known.definition is not None:
                self._carry(position, inner.known.definition)
                self._carry_lazy(position, home, inner.known.definition)
            else:
                self.places[provider].outputs.add(name)
                place.early[name, provider] = None
        elif name in self.preamble.binds:
            self._carry_shared(position, home, name)
        elif name in self.parameters:
            place.parameters.add(name)

    def _hand_on_defaults(self, position: int, home: int, definition: Definition) -> None:
        """Running a function's statement again would give it other defaults: hand on those that it was made with."""
        variable = defaults_variable(definition.name)
        self.places[home].outputs.add(variable)
        self.places[position].providers[variable] = home

    def _carry_shared(self, position: int, home: int, name: str) -> None:
        """A name of the shared cells that a carried statement uses, with what its body reads if it is called."""
        place = self.places[position]
        place.wanted.add(name)
        known = self.preamble.known(name)
        if (name, home) in place.followed:
            return
        place.followed.add((name, home))
        if known is not None and known.definition is not None:
            self._carry_lazy(position, home, known.definition)

    def _carry_lazy(self, position: int, home: int, definition: Definition) -> None:
        """A decorator is called as its statement runs again, and then needs what its body reads."""
        for name in sorted(_read_when_used(definition)):
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
                older = self.versions.assigned.get(name, 0) & ((1 << q) - 1)
                if older and not place.above >> (older.bit_length() - 1) & 1:
                    self.extra |= {(older.bit_length() - 1, q)}
                    continue
            provider = self.versions.provider(q, name)
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
                known = self.versions.holder(place, name)
                definition = known.definition if known is not None else None
                if definition is None or definition.kind == "import":
                    continue
                users = [p.unit.name for p in self.places if p is not place and self._uses(p, definition)]
                if users:
                    read = Read(name, change.site, True)
                    self.versions.problem("state", position, read, tuple(users))

        self._check_kept_state()

    def _apart(self, place: Place) -> tuple[str, ...]:
        """The outputs of a step that must not share an object, as a step after it changes one of them in place."""
        later = [p for p in self.places if p.number > place.number]
        names_ = sorted(n for n in place.outputs if not is_internal(n))
        changed = any(n in p.summary.changes for p in later for n in names_)
        return tuple(names_) if changed and len(names_) > 1 else ()

    def _check_kept_state(self) -> None:
        """Functions and classes whose own code changes what they keep, used by more than one step."""
        found = {key: d for p in self.places for key, d in p.summary.needs.items()}
        known = {d.name: d for d in found.values()}
        known |= {n: b.known.definition for n, b in self.preamble.binds.items() if b.known.definition is not None}
        for definition in found.values():
            users = [q for q, p in enumerate(self.places) if definition.key in p.summary.needs]
            if len(users) > 1 and may_keep_state(definition):
                for place in (self.places[q] for q in users):
                    replaced = defaults_variable(definition.name) in place.providers
                    if definition.name not in place.summary.binds and not replaced:
                        place.guards.add(definition.name)
            keeps = kept_state(definition) or keeps_in_decorator(definition, known) or self._caches_state(definition)
            if len(users) > 1 and keeps:
                user = self.places[users[1]]
                site = user.summary.reads[definition.name].site if definition.name in user.summary.reads else None
                read = Read(definition.name, site or Site(0, 1, 1), True)
                others = tuple(self.places[q].unit.name for q in users if q != users[1])
                self.versions.problem("kept", users[1], read, others)

    def _caches_state(self, definition: Definition) -> bool:
        """Whether a function answers from a cache although it reads variables, or the cache itself is looked at."""
        if not is_cached(definition):
            return False
        variables = definition.lazy & self.versions.assigned.keys()
        looked_at = any(definition.name in names.cache_users(statements(p.unit)) for p in self.places)
        return looked_at or any(not self.versions.is_definition_everywhere(name) for name in variables)

    def _uses(self, place: Place, definition: Definition) -> bool:
        carried = any(d.statement is definition.statement for d, _ in place.carried.values())
        return carried or definition.key in place.summary.needs

    def _connected(self, place: Place) -> Connected:
        unit, summary = place.unit, place.summary
        links = {(name, p): False for name, p in place.providers.items() if self.versions.is_variable(p, name)}
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
            carried=tuple(Carried(d, self.places[h].unit.name) for _, (d, h) in sorted(place.carried.items())),
            preamble=chosen,
            guards=tuple(sorted(place.guards - place.outputs)),
            apart=self._apart(place),
            summary=summary,
        )


def run_pieces(unit: Unit, lookup: Lookup, notebook: Whole) -> Summary:
    """Interpret a step's pieces in order against what `lookup` tells of the names above."""
    flow = Flow(lookup, bound(unit), notebook)
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


def _read_when_used(definition: Definition) -> frozenset[str]:
    """What a definition's code reads when another definition's statement uses it: a decorator, base or metaclass."""
    if not isinstance(definition.node, ast.ClassDef):
        return definition.lazy
    if any(isinstance(b, ast.Name) and b.id == "type" for b in definition.node.bases):
        return definition.lazy
    hook = method(definition.node, "__init_subclass__")
    return names.free_names(hook) if hook is not None else frozenset()
