"""Connect: which version of each variable a step gets, and from which step.

Steps are taken in a topological order of the `prev:` edges, notebook order where those leave a choice. Each is run in
the abstract (`flow`) against what stands above it. A variable comes from the last ancestor that bound or changed it;
a step without `prev:` gets edges from those producers. Sets of steps are bit masks of positions in that order.
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

from kalecompiler import company, keptstate
from kalecompiler.aliases import lost_bonds
from kalecompiler.carrying import Carrier
from kalecompiler.draws import VARIABLES
from kalecompiler.editions import Editions
from kalecompiler.facts import Binding, Definition, Grade, Read, Status, Summary
from kalecompiler.flow import Flow
from kalecompiler.internal import is_internal
from kalecompiler.namespace import Lookup, Whole
from kalecompiler.preamble import Item, Preamble
from kalecompiler.sharing import BUILTIN_NAMES
from kalecompiler.versions import Place, Problem, Unit, Versions, bits, bound


@dataclass(frozen=True, slots=True)
class Link:
    """A variable that a step gets from another; `early`: a carried definition reads it where it stands.

    None: it does, and changes it there, so that the step gets it anew.
    """

    variable: str
    producer: str
    early: bool | None = False


@dataclass(frozen=True, slots=True)
class Carried:
    """A definition whose source a step gets from another step, without its defaults if `bare`.

    `first` and `then` are lines of ours that run before and after it.
    """

    definition: Definition
    home: str
    bare: bool = False
    first: tuple[str, ...] = ()
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Shared:
    """A statement of the imports and functions cells that a step gets; `then` are lines of ours that run after it."""

    item: Item
    then: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Connected:
    """A step with its place in the graph: all that the plan needs to know of its data.

    `kept` are lines of ours that run within its cells: (piece, line before which it runs, text).
    """

    name: str
    after: tuple[str, ...]
    inputs: tuple[Link, ...]
    outputs: tuple[str, ...]
    absent: frozenset[str]
    parameters: frozenset[str]
    carried: tuple[Carried, ...]
    shared: tuple[Shared, ...]
    kept: tuple[tuple[int, int, str], ...]
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
        self.carrier = Carrier(self.versions)
        self.stale: list[tuple[int, int, str]] = []  # who may change, who reads the version above that, what

    def connect(self) -> Dataflow:
        for position in range(len(self.places)):
            self._analyse(position)
            self.versions.record(position)
        for position in range(len(self.places)):
            self._supply(position)
        self._satisfy_demands()
        self._warn_of_stale_reads()
        keptstate.check(self.versions)
        self.versions.problems += lost_bonds(self.versions)
        self.versions.problems += company.check(self.versions)
        editions = Editions(self.versions)
        for position, definition in editions.lost_defaults():
            home = self.versions.homes[id(definition.statement)]
            read = Read(definition.name, definition.site, True)
            self.versions.problem("ambiguous", home, read, (self.places[position].unit.name,))
        ordered = sorted(range(len(self.places)), key=lambda position: self.places[position].number)
        steps = tuple(self._connected(position, editions) for position in ordered)
        return Dataflow(steps, tuple(self.versions.problems))

    # -- first: what each step does, in order ------------------------------------------------------------------------

    def _analyse(self, position: int) -> None:
        place = self.places[position]
        unit = place.unit
        declared = [self.position[p] for p in unit.previous or ()]
        declared += [earlier for earlier, step in self.extra if step == position]
        for earlier in declared:
            place.above |= self.places[earlier].above | (1 << earlier)
        visible = place.above if unit.previous is not None else (1 << position) - 1
        lookup = cache(lambda name: self.versions.known(name, place, visible))
        groups = company.standing(self.versions, visible, *unit.together) if self.versions.gathering else []
        place.summary = run_pieces(unit, lookup, self.notebook, groups)
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
        aside = read.name in place.summary.company  # what is wrong with it is said of the name that it goes with
        provider = self.versions.provider(position, read.name, None if aside else read)
        if provider is not None and self.versions.is_shared_definition(provider, read.name):
            provider = None
        if provider is not None:
            place.providers[read.name] = provider
            if not aside:
                self.versions.warn_of_siblings(position, read, provider)
        elif read.name in self.versions.shared(place).binds:
            place.wanted.add(read.name)
            if not aside:
                self.versions.warn_of_siblings(position, read, -1)
        elif read.name in self.parameters:
            place.parameters.add(read.name)
            self.versions.warn_of_siblings(position, read, -1)
        elif read.hard and not self.preamble.may_provide(read.name):
            self.versions.missing(position, read)
        elif read.hard and read.name not in BUILTIN_NAMES:
            self.versions.warn_of_star(position, read)

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
                self.carrier.carry(position, definition)
            else:
                self.places[provider].outputs.add(name)
                if binding is not None and _is_one_of_several(name, binding):
                    self.versions.problem("ambiguous", provider, Read(name, binding.site, True), (place.unit.name,))
            self._guard(position, name, provider)
        for name in sorted(place.summary.reads):
            if name not in place.providers:
                self._guard(position, name, -1)
        for definition in place.summary.needs.values():
            self.carrier.carry(position, definition)

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
            summary = self.places[position].summary
            read = summary.reads.get(name) if name not in summary.company else None
            if name in self.places[q].outputs and read is not None:
                self.versions.problem("sibling", position, read, (self.places[q].unit.name,))

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
                    self.carrier.carry(q, inner.known.definition)
                else:
                    self.places[provider].outputs.add(name)
                    work.append((provider, name))
            elif name in self.preamble.binds:
                place.wanted.add(name)
            elif name in self.parameters:
                place.parameters.add(name)

    def _apart(self, place: Place) -> tuple[str, ...]:
        """The outputs of a step that must not share an object, as a step after it changes one of them in place."""
        names_ = sorted(n for n in place.outputs if not is_internal(n))
        if len(names_) < 2:
            return ()
        later = (p for p in self.places if p.number > place.number)
        return tuple(names_) if any(n in p.summary.changes for p in later for n in names_) else ()

    def _connected(self, position: int, editions: Editions) -> Connected:
        place = self.places[position]
        unit, summary = place.unit, place.summary
        links: dict[tuple[str, int], bool | None] = {
            (name, p): False for name, p in place.providers.items() if self.versions.is_variable(p, name)
        }
        links |= {key: None if stirred and key in links else True for key, stirred in place.early.items()}
        producers = {self.places[p].unit.name for _, p in links}
        absent = {n for n in place.outputs if n in summary.binds and summary.binds[n].status is Status.MAYBE}
        absent |= place.outputs & summary.company - summary.binds.keys()
        shared = self.versions.shared(place)
        chosen, needed = shared.select(place.wanted)
        preamble_parameters = {n for n in needed if n in self.parameters}
        return Connected(
            name=unit.name,
            after=tuple(sorted(producers if unit.previous is None else set(unit.previous))),
            inputs=tuple(Link(n, self.places[p].unit.name, e) for (n, p), e in sorted(links.items())),
            outputs=tuple(sorted(place.outputs)),
            absent=frozenset(absent),
            parameters=frozenset(place.parameters | preamble_parameters),
            carried=self._carried(position, editions),
            shared=tuple(_shared(shared.items[i], editions) for i in chosen),
            kept=tuple(sorted({*place.kept, *editions.kept(position)})),
            guards=tuple(sorted(place.guards - place.outputs)),
            apart=self._apart(place),
            summary=summary,
        )

    def _carried(self, position: int, editions: Editions) -> tuple[Carried, ...]:
        place, around = self.places[position], editions.around_carried(position)
        return tuple(
            Carried(d, self.places[h].unit.name, id(d.statement) in place.bare, around[key].first, around[key].then)
            for key, (d, h) in sorted(place.carried.items())
        )


def _is_one_of_several(name: str, binding: Binding) -> bool:
    """Whether a name stands for one of two functions or classes of that name: its text cannot tell which."""
    own = {id(d.statement) for d in binding.known.taint if d.name == name and d.kind not in ("import", "block")}
    return binding.status is Status.MAYBE and len(own) > 1


def _shared(item: Item, editions: Editions) -> Shared:
    return Shared(item, tuple(text for definition in item.summary.made for text in editions.after(definition)))


def run_pieces(unit: Unit, lookup: Lookup, notebook: Whole, groups: Sequence[company.Group] = ()) -> Summary:
    """Interpret a step's pieces in order against what `lookup` tells of the names above; `groups` stay together."""
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
    brought = company.keep(flow, unit.together, groups)
    return replace(flow.summary(), company=brought)
