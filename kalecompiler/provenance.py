"""Where a run comes from: who ran what, when, with which code, data, packages and seeds. Nothing here is secret.

Of the environment only versions are kept, never the values of variables.
"""

from __future__ import annotations

import ast
import contextlib
import getpass
import hashlib
import json
import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kalecompiler.model import Pipeline
from kalecompiler.version import VERSION

# A larger file is told by its size and time: reading it would delay the run.
LARGEST_FILE = 256 << 20
_SEEDING = frozenset(
    "seed manual_seed set_seed default_rng RandomState set_random_seed seed_everything PRNGKey Random".split()
)
_SEED_ARGUMENTS = frozenset({"random_state", "seed", "random_seed"})
_DISTRIBUTION = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)\.dist-info")


def gather(
    notebook: Path, data: bytes, pipeline: Pipeline, spec: Mapping[str, Any], platform_spec: Any = None
) -> dict[str, Any]:
    """The record of a run that is about to start, as JSON; what cannot be found out is None.

    `data` is what the notebook's file holds, `spec` and `platform_spec` are the two documents of the package.
    """
    return {
        "who": who(),
        "notebook": {"path": str(notebook.absolute()), "sha256": hashlib.sha256(data).hexdigest()},
        "git": git(notebook),
        "package": {"sha256": package_digest(spec, platform_spec)},
        "versions": versions(),
        "packages": installed(),
        "requirements": {step.name: sorted(p.requirement for p in step.packages) for step in pipeline.steps},
        "seeds": [seed for text, where in _sources(pipeline) for seed in seeds(text, where)],
        "files": files([text for text, _ in _sources(pipeline)], notebook.parent),
    }


def identity(record: Mapping[str, Any]) -> str:
    """A digest of all that should decide what a run computes: equal ones should give equal metrics.

    `record` is a run's: `parameters` and `provenance`. The paths, the time and who ran it do not count.
    """
    known = record.get("provenance", {})
    deciding = {name: known.get(name) for name in ("package", "versions", "packages", "files")}
    text = json.dumps([record.get("parameters"), deciding], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def who() -> dict[str, str]:
    """The user's name, or number where it has none, and that of this machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # as in many containers
        user = str(os.getuid()) if hasattr(os, "getuid") else ""
    return {"user": user, "host": socket.gethostname()}


def package_digest(spec: Mapping[str, Any], platform_spec: Any = None) -> str:
    """The SHA-256 of what a package says; the version that `kalec submit` uploads is named after the same."""
    content = json.dumps([spec, platform_spec], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(content.encode()).hexdigest()


def git(notebook: Path) -> dict[str, Any] | None:
    """The commit that is checked out, and whether it differs from what is there: in any file, in the notebook.

    None outside git. A repository without a commit has `(initial)` for one. A notebook that git does not know, also
    because it is told to ignore it, differs.
    """

    def ask(*arguments: str) -> str | None:
        command = ["git", "--no-optional-locks", "--literal-pathspecs", "-C", str(notebook.absolute().parent)]
        try:  # a branch may have any bytes for a name
            done = subprocess.run(
                [*command, *arguments], capture_output=True, encoding="utf-8", errors="replace", timeout=10, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    found = ask("status", "--porcelain=v2", "--branch", "--untracked-files=no")
    if found is None:
        return None
    lines = found.splitlines()
    heads = dict(line[2:].split(" ", 1) for line in lines if line.startswith("# "))
    return {
        "commit": heads.get("branch.oid"),
        "branch": heads.get("branch.head"),
        "dirty": any(not line.startswith("#") for line in lines),
        "notebook": bool(ask("status", "--porcelain", "--ignored", "--", notebook.name)),
    }


def versions() -> dict[str, str | None]:
    """Of Python, the system, kfp and this compiler."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "kalecompiler": VERSION,
        "kfp": next((version for name, version in installed().items() if name == "kfp"), None),
    }


def installed() -> dict[str, str]:
    """The distributions that this Python can import, by name: read from the names of folders, which is quick."""
    found: dict[str, str] = {}
    for folder in map(Path, sys.path):
        with contextlib.suppress(OSError):
            for entry in sorted(folder.glob("*.dist-info")):
                if match := _DISTRIBUTION.fullmatch(entry.name):
                    found.setdefault(match["name"].lower().replace("_", "-"), match["version"])
    return dict(sorted(found.items()))


def seeds(source: str, where: str) -> Iterator[dict[str, str]]:
    """The calls of a piece of code that seed a random generator: `{"where", "code"}`."""
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            named = [k for k in node.keywords if k.arg in _SEED_ARGUMENTS]
            if name in _SEEDING:
                yield {"where": where, "code": ast.unparse(node)[:200]}
            elif named:
                yield {"where": where, "code": f"{name}({ast.unparse(named[0])[:100]})"}


def files(sources: Sequence[str], folder: Path) -> list[dict[str, Any]]:
    """The files that the code names by constants, as far as they are there: what it may read.

    Each with its size and SHA-256; one that is too large for that has the time of its last change instead.
    """
    names = {
        node.value
        for source in sources
        for node in ast.walk(_tree(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and 0 < len(node.value) < 1000
    }
    return [known for name in sorted(names) if (known := _file(name, folder)) is not None]


def _file(name: str, folder: Path) -> dict[str, Any] | None:
    try:
        path = folder / name
        if not path.is_file():
            return None
        about = path.stat()
        if about.st_size > LARGEST_FILE:
            return {"path": name, "size": about.st_size, "modified": about.st_mtime}
        with path.open("rb") as file:
            digest = hashlib.sha256()
            while block := file.read(1 << 20):
                digest.update(block)
    except (OSError, ValueError):  # no path at all, or not ours to read
        return None
    return {"path": name, "size": about.st_size, "sha256": digest.hexdigest()}


def _sources(pipeline: Pipeline) -> list[tuple[str, str]]:
    """The text and name of every piece of code, once."""
    return [(text, name) for name, text in {c.name: c.source for s in pipeline.steps for c in s.code}.items()]


def _tree(source: str) -> ast.AST:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        return ast.Module([], [])
