"""Advice on notebooks that compile: one small module an idea, each a pure function from a `Subject` to its findings.

All are warnings, and none is given by `kalec compile`. To add one: a rule KC6xx in `diagnostics`, a page, a module
here with `find`, and a row in `_RULES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from kalecompiler.diagnostics import Diagnostic
from kalecompiler.lint import (
    files,
    history,
    idle,
    imports,
    leakage,
    machinepaths,
    oldtags,
    pickled,
    pins,
    secretvalues,
    splits,
    stripped,
)
from kalecompiler.lint.subject import Subject, of

if TYPE_CHECKING:
    from kalecompiler.plan import Analysis, Planned

_RULES: dict[str, Callable[[Subject], Iterable[Diagnostic]]] = {
    "KC601": pickled.find,
    "KC602": secretvalues.find,
    "KC603": pins.find,
    "KC604": machinepaths.find,
    "KC605": files.find,
    "KC606": idle.find,
    "KC607": imports.find,
    "KC608": splits.find,
    "KC609": leakage.find,
    "KC610": history.find,
    "KC611": stripped.find,
    "KC612": oldtags.find,
}


def find(analysis: Analysis, planned: Planned, codes: frozenset[str]) -> list[Diagnostic]:
    """The advice on a notebook, for the rules among `codes` alone."""
    subject = of(analysis, planned)
    return [finding for code, rule in _RULES.items() if code in codes for finding in rule(subject)]
