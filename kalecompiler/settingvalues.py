"""The settings of a step: how each is written after its tag's colon, and which values it takes.

`limit:cpu:2` is kind `limit`, key `cpu`, value `2`. The same kinds, keys and values come from pyproject.toml and from
the notebook's metadata, and are checked by the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_QUANTITY = re.compile(r"\+?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+|[numkMGTPE]|[KMGTPE]i)?")
_RESOURCE = re.compile(r"([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_DURATION = re.compile(r"[1-9]\d*(s|m|h|d)?")


class SettingError(Exception):
    """A setting is malformed (its shape is wrong), or has a value that it does not take; the text is a predicate."""

    def __init__(self, message: str, hint: str, malformed: bool = False) -> None:
        super().__init__(message)
        self.hint = hint
        self.malformed = malformed


@dataclass(frozen=True, slots=True)
class ParsedSetting:
    """One setting, checked; `effective` unless a later version is to give it an effect."""

    kind: str
    key: str
    value: str
    effective: bool = True


@dataclass(frozen=True, slots=True)
class Kind:
    """How a kind of setting is written.

    `keys` is the number of parts that stand before the value and make the key; `example` the whole tag; `check` says
    what is wrong with a key and value, or None; `effective` whether it reaches the package in this version.
    """

    example: str
    keys: int
    check: Callable[[str, str], str | None]
    effective: bool = True
    may_be_empty: bool = False


def parse_setting(kind: str, rest: str) -> ParsedSetting:
    """The setting `kind:rest`, as in a tag. Raises SettingError."""
    grammar = GRAMMAR[kind]
    *keys, value = rest.split(":", grammar.keys)
    whole = len(keys) == grammar.keys and all(key and key == key.strip() for key in keys)
    if not whole or (not value and not grammar.may_be_empty):
        raise SettingError("is malformed", f"write it as in `{grammar.example}`", malformed=True)
    return check_setting(kind, ":".join(keys), value)


def check_setting(kind: str, key: str, value: str) -> ParsedSetting:
    """The setting of that kind, key and value. Raises SettingError."""
    grammar = GRAMMAR[kind]
    wrong = grammar.check(key, value)
    if wrong:
        raise SettingError(f"is wrong: {wrong}", f"write it as in `{grammar.example}`")
    return ParsedSetting(kind, key, value, grammar.effective)


def _matches(pattern: re.Pattern[str], what: str) -> Callable[[str, str], str | None]:
    return lambda _key, value: None if pattern.fullmatch(value) else f"`{value}` is no {what}"


def _one_of(*values: str) -> Callable[[str, str], str | None]:
    return lambda _key, value: None if value in values else f"`{value}` is none of {', '.join(values)}"


def _image(_key: str, value: str) -> str | None:
    return None if re.fullmatch(r"[!-~]+", value) else f"`{value}` is no name of an image"


def _resource(key: str, value: str) -> str | None:
    if not _RESOURCE.fullmatch(key):
        return f"`{key}` is no resource like cpu, memory or nvidia.com/gpu"
    if not _QUANTITY.fullmatch(value):
        return f"`{value}` is no quantity like 2, 500m or 4Gi"
    return None


def _qualified(key: str) -> str | None:
    """What is wrong with the key of a label or annotation: [domain/]name, as Kubernetes has it."""
    prefix, slash, name = key.rpartition("/")
    if slash and not (_PREFIX.fullmatch(prefix) and len(prefix) <= 253):
        return f"`{prefix}` is no domain name, as before the slash of a key"
    if not _NAME.fullmatch(name) or len(name) > 63:
        return f"`{name}` is no key: letters, digits, `-`, `_` and `.`, at most 63"
    return None


def _label(key: str, value: str) -> str | None:
    if value and (not _NAME.fullmatch(value) or len(value) > 63):
        return f"`{value}` is no label value: letters, digits, `-`, `_` and `.`, at most 63"
    return _qualified(key)


def _annotation(key: str, value: str) -> str | None:
    return _qualified(key)


def _volume(key: str, value: str) -> str | None:
    return None if value.startswith("/") else f"`{value}` is no absolute path"


def _identifier(_key: str, value: str) -> str | None:
    return None if value.isidentifier() else f"`{value}` is no name of a variable"


def _metric(_key: str, value: str) -> str | None:
    name, equals, shape = value.partition("=")
    if equals and shape not in ("confusion", "roc", "report", "html", "markdown"):
        return f"`{shape}` is none of confusion, roc, report, html, markdown"
    return _identifier("", name)


def _secret(key: str, value: str) -> str | None:
    if not _ENVIRONMENT.fullmatch(value):
        return f"`{value}` is no name of an environment variable"
    secret = key.partition(":")[0]
    return None if _PREFIX.fullmatch(secret) else f"`{secret}` is no name of a secret"


def _environment(key: str, value: str) -> str | None:
    return None if _ENVIRONMENT.fullmatch(key) else f"`{key}` is no name of an environment variable"


def _filled(_key: str, value: str) -> str | None:
    return None if value.strip() else "its value is missing"


def _anything(_key: str, _value: str) -> str | None:
    return None


GRAMMAR: dict[str, Kind] = {
    "image": Kind("image:python:3.11", 0, _image),
    "cache": Kind("cache:enabled", 0, _one_of("enabled", "disabled")),
    "limit": Kind("limit:memory:4Gi", 1, _resource),
    "request": Kind("request:cpu:500m", 1, _resource),
    "label": Kind("label:team:vision", 1, _label, may_be_empty=True),
    "annotation": Kind("annotation:example.com/note:any text", 1, _annotation, may_be_empty=True),
    "changes": Kind("changes:model", 0, _identifier),
    "report": Kind("report:enabled", 0, _one_of("enabled", "disabled"), effective=False),
    "secret": Kind("secret:database:password:DB_PASSWORD", 2, _secret, effective=False),
    "env": Kind("env:LOG_LEVEL:debug", 1, _environment, effective=False, may_be_empty=True),
    "retry": Kind("retry:3", 0, _matches(re.compile(r"\d{1,4}"), "number of retries"), effective=False),
    "timeout": Kind("timeout:30m", 0, _matches(_DURATION, "duration like 90s, 30m or 2h"), effective=False),
    "node-selector": Kind("node-selector:disktype:ssd", 1, _label, effective=False),
    "toleration": Kind("toleration:nvidia.com/gpu:NoSchedule", 0, _filled, effective=False),
    "volume": Kind("volume:data:/data", 1, _volume, effective=False),
    "together": Kind("together:load,clean", 0, _filled, effective=False),
    "metrics": Kind("metrics:matrix=confusion", 0, _metric, effective=False),
    "snapshot": Kind("snapshot:passed", 0, _one_of("passed", "all", "off"), effective=False),
    "ignore-failure": Kind("ignore-failure:notify", 0, _filled, effective=False),
    "exit": Kind("exit", 0, _anything, effective=False, may_be_empty=True),
    "handler": Kind("handler", 0, _anything, effective=False, may_be_empty=True),
}
