"""Which rules count: `select` and `ignore`, in pyproject.toml and as options, by code or the start of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from kalecompiler.diagnostics import RULES, Rule, UsageError
from kalecompiler.globs import matches
from kalecompiler.suggest import did_you_mean

ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Selection:
    """The rules that are wanted; `select` None means those that are on by default.

    `per_file` are (pattern of paths, codes that do not count there).
    """

    select: tuple[str, ...] | None = None
    extend: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    per_file: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def codes(self, path: str) -> frozenset[str]:
        """The codes of the rules that count for a file, given by its path relative to the configuration's folder.

        Where one is both selected and ignored, the longer prefix wins, and ignoring wins a tie.
        """
        ignore = [*self.ignore, *(code for pattern, own in self.per_file if matches(path, pattern) for code in own)]
        return frozenset(rule.code for rule in RULES.values() if self._weight(rule) > _longest(rule, ignore))

    def _weight(self, rule: Rule) -> int:
        if self.select is None and rule.on:
            return max(0, _longest(rule, self.extend))
        return _longest(rule, [*(self.select or ()), *self.extend])


def _longest(rule: Rule, codes: Iterable[str]) -> int:
    """The length of the longest of the codes that the rule's begins with, -1 for none."""
    return max((0 if code == ALL else len(code) for code in codes if _covers(code, rule)), default=-1)


def _covers(code: str, rule: Rule) -> bool:
    return code == ALL or rule.code.startswith(code)


def check_codes(codes: Iterable[str], where: str) -> tuple[str, ...]:
    """The codes, in capitals. Raises UsageError for one that no rule has or begins with; `where` begins the message."""
    found = tuple(code.strip().upper() for code in codes if code.strip())
    for code in found:
        if not any(_covers(code, rule) for rule in RULES.values()):
            raise UsageError("; ".join(filter(None, [f"{where}: there is no rule `{code}`", _meant(code)])))
    return found


def is_code(code: str) -> bool:
    """Whether a rule has this code, or codes that begin with it."""
    return any(rule.code.startswith(code.upper()) for rule in RULES.values())


def _meant(code: str) -> str | None:
    """A hint for a code that is none: it may be the name of a rule."""
    named = {rule.name: rule.code for rule in RULES.values()}
    if code.lower() in named:
        return f"write `{named[code.lower()]}`"
    return did_you_mean(code, RULES)
