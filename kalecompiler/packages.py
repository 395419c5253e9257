"""Which packages a step needs: from what it imports, by a table that is the same on every machine."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from kalecompiler.diagnostics import CONFLICTING_REQUIREMENTS, OPTIONAL_IMPORT, OTHER_DISTRIBUTION
from kalecompiler.findings import Problem
from kalecompiler.imports import Import
from kalecompiler.model import Package
from kalecompiler.wording import listed_once

_NAME = re.compile(r"^[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?$")
_HEAD = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)\s*(?:\[(?P<extras>[^\]]*)\])?")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


def distribution(module: str) -> str | None:
    """The distribution that provides a module: by the table, else its own top name.

    None for the standard library, and for modules that no index has.
    """
    providers = _providers(module)
    return providers[0] if providers else None


def resolve(
    imports: Iterable[Import],
    *,
    everywhere: Iterable[Import] = (),
    pip: Iterable[str] = (),
    extra: Iterable[str] = (),
    pinned: Iterable[str] = (),
) -> tuple[Package, ...]:
    """The packages of a step, sorted.

    `imports` are the step's own, without local modules; `everywhere` those of the whole notebook. `pip` are the
    notebook's `%pip install` requirements, `extra` those of the settings, `pinned` the lines of requirements files.
    A version comes from the first of `pip`, `extra` and `pinned` that has one, else it stays open. A `pip` package that
    no import of the notebook resolves to, and each of `extra`, is a package of each step; `pinned` only gives versions.
    """
    pip, extra, pinned = list(pip), list(extra), list(pinned)
    imports = list(imports)
    written = _by_name(pip), _by_name(extra), _by_name(pinned)
    found = {p for item in imports if _wanted(item, written) for p in _packages(item.module, written)}
    claimed = {name for item in [*everywhere, *imports] for name in _names(item.module)}
    own = {name for item in imports for name in _names(item.module)}
    loose = [text for text in pip if name_of(text) not in claimed] + [t for t in extra if name_of(t) not in own]
    found |= {Package(line) for text in loose for line in _chosen([name_of(text) or ""], written) or [text]}
    return _without_repeats(found)


def name_of(requirement: str) -> str | None:
    """The normalised name of the distribution that a requirement names; None for an address without a name."""
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        egg = _EGG.search(requirement)
        return canonicalize_name(egg[1]) if egg else None


def doubts(
    imports: Iterable[Import], *, pip: Iterable[str] = (), extra: Iterable[str] = (), pinned: Iterable[str] = ()
) -> tuple[Problem, ...]:
    """Warnings about the notebook's packages: optional imports that no requirement names, versions that contradict
    each other, and modules of which this environment knows another distribution. They never change the packages."""
    imports, pip = list(imports), list(pip)
    written = _by_name(pip), _by_name(extra), _by_name(pinned)
    absent = [i for i in imports if i.optional and _names(i.module) and not _wanted(i, written)]
    seen = {_top(i.module): i for i in reversed(imports) if i not in absent}
    return (
        *(_optional(i) for i in {_top(i.module): i for i in reversed(absent)}.values()),
        *_conflicts(pip, written[2]),
        *(problem for i in sorted(seen.values(), key=lambda i: i.line) for problem in _known_better(i)),
    )


def is_standard(module: str) -> bool:
    """Whether a module is of the standard library of any Python that a step may run on."""
    return _top(module) in _standard_library()


def is_known(module: str) -> bool:
    """Whether everybody means the same by a module's name: the standard library, packages that are used widely."""
    return is_standard(module) or _key(module) is not None or _top(module) in _well_known()


def is_named(module: str, lines: Iterable[str]) -> bool:
    """Whether one of these requirements is for the module's distribution."""
    return bool(set(_names(module)) & {name_of(line) for line in lines})


def is_installed(module: str) -> bool:
    """Whether a distribution of this environment provides the module."""
    return _top(module) in _environment()


_Written = tuple[Mapping[str, list[str]], Mapping[str, list[str]], Mapping[str, list[str]]]


def _packages(module: str, written: _Written) -> list[Package]:
    providers = _providers(module)
    if not providers:
        return []
    lines = _chosen([canonicalize_name(name) for name in providers], written) or [providers[0]]
    return [Package(line, _key(module) or _top(module)) for line in lines]


def _chosen(names: list[str], written: _Written) -> list[str]:
    """The requirement lines for whichever of the distributions is named first by someone, a version before none."""
    for name in names:
        lines = [source.get(name, []) for source in written]
        pip, extra = (_last(source) for source in lines[:2])
        for line in (pip, extra):
            if line and _has_version(line):
                return [line]
        bare = pip or extra
        if lines[2]:
            return [_with_extras(line, bare) for line in lines[2]]
        if bare:
            return [bare]
    return []


def _last(lines: list[str]) -> str | None:
    """The line that pip would have obeyed: the last one, before it the last that names a version."""
    return next((line for line in reversed(lines) if _has_version(line)), lines[-1] if lines else None)


def _has_version(line: str) -> bool:
    try:
        requirement = Requirement(line)
    except InvalidRequirement:
        return True
    return bool(requirement.specifier or requirement.url)


def _with_extras(line: str, bare: str | None) -> str:
    """A pinned line with the extras that the notebook asks for; as it is written otherwise."""
    wanted, pinned = _HEAD.match(bare or ""), _HEAD.match(line)
    if not wanted or not wanted["extras"] or not pinned:
        return line
    extras = {extra.strip() for match in (wanted, pinned) for extra in (match["extras"] or "").split(",")}
    return f"{pinned['name']}[{','.join(sorted(extras - {''}))}]{line[pinned.end() :]}"


def _by_name(lines: Iterable[str]) -> Mapping[str, list[str]]:
    """Requirement lines, as written, by the distribution that they name, normalised."""
    found: dict[str, list[str]] = {}
    for line in lines:
        if name := name_of(line):
            found.setdefault(name, []).append(line.strip())
    return found


def _wanted(item: Import, written: _Written) -> bool:
    """Whether a step needs the module: an optional one only where a requirement names it."""
    return not item.optional or any(name in source for name in _names(item.module) for source in written)


def _without_repeats(packages: Iterable[Package]) -> tuple[Package, ...]:
    """One package for each requirement, with the first module that it provides; sorted."""
    first: dict[str, Package] = {}
    for package in sorted(packages, key=lambda p: (p.requirement.lower(), p.requirement, not p.module, p.module)):
        first.setdefault(package.requirement, package)
    return tuple(first.values())


def _top(module: str) -> str:
    return module.partition(".")[0]


def _names(module: str) -> list[str]:
    return [canonicalize_name(name) for name in _providers(module)]


def _key(module: str) -> str | None:
    """The longest prefix of a dotted module that the table has."""
    parts = module.split(".")
    prefixes = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    return next((prefix for prefix in prefixes if prefix in _table()), None)


def _providers(module: str) -> tuple[str, ...]:
    """The distributions that provide a module, the usual one first; none for the standard library."""
    if is_standard(module):
        return ()
    key = _key(module)
    if key is not None:
        return _table()[key]
    own = _top(module)
    return (canonicalize_name(own),) if _NAME.match(own) else ()


@lru_cache(maxsize=1)
def _table() -> Mapping[str, tuple[str, ...]]:
    """distributions.txt: module -> distributions."""
    rows = (line.partition(" = ") for line in _data("distributions.txt") if " = " in line)
    return {m: tuple(d.strip() for d in names.split("|") if d.strip() != "-") for m, _, names in rows}


@lru_cache(maxsize=1)
def _standard_library() -> frozenset[str]:
    return frozenset(name for line in _data("stdlib.txt") for name in line.split())


@lru_cache(maxsize=1)
def _well_known() -> frozenset[str]:
    return frozenset(name for line in _data("wellknown.txt") for name in line.split())


def _data(name: str) -> list[str]:
    lines = Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def _optional(item: Import) -> Problem:
    top = _top(item.module)
    message = f"the import of `{top}` is guarded by an `except`, so the step goes without it unless its image has it"
    hint = f"write `%pip install {distribution(item.module)}` where the step needs it"
    return Problem(OPTIONAL_IMPORT, item.line, None, message, hint, item.module)


def _conflicts(pip: list[str], pinned: Mapping[str, list[str]]) -> list[Problem]:
    """A warning where `%pip install` asks for a version that the requirements files rule out, or for two versions."""
    problems = []
    for name, lines in _by_name(pip).items():
        versions = sorted({re.sub(r"\s", "", line) for line in lines if _has_version(line)})
        others = [line for line in pinned.get(name, []) if versions and not _agree(versions[-1], line)]
        if len(versions) > 1 or others:
            message = f"`{name}` is asked for in several versions: {listed_once([*versions, *others])}"
            taken = _last(lines)
            hint = f"a step takes the last of its own, else `{taken}`; keep one of them"
            problems.append(Problem(CONFLICTING_REQUIREMENTS, None, None, message, hint, name))
    return problems


def _agree(wanted: str, pinned: str) -> bool:
    """Whether a pinned version satisfies what is wanted; what pins no single version is taken to agree."""
    try:
        exact = [spec.version for spec in Requirement(pinned).specifier if spec.operator == "=="]
        return all(Requirement(wanted).specifier.contains(v, prereleases=True) for v in exact if "*" not in v)
    except InvalidRequirement:
        return True


def _known_better(item: Import) -> list[Problem]:
    """A warning where the module is installed here by a distribution that the table does not give."""
    top = _top(item.module)
    names = _names(item.module)
    if not names or any(key.startswith(f"{top}.") for key in _table()) or any(map(_installed, names)):
        return []
    try:
        present = importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        present = False
    known = sorted(set(_environment().get(top, []))) if present else []
    if not known or {canonicalize_name(name) for name in known} & set(names):
        return []
    message = f"module `{top}` comes from {listed_once(known)} in this environment, and from `{names[0]}` in the step"
    hint = f"write `%pip install {known[0]}` if that is the one you mean"
    return [Problem(OTHER_DISTRIBUTION, item.line, None, message, hint, item.module)]


def _installed(name: str) -> bool:
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@lru_cache(maxsize=1)
def _environment() -> Mapping[str, list[str]]:
    """Module -> distributions of this environment; reads all metadata, so it is asked only where there is a doubt."""
    return importlib.metadata.packages_distributions()
