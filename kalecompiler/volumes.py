"""How a volume is written in a setting: `NAME:PATH[:OPTION=VALUE,...]` -> `Mount`, or what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from kalecompiler import settingrules as rule

VARIABLE = "KALE_VOLUME_"
"""Begins the name of the environment variable that holds a volume's folder, as in Kale."""

WORKSPACE = "/kfp-workspace"
"""Where KFP mounts a run's workspace."""

OPTIONS: Mapping[str, tuple[str, ...]] = {
    "volume": ("sub-path", "access"),
    "new-volume": ("size", "class", "access", "sub-path"),
    "empty-dir": ("size", "medium"),
    "ephemeral-volume": ("size", "class", "access"),
    "workspace": ("class", "access"),
}
"""The options of each kind of volume."""

_NEEDED: Mapping[str, tuple[str, ...]] = {"new-volume": ("size", "class"), "ephemeral-volume": ("size",)}
# kfp's own rule for it, which is narrower than Kubernetes'
_WORKSPACE_SIZE = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?([KMGTPE]i?)?")
_READ_ONLY = ("ro", "read-only", "readonly")


@dataclass(frozen=True, slots=True)
class Mount:
    """A volume of a step: its name, the path in the container, and its options."""

    name: str
    path: str
    options: Mapping[str, str]

    @property
    def access(self) -> str:
        """Who may use it at once; a claim that says nothing is taken for one that allows it."""
        return self.options.get("access", "")


def read(name: str, value: str) -> Mount:
    """The mount in a setting that was checked: `value` is its path and options."""
    path, _, options = value.partition(":")
    pairs = (option.partition("=") for option in options.split(",") if option)
    return Mount(name, path, {key: content for key, _, content in pairs})


def variable(name: str) -> str:
    """The environment variable that holds the folder of the volume of that name."""
    return VARIABLE + re.sub(r"[^A-Z0-9]", "_", name.upper())


def checker(kind: str) -> rule.Check:
    """What is wrong with a volume of that kind, its name and the rest."""
    return lambda name, value: _name(kind, name) or rule.path("", value.partition(":")[0]) or _options(kind, value)


def _name(kind: str, name: str) -> str | None:
    if not rule.is_label(name):
        return f"`{rule.shown(name)}` is no name of a volume: small letters, digits and `-`, at most 63"
    # KFP puts a UUID of 36 characters before it
    return "its name is longer than 26 characters" if kind == "new-volume" and len(name) > 26 else None


def _options(kind: str, value: str) -> str | None:
    _, colon, rest = value.partition(":")
    given = rest.split(",") if colon else []
    for option in given:
        key, equals, content = option.partition("=")
        if key in _READ_ONLY:
            return "KFP cannot mount a volume read-only; leave that out, or use a claim with the mode ReadOnlyMany"
        if key not in OPTIONS[kind] or not equals:
            return f"`{rule.shown(option)}` is none of its options {', '.join(f'{o}=...' for o in OPTIONS[kind])}"
        if wrong := _CHECKS[key]("", content):
            return wrong
    keys = [option.partition("=")[0] for option in given]
    if len(set(keys)) < len(keys):
        return "it has an option twice"
    missing = [key for key in _NEEDED.get(kind, ()) if key not in keys]
    return f"its option {missing[0]}=... is missing" if missing else None


def _sub_path(_key: str, value: str) -> str | None:
    if not value or value.startswith("/") or ".." in value.split("/") or not value.isprintable():
        return f"`{rule.shown(value)}` is no path within a volume"
    return rule.text("", value)


_CHECKS: Mapping[str, Callable[[str, str], str | None]] = {
    "size": rule.size,
    "class": rule.object_name("a storage class"),
    "access": rule.one_of(*rule.ACCESS_MODES),
    "medium": rule.one_of(*rule.MEDIA),
    "sub-path": _sub_path,
}


def workspace(_key: str, value: str) -> str | None:
    """What is wrong with a workspace, `SIZE[:OPTION=VALUE,...]`."""
    size, colon, rest = value.partition(":")
    if not _WORKSPACE_SIZE.fullmatch(size) or not rule.bytes_of(size):
        return f"`{rule.shown(size)}` is no size like 500Mi or 10Gi"
    return _options("workspace", f"/:{rest}") if colon else None


def read_workspace(value: str) -> tuple[str, Mapping[str, str]]:
    """The size and the options of a workspace that was checked."""
    size, _, rest = value.partition(":")
    return size, read("workspace", f"/:{rest}").options
