"""What `kalec check` looks at and for: the nearest `[tool.kalecompiler]` and the options -> `CheckSettings`."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kalecompiler import settings
from kalecompiler.diagnostics import UsageError
from kalecompiler.ruleset import Selection, check_codes

EXCLUDED = (
    ".git",
    ".hg",
    ".svn",
    ".ipynb_checkpoints",
    ".venv",
    "venv",
    "node_modules",
    "site-packages",
    ".kalec_cache",
)


@dataclass(frozen=True, slots=True)
class CheckSettings:
    """`folder` is where relative patterns start: that of the pyproject.toml, else the current one.

    `notebooks` are checked where none are named; `baseline` is a file of findings that are known.
    """

    folder: Path
    notebooks: tuple[str, ...] = (".",)
    exclude: tuple[str, ...] = EXCLUDED
    selection: Selection = field(default_factory=Selection)
    baseline: Path | None = None


@dataclass(frozen=True, slots=True)
class Overrides:
    """The options of the same names; None is not given."""

    exclude: tuple[str, ...] | None = None
    extend_exclude: tuple[str, ...] = ()
    select: tuple[str, ...] | None = None
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] | None = None
    per_file_ignores: tuple[tuple[str, tuple[str, ...]], ...] | None = None

    def over(self, under: CheckSettings) -> CheckSettings:
        """The settings with the options in place of what they name. Raises UsageError for an unknown code."""
        mine = under.selection
        if self.select is not None:
            mine = replace(mine, select=check_codes(self.select, "--select"), extend=())
        if self.ignore is not None:
            mine = replace(mine, ignore=check_codes(self.ignore, "--ignore"))
        if self.per_file_ignores is not None:
            own = tuple((p, check_codes(codes, "--per-file-ignores")) for p, codes in self.per_file_ignores)
            mine = replace(mine, per_file=own)
        mine = replace(mine, extend=(*mine.extend, *check_codes(self.extend_select, "--extend-select")))
        exclude = under.exclude if self.exclude is None else self.exclude
        return replace(under, selection=mine, exclude=(*exclude, *self.extend_exclude))


def nearest(folder: Path) -> CheckSettings:
    """The settings of the nearest pyproject.toml with a table of ours.

    Raises UsageError for one that is wrong; unknown keys too, as a misspelt `ignore` would go unnoticed.
    """
    return _of_folder(os.path.abspath(folder))


@functools.lru_cache(maxsize=1000)
def _of_folder(folder: str) -> CheckSettings:
    above = os.path.dirname(folder)  # noqa: PTH120 - for each folder of a repository
    if above != folder and not os.path.lexists(os.path.join(folder, "pyproject.toml")):  # noqa: PTH118
        return _of_folder(above)
    path, table = settings.own_table(Path(folder))
    if table is None:
        return CheckSettings(Path.cwd())
    settings.check_table(table, path)
    given = {key.replace("_", "-"): value for key, value in table.items()}
    where = f"{path}: "
    exclude = (*_texts(given, "exclude", where, EXCLUDED), *_texts(given, "extend-exclude", where))
    select = given.get("select")
    selection = Selection(
        None if select is None else _codes(given, "select", where),
        _codes(given, "extend-select", where),
        _codes(given, "ignore", where),
        _per_file(given.get("per-file-ignores", {}), where),
    )
    baseline = given.get("baseline")
    if baseline is not None and not isinstance(baseline, str):
        raise UsageError(f"{where}`baseline` must be the path of a file")
    return CheckSettings(
        path.parent,
        _texts(given, "notebooks", where, (".",)),
        exclude,
        selection,
        None if baseline is None else path.parent / baseline,
    )


def forget() -> None:
    """Forget the settings that were read; a program that goes on may find others."""
    _of_folder.cache_clear()


def _texts(table: Mapping[str, Any], key: str, where: str, default: Iterable[str] = ()) -> tuple[str, ...]:
    value = table.get(key)
    if value is None:
        return tuple(default)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{where}`{key}` must be a list of texts")
    return tuple(value)


def _codes(table: Mapping[str, Any], key: str, where: str) -> tuple[str, ...]:
    return check_codes(_texts(table, key, where), f"{where}`{key}`")


def _per_file(value: Any, where: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if not isinstance(value, dict):
        message = '`per-file-ignores` must be a table of patterns, as in "legacy/*.ipynb" = ["KC3"]'
        raise UsageError(f"{where}{message}")
    name = "`per-file-ignores`: `{}`"
    return tuple(
        (pattern, check_codes(_texts(value, pattern, where), f"{where}{name.format(pattern)}")) for pattern in value
    )
