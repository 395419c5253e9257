"""`kalec init` without a notebook: the configuration of a project, and what runs the checks in it.

A file that is there is never written over; the table is added to the end of a pyproject.toml that has none.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kalecompiler import settings
from kalecompiler.diagnostics import UsageError
from kalecompiler.files import write_atomic
from kalecompiler.version import VERSION
from kalecompiler.wording import cause

_TABLE = """\
[tool.kalecompiler]
# Where `kalec check` and `kalec compile --check` look, from this folder on.
notebooks = ["{notebooks}"]
# The folder of the compiled packages; without it they are beside the notebooks.
# output = "pipelines"
# Rules that are off unless selected; `kalec rule` lists all.
# extend-select = ["KC603"]
"""

_GITHUB = f"""\
name: notebooks
on: [push, pull_request]
permissions:
  contents: read
jobs:
  kalec:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.11"
      - run: python -m pip install kalecompiler=={VERSION}
      - run: kalec check
      - run: kalec compile --check
"""

_GITLAB = f"""\
kalec:
  image: python:3.11
  script:
    - python -m pip install --quiet kalecompiler=={VERSION}
    - kalec check --format gitlab -o gl-code-quality-report.json
    - kalec compile --check
  artifacts:
    when: always
    reports:
      codequality: gl-code-quality-report.json
"""

_PRE_COMMIT = f"""\
repos:
  - repo: local
    hooks:
      - id: kalec-check
        name: kalec check
        entry: kalec check --force-exclude --skip-untagged
        language: python
        additional_dependencies: ["kalecompiler=={VERSION}"]
        types: [jupyter]
      - id: kalec-compile
        name: kalec compile --check
        entry: kalec compile --check
        language: python
        additional_dependencies: ["kalecompiler=={VERSION}"]
        types: [jupyter]
        require_serial: true
"""


@dataclass(frozen=True, slots=True)
class _Service:
    """What runs checks: its file, the text of it, and what shows that a project uses it."""

    file: str
    text: str
    signs: tuple[str, ...]
    remote: str | None = None


_SERVICES = {
    "github": _Service(".github/workflows/kalec.yml", _GITHUB, (".github",), "github"),
    "gitlab": _Service(".gitlab-ci.yml", _GITLAB, (".gitlab-ci.yml",), "gitlab"),
    "pre-commit": _Service(".pre-commit-config.yaml", _PRE_COMMIT, (".pre-commit-config.yaml",)),
}


def write(folder: Path, services: Sequence[str] = ()) -> str:
    """Set up the project in a folder.

    Args:
        folder: where it is.
        services: keys of `_SERVICES`; without any those that the project seems to use.

    Returns: what was done, and what is left to do.

    Raises UsageError for a pyproject.toml that cannot be read, or a file that cannot be written.
    """
    chosen = list(dict.fromkeys(services)) or _used(folder)
    lines = [_configuration(folder)]
    lines += [_service(folder, _SERVICES[name]) for name in chosen]
    if not chosen:
        lines.append("nothing runs the checks yet: kalec init --ci github (or gitlab, pre-commit)")
    return "\n".join([*lines, "next: kalec check"])


def _used(folder: Path) -> list[str]:
    """The services whose files are there, or where the repository's remote is."""
    try:
        remotes = (folder / ".git" / "config").read_text(encoding="utf-8", errors="replace")
    except OSError:
        remotes = ""
    return [
        name
        for name, service in _SERVICES.items()
        if any((folder / sign).exists() for sign in service.signs) or (service.remote and service.remote in remotes)
    ]


def _configuration(folder: Path) -> str:
    path, table = settings.own_table(Path(os.path.abspath(folder)))
    if table is not None:
        return f"kept {path}: it has [tool.kalecompiler]"
    target = folder / "pyproject.toml"
    before = _content(target)
    gap = "" if not before else "\n" if before.endswith("\n") else "\n\n"
    table_text = _TABLE.format(notebooks="notebooks" if (folder / "notebooks").is_dir() else ".")
    newline = "\r\n" if "\r\n" in before else "\n"
    _write(target, before + (gap + table_text).replace("\n", newline))
    return f"{'added [tool.kalecompiler] to' if before else 'wrote'} {target}"


def _service(folder: Path, service: _Service) -> str:
    target = folder / service.file
    if target.exists() or target.is_symlink():
        added = "\n".join(f"    {line}" for line in service.text.splitlines())
        done = "which runs kalec" if "kalec" in _content(target) else f"add to it what you need of:\n{added}"
        return f"kept {target}, {done}"
    _write(target, service.text)
    return f"wrote {target}"


def _content(path: Path) -> str:
    """The text of a file, with its own line ends; nothing where there is none."""
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not text in UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {cause(error)}") from None


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {cause(error)}") from None
