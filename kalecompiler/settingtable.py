"""The table `[tool.kalecompiler]`, wherever it stands (pyproject.toml, metadata, options): plain data -> `Table`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from kalecompiler import settingrules as rule
from kalecompiler import volumes
from kalecompiler.diagnostics import UNKNOWN_METADATA_KEY, Rule
from kalecompiler.model import Location, Setting
from kalecompiler.settingrules import shown
from kalecompiler.settingvalues import (
    GRAMMAR,
    OLDEST,
    ParsedSetting,
    SettingError,
    Shape,
    check_setting,
    parse_setting,
)
from kalecompiler.suggest import did_you_mean

_OTHER_WAY = "give the steps one with it as a secret: `secret:NAME:KEY:KALEC_PIP_INDEX_URL`"
# Keys of [tool.kalecompiler] in pyproject.toml that mean nothing to a notebook: what `kalec check` looks at, where
# runs are submitted to, and the folder of the packages.
CHECK_KEYS = (
    "notebooks",
    "exclude",
    "extend-exclude",
    "select",
    "extend-select",
    "ignore",
    "per-file-ignores",
    "baseline",
)
ELSEWHERE = (*CHECK_KEYS, "endpoint", "output", "track", "trackers")


class TableError(Exception):
    """A value of the table is wrong; `hint` is the cure."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about a table that does not stand in its way: a key that means nothing."""

    rule: Rule
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """A table, checked: `values` are fields of `Settings`, `defaults` and `steps` settings of steps."""

    values: Mapping[str, Any] = field(default_factory=dict)
    defaults: tuple[Setting, ...] = ()
    steps: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    origin: Location = field(default_factory=lambda: Location(""))


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
    problems = [_unknown(key, {*VALUES, *_OF_ALL, "steps", *ELSEWHERE}) for key in given if not _is_known(key)]
    problems += [_unknown(key, _OF_ONE) for own in tables.values() for key in own if key not in _OF_ONE]
    values = {key.replace("-", "_"): VALUES[key].read(key, value) for key, value in given.items() if key in VALUES}
    found = list(_settings({key: value for key, value in given.items() if key not in VALUES}, _OF_ALL))
    steps = {name: _of_step(name, own) for name, own in tables.items()}
    # the pipeline's image is a value of its own, because an option or a variable of the environment can replace it
    images = [setting.value for setting in found if setting.kind == "image"]
    values |= {"image": images[-1]} if images else {}
    return Table(
        values,
        _located([s for s in found if s.kind != "image"], origin),
        {name: _located(own, origin) for name, own in steps.items()},
        origin,
    ), problems


def _of_step(name: str, table: Mapping[str, Any]) -> list[ParsedSetting]:
    """The settings of one step."""
    try:
        return list(_settings(table, _OF_ONE))
    except TableError as error:
        raise TableError(f"`steps.{name}`: {error}", error.hint) from None


def _is_known(key: str) -> bool:
    return key in VALUES or key in _OF_ALL


def _located(settings: Iterable[ParsedSetting], origin: Location) -> tuple[Setting, ...]:
    return tuple(Setting(s.kind, s.key, s.value, origin) for s in settings)


def _mapping(raw: Any, what: str) -> dict[str, Any]:
    if not isinstance(raw, Mapping):
        raise TableError(f"{what} must be a table, not {_shown(raw)}")
    return {str(key): value for key, value in raw.items()}


def _keys(raw: Any, what: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in _mapping(raw, what).items():
        name = key.replace("_", "-")
        if name in found:
            raise TableError(f"{what} has `{name}` twice, once with `_`", "keep one of the two")
        found[name] = value
    return found


def _unknown(key: str, known: Iterable[str]) -> Problem:
    return Problem(UNKNOWN_METADATA_KEY, f"the key `{key}` is unknown", did_you_mean(key, {*known} - {key}))


def _settings(table: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[ParsedSetting]:
    """The settings of steps in a table, each checked; `kinds` has the kind of each key."""
    for key, value in table.items():
        if key == TAGS:
            yield from _tags(key, value, every=kinds is _OF_ALL)
        elif key in kinds:
            yield from _READERS[GRAMMAR[kinds[key]].shape](kinds[key], key, value)


def _checked(kind: str, name: str, value: str, where: str) -> ParsedSetting:
    """One setting; `where` begins the message of the TableError for a wrong one."""
    try:
        return check_setting(kind, name, value)
    except SettingError as error:
        raise TableError(f"`{where}` {error}", f"write it as in `{GRAMMAR[kind].table}`") from None


def _tags(key: str, value: Any, *, every: bool) -> Iterator[ParsedSetting]:
    """Settings written as tags, like Kale's `steps_defaults`; `every`: they are those of all steps."""
    for tag in _texts(key, value):
        kind, colon, rest = tag.partition(":")
        if every and colon and kind in GRAMMAR and kind != "exit" and not GRAMMAR[kind].shared:
            raise TableError(
                f"`{key}`: `{shown(tag)}` is a setting of one step, and not of all",
                f"tag the step that is meant, or write it in `steps.NAME.{key}`",
            )
        if not colon or kind not in GRAMMAR or kind == "exit":
            known = (kind for kind, row in GRAMMAR.items() if row.shared)
            raise TableError(f"`{key}`: `{shown(tag)}` is no setting of a step", did_you_mean(kind, known, "{}:..."))
        yield _parsed(kind, rest, f"`{key}`: `{shown(tag)}`", GRAMMAR[kind].example)


def _parsed(kind: str, rest: str, what: str, example: str) -> ParsedSetting:
    try:
        return parse_setting(kind, rest)
    except SettingError as error:
        raise TableError(f"{what} {error}", f"write it as in `{example}`") from None


def _one_text(kind: str, key: str, value: Any) -> Iterator[ParsedSetting]:
    yield _checked(kind, "", _text(key, value), key)


def _number(kind: str, key: str, value: Any) -> Iterator[ParsedSetting]:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TableError(f"`{key}` must be a number or a text, not {_shown(value)}")
    yield _checked(kind, "", str(value), key)


def _switch(kind: str, key: str, value: Any) -> Iterator[ParsedSetting]:
    if isinstance(value, bool):
        value = "enabled" if value else "disabled"
    yield _checked(kind, "", _text(key, value), key)


def _pairs(kind: str, key: str, value: Any) -> Iterator[ParsedSetting]:
    for name, content in _mapping(value, f"`{key}`").items():
        if type(content) not in PAIR_TYPES.get(kind, (str,)):
            raise TableError(f"`{key}.{name}` must be a text, not {_shown(content)}", "put it in quotes")
        name = name.replace("_", "-") if kind == "security-context" else name
        content = str(content).lower() if isinstance(content, bool) else str(content)
        yield _checked(kind, name, content, f"{key}.{name}")


def _list(kind: str, key: str, value: Any) -> Iterator[ParsedSetting]:
    for text in (value,) if isinstance(value, str) else _texts(key, value):
        yield _parsed(kind, text, f"`{key}`: `{shown(text)}`", GRAMMAR[kind].table)


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
        if wrong := rule.without_password("", text):
            raise TableError(f"`{key}`: {wrong}", f"put the package into an image, or {_OTHER_WAY}")
    return found


def _index(key: str, value: Any) -> str:
    """The address of a package index."""
    text = _text(key, value)
    if wrong := rule.without_password("", text):
        raise TableError(f"`{key}`: {wrong}", f"write the address without it, or {_OTHER_WAY}")
    if not re.fullmatch(r"(https?|file)://[^\s{}]+", text):
        raise TableError(f"`{key}` is wrong: `{shown(text)}` is no address of an index", _as_in(key))
    return text


def _hosts(key: str, value: Any) -> tuple[str, ...]:
    for text in (found := _texts(key, value)):
        if not re.fullmatch(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?", text):
            raise TableError(f"`{key}` is wrong: `{shown(text)}` is no name of a host", _as_in(key))
    return found


def _dotted(key: str, value: Any) -> tuple[str, ...]:
    for text in (found := _texts(key, value)):
        if not all(part.isidentifier() for part in text.split(".")):
            raise TableError(f"`{key}`: `{text}` is not the dotted name of a function or module", "write `mylib.score`")
    return found


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _name(key: str, value: Any) -> str:
    """A text on one line, or none."""
    text = _text(key, value)
    if text and (wrong := rule.line("", text)):
        raise TableError(f"`{key}` is wrong: {wrong}", _as_in(key))
    return text


def _ruled(check: rule.Check) -> Callable[[str, Any], str]:
    """A text, or a number, that a rule of values checks."""

    def read(key: str, value: Any) -> str:
        text = str(value) if type(value) is int else _text(key, value)
        if wrong := check("", text):
            raise TableError(f"`{key}` is wrong: {wrong}", _as_in(key))
        return text

    return read


def _worded(check: rule.Check) -> Callable[[str, Any], str]:
    """A text that a rule of values checks."""
    return lambda key, value: _ruled(check)(key, _text(key, value))


def _seconds(key: str, value: Any) -> int:
    return rule.seconds_of(_ruled(rule.duration)(key, value))


def _parallelism(key: str, value: Any) -> None:
    cure = "give a local run `--jobs N`, and the cluster a limit in its Argo controller (`namespaceParallelism`)"
    raise TableError(f"`{key}` cannot be carried: KFP has no field for the number of steps that run at once", cure)


def _as_in(key: str) -> str:
    return f"write it as in `{VALUES[key].table}`"


@dataclass(frozen=True, slots=True)
class Value:
    """A key of the whole pipeline: how its value is read, an example, and what becomes of it (see `Kind`)."""

    read: Callable[[str, Any], Any]
    table: str
    becomes: str
    schema: Mapping[str, Any]
    kale: str = ""
    since: str = OLDEST
    local: str = ""


_TEXT: Mapping[str, Any] = {"type": "string"}
_TEXTS: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}
_LENGTH: Mapping[str, Any] = {"type": ["string", "integer"]}

VALUES: dict[str, Value] = {
    "pipeline-name": Value(
        _worded(rule.filled), 'pipeline-name = "churn"', "`pipelineInfo.name`", _TEXT, "`pipeline_name`"
    ),
    "display-name": Value(_name, 'display-name = "Who leaves?"', "`pipelineInfo.displayName`", _TEXT),
    "description": Value(
        _text, 'description = "Who leaves, and why"', "`pipelineInfo.description`", _TEXT, "`pipeline_description`"
    ),
    "experiment": Value(
        _worded(rule.named), 'experiment = "models"', "the experiment of the run, when it is submitted", _TEXT,
        "`experiment`, `experiment_name`",
    ),
    "exit": Value(
        _worded(rule.filled), 'exit = "cleanup"', "this step is an exit step, as by the tag `exit`", _TEXT,
        local="honoured",
    ),
    "pipeline-root": Value(
        _ruled(rule.pipeline_root), 'pipeline-root = "s3://bucket/runs"', "`defaultPipelineRoot`", _TEXT
    ),
    "ttl": Value(
        _seconds, 'ttl = "7d"', "`platforms.kubernetes.pipelineConfig.resourceTtlOnCompletion`", _LENGTH, since="2.17"
    ),
    "run-timeout": Value(
        _seconds, 'run-timeout = "6h"', "`platforms.kubernetes.pipelineConfig.activeDeadlineSeconds`", _LENGTH,
        "`timeout`", since="2.17", local="honoured",
    ),
    "workspace": Value(
        _ruled(volumes.workspace), 'workspace = "10Gi:class=fast,access=ReadWriteMany"',
        "`platforms.kubernetes.pipelineConfig.workspace`, and an input of every step", _TEXT,
        local="a folder of the run, as `$KALE_VOLUME_WORKSPACE`",
    ),
    "parallelism": Value(_parallelism, "", "refused: KFP has no field for it", {"not": {}}, local="`--jobs N`"),
    "requirements": Value(
        lambda key, value: _worded(rule.filled)(key, str(value)), 'requirements = "requirements.txt"',
        "the steps' packages", _TEXT, local="honoured",
    ),
    "packages": Value(_packages, 'packages = ["pandas>=2"]', "the packages of every step", _TEXTS, local="honoured"),
    "index-url": Value(
        _index, 'index-url = "https://pypi.example.com/simple"', "where steps install from", _TEXT, local="honoured"
    ),
    "trusted-hosts": Value(
        _hosts, 'trusted-hosts = ["pypi.example.com"]', "where steps install from", _TEXTS, local="honoured"
    ),
    "pure": Value(_dotted, 'pure = ["mylib.score"]', "the edges of the graph", _TEXTS, local="honoured"),
}  # fmt: skip
"""The keys of the whole pipeline."""

TAGS = "tags"
_OF_ONE = {kind.name: name for name, kind in GRAMMAR.items() if kind.name} | {TAGS: ""}
_OF_ALL = {key: name for key, name in _OF_ONE.items() if key == TAGS or GRAMMAR[name].shared}
PAIR_TYPES: dict[str, tuple[type, ...]] = {
    "limit": (str, int, float),
    "request": (str, int, float),
    "env": (str, int, float),
    "security-context": (str, int, bool),
}
_READERS: dict[Shape, Callable[[str, str, Any], Iterator[ParsedSetting]]] = {
    Shape.TEXT: _one_text,
    Shape.NUMBER: _number,
    Shape.SWITCH: _switch,
    Shape.PAIRS: _pairs,
    Shape.LIST: _list,
}
