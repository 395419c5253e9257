"""KC603: packages without an exact version, which another day installs as another version."""

from __future__ import annotations

from collections.abc import Iterator

from packaging.requirements import InvalidRequirement, Requirement

from kalecompiler.diagnostics import UNPINNED_PACKAGE, Diagnostic
from kalecompiler.imports import imports_of
from kalecompiler.lint.subject import Subject
from kalecompiler.model import Location


def find(subject: Subject) -> Iterator[Diagnostic]:
    """A finding for each package of a step, on the first import of it."""
    packages = [package for step in subject.draft.steps for package in step.packages]
    loose = {package.requirement: package.module for package in packages if not pinned(package.requirement)}
    for requirement, module in loose.items():
        message = f"the package `{requirement}` has no exact version, so a later run may get another"
        hint = "write `name==version`, or name a lock file with `requirements` in [tool.kalecompiler]"
        yield Diagnostic(UNPINNED_PACKAGE, message, _import(subject, module), hint)


def pinned(requirement: str) -> bool:
    """Whether a requirement means one version: `==`, `===`, or an address."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return True  # an address of a package
    exact = any(s.operator in ("==", "===") and not s.version.endswith("*") for s in parsed.specifier)
    return exact or parsed.url is not None


def _import(subject: Subject, module: str) -> Location:
    for part in subject.reading.parts:
        for item in imports_of(part.tree):
            if module and (item.module == module or item.module.startswith(f"{module}.")):
                return subject.book.at(part.annotation.cell, item.line, 1)
    return Location(str(subject.book.path))
