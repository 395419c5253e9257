"""Requirements files and locks in pip's format: path -> requirement lines, and what is wrong with them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kalecompiler import watch
from kalecompiler.diagnostics import BAD_REQUIREMENTS, MISSING_REQUIREMENTS
from kalecompiler.findings import Problem, problem
from kalecompiler.installs import valid_requirement
from kalecompiler.settingrules import without_password
from kalecompiler.wording import cause

_COMMENT = re.compile(r"(^|\s)#.*$")
_REFERENCE = re.compile(r"^(?:-[rc]|--requirement|--constraint)(?:\s+|=|(?<=-[rc]))(?P<path>.+)$")
_LOCAL = re.compile(r"(?:[\w.-]+(?:\[[^]]*\])?\s*@\s*)?(?:[./~]|file:)")
_LINE_OPTION = re.compile(r"\s--(?:hash|config-settings|global-option|install-option)[= ].*$")


@dataclass(frozen=True, slots=True)
class RequirementLines:
    """The requirements of one or more files, as PEP 508 strings or addresses; problems have no line.

    `pinned` are the lines of constraints files (`-c`), which give versions and install nothing.
    """

    lines: tuple[str, ...] = ()
    pinned: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def is_reference(requirement: str) -> bool:
    """Whether a requirement of a cell is `-r FILE` or `-c FILE`."""
    return _REFERENCE.match(requirement) is not None


def read_reference(requirement: str, folder: Path, written: Mapping[str, str] | None = None) -> RequirementLines:
    """The lines of the file that `-r FILE` names, relative to the notebook's folder.

    `written` are texts that the notebook itself writes, by path. A missing file is a warning: the imports still say
    which packages a step needs.
    """
    match = _REFERENCE.match(requirement)
    name = match["path"].strip() if match else requirement
    if written and name in written:
        return _as_meant(requirement, _parsed(written[name], folder / name, ()))
    watch.seen(folder / name)
    if not (folder / name).is_file():
        message = f"the requirements file `{name}` is not beside the notebook, so no versions come from it"
        hint = "put the file there, or remove the line: packages are found by the imports"
        return RequirementLines(problems=(problem(MISSING_REQUIREMENTS, message, hint),))
    return _as_meant(requirement, read_requirements(folder / name))


def read_requirements(path: Path, above: tuple[Path, ...] = ()) -> RequirementLines:
    """The lines of a requirements file or lock and of those that it names; hashes and pip's options are left out."""
    if path.resolve() in above:
        return _bad(path, "names itself", "remove the line that does")
    watch.seen(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return _bad(path, "is not UTF-8 text", "save it as UTF-8")
    except OSError as error:
        why = cause(error)
        return _bad(path, f"cannot be read: {why}", "put it there, or remove the line that names it")
    return _parsed(text, path, above)


def _parsed(text: str, path: Path, above: tuple[Path, ...]) -> RequirementLines:
    found = [_line(number, line, path, (*above, path.resolve())) for number, line in _logical(text)]
    return RequirementLines(
        tuple(line for part in found for line in part.lines),
        tuple(line for part in found for line in part.pinned),
        tuple(problem for part in found for problem in part.problems),
    )


def _logical(text: str) -> Iterator[tuple[int, str]]:
    """Lines with their numbers, continued ones joined, without comments."""
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        start = start if pending else number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            pending += line[:-1] + " "
            continue
        whole = _COMMENT.sub("", pending + line).strip()
        pending = ""
        if whole:
            yield start, whole
    if pending.strip():
        yield start, _COMMENT.sub("", pending).strip()


def _line(number: int, line: str, path: Path, above: tuple[Path, ...]) -> RequirementLines:
    if match := _REFERENCE.match(line):
        return _as_meant(line, read_requirements(path.parent / match["path"].strip(), above))
    if line.startswith("-") or _is_local(line):
        return RequirementLines()
    text = _LINE_OPTION.sub("", line).strip()
    if not valid_requirement(text):
        return _bad(path, f"has on line {number} what is not a requirement: `{text}`")
    if wrong := without_password("", text):
        return _bad(path, f"is wrong on line {number}: {wrong}", "leave it out, or put the package into an image")
    return RequirementLines((text,))


def _as_meant(reference: str, found: RequirementLines) -> RequirementLines:
    """What a file says: all of it only gives versions where it was referred to by `-c`."""
    if not reference.startswith(("-c", "--constraint")):
        return found
    return RequirementLines(pinned=(*found.lines, *found.pinned), problems=found.problems)


def _is_local(line: str) -> bool:
    """Whether a line names a file or folder: an import beside the notebook needs no installing."""
    return bool(_LOCAL.match(line)) or ("://" not in line and line.endswith((".whl", ".tar.gz", ".zip")))


def _bad(path: Path, what: str, hint: str = "write one requirement a line: `pandas==2.2.0`") -> RequirementLines:
    return RequirementLines(problems=(problem(BAD_REQUIREMENTS, f"the requirements file `{path.name}` {what}", hint),))
