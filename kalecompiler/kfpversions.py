"""Whether the kfp that is installed has what the settings need; asked of its metadata, without importing it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterator

from kalecompiler import volumes
from kalecompiler.diagnostics import UsageError
from kalecompiler.model import Pipeline
from kalecompiler.settingtable import VALUES
from kalecompiler.settingvalues import GRAMMAR, OLDEST

_PACKAGES = ("kfp", "kfp-kubernetes")
_SUB_PATH = "2.16"


def check(pipeline: Pipeline) -> None:
    """Raise UsageError for a setting that came with a newer kfp than the one here."""
    needed = [item for item in _needed(pipeline) if _number(item[1]) > _number(OLDEST)]
    have = min((_installed(name) for name in _PACKAGES), key=_number) if needed else OLDEST
    for what, since in needed:
        if _number(since) > _number(have):
            cure = f"pip install 'kfp>={since}' 'kfp-kubernetes>={since}', or leave it out"
            raise UsageError(f"{pipeline.notebook}: {what} needs kfp {since}, and {have} is installed: {cure}")


def _needed(pipeline: Pipeline) -> Iterator[tuple[str, str]]:
    """Every setting with the version that it came with."""
    whole = pipeline.whole
    for name, value in (("ttl", whole.ttl), ("run-timeout", whole.run_timeout), ("workspace", whole.workspace)):
        if value is not None:
            yield f"`{name}`", VALUES[name].since
    for step in pipeline.steps:
        for kind, key, value in step.settings.others:
            yield f"`{kind}` of step `{step.name}`", GRAMMAR[kind].since
            if kind in ("volume", "new-volume") and "sub-path" in volumes.read(key, value).options:
                yield f"`sub-path` of step `{step.name}`", _SUB_PATH


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "0"


def _number(version: str) -> tuple[int, ...]:
    """The first two parts of a version, to compare."""
    parts = version.split(".")[:2]
    return tuple(int(part) if part.isdigit() else 0 for part in parts)
