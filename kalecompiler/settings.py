"""Settings of a notebook's pipeline, validated once: options, environment, metadata, pyproject.toml -> `Settings`.

The nearer source wins: option, environment variable, notebook, pyproject.toml, default. A value that is wrong in a
call, the environment or pyproject.toml raises UsageError; one that is wrong in the notebook is a finding.
"""

from __future__ import annotations

import functools
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kalecompiler import diagnostics as rules
from kalecompiler import kalemetadata, watch
from kalecompiler.diagnostics import Diagnostic, UsageError
from kalecompiler.limits import DEFAULT_IMAGE
from kalecompiler.model import Location, Notebook, Setting
from kalecompiler.settingtable import ELSEWHERE, Problem, Table, TableError, read_table
from kalecompiler.wording import cause

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

LONGEST_PIPELINE_NAME = 128
# The oldest 3.x that the part of the runtime which travels with each step can run on.
OLDEST_PYTHON = 9

# Read where no option says otherwise; each is a text, as in pyproject.toml.
_ENVIRONMENT = {
    "KALEC_IMAGE": "image",
    "KALEC_EXPERIMENT": "experiment",
    "KALEC_REQUIREMENTS": "requirements",
    "KALEC_INDEX_URL": "index-url",
    "KALEC_TRUSTED_HOSTS": "trusted-hosts",
}
VARIABLES = {key: name for name, key in _ENVIRONMENT.items()}
"""The variable of the environment for a key, where there is one."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole pipeline. `defaults` and `steps` are settings of steps, in rising order of weight.

    `image` is the image of all steps that name none; `requirements` a requirements file or lock; `packages`
    requirements of every step; `ttl` and `run_timeout` are in seconds, `workspace` is as written. `origins` has the
    places of the values that were set, by field.
    """

    pipeline_name: str = "pipeline"
    description: str = ""
    experiment: str | None = None
    image: str = DEFAULT_IMAGE
    requirements: Path | None = None
    packages: tuple[str, ...] = ()
    pure: tuple[str, ...] = ()
    index_url: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    defaults: tuple[Setting, ...] = ()
    steps: Mapping[str, tuple[Setting, ...]] = field(default_factory=dict)
    display_name: str = ""
    exit: str | None = None
    pipeline_root: str | None = None
    ttl: int | None = None
    run_timeout: int | None = None
    workspace: str | None = None
    origins: Mapping[str, Location] = field(default_factory=dict, compare=False)

    @property
    def exit_origin(self) -> Location | None:
        """Where the exit step is named, if it is a setting."""
        return self.origins.get("exit")


def load(notebook: Notebook, options: Mapping[str, Any]) -> tuple[Settings, list[Diagnostic]]:
    """The settings of a notebook.

    Args:
        notebook: as read; its folder is where the search for pyproject.toml begins.
        options: keys of `[tool.kalecompiler]` (with `-` or `_`); a value of None is not given.

    Returns: the settings, and findings about the notebook's metadata.

    Raises:
        UsageError: an option, a variable of the environment or pyproject.toml is wrong.
    """
    findings: list[Diagnostic] = []
    folder = Path(os.path.abspath(notebook.path)).parent
    environment = {key: os.environ[name] for name, key in _ENVIRONMENT.items() if os.environ.get(name)}
    given = {key: value for key, value in options.items() if value is not None}
    sources = [
        *_pyproject(folder, findings),
        *_notebook(notebook, folder, findings),
        _strict_table(environment, "environment", Path(), findings),
        _strict_table(given, "options", Path(), findings),
    ]
    settings = _merged(sources, notebook, findings)
    return settings, findings + _other_python(notebook, settings.image)


def _merged(sources: list[Table], notebook: Notebook, findings: list[Diagnostic]) -> Settings:
    """The tables, in rising order of weight, made one."""
    values: dict[str, Any] = {}
    origins: dict[str, Location] = {}
    steps: dict[str, tuple[Setting, ...]] = {}
    for table in sources:
        values |= table.values
        origins |= dict.fromkeys(table.values, table.origin)
        for name, own in table.steps.items():
            steps[name] = steps.get(name, ()) + own
    name = _pipeline_name(notebook, values.pop("pipeline_name", None), findings)
    defaults = tuple(setting for table in sources for setting in table.defaults)
    return Settings(pipeline_name=name, defaults=defaults, steps=steps, origins=origins, **values)


def _pyproject(folder: Path, findings: list[Diagnostic]) -> list[Table]:
    """The table of the nearest pyproject.toml that has one."""
    path, raw = own_table(folder)
    return [] if raw is None else [_strict_table(_of_pipelines(raw), str(path), path.parent, findings)]


def _of_pipelines(raw: Any) -> Any:
    """The table without what concerns no single notebook: endpoints are read by what submits, and so on."""
    if not isinstance(raw, dict):
        return raw
    return {key: value for key, value in raw.items() if key.replace("_", "-") not in ELSEWHERE}


def check_table(raw: Any, path: Path) -> None:
    """Raise UsageError where the table `[tool.kalecompiler]` of a pyproject.toml is wrong, or has an unknown key."""
    _strict_table(_of_pipelines(raw), str(path), path.parent, [])


def endpoints(folder: Path) -> tuple[Path, dict[str, Any]]:
    """The tables `[tool.kalecompiler.endpoint.NAME]` by name, unchecked, and the pyproject.toml that has them.

    Raises UsageError for a file that cannot be read, or is wrong.
    """
    path, raw = own_table(Path(os.path.abspath(folder)))
    tables = raw.get("endpoint", {}) if isinstance(raw, dict) else {}
    if not isinstance(tables, dict):
        raise UsageError(f"{path}: `endpoint` must be a table of endpoints, as in [tool.kalecompiler.endpoint.prod]")
    return path, tables


def own_table(folder: Path) -> tuple[Path, Any]:
    """The nearest pyproject.toml with a table of ours, unchecked, and that table; None where there is none.

    Raises UsageError for a file that cannot be read, or is wrong.
    """
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        tool = _toml(path).get("tool")
        if isinstance(tool, dict) and "kalecompiler" in tool:
            return path, tool["kalecompiler"]
    return folder / "pyproject.toml", None


def _toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; nothing where there is none."""
    watch.seen(path)
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {cause(error)}") from None
    return _parsed(path, data)


@functools.lru_cache(maxsize=16)
def _parsed(path: Path, data: bytes) -> dict[str, Any]:
    """The content of a TOML file, which nobody changes: many notebooks share one."""
    try:
        content: dict[str, Any] = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    return content


def _strict_table(raw: Any, source: str, folder: Path, findings: list[Diagnostic]) -> Table:
    """A table from outside the notebook: an error in it, or an unknown key, is a UsageError."""
    try:
        table, problems = read_table(raw, Location(source))
        table = _with_file(table, folder)
    except TableError as error:
        raise _usage(source, str(error), error.hint) from None
    for problem in problems:
        if problem.rule is rules.UNKNOWN_METADATA_KEY:
            raise _usage(source, problem.message, problem.hint)
    findings += [Diagnostic(p.rule, p.message, Location(source), p.hint) for p in problems]
    return table


def _usage(source: str, message: str, hint: str | None) -> UsageError:
    return UsageError(f"{source}: {message}" + (f"; {hint}" if hint else ""))


def _notebook(notebook: Notebook, folder: Path, findings: list[Diagnostic]) -> list[Table]:
    """The tables of the notebook's metadata, Kale's and then ours: whatever is wrong with them is a finding."""
    kale, problems = kalemetadata.translate(notebook.metadata.get("kubeflow_notebook"))
    tables = []
    for key, raw in (("kubeflow_notebook", kale), ("kalecompiler", notebook.metadata.get("kalecompiler"))):
        try:
            table, found = read_table({} if raw is None else raw, Location(str(notebook.path), key=("metadata", key)))
            tables.append(_with_file(table, folder))
        except TableError as error:
            found = [Problem(rules.INVALID_METADATA, str(error), error.hint)]
        problems += [Problem(p.rule, f"metadata `{key}`: {p.message}", p.hint) for p in found]
    findings += [Diagnostic(p.rule, p.message, _in_metadata(notebook, p.message), p.hint) for p in problems]
    return tables


def _in_metadata(notebook: Notebook, message: str) -> Location:
    """The place in the metadata that a message's words in backticks lead to."""
    table: Any = notebook.metadata
    keys = ["metadata"]
    for word in (part for quoted in re.findall("`([^`]*)`", message) for part in quoted.split(".")):
        spellings = {word, word.replace("-", "_"), *kalemetadata.SPELLINGS.get(word, ())}
        key = next((k for k in table if k in spellings), None) if isinstance(table, Mapping) else None
        if key is not None:
            keys.append(key)
            table = table[key]
    return Location(str(notebook.path), key=tuple(keys) if len(keys) > 1 else ())


def _with_file(table: Table, folder: Path) -> Table:
    """The table with its requirements file found: a relative path starts at the folder of what names it."""
    name = table.values.get("requirements")
    if not name:
        return table
    path = folder / name
    watch.seen(path)
    try:
        found = path.is_file()
    except OSError as error:
        raise TableError(f"`requirements`: {path} cannot be read: {cause(error)}") from None
    if not found:
        raise TableError(f"`requirements`: {path} does not exist")
    return replace(table, values={**table.values, "requirements": path})


def _pipeline_name(notebook: Notebook, wanted: str | None, findings: list[Diagnostic]) -> str:
    """A name that KFP accepts: the one wanted, or else the file's."""
    if not wanted:
        return sanitised(notebook.path.stem) or "pipeline"
    name = sanitised(wanted)
    if not name:
        message = f"the pipeline name `{wanted}` has no letter or digit that KFP accepts"
        findings.append(
            Diagnostic(rules.INVALID_METADATA, message, _name_in_metadata(notebook), "use a to z, 0 to 9, -")
        )
    elif name != wanted:
        message = f"the pipeline name `{wanted}` becomes `{name}`, as KFP takes only small letters, digits and dashes"
        where = _name_in_metadata(notebook)
        findings.append(Diagnostic(rules.REWRITTEN_PIPELINE_NAME, message, where, f"name it `{name}`"))
    return name or "pipeline"


def _name_in_metadata(notebook: Notebook) -> Location:
    """Where the metadata names the pipeline, ours before Kale's."""
    found = [_in_metadata(notebook, f"`{key}` `pipeline-name`") for key in ("kalecompiler", "kubeflow_notebook")]
    return next(
        (where for where in found if len(where.key) > len(("metadata", "kalecompiler"))), Location(found[0].path)
    )


def sanitised(name: str) -> str:
    """The name in the form `[a-z0-9][a-z0-9-]{0,127}`; it may be empty."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_PIPELINE_NAME].rstrip("-")


def _other_python(notebook: Notebook, image: str) -> list[Diagnostic]:
    """A finding where the image runs another minor version of Python than the notebook did."""
    match = re.search(r"(?:^|/)python:(3\.\d+)", image)
    if not match or notebook.python is None or match[1] == notebook.python:
        return []
    message = f"the notebook was run with Python {notebook.python}, and the image `{image}` has Python {match[1]}"
    hint = f"run the notebook with Python {match[1]}"
    if int(notebook.python.partition(".")[2]) >= OLDEST_PYTHON:
        hint += f", or choose another image, as in `--image python:{notebook.python}`"
    where = Location(str(notebook.path), key=("metadata", "language_info", "version"))
    return [Diagnostic(rules.OTHER_PYTHON, message, where, hint)]
