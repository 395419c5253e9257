"""What a report is about beside its findings."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from kalecompiler.model import Location

# Where CI systems have checked out the repository: what they show is named from there.
_ROOTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")


@dataclass(frozen=True, slots=True)
class Context:
    """`root`: the folder that paths are written from. `notebooks`: all that were checked, those without findings too.

    `strict`: whether warnings count as errors.
    """

    root: Path | None = None
    notebooks: tuple[str, ...] = ()
    strict: bool = False

    def path(self, path: str) -> str:
        """A path as the CI system knows it: from the root on, with slashes; as it is where it lies elsewhere."""
        if self.root is None:
            return path.replace(os.sep, "/")
        absolute, root = os.path.abspath(path), os.path.abspath(self.root)
        inside = os.path.relpath(absolute, root) if absolute.startswith(root.rstrip(os.sep) + os.sep) else path
        return inside.replace(os.sep, "/")


def repository() -> Path:
    """The folder of the repository in CI, else the current one."""
    return next((Path(os.environ[name]) for name in _ROOTS if os.environ.get(name)), Path.cwd())


def line_of(at: Location) -> int:
    """The line of the file, the first where none is known."""
    return at.file_line or 1
