"""Definitions of other steps: what a step that uses one must carry, so that its statement can run again there.

A function or class travels as source. Its body reads what it needs when it is called, like the step's own code; but
decorators, defaults and bases are read where the statement stands, in the version that its home step had then.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from kalecompiler import names
from kalecompiler.calls import method
from kalecompiler.facts import Definition, Read, Site, Summary
from kalecompiler.internal import defaults_can_travel, defaults_variable, value_seen
from kalecompiler.shapes import first_line, only_keeps, stirs
from kalecompiler.versions import Place, Versions, before


class Carrier:
    """Enters into the places of a `Versions` what each step carries."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions

    def carry(self, position: int, definition: Definition) -> None:
        """Give a step a definition's source, and what that reads where it stands."""
        if definition.kind == "value":
            return
        place = self.versions.places[position]
        home = self.versions.homes.get(id(definition.statement))
        if home == position:
            place.own.add(id(definition.statement))
            return
        if home is None:
            place.wanted.add(definition.name)
            place.shared.add(id(definition.statement))
            return
        key = carried_key(home, definition)
        if key in place.carried:
            return
        place.carried[key] = (definition, home)
        if self._has_other_defaults(home, definition):
            self._hand_on_defaults(position, home, definition)
            node = definition.node
            eager = names.loaded(names.annotation_parts(node)) if isinstance(node, names.FUNCTIONS) else frozenset()
        else:
            eager = frozenset(definition.eager)
            if definition.repeats:
                read = Read(definition.name, definition.site, True, definition.repeats)
                self.versions.problem("repeats", home, read, (place.unit.name,))
        for name in sorted(eager):
            self._carry_eager(position, home, definition, name)

    def _has_other_defaults(self, home: int, definition: Definition) -> bool:
        """Whether running a function's statement again could not give it its defaults, and these can travel."""
        stirred = self.versions.places[home].summary.stirred
        kept = any(n in stirred for n in definition.holds if n not in definition.seen)
        return defaults_can_travel(definition) and (kept or bool(definition.repeats))

    def _carry_eager(self, position: int, home: int, definition: Definition, name: str) -> None:
        """A name that a carried statement reads as it runs: in the version that its home step had then."""
        if name in definition.seen:
            self._carry_seen(position, home, definition, definition.seen[name])
            return
        place, source = self.versions.places[position], self.versions.places[home]
        summary = source.summary
        if name == definition.name and not self._is_above(source, name):
            return  # it names itself, where nothing is evaluated
        moved = _moved(summary, definition, name)
        same = not moved and only_keeps(definition.node, name)
        if name in definition.holds and not same and _after(summary.stirred, definition, name):
            read = Read(name, definition.site, True, definition.name)
            self.versions.problem("moved", home, read, (place.unit.name,))
        elif moved or (not same and _after(summary.stirred, definition, name)):
            copied = _after(summary.stirred, definition, name)
            self._hand_on_value(position, home, definition, name, copied=copied)
        elif name in summary.changes:
            self._take(position, home, home, name)
        else:
            self._carry_read(position, home, definition, name, own=name not in definition.outside)

    def _is_above(self, place: Place, name: str) -> bool:
        """Whether a step finds a variable under a name, or has bound one."""
        if name in place.providers or name in self.versions.shared(place).binds or name in self.versions.parameters:
            return True
        return name in place.summary.reads and place.summary.reads[name].hard

    def _carry_read(
        self, position: int, home: int, definition: Definition, name: str, *, own: bool, stirred: bool = False
    ) -> None:
        """A name as its home step has it, its own where it has bound it by then."""
        place, source = self.versions.places[position], self.versions.places[home]
        provider = source.providers.get(name)
        if own and name in source.summary.binds and not _moved(source.summary, definition, name):
            self._take(position, home, home, name, stirred=stirred)
        elif provider is not None:
            self._take(position, home, provider, name, stirred=stirred)
        elif name in self.versions.shared(source).binds:
            self._carry_shared(position, home, definition, name)
        elif name in self.versions.parameters:
            place.parameters.add(name)

    def _take(self, position: int, home: int, provider: int, name: str, *, stirred: bool = False) -> None:
        """Take a provider's version of a name before the carried statements run: its source, or its value, early."""
        binding = self.versions.places[provider].summary.binds.get(name)
        if binding is not None and binding.known.definition is not None:
            self._carry_seen(position, home, binding.known.definition, binding.known.definition)
        else:
            self.versions.places[provider].outputs.add(name)
            early = self.versions.places[position].early
            # what the statement did to it is in the value of its home step alone
            early[name, provider] = stirred and provider == home and early.get((name, provider), True)

    def _hand_on_value(self, position: int, home: int, definition: Definition, name: str, *, copied: bool) -> None:
        """The variable has another value at the end of its home step: hand on the one it has at the definition."""
        place, source = self.versions.places[position], self.versions.places[home]
        variable = value_seen(name, self.versions.title(definition))
        value = f'__import__("copy").deepcopy({name})' if copied else name
        source.kept.add((definition.site.piece, first_line(definition.statement), f"{variable} = {value}"))
        source.outputs.add(variable)
        place.early[variable, home] = False
        place.bound_first.setdefault(carried_key(home, definition), {})[name] = variable

    def _hand_on_defaults(self, position: int, home: int, definition: Definition) -> None:
        """Running a function's statement again would give it other defaults: hand on those that it was made with."""
        variable = defaults_variable(definition.name)
        place = self.versions.places[position]
        self.versions.places[home].outputs.add(variable)
        place.providers[variable] = home
        place.bare.add(id(definition.statement))

    def _carry_seen(self, position: int, home: int, definition: Definition, seen: Definition) -> None:
        """A definition that a carried statement uses: it is called as that runs, and then needs what its body reads."""
        place = self.versions.places[position]
        self.carry(position, seen)
        if (id(seen), id(definition)) in place.followed:
            return
        place.followed.add((id(seen), id(definition)))
        for name in sorted(_read_when_used(seen)):
            if name != seen.name:  # what it changes there is thrown away: the step's inputs are loaded afterwards
                self._carry_read(position, home, definition, name, own=True, stirred=stirs(seen.node, name))

    def _carry_shared(self, position: int, home: int, definition: Definition, name: str) -> None:
        """A name of the shared cells that a carried statement uses, with what its body reads if it is called."""
        self.versions.places[position].wanted.add(name)
        known = self.versions.shared(self.versions.places[home]).known(name)
        if known is not None and known.definition is not None:
            self._carry_seen(position, home, definition, known.definition)


def carried_key(home: int, definition: Definition) -> str:
    """Sorts what a step carries: by home step, then as it stands there."""
    return f"{home:06d} {definition.site.piece:04d} {definition.site.line:06d} {definition.name}"


def _moved(summary: Summary, definition: Definition, name: str) -> bool:
    """Whether a step binds a variable again after a definition has read it."""
    binding = summary.binds.get(name)
    if binding is None:
        return False
    return binding.known.definition is definition or not before(binding.site, definition.site)


def _after(sites: Mapping[str, Site], definition: Definition, name: str) -> bool:
    """Whether the last change of a variable stands below a definition that has read it."""
    return name in sites and not before(sites[name], definition.site)


def _read_when_used(definition: Definition) -> frozenset[str]:
    """What a definition's code reads when another definition's statement uses it: a decorator, base or metaclass."""
    if not isinstance(definition.node, ast.ClassDef):
        return definition.lazy
    if any(isinstance(b, ast.Name) and b.id == "type" for b in definition.node.bases):
        return definition.lazy
    hook = method(definition.node, "__init_subclass__")
    return names.free_names(hook) if hook is not None else frozenset()
