"""The table `[tool.kalecompiler]`, wherever it stands (pyproject.toml, metadata, options): plain data -> `Table`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kalecompiler.diagnostics import NO_EFFECT_YET, UNKNOWN_METADATA_KEY, Rule
from kalecompiler.model import Location, Setting
from kalecompiler.settingvalues import GRAMMAR, ParsedSetting, SettingError, check_setting, parse_setting
from kalecompiler.suggest import did_you_mean


class TableError(Exception):
    """A value of the table is wrong; `hint` is the cure."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a table that does not stand in its way: a key that means nothing, or does not yet."""

    rule: Rule
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table, checked: `values` are fields of `Settings`; `defaults` and `steps` settings of steps."""

    values: Mapping[str, Any] = field(default_factory=dict)
    defaults: tuple[Setting, ...] = ()
    steps: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)


def read_table(raw: Any, origin: Location) -> tuple[Table, list[Problem]]:
    """Check a table.

    Args:
        raw: the table; `_` in a key stands for `-`.
        origin: where it stands, for the settings made from it.

    Returns: the table, and problems that are no errors.

    Raises:
        TableError: a value is of the wrong type, or not one that its key takes.
    """
    given = _keys(raw, "`kalecompiler`")
    tables = {name: _keys(own, f"`steps.{name}`") for name, own in _mapping(given.pop("steps", {}), "`steps`").items()}
    problems = [_unknown(key, {*_VALUES, *_SETTINGS, "steps"}) for key in given if key not in {*_VALUES, *_SETTINGS}]
    problems += [_unknown(key, _SETTINGS) for own in tables.values() for key in own if key not in _SETTINGS]
    values = {key.replace("-", "_"): _VALUES[key](key, value) for key, value in given.items() if key in _VALUES}
    found = list(_settings(given))
    steps = {name: list(_settings(own)) for name, own in tables.items()}
    problems += [_later(s) for own in (found, *steps.values()) for s in own if not s.effective]
    if values.get("experiment"):
        message = f"the experiment `{values['experiment']}` has no effect yet"
        problems.append(Problem(NO_EFFECT_YET, message, "it counts when a pipeline is submitted"))
    # the pipeline's image is a value of its own, because an option or a variable of the environment can replace it
    images = [setting.value for setting in found if setting.kind == "image"]
    values |= {"image": images[-1]} if images else {}
    return Table(
        values,
        _located([s for s in found if s.kind != "image"], origin),
        {name: _located(own, origin) for name, own in steps.items()},
    ), problems


def _located(settings: Iterable[ParsedSetting], origin: Location) -> tuple[Setting, ...]:
    return tuple(Setting(s.kind, s.key, s.value, origin) for s in settings)


def _mapping(raw: Any, what: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise TableError(f"{what} must be a table, not {_shown(raw)}")
    return {str(key): value for key, value in raw.items()}


def _keys(raw: Any, what: str) -> dict[str, Any]:
    return {key.replace("_", "-"): value for key, value in _mapping(raw, what).items()}


def _unknown(key: str, known: Iterable[str]) -> Problem:
    return Problem(UNKNOWN_METADATA_KEY, f"the key `{key}` is unknown", did_you_mean(key, known))


def _later(setting: ParsedSetting) -> Problem:
    shown = ":".join(filter(None, (setting.kind, setting.key, setting.value)))
    return Problem(NO_EFFECT_YET, f"the setting `{shown}` has no effect yet", "the steps run without it")


def _settings(table: Mapping[str, Any]) -> Iterator[ParsedSetting]:
    """The settings of steps in a table, each checked."""
    for key, value in table.items():
        if key in _SETTINGS:
            yield from _SETTINGS[key](key, value)


def _checked(kind: str, name: str, value: str, where: str) -> ParsedSetting:
    """One setting; `where` begins the message of the TableError for a wrong one."""
    try:
        return check_setting(kind, name, value)
    except SettingError as error:
        raise TableError(f"`{where}` {error}") from None


def _tags(key: str, value: Any) -> Iterator[ParsedSetting]:
    """Settings written as tags, like Kale's `steps_defaults`."""
    for tag in _texts(key, value):
        kind, colon, rest = tag.partition(":")
        if not colon or kind not in GRAMMAR or kind == "changes":
            known = (kind for kind in GRAMMAR if kind != "changes")
            raise TableError(f"`{key}`: `{tag}` is no setting of a step", did_you_mean(kind, known, "{}:..."))
        try:
            yield parse_setting(kind, rest)
        except SettingError as error:
            raise TableError(f"`{key}`: `{tag}` {error}", error.hint) from None


def _image(key: str, value: Any) -> Iterator[ParsedSetting]:
    yield _checked("image", "", _text(key, value), key)


def _cache(key: str, value: Any) -> Iterator[ParsedSetting]:
    if isinstance(value, bool):
        value = "enabled" if value else "disabled"
    yield _checked("cache", "", _text(key, value), key)


def _pairs(kind: str, types: tuple[type, ...]) -> Callable[[str, Any], Iterator[ParsedSetting]]:
    def pairs(key: str, value: Any) -> Iterator[ParsedSetting]:
        for name, content in _mapping(value, f"`{key}`").items():
            if isinstance(content, bool) or not isinstance(content, types):
                raise TableError(f"`{key}.{name}` must be a text, not {_shown(content)}", "put it in quotes")
            yield _checked(kind, name, str(content), f"{key}.{name}")

    return pairs


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise TableError(f"`{key}` must be a text, not {_shown(value)}")
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    """A list of texts; one text is split at commas and blanks, as a variable of the environment is written."""
    if isinstance(value, str):
        return tuple(filter(None, re.split(r"[,\s]+", value)))
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TableError(f"`{key}` must be a list of texts, not {_shown(value)}")
    return tuple(value)


def _packages(key: str, value: Any) -> tuple[str, ...]:
    from kalecompiler.installs import valid_requirement

    for text in (found := _texts(key, value)):
        if not valid_requirement(text):
            raise TableError(f"`{key}`: `{text}` is not a requirement", "write them as in `pandas>=2`")
    return found


def _dotted(key: str, value: Any) -> tuple[str, ...]:
    for text in (found := _texts(key, value)):
        if not all(part.isidentifier() for part in text.split(".")):
            raise TableError(f"`{key}`: `{text}` is not the dotted name of a function or module", "write `mylib.score`")
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


_VALUES: dict[str, Callable[[str, Any], Any]] = {
    "pipeline-name": _text,
    "description": _text,
    "experiment": _text,
    "requirements": lambda key, value: _text(key, str(value)),
    "packages": _packages,
    "index-url": _text,
    "trusted-hosts": _texts,
    "pure": _dotted,
}
_SETTINGS: dict[str, Callable[[str, Any], Iterator[ParsedSetting]]] = {
    "image": _image,
    "tags": _tags,
    "cache": _cache,
    "limits": _pairs("limit", (str, int, float)),
    "requests": _pairs("request", (str, int, float)),
    "labels": _pairs("label", (str,)),
    "annotations": _pairs("annotation", (str,)),
}
