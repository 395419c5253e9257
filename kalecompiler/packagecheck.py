"""`kalec compile --check`: whether a committed package is what its notebook compiles to, and if not, why."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalecompiler import diffs, notebook, settings
from kalecompiler.diagnostics import NotebookError, UsageError
from kalecompiler.tagged import is_tagged
from kalecompiler.wording import cause

_LONGEST = 200
_SHORT = 120
_START = 1000
_PIPELINES = b"ed by kalecompiler ", b"# PIPELINE DEFINITION", b"pipelineInfo:", b"import kfp", b"from kfp "
_HEADER = re.compile(r"compiled by kalecompiler (\S+) from")
_SDK = re.compile(r"^sdkVersion: (?:'|\")?(\S+?)(?:'|\")?$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Verdict:
    """A package that is not current: `reason` says why, `diff` what compiling again would change."""

    notebook: Path
    package: Path
    reason: str
    diff: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What was compared: packages that are not current, and how many are.

    `missing` are tagged notebooks without a package, `broken` what keeps notebooks with one from compiling, `problems`
    what could not be read.
    """

    stale: tuple[Verdict, ...] = ()
    current: int = 0
    missing: tuple[Path, ...] = ()
    broken: tuple[NotebookError, ...] = ()
    problems: tuple[str, ...] = ()


def package_path(path: Path, beside: bool = True) -> Path:
    """Where the package of a notebook is kept: as `output` of [tool.kalecompiler] says, else beside the notebook.

    With `beside=False` it is in the current folder where nothing is said. Raises UsageError for an `output` that is
    no text.
    """
    config, table = settings.own_table(Path(os.path.abspath(path)).parent)
    folder = table.get("output") if isinstance(table, dict) else None
    if folder is None:
        return path.with_suffix(".yaml") if beside else Path(f"{path.stem}.yaml")
    if not isinstance(folder, str):
        raise UsageError(f'{config}: `output` must be a folder, as in `output = "pipelines"`')
    return Path(os.path.relpath(config.parent / folder / f"{path.stem}.yaml"))


def is_foreign(path: Path) -> bool:
    """Whether a file is there that is no pipeline: neither of ours, which say so at their beginning, nor of kfp's."""
    try:
        with path.open("rb") as file:
            start = file.read(_START)
    except OSError:
        return False
    return bool(start.strip()) and not any(mark in start for mark in _PIPELINES)


def compare(paths: Iterable[Path], compiled: Callable[[Path], str]) -> Compared:
    """Compare the package of each tagged notebook with what the notebook compiles to; `compiled` does that.

    A package that is not there is no mistake: not every notebook is kept compiled. A notebook that does not compile is,
    where it has a package; two that would have the same are too.
    """
    stale: list[Verdict] = []
    missing: list[Path] = []
    broken: list[NotebookError] = []
    problems: list[str] = []
    current = 0
    for package, claimants in _claims(paths, problems).items():
        try:
            tagged = [path for path in claimants if is_tagged(notebook.read_bytes(path))]
            if not package.is_file():
                missing += tagged
                continue
            if len(tagged) > 1:
                names = " and ".join(map(str, tagged))
                problems.append(f"{package} is the package of {names}: give them different names")
                continue
            path = (tagged or claimants)[0]
            verdict = judge(path, package, _read(package), compiled(path))
        except NotebookError as error:
            broken.append(error)
            continue
        except UsageError as error:
            problems.append(str(error))
            continue
        if verdict is None:
            current += 1
        else:
            stale.append(verdict)
    return Compared(tuple(stale), current, tuple(missing), tuple(broken), tuple(problems))


def _claims(paths: Iterable[Path], problems: list[str]) -> dict[Path, list[Path]]:
    """The notebooks by their packages; with `output`, those of one name in several folders have the same."""
    found: dict[Path, list[Path]] = {}
    for path in paths:
        try:
            found.setdefault(package_path(path), []).append(path)
        except UsageError as error:
            problems.append(str(error))
    return found


def judge(path: Path, package: Path, old: str, new: str) -> Verdict | None:
    """What is to be said of a package with the text `old`, whose notebook compiles to `new`; None if it is current."""
    if old == new:
        return None
    lines = diffs.unified(old, new, package.as_posix()).splitlines(keepends=True)
    return Verdict(path, package, _reason(old, new), "".join(map(_cut, lines)))


def _cut(line: str) -> str:
    """A line of a diff, short enough to be read: the runtime's are thousands of characters."""
    return line if len(line) <= _LONGEST else f"{line[:_SHORT]} ... {len(line.rstrip()) - 1:,} characters\n"


def _reason(old: str, new: str) -> str:
    """Why two packages differ, as the end of a sentence about the first."""
    before, now = _versions(old), _versions(new)
    changed = [f"{name} was {before[name]} and is {now[name]}" for name in now if before[name] != now[name]]
    if not _HEADER.search(old):
        return "it was not written by kalecompiler, or was changed since"
    if not changed:
        return "the notebook, its settings or the modules beside it have changed since, or the package has"
    if _essence(old) == _essence(new):
        return f"the notebook is the same, but {' and '.join(changed)}"
    return f"the notebook, its settings or the modules beside it have changed since, and {' and '.join(changed)}"


def _versions(text: str) -> dict[str, str]:
    """The versions that a package names."""
    header, sdk = _HEADER.search(text), _SDK.search(text)
    return {
        "kalecompiler": header[1] if header else "unknown",
        "kfp": sdk[1].removeprefix("kfp-") if sdk else "unknown",
    }


def _essence(text: str) -> Any:
    """What of a package comes from the notebook: no versions, and of the steps' commands only their own part."""
    import yaml

    try:
        documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except yaml.YAMLError:
        return text
    return json.dumps([_plain(d) for d in documents], sort_keys=True, default=str)


def _plain(document: Any) -> Any:
    if not isinstance(document, dict):
        return document
    plain = {key: value for key, value in document.items() if key not in ("sdkVersion", "schemaVersion")}
    deployment = plain.get("deploymentSpec")
    if isinstance(deployment, Mapping) and isinstance(deployment.get("executors"), Mapping):
        plain["deploymentSpec"] = {name: _container(executor) for name, executor in deployment["executors"].items()}
    return plain


def _container(executor: Any) -> Any:
    """An executor without its command, which is the runtime; the step's own part is its arguments."""
    container = executor.get("container") if isinstance(executor, Mapping) else None
    if not isinstance(container, Mapping):
        return executor
    return {key: value for key, value in container.items() if key != "command"}


def _read(package: Path) -> str:
    """The text of a package; git may have given it Windows' line ends."""
    try:
        return package.read_bytes().decode("utf-8").replace("\r\n", "\n")
    except OSError as error:
        raise UsageError(f"{package} cannot be read: {cause(error)}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{package} is not text in UTF-8") from None
