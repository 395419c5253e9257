"""The effective settings of a notebook, each with where it came from: `kalec config`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalecompiler import notebook, settings, tags
from kalecompiler.diagnostics import Diagnostic
from kalecompiler.model import Location, Setting, StepSettings
from kalecompiler.settings import Settings
from kalecompiler.settingtable import VALUES
from kalecompiler.settingvalues import GRAMMAR, Shape

DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Row:
    """One effective value: its key as in `[tool.kalecompiler]`, and where it stands, in words."""

    key: str
    value: Any
    origin: str


def rows(path: Path, options: dict[str, Any]) -> tuple[list[Row], list[Diagnostic]]:
    """All that holds for a notebook, and what is wrong with it. Raises as reading a notebook and its settings does."""
    book, found = notebook.read(path)
    config, more = settings.load(book, options)
    annotations, problems = tags.annotate(book, config)
    steps = tags.step_settings(annotations, config)
    of_steps = [row for name, own in steps.items() for row in _of_step(name, own, config)]
    return [*_of_pipeline(config), *of_steps], [*found, *more, *problems]


def as_text(found: list[Row], show_origin: bool) -> str:
    """The rows as lines of TOML; the origin is a comment."""
    lines = [f"{row.key} = {_toml(row.value)}" for row in found]
    width = min(max(map(len, lines), default=0), 60)
    if show_origin:
        lines = [f"{line:{width}}  # {row.origin}" for line, row in zip(lines, found, strict=True)]
    return "\n".join(lines)


def as_json(found: list[Row]) -> str:
    """The rows as a list of objects."""
    return json.dumps([{"key": r.key, "value": r.value, "origin": r.origin} for r in found], indent=1)


def _of_pipeline(config: Settings) -> Iterator[Row]:
    defaults = {"pipeline-name": "the name of the notebook", "image": DEFAULT}
    for key in dict.fromkeys([*defaults, *VALUES]):
        field = key.replace("-", "_")
        origin = config.origins.get(field)
        if origin is not None or key in defaults:
            yield Row(key, _plain(getattr(config, field)), _words(origin, key) if origin else defaults[key])


def _of_step(name: str, own: StepSettings, config: Settings) -> Iterator[Row]:
    if all(setting.kind != "image" for setting in own.written):
        origin = config.origins.get("image")
        yield Row(f"steps.{name}.image", own.image, _words(origin, "image") if origin else DEFAULT)
    for setting in own.written:
        yield Row(f"steps.{name}.{_key(setting)}", _value(setting), _words(setting.origin, setting.kind))


def _key(setting: Setting) -> str:
    row = GRAMMAR[setting.kind]
    key = row.name or setting.kind
    return f"{key}.{_toml_key(setting.key)}" if row.shape is Shape.PAIRS else key


def _value(setting: Setting) -> Any:
    shape = GRAMMAR[setting.kind].shape
    if shape is Shape.LIST:
        return [":".join(filter(None, (setting.key, setting.value)))]
    if shape is Shape.SWITCH:
        return setting.value == "enabled"
    return setting.value if shape is not Shape.TAG or setting.value else True


def _words(origin: Location, key: str) -> str:
    """A place in words."""
    if origin.path == "options":
        return f"the option --{key}"
    if origin.path == "environment":
        return f"${settings.VARIABLES.get(key, origin.path)}"
    if origin.cell is not None:
        return f"{origin.path}, cell {origin.cell}" + (f", tag {origin.tag}" if origin.tag else "")
    return f"{origin.path}, {'.'.join(origin.key)}" if origin.key else origin.path


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _toml_key(key: str) -> str:
    return key if key.replace("-", "").replace("_", "").isalnum() and key.isascii() else json.dumps(key)
