"""Findings that are known: an old repository starts green, and only what is new counts.

The file is JSON, to be committed: for each notebook, by its path from the file's folder, the fingerprints of its
findings with what they say, so that a change of it can be read in a review.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from kalecompiler.diagnostics import RULES, Diagnostic, UsageError
from kalecompiler.files import write_atomic
from kalecompiler.fingerprints import fingerprints
from kalecompiler.wording import cause

_ANEW = "write it anew with `--update-baseline`"
Known = Mapping[str, Mapping[str, str]]
Checked = Mapping[str, frozenset[str]]
"""The notebooks that were checked, by their paths, with the codes of the rules that were looked for."""


@dataclass(frozen=True, slots=True)
class Compared:
    """The findings that are new; how many were known, and how many known ones are gone."""

    new: tuple[Diagnostic, ...]
    known: int
    gone: int


def compare(diagnostics: Sequence[Diagnostic], checked: Checked, file: Path) -> Compared:
    """What is new in the findings on the notebooks that were checked. Raises UsageError for a file that is wrong."""
    known = _read(file)
    names = [_relative(d.location.path, file) for d in diagnostics]
    marks = fingerprints(diagnostics, names)
    new = [d for d, name, mark in zip(diagnostics, names, marks, strict=True) if mark not in known.get(name, {})]
    met = _met(diagnostics, checked, file)
    gone = sum(
        mark not in marks and _was_looked_for(text, met.get(name))
        for name, own in known.items()
        for mark, text in own.items()
    )
    return Compared(tuple(new), len(diagnostics) - len(new), gone)


def update(diagnostics: Sequence[Diagnostic], checked: Checked, file: Path) -> None:
    """Write the file anew for the notebooks and rules that were checked; what it says of others stays."""
    names = [_relative(d.location.path, file) for d in diagnostics]
    met = _met(diagnostics, checked, file)
    found: dict[str, dict[str, str]] = {}
    for name, own in _read(file).items() if file.exists() else ():
        if kept := {mark: text for mark, text in own.items() if not _was_looked_for(text, met.get(name))}:
            found[name] = kept
    for diagnostic, name, mark in zip(diagnostics, names, fingerprints(diagnostics, names), strict=True):
        found.setdefault(name, {})[mark] = f"{diagnostic.rule.code} {diagnostic.message}"
    content = {"version": 1, "notebooks": {name: found[name] for name in sorted(found)}}
    try:
        write_atomic(file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {cause(error)}") from None


def _met(diagnostics: Sequence[Diagnostic], checked: Checked, file: Path) -> dict[str, frozenset[str]]:
    """The rules that were looked for, by the notebook's path from the baseline's folder."""
    anywhere = frozenset[str]().union(*checked.values())
    met = {_relative(finding.location.path, file): anywhere for finding in diagnostics}
    return met | {_relative(path, file): codes for path, codes in checked.items()}


def _was_looked_for(text: str, codes: frozenset[str] | None) -> bool:
    """Whether a known finding would have been found again: nobody looks for a rule that is no more."""
    code = str(text).partition(" ")[0]
    return codes is not None and (code in codes or code not in RULES)


def _read(file: Path) -> Known:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"the baseline {file} does not exist; write it with `--update-baseline`") from None
    except OSError as error:
        raise UsageError(f"the baseline {file} cannot be read: {cause(error)}") from None
    except (ValueError, RecursionError):
        raise UsageError(f"the baseline {file} is not JSON; remove it, and {_ANEW}") from None
    notebooks = content.get("notebooks") if isinstance(content, dict) and content.get("version") == 1 else None
    if not isinstance(notebooks, dict) or not all(isinstance(own, dict) for own in notebooks.values()):
        raise UsageError(f"the baseline {file} is not one of `kalec check`; remove it, and {_ANEW}")
    return notebooks


def _relative(path: str, file: Path) -> str:
    """A notebook's path from the folder of the baseline on, so that it counts wherever one calls from."""
    try:
        return os.path.relpath(path, file.parent).replace(os.sep, "/")
    except ValueError:  # another drive
        return path
