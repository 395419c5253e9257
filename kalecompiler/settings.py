"""Settings of a notebook's pipeline, validated once: options, environment, metadata, pyproject.toml -> `Settings`.

The nearer source wins: option, environment variable, notebook, pyproject.toml, default. A value that is wrong in a
call, the environment or pyproject.toml raises UsageError; one that is wrong in the notebook is a finding.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kalecompiler import diagnostics as rules
from kalecompiler import kalemetadata
from kalecompiler.diagnostics import Diagnostic, UsageError
from kalecompiler.limits import DEFAULT_IMAGE
from kalecompiler.model import Location, Notebook, Setting
from kalecompiler.settingtable import Problem, Table, TableError, read_table

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


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for the whole pipeline. `defaults` and `steps` are settings of steps, in rising order of weight.

    `image` is the image of all steps that name none; `requirements` a requirements file or lock; `packages`
    requirements of every step.
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
    steps: dict[str, tuple[Setting, ...]] = {}
    for table in sources:
        values |= table.values
        for name, own in table.steps.items():
            steps[name] = steps.get(name, ()) + own
    name = _pipeline_name(notebook, values.pop("pipeline_name", None), findings)
    defaults = tuple(setting for table in sources for setting in table.defaults)
    return Settings(pipeline_name=name, defaults=defaults, steps=steps, **values)


def _pyproject(folder: Path, findings: list[Diagnostic]) -> list[Table]:
    """The table of the nearest pyproject.toml that has one."""
    for parent in (folder, *folder.parents):
        path = parent / "pyproject.toml"
        tool = _toml(path).get("tool")
        if isinstance(tool, dict) and "kalecompiler" in tool:
            return [_strict_table(tool["kalecompiler"], str(path), parent, findings)]
    return []


def _toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file; nothing where there is none."""
    try:
        content: dict[str, Any] = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {(error.strerror or str(error)).lower()}") from None
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
    where = Location(str(notebook.path))
    kale, problems = kalemetadata.translate(notebook.metadata.get("kubeflow_notebook"))
    tables = []
    for key, raw in (("kubeflow_notebook", kale), ("kalecompiler", notebook.metadata.get("kalecompiler"))):
        try:
            table, found = read_table({} if raw is None else raw, where)
            tables.append(_with_file(table, folder))
        except TableError as error:
            found = [Problem(rules.INVALID_METADATA, str(error), error.hint)]
        problems += [Problem(p.rule, f"metadata `{key}`: {p.message}", p.hint) for p in found]
    findings += [Diagnostic(p.rule, p.message, where, p.hint) for p in problems]
    return tables


def _with_file(table: Table, folder: Path) -> Table:
    """The table with its requirements file found: a relative path starts at the folder of what names it."""
    name = table.values.get("requirements")
    if not name:
        return table
    path = folder / name
    try:
        found = path.is_file()
    except OSError as error:
        raise TableError(f"`requirements`: {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
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
            Diagnostic(rules.INVALID_METADATA, message, Location(str(notebook.path)), "use a to z, 0 to 9, -")
        )
    elif name != wanted:
        message = f"the pipeline name `{wanted}` becomes `{name}`, as KFP takes only small letters, digits and dashes"
        where = Location(str(notebook.path))
        findings.append(Diagnostic(rules.REWRITTEN_PIPELINE_NAME, message, where, f"name it `{name}`"))
    return name or "pipeline"


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
    return [Diagnostic(rules.OTHER_PYTHON, message, Location(str(notebook.path)), hint)]
