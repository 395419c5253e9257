"""Editions: functions or classes of one name that a notebook defines more than once, where a step needs several.

Pickle finds classes and functions by name. So each edition has a second name of its own, under which it is known in
every step that runs its statement; the runtime saves objects by that name (`ALIASES` there). A carried statement that
uses one of the editions where it stands finds it under the common name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kalecompiler.facts import Definition
from kalecompiler.versions import Place, Versions

PREFIX = "_edition_"


@dataclass(frozen=True, slots=True)
class Around:
    """Code of ours that runs before and after a statement, a line each."""

    first: tuple[str, ...] = ()
    then: tuple[str, ...] = ()


class Editions:
    """The second names of the definitions of a notebook, by the ids of their statements; most have none."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions
        self.shared = {
            id(d.statement): d for item in versions.preamble.items for d in item.summary.made if d.kind != "import"
        }
        clashing = {name for place in versions.places for name in self._clashing(place)}
        self.aliases = dict(self._named(clashing)) if clashing else {}

    def lost_defaults(self) -> Iterator[tuple[int, Definition]]:
        """(position, definition) of editions whose defaults could not be told from those of another."""
        for position, place in enumerate(self.versions.places):
            for definition, _ in place.carried.values():
                if id(definition.statement) in place.bare and id(definition.statement) in self.aliases:
                    yield position, definition

    def around_carried(self, position: int) -> Mapping[str, Around]:
        """What runs around the statements that a step carries, by their keys in `Place.carried`."""
        place = self.versions.places[position]
        found: dict[str, Around] = {}
        current = self._left_by_shared_cells(place)
        for key, (definition, _) in sorted(place.carried.items()):
            first = [f"{name} = {variable}" for name, variable in sorted(place.bound_first.get(key, {}).items())]
            for name, seen in sorted(definition.seen.items()):
                alias = self.aliases.get(id(seen.statement))
                if alias is not None and name in current and current[name] != alias:
                    first.append(f"{name} = {alias}")
                    current[name] = alias
            then = list(self.after(definition))
            if then:
                current[definition.name] = self.aliases[id(definition.statement)]
            found[key] = Around(tuple(first), tuple(then))
        if found:
            last = max(found)
            switches = [f"{name} = {alias}" for name, alias in self._at_the_end(place, current)]
            found[last] = Around(found[last].first, (*found[last].then, *switches))
        return found

    def after(self, definition: Definition) -> tuple[str, ...]:
        """What runs after a definition, wherever its statement runs."""
        alias = self.aliases.get(id(definition.statement))
        return () if alias is None else (f"{alias} = {definition.name}",)

    def kept(self, position: int) -> Iterator[tuple[int, int, str]]:
        """The same for a step's own definitions: (piece, line before which it runs, text)."""
        for definition in self.versions.places[position].summary.made:
            end = definition.statement.end_lineno or definition.statement.lineno
            for text in self.after(definition):
                yield definition.site.piece, end + 1, text

    def _at_the_end(self, place: Place, current: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """Names that must stand for another edition when the step's own code starts than the carried code left."""
        for name, alias in sorted(current.items()):
            provider = place.providers.get(name)
            known = (
                self.versions.places[provider].summary.binds[name].known
                if provider is not None and name in self.versions.places[provider].summary.binds
                else self.versions.shared(place).known(name)
                if name in place.wanted
                else None
            )
            wanted = known.definition if known is not None else None
            right = self.aliases.get(id(wanted.statement)) if wanted is not None else None
            if right is not None and right != alias:
                yield name, right

    def _left_by_shared_cells(self, place: Place) -> dict[str, str]:
        """Which edition a name stands for when the carried statements start."""
        found: dict[str, str] = {}
        for name in place.wanted:
            known = self.versions.shared(place).known(name)
            if known is not None and known.definition is not None:
                alias = self.aliases.get(id(known.definition.statement))
                found |= {} if alias is None else {name: alias}
        return found

    def _clashing(self, place: Place) -> Iterator[str]:
        """The names of which a step needs different editions, others' among them."""
        found: dict[str, set[str]] = {}
        foreign: set[str] = set()
        for definition, _ in place.carried.values():
            if definition.kind != "import":
                found.setdefault(definition.name, set()).add(ast.dump(definition.statement))
                foreign.add(definition.name)
        for definition in [self.shared[i] for i in place.shared if i in self.shared]:
            found.setdefault(definition.name, set()).add(ast.dump(definition.statement))
            foreign.add(definition.name)
        for name in place.wanted & self.versions.preamble.repeated:
            items = self.versions.shared(place).items
            texts = {ast.dump(d.statement) for item in items for d in item.summary.made if d.name == name}
            found.setdefault(name, set()).update(texts)
        for definition in place.summary.made:
            if definition.name in foreign and definition.kind != "import":
                found[definition.name].add(ast.dump(definition.statement))
        return (name for name, texts in found.items() if len(texts) > 1)

    def _named(self, clashing: set[str]) -> Iterator[tuple[int, str]]:
        """(id of the statement, second name) of every definition of these names; equal texts are one edition."""
        named: dict[tuple[str, str], str] = {}
        taken: set[str] = set()
        makers = [("functions", list(self.shared.values()))]
        makers += [(p.unit.name, list(p.summary.made)) for p in self.versions.places]
        for maker, definitions in makers:
            for definition in definitions:
                if definition.name not in clashing or definition.kind == "import":
                    continue
                text = ast.dump(definition.statement)
                alias = f"{PREFIX}{definition.name}_of_" + re.sub(r"\W", "_", maker)
                while (definition.name, text) not in named and alias in taken:
                    alias += "_"
                yield id(definition.statement), named.setdefault((definition.name, text), alias)
                taken.add(alias)
