"""Definitions of other steps: what a step that uses one must carry, so that its statement can run again there.

A function or class travels as source. Its body reads what it needs when it is called, like the step's own code; but
decorators, defaults and bases are read where the statement stands, in the version that its home step had then.
"""

from __future__ import annotations

import ast

from kalecompiler import names
from kalecompiler.calls import method
from kalecompiler.facts import Definition, Read, Status
from kalecompiler.internal import defaults_can_travel, defaults_variable
from kalecompiler.versions import Versions, before


class Carrier:
    """Enters into the places of a `Versions` what each step carries."""

    def __init__(self, versions: Versions) -> None:
        self.versions = versions

    def carry(self, position: int, definition: Definition) -> None:
        """Give a step a definition's source, and what that reads where it stands."""
        place = self.versions.places[position]
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
        place = self.versions.places[position]
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
        place, source = self.versions.places[position], self.versions.places[home]
        binding = source.summary.binds.get(name)
        own = binding is not None and name not in definition.outside
        if binding is not None and own and before(binding.site, definition.site):
            self._take(position, home, home, name)
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
            self._take(position, home, provider, name)
        elif name in self.versions.preamble.binds:
            self._carry_shared(position, home, name)
        elif name in self.versions.parameters:
            place.parameters.add(name)

    def _take(self, position: int, home: int, provider: int, name: str) -> None:
        """Take a provider's version of a name before the carried statements run: its source, or its value, early."""
        binding = self.versions.places[provider].summary.binds.get(name)
        if binding is not None and binding.known.definition is not None:
            self.carry(position, binding.known.definition)
            self._carry_lazy(position, home, binding.known.definition)
        else:
            self.versions.places[provider].outputs.add(name)
            self.versions.places[position].early[name, provider] = None

    def _hand_on_defaults(self, position: int, home: int, definition: Definition) -> None:
        """Running a function's statement again would give it other defaults: hand on those that it was made with."""
        variable = defaults_variable(definition.name)
        self.versions.places[home].outputs.add(variable)
        self.versions.places[position].providers[variable] = home

    def _carry_shared(self, position: int, home: int, name: str) -> None:
        """A name of the shared cells that a carried statement uses, with what its body reads if it is called."""
        place = self.versions.places[position]
        place.wanted.add(name)
        known = self.versions.preamble.known(name)
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


def _read_when_used(definition: Definition) -> frozenset[str]:
    """What a definition's code reads when another definition's statement uses it: a decorator, base or metaclass."""
    if not isinstance(definition.node, ast.ClassDef):
        return definition.lazy
    if any(isinstance(b, ast.Name) and b.id == "type" for b in definition.node.bases):
        return definition.lazy
    hook = method(definition.node, "__init_subclass__")
    return names.free_names(hook) if hook is not None else frozenset()
